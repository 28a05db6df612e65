/** What a `load` command puts into a store. */
import { CUSTOM_BUCKETS_SCHEMA, type Histogram, type Labels, METRIC_NAME } from '@varve/tsdb-core/model'
import { spansOf } from '../histograms/buckets.js'
import type { LoadCommand } from './script.js'
import { parseFloatText } from './series-notation.js'

export interface LoadSample {
  readonly timeMs: number
  /** A float, unless there is a histogram. A staleness marker has neither. */
  readonly value?: number
  readonly histogram?: Histogram
  readonly startTimeMs?: number
}

export interface LoadSeries {
  readonly labels: Labels
  readonly samples: readonly LoadSample[]
}

/** The series of a load; a series that is named twice has the samples of the later line. */
export function expandLoad(command: LoadCommand): LoadSeries[] {
  const series = new Map<string, LoadSeries>()
  for (const { labels, values, startOffsetsMs } of command.series) {
    const samples: LoadSample[] = []
    values.forEach(({ value, stale, histogram }, i) => {
      if (value === undefined && !stale && !histogram) return
      const timeMs = i * command.stepMs
      const offset = startOffsetsMs?.[i]
      samples.push({
        timeMs,
        ...(value !== undefined && { value }),
        ...(histogram && { histogram }),
        ...(offset !== undefined && { startTimeMs: timeMs + offset }),
      })
    })
    series.set(labels.key, { labels, samples })
  }
  const loaded = [...series.values()]
  return command.withCustomBuckets ? [...loaded, ...customBucketHistograms(loaded)] : loaded
}

/** A classic histogram at one time. */
interface Classic {
  /** Cumulative counts by upper bound. */
  readonly counts: Map<number, number>
  sum: number
  count: number | undefined
}

/** Classic histograms as native ones with custom buckets. */
function customBucketHistograms(series: readonly LoadSeries[]): LoadSeries[] {
  const found = new Map<string, { labels: Labels; times: Map<number, Classic> }>()
  for (const { labels, samples } of series) {
    const [, base, part] = /^(.*)_(bucket|sum|count)$/s.exec(labels.metricName) ?? []
    if (base === undefined) continue
    const bound = part === 'bucket' ? parseFloatText(labels.get('le')) : 0
    if (Number.isNaN(bound)) continue
    const target = labels.with('le', '').with(METRIC_NAME, base)
    const classic = found.get(target.key) ?? { labels: target, times: new Map<number, Classic>() }
    found.set(target.key, classic)
    for (const { timeMs, value } of samples) {
      if (value === undefined) continue
      const at = classic.times.get(timeMs) ?? { counts: new Map<number, number>(), sum: 0, count: undefined }
      classic.times.set(timeMs, at)
      if (part === 'sum') at.sum = value
      else if (part === 'count') at.count = value
      else if (!at.counts.has(bound)) at.counts.set(bound, value)
    }
  }
  return [...found.values()].map(({ labels, times }) => ({
    labels,
    samples: [...times]
      .sort(([a], [b]) => a - b)
      .map(([timeMs, classic]) => ({ timeMs, histogram: nativeOf(classic) })),
  }))
}

function nativeOf({ counts, sum, count }: Classic): Histogram {
  const buckets = [...counts].sort(([a], [b]) => a - b)
  const highest = buckets.at(-1)
  const total = count ?? highest?.[1] ?? 0
  if (highest?.[0] !== Number.POSITIVE_INFINITY) buckets.push([Number.POSITIVE_INFINITY, total])
  const indexes: number[] = []
  const own: number[] = []
  buckets.forEach(([, cumulative], i) => {
    const difference = cumulative - (i === 0 ? 0 : buckets[i - 1][1])
    if (difference < 0) throw new Error(`bucket counts fall from ${buckets[i - 1][1]} to ${cumulative}`)
    if (difference === 0) return
    indexes.push(i)
    own.push(difference)
  })
  return {
    schema: CUSTOM_BUCKETS_SCHEMA,
    zeroThreshold: 0,
    zeroCount: 0,
    count: total,
    sum,
    counterResetHint: 'unknown',
    positiveSpans: spansOf(Int32Array.from(indexes)),
    negativeSpans: [],
    positiveBuckets: Float64Array.from(own),
    negativeBuckets: new Float64Array(0),
    customValues: Float64Array.from(buckets.slice(0, -1), ([bound]) => bound),
    stale: false,
    integer: false,
  }
}
