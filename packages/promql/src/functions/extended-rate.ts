/**
 * rate, increase and delta with `anchored` or `smoothed`, one window at a time.
 *
 * Anchored takes the sample before the window as its start; smoothed takes the values that lie on the lines between samples
 * at the window's borders. Nothing is extrapolated.
 * Source: Prometheus 3.14, promql/functions.go, extendedRate and extendedHistogramRate.
 */
import type { Histogram } from '@varve/tsdb-core/model'
import {
  addHistograms,
  compactHistogram,
  divideHistogram,
  scaleHistogram,
  subtractHistograms,
  usesCustomBuckets,
} from '../histograms/index.js'
import type { RateKind } from './histogram-rate.js'
import { resetBetween } from './histogram-rate.js'
import type { RangeCallContext, SampleWindow } from './range-function.js'

export function extendedFloatRate(window: SampleWindow, { isCounter, perSecond }: RateKind): number | undefined {
  const { floats, floatTimesMs: times, startMs, endMs, rangeMs, smoothed } = window
  const borders = bordersOf(window, times)
  if (borders === undefined) return undefined
  let { first, last } = borders
  const left =
    smoothed && times[first] < startMs ? interpolateFloat(times, floats, first, startMs, isCounter) : floats[first]
  const right =
    smoothed && last > 0 && times[last] > endMs
      ? interpolateFloat(times, floats, last - 1, endMs, isCounter)
      : floats[last]
  let result = right - left
  if (isCounter) {
    // Resets at the borders are in the interpolated values already.
    if (times[first] <= startMs) first++
    if (times[last] >= endMs) last--
    let previous = left
    for (let i = first; i <= last; i++) {
      if (floats[i] < previous) result += previous
      previous = floats[i]
    }
    if (right < previous) result += previous
  }
  return perSecond ? result / (rangeMs / 1000) : result
}

/** First and last sample that matter; undefined if nothing lies in the window. */
function bordersOf(window: SampleWindow, times: readonly number[]): { first: number; last: number } | undefined {
  const { startMs, endMs, smoothed } = window
  let last = times.length - 1
  let first = 0
  while (first < last && times[first] <= startMs) first++
  first = Math.max(0, first - 1)
  if (smoothed) {
    let end = 0
    while (end < last && times[end] < endMs) end++
    last = end
  }
  if (times[last] <= startMs) return undefined
  if (smoothed && times[first] > endMs) return undefined
  return { first, last }
}

/** Between samples i and i + 1; a counter that was reset there starts from 0. */
function interpolateFloat(
  times: readonly number[],
  floats: readonly number[],
  i: number,
  timeMs: number,
  isCounter: boolean,
): number {
  const after = floats[i + 1]
  const before = isCounter && after < floats[i] ? 0 : floats[i]
  return before + ((after - before) * (timeMs - times[i])) / (times[i + 1] - times[i])
}

export function extendedHistogramRate(
  window: SampleWindow,
  call: RangeCallContext,
  { isCounter, perSecond }: RateKind,
): Histogram | undefined {
  const { histograms, histogramTimesMs: times, startMs, endMs, rangeMs, smoothed } = window
  const { annotations, position } = call
  const borders = bordersOf(window, times)
  if (borders === undefined) return undefined
  const { first, last } = borders
  const sums = new CheckedSums(call)
  if (!sums.checkKinds(histograms.slice(first, last + 1), isCounter)) return undefined
  const left =
    smoothed && times[first] < startMs ? sums.interpolate(window, first, startMs, isCounter) : histograms[first]
  const right =
    smoothed && last > 0 && times[last] > endMs
      ? sums.interpolate(window, last - 1, endMs, isCounter)
      : histograms[last]
  if (left === undefined || right === undefined) return undefined
  if (!isCounter && (left.counterResetHint !== 'gauge' || right.counterResetHint !== 'gauge')) {
    annotations.notGauge(call.metricName(), position)
  }
  let result = sums.subtract(right, left)
  if (isCounter && result !== undefined) result = addResets(window, sums, borders, left, right, result)
  if (result === undefined) return undefined
  if (perSecond) result = divideHistogram(result, rangeMs / 1000)
  return compactHistogram({ ...result, counterResetHint: 'gauge' })
}

function addResets(
  window: SampleWindow,
  sums: CheckedSums,
  borders: { first: number; last: number },
  left: Histogram,
  right: Histogram,
  growth: Histogram,
): Histogram | undefined {
  const { histograms, histogramTimesMs: times, startMs, smoothed } = window
  let from = borders.first + 1
  let previous = left
  if (smoothed && times[borders.first] < startMs && resetBetween(histograms[from], histograms[from - 1])) {
    // The line on the left spans this reset already.
    previous = histograms[from]
    from++
  }
  // The last sample stands in `right`, or its hint does: it is compared once, at the end.
  if (from > borders.last) return growth
  let result: Histogram | undefined = growth
  for (let i = from; i < borders.last && result !== undefined; i++) {
    if (resetBetween(histograms[i], previous)) result = sums.add(result, previous)
    previous = histograms[i]
  }
  if (result !== undefined && resetBetween(right, previous)) result = sums.add(result, previous)
  return result
}

/** Sums of histograms that report what does not go together; undefined where nothing comes of it. */
export class CheckedSums {
  readonly #call: RangeCallContext

  constructor(call: Pick<RangeCallContext, 'annotations' | 'position' | 'metricName'>) {
    this.#call = call as RangeCallContext
  }

  add(a: Histogram, b: Histogram): Histogram | undefined {
    const sum = addHistograms(a, b)
    if (sum === undefined) return this.#mixed()
    if (sum.boundsReconciled) this.#call.annotations.mismatchedCustomBuckets('addition', this.#call.position)
    return sum.histogram
  }

  subtract(a: Histogram, b: Histogram): Histogram | undefined {
    const difference = subtractHistograms(a, b)
    if (difference === undefined) return this.#mixed()
    if (difference.boundsReconciled) {
      this.#call.annotations.mismatchedCustomBuckets('subtraction', this.#call.position)
    }
    return difference.histogram
  }

  checkKinds(histograms: readonly Histogram[], isCounter: boolean): boolean {
    const custom = usesCustomBuckets(histograms[0])
    for (const histogram of histograms) {
      if (usesCustomBuckets(histogram) !== custom) {
        this.#mixed()
        return false
      }
      if (isCounter && histogram.counterResetHint === 'gauge') {
        this.#call.annotations.notCounter(this.#call.metricName(), this.#call.position)
      }
    }
    return true
  }

  /** On the line between histograms i and i + 1. */
  interpolate(window: SampleWindow, i: number, timeMs: number, isCounter: boolean): Histogram | undefined {
    const { histograms, histogramTimesMs: times } = window
    return this.between(
      { timeMs: times[i], histogram: histograms[i] },
      { timeMs: times[i + 1], histogram: histograms[i + 1] },
      timeMs,
      isCounter,
    )
  }

  between(
    before: { timeMs: number; histogram: Histogram },
    after: { timeMs: number; histogram: Histogram },
    timeMs: number,
    isCounter: boolean,
  ): Histogram | undefined {
    if (timeMs === before.timeMs) return before.histogram
    if (timeMs === after.timeMs) return after.histogram
    const part = (timeMs - before.timeMs) / (after.timeMs - before.timeMs)
    // After a reset the counter grows from nothing.
    if (isCounter && resetBetween(after.histogram, before.histogram)) return scaleHistogram(after.histogram, part)
    const growth = this.subtract(after.histogram, before.histogram)
    return growth === undefined ? undefined : this.add(scaleHistogram(growth, part), before.histogram)
  }

  #mixed(): undefined {
    this.#call.annotations.mixedExponentialCustom(this.#call.metricName(), this.#call.position)
  }
}
