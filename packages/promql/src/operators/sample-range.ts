/**
 * The samples of one series of a raw batch, floats and histograms apart and without staleness markers.
 *
 * A series of floats alone stays where the store put it, beside its shared timestamp column; only where a marker or a
 * histogram stands is anything copied.
 */
import { type Histogram, halvesOf, isStaleAt } from '@varve/tsdb-core/model'
import { histogramPlace, type SeriesBatch } from '@varve/tsdb-core/query'
import { resetBetween } from '../functions/histogram-rate.js'
import type { FloatSeries } from '../functions/range-function.js'

export interface MixedSeries {
  readonly floats: FloatSeries
  readonly histogramTimesMs: Float64Array
  readonly histograms: readonly Histogram[]
  readonly histogramStartTimesMs: Float64Array | undefined
}

/**
 * `shared`: as in the batch, so that windows over its timestamp column hold. `ended`: the same, but for a marker at the end,
 * which most series have that have one. `own`: in scratch memory, good until the next call, since there are markers within.
 */
export type FloatPlace = 'shared' | 'ended' | 'own'

export class BatchReader {
  readonly batch: SeriesBatch
  readonly #halves: Uint32Array
  readonly #findResets: boolean
  #compactValues = new Float64Array(0)
  #compactTimes = new Float64Array(0)
  #compactStarts = new Float64Array(0)
  #compactCounts = new Float64Array(0)
  /** Position of the series at hand in `histograms.sampleIndexes`. */
  #histogramFrom = 0
  #histogramTo = 0

  /** With `findResets`, a counter histogram of unknown history is compared with the one before it in the batch. */
  constructor(batch: SeriesBatch, findResets = false) {
    this.batch = batch
    this.#halves = halvesOf(batch.values)
    this.#findResets = findResets
  }

  isStale(sampleIndex: number): boolean {
    return isStaleAt(this.#halves, sampleIndex)
  }

  hasHistograms(series: number): boolean {
    const column = this.batch.histograms
    if (column === undefined) return false
    this.#histogramFrom = histogramPlace(column, this.batch.sampleOffsets[series])
    this.#histogramTo = histogramPlace(column, this.batch.sampleOffsets[series + 1])
    return this.#histogramTo > this.#histogramFrom
  }

  /** The histogram at a sample of the series last asked about by `hasHistograms`. */
  histogramAt(sampleIndex: number): Histogram | undefined {
    const column = this.batch.histograms!
    const at = histogramPlace(column, sampleIndex)
    return column.sampleIndexes[at] === sampleIndex ? this.#withHint(at, column.histograms[at]) : undefined
  }

  #withHint(at: number, histogram: Histogram): Histogram {
    if (!this.#findResets || histogram.counterResetHint !== 'unknown') return histogram
    if (at === this.#histogramFrom || histogram.stale) return histogram
    const previous = this.batch.histograms!.histograms[at - 1]
    if (previous.stale) return histogram
    return { ...histogram, counterResetHint: resetBetween(histogram, previous) ? 'reset' : 'notReset' }
  }

  /** Fills `into` with the series, which has no histograms, and says where its samples stand. */
  readFloats(series: number, into: FloatSeries): FloatPlace {
    const { batch } = this
    const from = batch.sampleOffsets[series]
    const to = batch.sampleOffsets[series + 1]
    const column = batch.timestampColumns[series]
    into.values = batch.values
    into.valueOffset = from
    into.timesMs = batch.timestampsMs
    into.timeOffset = batch.timestampOffsets[column]
    into.count = to - from
    into.startTimesMs = batch.startTimestampsMs
    into.counts = batch.counts
    if (allFinite(batch.values, from, to)) return 'shared'
    const ended = to > from && isStaleAt(this.#halves, to - 1)
    if (this.#hasMarker(from, ended ? to - 1 : to)) {
      this.#compact(from, to, into)
      return 'own'
    }
    if (!ended) return 'shared'
    into.count--
    return 'ended'
  }

  /** A series that has histograms. The columns are its own. */
  readMixed(series: number): MixedSeries {
    const { batch } = this
    const from = batch.sampleOffsets[series]
    const to = batch.sampleOffsets[series + 1]
    const timeFrom = batch.timestampOffsets[batch.timestampColumns[series]]
    const { sampleIndexes, histograms: all } = batch.histograms!
    const starts = batch.startTimestampsMs
    const floats = { times: [] as number[], values: [] as number[], starts: [] as number[] }
    const own = { times: [] as number[], histograms: [] as Histogram[], starts: [] as number[] }
    let at = this.#histogramFrom
    for (let i = from; i < to; i++) {
      const timeMs = batch.timestampsMs[timeFrom + i - from]
      if (at < this.#histogramTo && sampleIndexes[at] === i) {
        const histogram = this.#withHint(at, all[at++])
        if (histogram.stale) continue
        own.times.push(timeMs)
        own.histograms.push(histogram)
        own.starts.push(starts?.[i] ?? 0)
      } else if (!isStaleAt(this.#halves, i)) {
        floats.times.push(timeMs)
        floats.values.push(batch.values[i])
        floats.starts.push(starts?.[i] ?? 0)
      }
    }
    return {
      floats: {
        values: Float64Array.from(floats.values),
        valueOffset: 0,
        timesMs: Float64Array.from(floats.times),
        timeOffset: 0,
        count: floats.values.length,
        startTimesMs: starts === undefined ? undefined : Float64Array.from(floats.starts),
        counts: undefined,
      },
      histogramTimesMs: Float64Array.from(own.times),
      histograms: own.histograms,
      histogramStartTimesMs: starts === undefined ? undefined : Float64Array.from(own.starts),
    }
  }

  #hasMarker(from: number, to: number): boolean {
    for (let i = from; i < to; i++) if (isStaleAt(this.#halves, i)) return true
    return false
  }

  #compact(from: number, to: number, into: FloatSeries): void {
    const { batch } = this
    if (this.#compactValues.length < to - from) {
      this.#compactValues = new Float64Array((to - from) * 2)
      this.#compactTimes = new Float64Array((to - from) * 2)
      this.#compactStarts = new Float64Array((to - from) * 2)
      this.#compactCounts = new Float64Array((to - from) * 2)
    }
    let count = 0
    for (let i = from; i < to; i++) {
      if (isStaleAt(this.#halves, i)) continue
      this.#compactValues[count] = batch.values[i]
      this.#compactTimes[count] = batch.timestampsMs[into.timeOffset + i - from]
      if (batch.startTimestampsMs !== undefined) this.#compactStarts[count] = batch.startTimestampsMs[i]
      if (batch.counts !== undefined) this.#compactCounts[count] = batch.counts[i]
      count++
    }
    into.values = this.#compactValues
    into.valueOffset = 0
    into.timesMs = this.#compactTimes
    into.timeOffset = 0
    into.count = count
    into.startTimesMs = batch.startTimestampsMs === undefined ? undefined : this.#compactStarts
    into.counts = batch.counts === undefined ? undefined : this.#compactCounts
  }
}

/** No NaN, so no marker, and no infinity. Four sums at a time, without a branch: every sample of every query comes by. */
function allFinite(values: Float64Array, from: number, to: number): boolean {
  let a = 0
  let b = 0
  let c = 0
  let d = 0
  let i = from
  // The difference of a finite number and itself is 0, that of any other is NaN and stays.
  for (; i + 3 < to; i += 4) {
    a += values[i] - values[i]
    b += values[i + 1] - values[i + 1]
    c += values[i + 2] - values[i + 2]
    d += values[i + 3] - values[i + 3]
  }
  for (; i < to; i++) a += values[i] - values[i]
  return a + b + c + d === 0
}

export function emptyFloatSeries(): FloatSeries {
  const none = new Float64Array(0)
  return {
    values: none,
    valueOffset: 0,
    timesMs: none,
    timeOffset: 0,
    count: 0,
    startTimesMs: undefined,
    counts: undefined,
  }
}
