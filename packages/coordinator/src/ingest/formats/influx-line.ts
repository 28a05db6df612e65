/**
 * InfluxDB's line protocol:
 *
 *     measurement,tag=value,… field=1,other=2i,flag=t,text="…" [timestamp]
 *
 * A number becomes the series `measurement_field` with the tags as labels; the field `value` is `measurement` alone. True and
 * false are 1 and 0, texts have no place here and are left out. Timestamps are in the request's precision.
 * Source: docs.influxdata.com, line protocol.
 */
import { Labels, METRIC_NAME } from '@varve/tsdb-core/model'
import type { WriteRow } from '../row-writer.js'
import { FormatError, LABEL_COUNT_MAX, LINE_LENGTH_MAX, TURN_LENGTH } from './format-error.js'

export type InfluxPrecision = 'ns' | 'us' | 'ms' | 's' | 'm' | 'h'

/** How many nanoseconds one unit has. */
const NANOSECONDS: Readonly<Record<InfluxPrecision, bigint>> = {
  ns: 1n,
  us: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
}

/** As the APIs call them: `n` and `u` are short forms, µ is u. */
export function parsePrecision(text: string): InfluxPrecision | null {
  const full = text === '' || text === 'n' ? 'ns' : text === 'u' || text === 'µ' || text === 'µs' ? 'us' : text
  return full in NANOSECONDS && full.length <= 2 ? (full as InfluxPrecision) : null
}

/**
 * Gives `null` now and then: the event loop may turn.
 *
 * @throws {FormatError} with the number of the line; rows of the lines before it were given out.
 */
export function* parseInfluxLines(
  text: string,
  options: { readonly nowMs: number; readonly precision: InfluxPrecision },
): Generator<WriteRow | null> {
  let line = 0
  let pausedAt = 0
  for (let at = 0; at < text.length; ) {
    if (at - pausedAt >= TURN_LENGTH) {
      yield null
      pausedAt = at
    }
    line++
    const end = endOfLine(text, at)
    if (end - at > LINE_LENGTH_MAX) throw new FormatError(line, `longer than ${LINE_LENGTH_MAX} characters`)
    const content = text.slice(at, end).trim()
    at = end + 1
    if (content !== '' && !content.startsWith('#')) yield* rowsOf(content, line, options)
  }
}

function* rowsOf(
  content: string,
  line: number,
  { nowMs, precision }: { readonly nowMs: number; readonly precision: InfluxPrecision },
): Generator<WriteRow> {
  const keyEnd = separator(content, ' ')
  const key = keyEnd < 0 ? content : content.slice(0, keyEnd)
  const behind = keyEnd < 0 ? '' : content.slice(keyEnd + 1)
  const [fields, time, ...rest] = split(behind, ' ', QUOTES).filter((part) => part !== '')
  if (fields === undefined || rest.length > 0) throw new FormatError(line, 'wanted: measurement,tags fields timestamp')
  const [measurement, ...tags] = split(key, ',')
  if (tags.length > LABEL_COUNT_MAX) throw new FormatError(line, `more than ${LABEL_COUNT_MAX} tags`)
  if (measurement === '') throw new FormatError(line, 'wanted a measurement')
  const pairs: [string, string][] = []
  for (const tag of tags) {
    const [name, value, more] = split(tag, '=')
    if (value === undefined || more !== undefined || name === '') throw new FormatError(line, 'wanted tag=value')
    pairs.push([unescaped(name), unescaped(value)])
  }
  const timestampMs = time === undefined ? nowMs : timeOf(time, precision, line)
  for (const field of split(fields, ',', QUOTES)) {
    const at = separator(field, '=')
    if (at <= 0) throw new FormatError(line, 'wanted field=value')
    const value = numberOf(field.slice(at + 1), line)
    if (value === null) continue
    const name = unescaped(field.slice(0, at))
    const metric = name === 'value' ? unescaped(measurement) : `${unescaped(measurement)}_${name}`
    const all = new Map<string, string>([...pairs, [METRIC_NAME, metric]])
    yield { labels: Labels.from(all), timestampMs, value }
  }
}

function timeOf(text: string, precision: InfluxPrecision, line: number): number {
  if (!/^-?\d{1,19}$/.test(text)) throw new FormatError(line, `timestamp ${JSON.stringify(text.slice(0, 40))}`)
  return Number((BigInt(text) * NANOSECONDS[precision]) / 1_000_000n)
}

/** `null` for a text, which no series can hold. */
function numberOf(text: string, line: number): number | null {
  if (text.startsWith('"')) {
    if (endOfText(text) !== text.length - 1) throw new FormatError(line, 'wanted a text to end with its quote')
    return null
  }
  if (/^(?:t|T|true|True|TRUE)$/.test(text)) return 1
  if (/^(?:f|F|false|False|FALSE)$/.test(text)) return 0
  const number = /^[+-]?\d+[iu]$/.test(text) ? text.slice(0, -1) : text
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(number)) {
    throw new FormatError(line, `field value ${JSON.stringify(text.slice(0, 40))}, wanted a number, t, f or a text`)
  }
  return Number(number)
}

/** Behind the first space: there `field="a text"` may hold any separator. Before it a quote is a letter like others. */
const QUOTES = true

/** Where the text that begins at 0 is closed; -1: nowhere. */
function endOfText(text: string): number {
  for (let at = 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at
  }
  return -1
}

/** Splits where the separator is neither escaped nor, with `QUOTES`, in quotes. */
function split(text: string, by: string, quotes = false): string[] {
  const parts: string[] = []
  for (let at = 0; ; ) {
    const end = separator(text, by, at, quotes)
    parts.push(text.slice(at, end < 0 ? text.length : end))
    if (end < 0) return parts
    at = end + 1
  }
}

function separator(text: string, by: string, from = 0, quotes = false): number {
  let quoted = false
  for (let at = from; at < text.length; at++) {
    const character = text[at]
    if (character === '\\') at++
    // A text begins right behind its equals sign.
    else if (quotes && character === '"' && (quoted || text[at - 1] === '=')) quoted = !quoted
    else if (character === by && !quoted) return at
  }
  return -1
}

/** A text value may hold newlines; nothing else can escape one. Looks no further than the longest line that is accepted. */
function endOfLine(text: string, from: number): number {
  const end = Math.min(text.length, from + LINE_LENGTH_MAX + 1)
  let begun = false
  let inFields = false
  let quoted = false
  for (let at = from; at < end; at++) {
    const character = text[at]
    if (character === '\n' && !quoted) return at
    if (!begun && character === '#') return firstNewline(text, at, end)
    if (character === '\\' && (quoted || text[at + 1] !== '\n')) at++
    else if (inFields && character === '"' && (quoted || text[at - 1] === '=')) quoted = !quoted
    else if (begun && character === ' ') inFields = true
    if (character !== ' ' && character !== '\t' && character !== '\r') begun = true
  }
  return end
}

function firstNewline(text: string, from: number, end: number): number {
  const found = text.indexOf('\n', from)
  return found < 0 || found > end ? end : found
}

function unescaped(text: string): string {
  return text.replace(/\\([,= \\])/g, '$1')
}
