/**
 * Lines of JSON, one series a line, as `/api/v1/export` writes them:
 *
 *     {"metric":{"__name__":"up","job":"node"},"values":[1,1,"NaN",null],"timestamps":[1700000000000,…]}
 *
 * Numbers that JSON has not are the texts `+Inf`, `-Inf` and those of NaNs (`api/nan-text.ts`); `null` is a NaN too. A line
 * with `histograms` in the place of `values` holds native histograms (`histogram-json.ts`). The trailer of exports from the
 * time before they did is stepped over.
 */
import { Labels } from '@varve/tsdb-core/model'
import { nanBitsOf } from '../../api/nan-text.js'
import type { WriteRow } from '../row-writer.js'
import { FormatError, LABEL_COUNT_MAX, TURN_LENGTH } from './format-error.js'
import { histogramOfJson } from './histogram-json.js'
import { parseJsonInTurns } from './json-in-turns.js'

interface JsonSeries {
  readonly metric?: unknown
  readonly values?: unknown
  readonly histograms?: unknown
  readonly timestamps?: unknown
}

/**
 * Gives `null` where it has read much without a row: the event loop may turn then.
 *
 * @throws {FormatError} with the number of the line; rows of the lines before it were given out.
 */
export async function* parseJsonLines(text: string, pause: () => Promise<void>): AsyncGenerator<WriteRow | null> {
  let line = 0
  let pausedAt = 0
  for (let at = 0; at < text.length; ) {
    if (at - pausedAt >= TURN_LENGTH) {
      yield null
      pausedAt = at
    }
    const end = text.indexOf('\n', at)
    const content = text.slice(at, end < 0 ? text.length : end).trim()
    at = end < 0 ? text.length : end + 1
    line++
    if (content !== '') yield* rowsOf(await parsed(content, line, pause), line)
  }
}

async function parsed(content: string, line: number, pause: () => Promise<void>): Promise<JsonSeries> {
  try {
    return (await parseJsonInTurns(content, pause)) as JsonSeries
  } catch (error) {
    throw new FormatError(line, `no JSON: ${(error as Error).message}`)
  }
}

function* rowsOf(series: JsonSeries, line: number): Generator<WriteRow> {
  if (typeof series !== 'object' || series === null) throw new FormatError(line, 'wanted an object')
  if ('histogramsLeftOut' in series) return
  const { metric, histograms, timestamps } = series
  const name = histograms === undefined ? 'values' : 'histograms'
  const values = series[name]
  if (series.values !== undefined && histograms !== undefined) {
    throw new FormatError(line, 'wanted "values" or "histograms", not both')
  }
  if (typeof metric !== 'object' || metric === null) throw new FormatError(line, 'wanted "metric" to be an object')
  if (!Array.isArray(values) || !Array.isArray(timestamps) || values.length !== timestamps.length) {
    throw new FormatError(line, `wanted "${name}" and "timestamps" to be lists of one length`)
  }
  const entries = Object.entries(metric)
  if (entries.length > LABEL_COUNT_MAX) throw new FormatError(line, `more than ${LABEL_COUNT_MAX} labels`)
  const pairs: [string, string][] = []
  for (const [name, value] of entries) {
    if (typeof value !== 'string') throw new FormatError(line, `wanted label ${JSON.stringify(name)} to be a text`)
    pairs.push([name, value])
  }
  const labels = Labels.from(pairs)
  for (let i = 0; i < values.length; i++) {
    const timestampMs: unknown = timestamps[i]
    if (typeof timestampMs !== 'number' || !Number.isInteger(timestampMs)) {
      throw new FormatError(line, `timestamp ${JSON.stringify(timestampMs)}, wanted whole milliseconds`)
    }
    if (histograms !== undefined) {
      const histogram = histogramOfJson(values[i])
      if (typeof histogram === 'string') throw new FormatError(line, `histogram ${i}: ${histogram}`)
      yield { labels, timestampMs, value: 0, histogram }
      continue
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
