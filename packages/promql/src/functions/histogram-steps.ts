/**
 * rate and increase of a series of native histograms of one layout, all steps in one pass.
 *
 * Resets between neighbours are found once; a step is then the difference of two columns of counts, what resets have hidden,
 * and the extrapolation, in one loop over the buckets. What does not fit here goes window by window (histogram-rate.ts).
 */
import type { Histogram } from '@varve/tsdb-core/model'
import { boundsEqual, spansEqual } from '../histograms/buckets.js'
import { compactHistogram } from '../histograms/index.js'
import type { Windows } from '../operators/windows.js'

export interface HistogramSeries {
  readonly histograms: readonly Histogram[]
  readonly timesMs: Float64Array
}

export type HistogramsKernel = (
  series: HistogramSeries,
  windows: Windows,
  put: (step: number, histogram: Histogram) => void,
) => boolean

/** False, with nothing done, if the histograms are not of one layout or not all counters. */
export function growthOfHistograms(perSecond: boolean): HistogramsKernel {
  return ({ histograms, timesMs }, windows, put) => {
    if (!isUniform(histograms)) return false
    const resets = resetsOf(histograms)
    const { first, end, endsMs, rangeMs } = windows
    let resetLow = 0
    for (let s = 0; s < windows.grid.count; s++) {
      const from = first[s]
      const last = end[s] - 1
      if (last <= from) continue
      while (resetLow < resets.length && resets[resetLow] <= from) resetLow++
      let resetHigh = resetLow
      while (resetHigh < resets.length && resets[resetHigh] <= last) resetHigh++
      // What was lost at a reset is the histogram before it. With one right behind the first, the first does not count.
      const lost: Histogram[] = []
      for (let r = resetLow; r < resetHigh; r++) lost.push(histograms[resets[r] - 1])
      const firstMs = timesMs[from]
      const lastMs = timesMs[last]
      const sampled = (lastMs - firstMs) / 1000
      const between = sampled / (last - from)
      const threshold = between * 1.1
      let toStart = (firstMs - (endsMs[s] - rangeMs)) / 1000
      let toEnd = (endsMs[s] - lastMs) / 1000
      if (toStart >= threshold) toStart = between / 2
      if (toEnd >= threshold) toEnd = between / 2
      const grown = numberGrowth(histograms[from].count, histograms[last].count, lost, countOf)
      if (grown > 0 && histograms[from].count >= 0) {
        toStart = Math.min(toStart, sampled * (histograms[from].count / grown))
      }
      let factor = (sampled + toStart + toEnd) / sampled
      if (perSecond) factor /= rangeMs / 1000
      put(s, grownHistogram(histograms[from], histograms[last], lost, factor))
    }
    return true
  }
}

function grownHistogram(first: Histogram, last: Histogram, lost: readonly Histogram[], factor: number): Histogram {
  const positive = sideGrowth(first.positiveBuckets, last.positiveBuckets, lost, positiveOf, factor)
  const negative = sideGrowth(first.negativeBuckets, last.negativeBuckets, lost, negativeOf, factor)
  const histogram: Histogram = {
    schema: last.schema,
    zeroThreshold: last.zeroThreshold,
    zeroCount: numberGrowth(first.zeroCount, last.zeroCount, lost, zeroCountOf) * factor,
    count: numberGrowth(first.count, last.count, lost, countOf) * factor,
    sum: numberGrowth(first.sum, last.sum, lost, sumOf) * factor,
    counterResetHint: 'gauge',
    positiveSpans: last.positiveSpans,
    negativeSpans: last.negativeSpans,
    positiveBuckets: positive,
    negativeBuckets: negative,
    customValues: last.customValues,
    stale: false,
    integer: false,
  }
  return compactHistogram(histogram)
}

function numberGrowth(
  first: number,
  last: number,
  lost: readonly Histogram[],
  read: (histogram: Histogram) => number,
): number {
  let growth = last - first
  for (const histogram of lost) growth += read(histogram)
  return growth
}

function sideGrowth(
  first: Float64Array,
  last: Float64Array,
  lost: readonly Histogram[],
  read: (histogram: Histogram) => Float64Array,
  factor: number,
): Float64Array {
  const growth = new Float64Array(last.length)
  if (lost.length === 0) {
    for (let i = 0; i < growth.length; i++) growth[i] = (last[i] - first[i]) * factor
    return growth
  }
  for (let i = 0; i < growth.length; i++) growth[i] = last[i] - first[i]
  for (const histogram of lost) {
    const counts = read(histogram)
    for (let i = 0; i < growth.length; i++) growth[i] += counts[i]
  }
  for (let i = 0; i < growth.length; i++) growth[i] *= factor
  return growth
}

const countOf = ({ count }: Histogram) => count
const zeroCountOf = ({ zeroCount }: Histogram) => zeroCount
const sumOf = ({ sum }: Histogram) => sum
const positiveOf = ({ positiveBuckets }: Histogram) => positiveBuckets
const negativeOf = ({ negativeBuckets }: Histogram) => negativeBuckets

/** All have the first one's buckets, by name, and none is a gauge. */
function isUniform(histograms: readonly Histogram[]): boolean {
  const first = histograms[0]
  for (const histogram of histograms) {
    if (
      histogram.counterResetHint === 'gauge' ||
      histogram.schema !== first.schema ||
      histogram.zeroThreshold !== first.zeroThreshold ||
      histogram.positiveBuckets.length !== first.positiveBuckets.length ||
      histogram.negativeBuckets.length !== first.negativeBuckets.length ||
      !boundsEqual(histogram.customValues, first.customValues) ||
      !spansEqual(histogram.positiveSpans, first.positiveSpans) ||
      !spansEqual(histogram.negativeSpans, first.negativeSpans)
    ) {
      return false
    }
  }
  return true
}

/** Indexes of histograms before which the counter began anew; the layout is the same for all. */
function resetsOf(histograms: readonly Histogram[]): number[] {
  const resets: number[] = []
  for (let i = 1; i < histograms.length; i++) {
    const current = histograms[i]
    const previous = histograms[i - 1]
    const { counterResetHint: hint } = current
    const reset =
      hint === 'reset' ||
      (hint !== 'notReset' &&
        (current.count < previous.count ||
          current.zeroCount < previous.zeroCount ||
          shrank(current.positiveBuckets, previous.positiveBuckets) ||
          shrank(current.negativeBuckets, previous.negativeBuckets)))
    if (reset) resets.push(i)
  }
  return resets
}

function shrank(current: Float64Array, previous: Float64Array): boolean {
  for (let i = 0; i < current.length; i++) if (current[i] < previous[i]) return true
  return false
}
