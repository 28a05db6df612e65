/**
 * One line of a script: a series, and its values one step apart.
 *
 *     http_requests{path="/"} 0+10x5 _x2 stale NaN 7 {{schema:1 sum:2 count:3 buckets:[1 2]}}
 *
 * `axN` is N + 1 times a, `a+bxN` N + 1 values that rise by repeated addition, `_xN` N times nothing.
 */
import { type CounterResetHint, type Histogram, Labels, METRIC_NAME } from '@varve/tsdb-core/model'
import { addHistograms, subtractHistograms } from '../histograms/index.js'
import { parseDuration } from '../parser/duration.js'
import { unquote } from '../parser/literal.js'

/** What stands at one step. Nothing stands there if all are absent. */
export interface ScriptValue {
  readonly value?: number
  readonly stale?: boolean
  readonly histogram?: Histogram
  /** The script names a counter reset hint, so that it counts in comparisons. */
  readonly hintGiven?: boolean
}

export interface ScriptSeries {
  readonly labels: Labels
  readonly values: readonly ScriptValue[]
}

/** @throws {Error} with the part that cannot be read. */
export function parseSeriesLine(line: string): ScriptSeries {
  const { labels, rest } = parseLabels(line)
  return { labels, values: splitItems(rest).flatMap(parseItem) }
}

const NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/y
const STRING = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`/y

function parseLabels(line: string): { labels: Labels; rest: string } {
  let at = 0
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    const found = pattern.exec(line)?.[0]
    if (found !== undefined) at += found.length
    return found
  }
  const space = () => void match(/\s*/y)
  const pairs = new Map<string, string>()
  const name = match(NAME)
  if (name !== undefined) pairs.set(METRIC_NAME, name)
  const bare = at
  space()
  if (line[at] !== '{' || line[at + 1] === '{') return { labels: Labels.from(pairs), rest: line.slice(bare) }
  at++
  for (;;) {
    space()
    if (match(/\}/y)) break
    const quoted = match(STRING)
    const label = quoted === undefined ? match(NAME) : unquote(quoted)
    if (label === undefined) throw new Error(`expected a label name at ${JSON.stringify(line.slice(at))}`)
    space()
    if (match(/=/y)) {
      space()
      const value = match(STRING)
      if (value === undefined) throw new Error(`expected a quoted value at ${JSON.stringify(line.slice(at))}`)
      pairs.set(label, unquote(value))
    } else if (quoted !== undefined) {
      pairs.set(METRIC_NAME, label)
    } else {
      throw new Error(`expected "=" at ${JSON.stringify(line.slice(at))}`)
    }
    space()
    if (!match(/,/y) && line[at] !== '}') throw new Error(`expected "," or "}" at ${JSON.stringify(line.slice(at))}`)
  }
  return { labels: Labels.from(pairs), rest: line.slice(at) }
}

/** Cuts at spaces, but not inside a histogram. */
function splitItems(text: string): string[] {
  return text.match(/(?:\{\{.*?\}\}|[^\s{]|\{(?!\{))+/g) ?? []
}

const NUMBER = String.raw`(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?|[iI][nN][fF]|[nN][aA][nN]`
const FLOATS = new RegExp(`^([+-]?(?:${NUMBER}))(?:([+-])(${NUMBER}))?(?:x(\\d+))?$`)
const HISTOGRAMS = /^\{\{(.*?)\}\}(?:([+-])\{\{(.*?)\}\})?(?:x(\d+))?$/

function parseItem(item: string): ScriptValue[] {
  const blank = /^_(?:x(\d+))?$/.exec(item)
  if (blank) return Array.from({ length: Number(blank[1] ?? 1) }, () => ({}))
  const stale = /^stale(?:x(\d+))?$/.exec(item)
  if (stale) return Array.from({ length: Number(stale[1] ?? 0) + 1 }, () => ({ stale: true }))
  if (item.startsWith('{{')) return parseHistograms(item)
  const floats = FLOATS.exec(item)
  if (!floats) return [{ value: parseDurationValue(item) }]
  const [, first, sign, step, times] = floats
  if (step !== undefined && times === undefined) throw new Error(`a step without a count: ${item}`)
  const difference = step === undefined ? 0 : parseFloatText(step) * (sign === '-' ? -1 : 1)
  const values: ScriptValue[] = []
  let value = parseFloatText(first)
  for (let i = 0; i <= Number(times ?? 0); i++) {
    values.push({ value })
    if (step !== undefined) value += difference
  }
  return values
}

function parseDurationValue(item: string): number {
  const match = /^([+-]?)(\d[0-9a-z]*)$/.exec(item)
  const ms = match ? parseDuration(match[2]) : 'no number'
  if (typeof ms === 'string') throw new Error(`cannot read the value ${JSON.stringify(item)}`)
  return ((match?.[1] === '-' ? -1 : 1) * ms) / 1000
}

/** A number as scripts write it: `-Inf`, `NaN`, `1_000`. */
export function parseFloatText(text: string): number {
  const [, sign, digits] = /^([+-]?)(.*)$/s.exec(text)!
  const lower = digits.toLowerCase()
  const size =
    lower === 'inf' || lower === 'infinity'
      ? Number.POSITIVE_INFINITY
      : lower === 'nan'
        ? Number.NaN
        : Number(digits.replaceAll('_', ''))
  return sign === '-' ? -size : size
}

function parseHistograms(item: string): ScriptValue[] {
  const match = HISTOGRAMS.exec(item)
  if (!match) throw new Error(`cannot read the histogram ${item}`)
  const [, first, sign, step, times] = match
  let { histogram, hintGiven } = parseHistogram(first)
  if (step === undefined) return Array.from({ length: Number(times ?? 0) + 1 }, () => ({ histogram, hintGiven }))
  if (times === undefined) throw new Error(`a step without a count: ${item}`)
  const difference = parseHistogram(step)
  if (difference.histogram.schema < histogram.schema)
    throw new Error(`the step is coarser than what it is added to: ${item}`)
  hintGiven = difference.hintGiven
  const values: ScriptValue[] = [{ histogram, hintGiven }]
  for (let i = 0; i < Number(times); i++) {
    const combine = sign === '-' ? subtractHistograms : addHistograms
    const next = combine(histogram, difference.histogram)
    if (!next) throw new Error(`exponential and custom buckets do not add: ${item}`)
    histogram = next.histogram
    values.push({ histogram, hintGiven })
  }
  return values
}

const HINTS: Readonly<Record<string, CounterResetHint>> = {
  unknown: 'unknown',
  reset: 'reset',
  not_reset: 'notReset',
  gauge: 'gauge',
}
const KEYS: ReadonlySet<string> = new Set([
  'schema',
  'sum',
  'count',
  'z_bucket',
  'z_bucket_w',
  'buckets',
  'offset',
  'n_buckets',
  'n_offset',
  'custom_values',
  'counter_reset_hint',
])

function parseHistogram(body: string): { histogram: Histogram; hintGiven: boolean } {
  const fields = new Map<string, string>()
  for (const field of body.match(/[^\s[]+(?:\[[^\]]*\])?/g) ?? []) {
    const [, key, value] = /^([a-z_]+):(.*)$/s.exec(field) ?? []
    if (key === undefined || !KEYS.has(key)) throw new Error(`no part of a histogram: ${JSON.stringify(field)}`)
    if (fields.has(key)) throw new Error(`duplicate key "${key}" in histogram`)
    fields.set(key, value)
  }
  const number = (key: string) => parseFloatText(fields.get(key) ?? '0')
  const numbers = (key: string) =>
    Float64Array.from(fields.get(key)?.slice(1, -1).trim().split(/\s+/).filter(Boolean) ?? [], (text) =>
      parseFloatText(text),
    )
  const spans = (length: number, offset: number) => (length > 0 ? [{ offset, length }] : [])
  const positiveBuckets = numbers('buckets')
  const negativeBuckets = numbers('n_buckets')
  const hint = fields.get('counter_reset_hint')
  if (hint !== undefined && !(hint in HINTS)) throw new Error(`no counter reset hint: ${hint}`)
  return {
    hintGiven: hint !== undefined,
    histogram: {
      schema: number('schema'),
      zeroThreshold: number('z_bucket_w'),
      zeroCount: number('z_bucket'),
      count: number('count'),
      sum: number('sum'),
      counterResetHint: HINTS[hint ?? 'unknown'],
      positiveSpans: spans(positiveBuckets.length, number('offset')),
      negativeSpans: spans(negativeBuckets.length, number('n_offset')),
      positiveBuckets,
      negativeBuckets,
      customValues: numbers('custom_values'),
      stale: false,
      integer: false,
    },
  }
}
