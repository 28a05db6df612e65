/**
 * The text formats of Prometheus (0.0.4) and OpenMetrics, as programs expose them and Pushgateway takes them:
 *
 *     # HELP name text    # TYPE name counter    # UNIT name seconds    # EOF
 *     name{label="value",…} 1.5 [timestamp] [# {label="value"} 0.7 [timestamp]]
 *     {"name with.dots",label="value"} 1.5
 *
 * Timestamps are milliseconds, in OpenMetrics seconds; a sample without one gets the time of its reception.
 * Source: Prometheus' docs/instrumenting/exposition_formats.md, the OpenMetrics specification.
 */
import { Labels, METRIC_NAME } from '@varve/tsdb-core/model'
import type { Exemplar } from '../../exemplars/exemplar-store.js'
import { METRIC_TYPES, type MetricType } from '../../metadata/metadata-store.js'
import type { WriteRow } from '../row-writer.js'
import { FormatError, LABEL_COUNT_MAX, LINE_LENGTH_MAX, TURN_LENGTH } from './format-error.js'

export interface TextOptions {
  /** For samples without a timestamp. */
  readonly nowMs: number
  readonly openMetrics: boolean
  /** Added to every series, unless it has that label itself. */
  readonly extraLabels?: readonly (readonly [string, string])[]
}

export type TextItem =
  | { readonly kind: 'sample'; readonly row: WriteRow; readonly exemplar?: Exemplar }
  | { readonly kind: 'metadata'; readonly family: string; readonly metadata: Partial<TextMetadata> }

export interface TextMetadata {
  readonly type: MetricType
  readonly help: string
  readonly unit: string
}

/**
 * Gives `null` now and then: the event loop may turn.
 *
 * @throws {FormatError} with the number of the line; items of the lines before it were given out.
 */
export function* parsePrometheusText(text: string, options: TextOptions): Generator<TextItem | null> {
  let line = 0
  let pausedAt = 0
  for (let at = 0; at < text.length; ) {
    if (at - pausedAt >= TURN_LENGTH) {
      yield null
      pausedAt = at
    }
    const newline = text.indexOf('\n', at)
    const end = newline < 0 ? text.length : newline
    line++
    if (end - at > LINE_LENGTH_MAX) throw new FormatError(line, `longer than ${LINE_LENGTH_MAX} characters`)
    const content = text.slice(at, text[end - 1] === '\r' ? end - 1 : end)
    at = end + 1
    const first = content.search(/\S/)
    if (first < 0) continue
    if (content[first] === '#') {
      if (options.openMetrics && content === '# EOF') return
      const item = parseComment(content)
      if (item !== null) yield item
      continue
    }
    yield new LineParser(content, first, line, options).parse()
  }
}

function parseComment(content: string): TextItem | null {
  const match = /^\s*#\s+(HELP|TYPE|UNIT)\s+("(?:[^"\\]|\\.)*"|\S+)(?:\s+(.*))?$/.exec(content)
  if (match === null) return null
  const [, keyword, name, rest = ''] = match
  const family = name.startsWith('"') ? unescaped(name.slice(1, -1)) : name
  if (keyword === 'HELP') return { kind: 'metadata', family, metadata: { help: unescaped(rest) } }
  if (keyword === 'UNIT') return { kind: 'metadata', family, metadata: { unit: rest } }
  const type = rest.trim() === 'untyped' ? 'unknown' : rest.trim()
  return { kind: 'metadata', family, metadata: { type: METRIC_TYPES.find((known) => known === type) ?? 'unknown' } }
}

class LineParser {
  readonly #text: string
  readonly #line: number
  readonly #options: TextOptions
  #at: number

  constructor(text: string, at: number, line: number, options: TextOptions) {
    this.#text = text
    this.#at = at
    this.#line = line
    this.#options = options
  }

  parse(): TextItem {
    const pairs: [string, string][] = []
    const name = this.#word(/[^\s{#]/)
    if (name !== '') pairs.push([METRIC_NAME, name])
    this.#space()
    if (this.#text[this.#at] === '{') this.#labels(pairs)
    if (!pairs.some(([label]) => label === METRIC_NAME)) throw this.#error('wanted a metric name')
    const value = this.#number('a value')
    const timestampMs = this.#timestamp() ?? this.#options.nowMs
    const exemplar = this.#exemplar(timestampMs)
    this.#space()
    if (this.#at < this.#text.length) throw this.#error('wanted the end of the line')
    for (const [label, extra] of this.#options.extraLabels ?? []) {
      if (!pairs.some(([own]) => own === label)) pairs.push([label, extra])
    }
    const row = { labels: this.#toLabels(pairs), timestampMs, value }
    return exemplar === undefined ? { kind: 'sample', row } : { kind: 'sample', row, exemplar }
  }

  /** `{name="value", "quoted name"="value", "metric name"}`, a comma at the end allowed. */
  #labels(pairs: [string, string][]): void {
    this.#at++
    for (;;) {
      this.#space()
      if (this.#text[this.#at] === '}') {
        this.#at++
        return
      }
      const quoted = this.#text[this.#at] === '"'
      if (pairs.length > LABEL_COUNT_MAX) throw this.#error(`more than ${LABEL_COUNT_MAX} labels`)
      const name = quoted ? this.#quoted() : this.#word(/[A-Za-z0-9_:]/)
      this.#space()
      if (this.#text[this.#at] === '=') {
        this.#at++
        this.#space()
        if (this.#text[this.#at] !== '"') throw this.#error('wanted a label value in quotes')
        pairs.push([name, this.#quoted()])
      } else if (quoted) pairs.push([METRIC_NAME, name])
      else throw this.#error('wanted = behind a label name')
      this.#space()
      if (this.#text[this.#at] === ',') this.#at++
      else if (this.#text[this.#at] !== '}') throw this.#error('wanted , or } behind a label')
    }
  }

  #timestamp(): number | undefined {
    this.#space()
    if (this.#at >= this.#text.length || this.#text[this.#at] === '#') return undefined
    const timestamp = this.#number('a timestamp')
    const timestampMs = this.#options.openMetrics ? Math.round(timestamp * 1000) : timestamp
    if (!Number.isInteger(timestampMs)) throw this.#error('wanted a timestamp in whole milliseconds')
    return timestampMs
  }

  #exemplar(sampleMs: number): Exemplar | undefined {
    this.#space()
    if (this.#text[this.#at] !== '#') return undefined
    this.#at++
    this.#space()
    if (this.#text[this.#at] !== '{') throw this.#error('wanted the labels of an exemplar')
    const pairs: [string, string][] = []
    this.#labels(pairs)
    const value = this.#number("an exemplar's value")
    return { labels: this.#toLabels(pairs), value, timestampMs: this.#timestamp() ?? sampleMs }
  }

  #number(what: string): number {
    this.#space()
    const start = this.#at
    const text = this.#word(/[^\s#]/)
    const special = SPECIAL.get(text.toLowerCase())
    if (special !== undefined) return special
    if (!NUMBER.test(text)) throw this.#error(`wanted ${what}, got ${JSON.stringify(text.slice(0, 40))}`, start)
    return Number(text)
  }

  #quoted(): string {
    const start = ++this.#at
    while (this.#at < this.#text.length && this.#text[this.#at] !== '"') {
      this.#at += this.#text[this.#at] === '\\' ? 2 : 1
    }
    if (this.#at >= this.#text.length) throw this.#error('wanted a closing quote')
    return unescaped(this.#text.slice(start, this.#at++))
  }

  #word(allowed: RegExp): string {
    const start = this.#at
    while (this.#at < this.#text.length && allowed.test(this.#text[this.#at])) this.#at++
    return this.#text.slice(start, this.#at)
  }

  #space(): void {
    while (this.#text[this.#at] === ' ' || this.#text[this.#at] === '\t') this.#at++
  }

  #toLabels(pairs: [string, string][]): Labels {
    const names = new Set(pairs.map(([name]) => name))
    if (names.size < pairs.length) throw this.#error('a label name comes twice')
    return Labels.from(pairs)
  }

  #error(message: string, at = this.#at): FormatError {
    return new FormatError(this.#line, `column ${at + 1}: ${message}`)
  }
}

const SPECIAL: ReadonlyMap<string, number> = new Map([
  ['nan', Number.NaN],
  ['inf', Infinity],
  ['+inf', Infinity],
  ['-inf', -Infinity],
])
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

/** `\\`, `\"` and `\n`; any other backslash stands for itself. */
function unescaped(text: string): string {
  if (!text.includes('\\')) return text
  return text.replace(/\\(.)/g, (whole, escaped: string) =>
    escaped === 'n' ? '\n' : escaped === '\\' || escaped === '"' ? escaped : whole,
  )
}
