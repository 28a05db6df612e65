/**
 * Lines of JSON, one series a line, as `/api/v1/export` writes them:
 *
 *     {"metric":{"__name__":"up","job":"node"},"values":[1,1,"NaN",null],"timestamps":[1700000000000,…]}
 *
 * Numbers that JSON has not are the texts `+Inf`, `-Inf` and those of NaNs (`api/nan-text.ts`); `null` is a NaN too. An
 * export's trailer is stepped over.
 */
import { Labels } from '@varve/tsdb-core/model'
import { nanBitsOf } from '../../api/nan-text.js'
import type { WriteRow } from '../row-writer.js'
import { FormatError } from './format-error.js'

interface JsonSeries {
  readonly metric?: unknown
  readonly values?: unknown
  readonly timestamps?: unknown
}

/** @throws {FormatError} with the number of the line; rows of the lines before it were given out. */
export function* parseJsonLines(text: string): Generator<WriteRow> {
  let line = 0
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf('\n', at)
    const content = text.slice(at, end < 0 ? text.length : end).trim()
    at = end < 0 ? text.length : end + 1
    line++
    if (content !== '') yield* rowsOf(content, line)
  }
}

function* rowsOf(content: string, line: number): Generator<WriteRow> {
  let series: JsonSeries
  try {
    series = JSON.parse(content) as JsonSeries
  } catch (error) {
    throw new FormatError(line, `no JSON: ${(error as Error).message}`)
  }
  if (typeof series !== 'object' || series === null) throw new FormatError(line, 'wanted an object')
  if ('histogramsLeftOut' in series) return
  const { metric, values, timestamps } = series
  if (typeof metric !== 'object' || metric === null) throw new FormatError(line, 'wanted "metric" to be an object')
  if (!Array.isArray(values) || !Array.isArray(timestamps) || values.length !== timestamps.length) {
    throw new FormatError(line, 'wanted "values" and "timestamps" to be lists of one length')
  }
  const pairs: [string, string][] = []
  for (const [name, value] of Object.entries(metric)) {
    if (typeof value !== 'string') throw new FormatError(line, `wanted label ${JSON.stringify(name)} to be a text`)
    pairs.push([name, value])
  }
  const labels = Labels.from(pairs)
  for (let i = 0; i < values.length; i++) {
    const timestampMs: unknown = timestamps[i]
    if (typeof timestampMs !== 'number' || !Number.isInteger(timestampMs)) {
      throw new FormatError(line, `timestamp ${JSON.stringify(timestampMs)}, wanted whole milliseconds`)
    }
    const value = numberOf(values[i])
    if (value === undefined) throw new FormatError(line, `value ${JSON.stringify(values[i])}, wanted a number`)
    if (typeof value === 'bigint') yield { labels, timestampMs, value: Number.NaN, nanBits: value }
    else yield { labels, timestampMs, value }
  }
}

const TEXTS: ReadonlyMap<unknown, number> = new Map<unknown, number>([
  [null, Number.NaN],
  ['+Inf', Infinity],
  ['Inf', Infinity],
  ['Infinity', Infinity],
  ['-Inf', -Infinity],
  ['-Infinity', -Infinity],
])

/** A NaN that was written as text comes as its bits. */
function numberOf(value: unknown): number | bigint | undefined {
  if (typeof value === 'number') return value
  const known = TEXTS.get(value)
  if (known !== undefined) return known
  if (typeof value !== 'string') return undefined
  return NUMBER.test(value) ? Number(value) : (nanBitsOf(value) ?? undefined)
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
