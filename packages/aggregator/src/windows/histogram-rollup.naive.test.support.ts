/**
 * Rollups of native histograms, plainly: each output from all raw histograms, bucket by bucket.
 *
 * The judge of `HistogramRun`. It knows exponential histograms of one zero threshold, and adds buckets up in a map.
 */
import type { Database } from '@varve/tsdb-core'
import {
  type AggregateColumn,
  type Histogram,
  halvesOf,
  isStaleAt,
  Labels,
  METRIC_NAME,
  type Span,
} from '@varve/tsdb-core/model'

export const STALE = 'stale'
/** A histogram as numbers by bucket; `z`, `n` and `s` are zero count, count and sum. */
export type Plain = { readonly schema: number; readonly numbers: ReadonlyMap<string, number> }
export type Found = Map<string, Map<number, Plain | typeof STALE | number>>

export interface NaiveSeries {
  readonly labels: Labels
  readonly samples: readonly { readonly timestampMs: number; readonly histogram: Histogram | typeof STALE }[]
}

export function plainOf(histogram: Histogram): Plain {
  const numbers = new Map<string, number>([
    ['z', histogram.zeroCount],
    ['n', histogram.count],
    ['s', histogram.sum],
  ])
  const side = (name: string, spans: readonly Span[], counts: Float64Array) => {
    let index = 0
    let at = 0
    for (const { offset, length } of spans) {
      index += offset
      for (let i = 0; i < length; i++) numbers.set(`${name}${index++}`, counts[at++])
    }
  }
  side('+', histogram.positiveSpans, histogram.positiveBuckets)
  side('-', histogram.negativeSpans, histogram.negativeBuckets)
  return { schema: histogram.schema, numbers }
}

function coarser({ schema, numbers }: Plain, wanted: number): Plain {
  const result = new Map<string, number>()
  for (const [name, number] of numbers) {
    const index = Number(name.slice(1))
    const key = /^[+-]/.test(name) ? `${name[0]}${Math.ceil(index / 2 ** (schema - wanted))}` : name
    result.set(key, (result.get(key) ?? 0) + number)
  }
  return { schema: wanted, numbers: result }
}

export function combined(a: Plain, b: Plain, sign: 1 | -1): Plain {
  const schema = Math.min(a.schema, b.schema)
  const numbers = new Map(coarser(a, schema).numbers)
  for (const [name, number] of coarser(b, schema).numbers) numbers.set(name, (numbers.get(name) ?? 0) + sign * number)
  return { schema, numbers }
}

function wasReset(current: Plain, previous: Plain): boolean {
  if (current.schema > previous.schema) return true
  const before = coarser(previous, current.schema).numbers
  return [...before].some(([name, number]) => name !== 's' && number > (current.numbers.get(name) ?? 0))
}

export function naiveHistograms(options: {
  readonly raw: readonly NaiveSeries[]
  readonly resolutionMs: number
  readonly firstEndMs: number
  readonly lastEndMs: number
  /** The labels of the rolled-up series of a raw one. */
  readonly outputOf: (labels: Labels) => Labels
}): Found {
  const { raw, resolutionMs, firstEndMs, lastEndMs, outputOf } = options
  const found: Found = new Map()
  for (let endMs = firstEndMs; endMs <= lastEndMs; endMs += resolutionMs) {
    const put = (labels: Labels, column: string, value: Plain | typeof STALE | number) => {
      const key = `${labels} ${column}`
      found.set(key, (found.get(key) ?? new Map()).set(endMs, value))
    }
    const groups = new Map<string, { labels: Labels; column: string; parts: Plain[]; lives: boolean; lived: boolean }>()
    for (const { labels, samples } of raw) {
      const values = samples.flatMap(({ timestampMs, histogram }) =>
        histogram === STALE ? [] : [{ timestampMs, histogram, plain: plainOf(histogram) }],
      )
      const startMs = endMs - resolutionMs
      const within = values.filter(({ timestampMs }) => timestampMs > startMs && timestampMs <= endMs)
      const known = values.filter(({ timestampMs }) => timestampMs <= endMs).at(-1)
      if (!known) continue
      const isCounter = known.histogram.counterResetHint !== 'gauge'
      const lives = livesIn(samples, endMs, resolutionMs)
      const lived = livesIn(samples, startMs, resolutionMs)
      const output = outputOf(labels)
      const column = isCounter ? 'increase' : 'value'
      const key = `${output} ${column}`
      const group = groups.get(key) ?? { labels: output, column, parts: [], lives: false, lived: false }
      groups.set(key, group)
      group.lives ||= lives
      group.lived ||= lived
      if (within.length > 0) {
        const before = values.filter((v) => v.timestampMs <= startMs && v.timestampMs >= startMs - 86_400_000).at(-1)
        const chain = (before ? [before, ...within] : within).map(({ plain }) => plain)
        let growth = combined(chain[chain.length - 1], chain[0], -1)
        for (let i = 1; i < chain.length; i++) {
          if (wasReset(chain[i], chain[i - 1])) growth = combined(growth, chain[i - 1], 1)
        }
        put(labels, 'last', within[within.length - 1].plain)
        put(labels, 'count', within.length)
        if (isCounter) put(labels, 'increase', growth)
        group.parts.push(isCounter ? growth : within[within.length - 1].plain)
      } else if (lived && !lives) {
        put(labels, 'last', STALE)
        put(labels, 'count', STALE)
        if (isCounter) put(labels, 'increase', STALE)
      }
    }
    for (const { labels, column, parts, lives, lived } of groups.values()) {
      if (parts.length > 0)
        put(
          labels,
          column,
          parts.reduce((a, b) => combined(a, b, 1)),
        )
      else if (lived && !lives) put(labels, column, STALE)
    }
  }
  return found
}

function livesIn(samples: NaiveSeries['samples'], endMs: number, resolutionMs: number): boolean {
  const before = samples.filter(({ timestampMs }) => timestampMs <= endMs)
  if (before.some((s) => s.histogram !== STALE && s.timestampMs > endMs - resolutionMs)) return true
  const last = before.at(-1)
  return last !== undefined && last.histogram !== STALE && endMs - last.timestampMs < 300_000
}

/** What stands in a namespace in these columns. Floats that are no markers come as numbers. */
export async function readHistograms(
  database: Database,
  namespace: string,
  columns: readonly AggregateColumn[],
): Promise<Found> {
  const found: Found = new Map()
  for (const column of columns) {
    const { symbols, batches } = await database.namespace(namespace).select({
      matchers: [{ name: METRIC_NAME, operator: '!=', value: '' }],
      startMs: 0,
      endMs: 8e15,
      column,
      exactColumn: true,
    })
    for await (const batch of batches) {
      const halves = halvesOf(batch.values)
      for (let series = 0; series < batch.seriesCount; series++) {
        const flat: string[] = []
        for (let i = batch.labelOffsets[series] * 2; i < batch.labelOffsets[series + 1] * 2; i++) {
          flat.push(symbols[batch.labelPairs[i]])
        }
        const byEnd = new Map<number, Plain | typeof STALE | number>()
        const times = batch.timestampOffsets[batch.timestampColumns[series]]
        for (let at = batch.sampleOffsets[series]; at < batch.sampleOffsets[series + 1]; at++) {
          const place = batch.histograms?.sampleIndexes.indexOf(at) ?? -1
          const histogram = batch.histograms?.histograms[place]
          const value = histogram ? plainOf(histogram) : isStaleAt(halves, at) ? STALE : batch.values[at]
          byEnd.set(batch.timestampsMs[times + at - batch.sampleOffsets[series]], value)
        }
        if (byEnd.size > 0) found.set(`${Labels.fromSorted(flat)} ${column}`, byEnd)
      }
    }
  }
  return found
}

/** Equal in schema and in every number; empty buckets do not count. Counts are whole, so nothing is rounded. */
export function differences(actual: Found, expected: Found): { compared: number; problems: string[] } {
  let compared = 0
  const problems: string[] = []
  for (const key of new Set([...actual.keys(), ...expected.keys()])) {
    for (const endMs of new Set([...(actual.get(key)?.keys() ?? []), ...(expected.get(key)?.keys() ?? [])])) {
      const got = textOf(actual.get(key)?.get(endMs))
      const wanted = textOf(expected.get(key)?.get(endMs))
      compared++
      if (got !== wanted) problems.push(`${key} at ${endMs}: got ${got}, wanted ${wanted}`)
    }
  }
  return { compared, problems }
}

function textOf(value: Plain | typeof STALE | number | undefined): string {
  if (typeof value !== 'object') return String(value)
  const numbers = [...value.numbers].filter(([name, number]) => number !== 0 || name.length === 1)
  return `schema ${value.schema} ${numbers
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, number]) => `${name}:${number}`)
    .join(' ')}`
}
