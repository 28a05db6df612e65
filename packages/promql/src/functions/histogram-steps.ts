/**
 * rate and increase of a series of native histograms of the same bounds, all steps in one pass.
 *
 * Resets between neighbours are found once; a step is then the difference of two rows of counts, what resets have hidden,
 * and the extrapolation, in loops over the buckets. What does not fit here goes window by window (histogram-rate.ts).
 */
import type { Histogram } from '@varve/tsdb-core/model'
import { BucketRows } from '../histograms/bucket-rows.js'
import { boundsEqual, indexOutsideZero } from '../histograms/buckets.js'
import { isStartReset, startsOverlap } from './counter-resets.js'
import type { HistogramSeries, HistogramsKernel } from './range-function.js'

/** False, with nothing done, if the histograms have not all the same bounds, are not all counters, or overlap in time. */
export function growthOfHistograms(perSecond: boolean): HistogramsKernel {
  return (series, windows, put) => {
    const { histograms, timesMs, startTimesMs } = series
    if (histograms.length === 0 || !areComparable(histograms) || overlaps(series)) return false
    const indexMin = indexOutsideZero(histograms[0])
    const positive = BucketRows.of(histograms, 'positive', indexMin)
    const negative = BucketRows.of(histograms, 'negative', indexMin)
    if (positive === undefined || negative === undefined) return false
    const resets = resetsOf(series, positive, negative)
    const { first: firsts, end, endsMs, rangeMs } = windows
    let resetLow = 0
    for (let s = 0; s < windows.grid.count; s++) {
      const from = firsts[s]
      const last = end[s] - 1
      if (last < from) continue
      const firstMs = timesMs[from]
      const lastMs = timesMs[last]
      const startMs = endsMs[s] - rangeMs
      // A first one that began to count inside the window has counted from zero.
      const countStartMs = startTimesMs?.[from] ?? 0
      const startsInside = countStartMs > startMs && countStartMs < firstMs && countStartMs !== 0
      if (last === from && !startsInside) continue
      while (resetLow < resets.length && resets[resetLow] <= from) resetLow++
      // What was lost at a reset is the histogram before it. With one right behind the first, the first does not count.
      const resetBehindFirst = resets[resetLow] === from + 1
      const lost: number[] = []
      for (let r = resetBehindFirst && !startsInside ? resetLow + 1 : resetLow; r < resets.length; r++) {
        if (resets[r] > last) break
        lost.push(resets[r] - 1)
      }
      const first = startsInside || resetBehindFirst ? -1 : from
      const numbers = numberGrowth(histograms, first, last, lost)
      const between = last === from ? 0 : (lastMs - firstMs) / 1000 / (last - from)
      const threshold = between * 1.1
      const sampled = (lastMs - (startsInside ? countStartMs : firstMs)) / 1000
      let toStart = startsInside ? 0 : (firstMs - startMs) / 1000
      let toEnd = (endsMs[s] - lastMs) / 1000
      if (!startsInside) {
        if (toStart >= threshold) toStart = between / 2
        if (numbers.count > 0 && histograms[from].count >= 0) {
          toStart = Math.min(toStart, sampled * (histograms[from].count / numbers.count))
        }
      }
      if (toEnd >= threshold) toEnd = between / 2
      let factor = (sampled + toStart + toEnd) / sampled
      if (perSecond) factor /= rangeMs / 1000
      const positiveGrowth = positive.growth(first, last, lost, factor)
      const negativeGrowth = negative.growth(first, last, lost, factor)
      const { schema, zeroThreshold, customValues } = histograms[last]
      put(s, {
        schema,
        zeroThreshold,
        zeroCount: numbers.zeroCount * factor,
        count: numbers.count * factor,
        sum: numbers.sum * factor,
        // A single one is its own growth.
        counterResetHint: last === from ? histograms[from].counterResetHint : 'gauge',
        positiveSpans: positiveGrowth.spans,
        negativeSpans: negativeGrowth.spans,
        positiveBuckets: positiveGrowth.counts,
        negativeBuckets: negativeGrowth.counts,
        customValues,
        stale: false,
        integer: false,
      })
    }
    return true
  }
}

/** As `BucketRows.growth`, of the numbers beside the buckets and without a factor. */
function numberGrowth(
  histograms: readonly Histogram[],
  first: number,
  last: number,
  lost: readonly number[],
): { zeroCount: number; count: number; sum: number } {
  let { zeroCount, count, sum } = histograms[last]
  if (first >= 0) {
    zeroCount -= histograms[first].zeroCount
    count -= histograms[first].count
    sum -= histograms[first].sum
  }
  for (const i of lost) {
    zeroCount += histograms[i].zeroCount
    count += histograms[i].count
    sum += histograms[i].sum
  }
  return { zeroCount, count, sum }
}

/** All have the first one's bounds, and none is a gauge. */
function areComparable(histograms: readonly Histogram[]): boolean {
  const { schema, zeroThreshold, customValues } = histograms[0]
  for (const histogram of histograms) {
    if (
      histogram.counterResetHint === 'gauge' ||
      histogram.schema !== schema ||
      histogram.zeroThreshold !== zeroThreshold ||
      !boundsEqual(histogram.customValues, customValues)
    ) {
      return false
    }
  }
  return true
}

/** Indexes of histograms before which the counter began anew. */
function resetsOf(
  { histograms, timesMs, startTimesMs: starts }: HistogramSeries,
  positive: BucketRows,
  negative: BucketRows,
): number[] {
  const resets: number[] = []
  for (let i = 1; i < histograms.length; i++) {
    const current = histograms[i]
    const previous = histograms[i - 1]
    const { counterResetHint: hint } = current
    const reset =
      (starts !== undefined && isStartReset(starts[i - 1], timesMs[i - 1], starts[i], timesMs[i])) ||
      hint === 'reset' ||
      (hint !== 'notReset' &&
        (current.count < previous.count ||
          current.zeroCount < previous.zeroCount ||
          positive.shrank(i) ||
          negative.shrank(i)))
    if (reset) resets.push(i)
  }
  return resets
}

/** Some began to count before the one before it was sampled: users are told, window by window. */
function overlaps({ timesMs, startTimesMs: starts }: HistogramSeries): boolean {
  if (starts === undefined) return false
  for (let i = 1; i < starts.length; i++) if (startsOverlap(starts[i - 1], timesMs[i - 1], starts[i])) return true
  return false
}
