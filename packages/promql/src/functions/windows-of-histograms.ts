/**
 * Range functions over windows that hold native histograms.
 *
 * Each takes the function for floats, which answers where there is no histogram. Source: Prometheus 3.14, promql/functions.go.
 */
import type { Histogram } from '@varve/tsdb-core/model'
import {
  addHistograms,
  compactHistogram,
  detectReset,
  divideHistogram,
  HistogramAverage,
  HistogramSummer,
  histogramsEqual,
  scaleHistogram,
  subtractHistograms,
  usesCustomBuckets,
} from '../histograms/index.js'
import { isStartReset } from './counter-resets.js'
import type { RangeCallContext, SampleWindow, WindowFunction } from './range-function.js'

/** Of floats and histograms in one window nothing can be made; that is reported. */
function unmixed(floats: WindowFunction, histograms: WindowFunction): WindowFunction {
  return (window, call) => {
    if (window.histograms.length === 0) return floats(window, call)
    if (window.floats.length === 0) return histograms(window, call)
    call.annotations.mixedFloatsHistograms(call.metricName(), call.position)
    return undefined
  }
}

export function sumWindow(floats: WindowFunction): WindowFunction {
  return unmixed(floats, ({ histograms }, call) => total(new HistogramSummer(histograms[0]), histograms, call))
}

export function avgWindow(floats: WindowFunction): WindowFunction {
  return unmixed(floats, ({ histograms }, call) => total(new HistogramAverage(histograms[0]), histograms, call))
}

function total(
  sum: HistogramSummer | HistogramAverage,
  histograms: readonly Histogram[],
  call: RangeCallContext,
): Histogram | undefined {
  const { annotations, position } = call
  let compatible = true
  for (let i = 1; i < histograms.length && compatible; i++) compatible = sum.add(histograms[i])
  if (!compatible) {
    annotations.mixedExponentialCustom(call.metricName(), position)
    return undefined
  }
  if (sum.counterResetCollision) annotations.counterResetCollision('aggregation', position)
  if (sum.boundsReconciled) annotations.mismatchedCustomBuckets('aggregation', position)
  return sum.result()
}

export function firstWindow(floats: WindowFunction): WindowFunction {
  return (window, call) => {
    const { floatTimesMs, histogramTimesMs, histograms } = window
    if (histograms.length === 0 || floatTimesMs[0] < histogramTimesMs[0]) return floats(window, call)
    return histograms[0]
  }
}

export function lastWindow(floats: WindowFunction): WindowFunction {
  return (window, call) => {
    const { floatTimesMs, histogramTimesMs, histograms } = window
    const floatMs = floatTimesMs[floatTimesMs.length - 1]
    if (histograms.length === 0 || floatMs > histogramTimesMs[histograms.length - 1]) return floats(window, call)
    return histograms[histograms.length - 1]
  }
}

export const timeOfFirstWindow: WindowFunction = ({ floatTimesMs, histogramTimesMs }) =>
  Math.min(floatTimesMs[0] ?? Number.POSITIVE_INFINITY, histogramTimesMs[0] ?? Number.POSITIVE_INFINITY) / 1000

export const timeOfLastWindow: WindowFunction = ({ floatTimesMs, histogramTimesMs }) =>
  Math.max(floatTimesMs.at(-1) ?? Number.NEGATIVE_INFINITY, histogramTimesMs.at(-1) ?? Number.NEGATIVE_INFINITY) / 1000

/** Changing between float and histogram counts as a change. */
export function changesWindow(floats: WindowFunction): WindowFunction {
  return eventsWindow(floats, (histogram, previous) => !histogramsEqual(histogram, previous), floatsDiffer)
}

export function resetsWindow(floats: WindowFunction): WindowFunction {
  return eventsWindow(floats, detectReset, (value, previous) => value < previous)
}

function floatsDiffer(value: number, previous: number): boolean {
  return value !== previous && !(Number.isNaN(value) && Number.isNaN(previous))
}

function eventsWindow(
  floatsOnly: WindowFunction,
  betweenHistograms: (histogram: Histogram, previous: Histogram) => boolean,
  betweenFloats: (value: number, previous: number) => boolean,
): WindowFunction {
  return (window, call) => {
    const { floats, floatTimesMs, histograms, histogramTimesMs } = window
    if (histograms.length === 0) return floatsOnly(window, call)
    let events = 0
    let previous: number | Histogram | undefined
    for (let f = 0, h = 0; f < floats.length || h < histograms.length; ) {
      const takesFloat = h === histograms.length || (f < floats.length && floatTimesMs[f] < histogramTimesMs[h])
      const sample = takesFloat ? floats[f++] : histograms[h++]
      if (previous !== undefined) {
        if (typeof sample === 'number' && typeof previous === 'number')
          events += betweenFloats(sample, previous) ? 1 : 0
        else if (typeof sample === 'number' || typeof previous === 'number') events++
        else events += betweenHistograms(sample, previous) ? 1 : 0
      }
      previous = sample
    }
    return events
  }
}

export function rateWindow(floats: WindowFunction): WindowFunction {
  return unmixed(floats, (window, call) => growth(window, call, true, true))
}

export function increaseWindow(floats: WindowFunction): WindowFunction {
  return unmixed(floats, (window, call) => growth(window, call, true, false))
}

export function deltaWindow(floats: WindowFunction): WindowFunction {
  return unmixed(floats, (window, call) => growth(window, call, false, false))
}

function growth(
  window: SampleWindow,
  call: RangeCallContext,
  isCounter: boolean,
  perSecond: boolean,
): Histogram | undefined {
  const { histograms, histogramTimesMs: timesMs, histogramStartTimesMs: startsMs, startMs, endMs, rangeMs } = window
  const last = histograms.length - 1
  const firstStartMs = isCounter ? (startsMs[0] ?? 0) : 0
  const startsInside = firstStartMs !== 0 && firstStartMs > startMs && firstStartMs < timesMs[0]
  if (last < 1 && !startsInside) return undefined
  let grown = difference(window, call, isCounter)
  if (grown === undefined) return undefined
  let toStart = (timesMs[0] - startMs) / 1000
  let toEnd = (endMs - timesMs[last]) / 1000
  let sampled = (timesMs[last] - timesMs[0]) / 1000
  const between = last > 0 ? sampled / last : 0
  const threshold = between * 1.1
  if (startsInside) {
    // The counter was empty at its start, which lies in the window: nothing to guess on the left.
    const whole = addHistograms(grown, histograms[0])
    if (whole === undefined) return undefined
    grown = whole.histogram
    toStart = 0
    sampled = (timesMs[last] - firstStartMs) / 1000
  } else {
    if (toStart >= threshold) toStart = between / 2
    if (isCounter && grown.count > 0 && histograms[0].count >= 0) {
      // A counter is never below 0, so it cannot have grown from further left than there.
      toStart = Math.min(toStart, sampled * (histograms[0].count / grown.count))
    }
  }
  if (toEnd >= threshold) toEnd = between / 2
  let factor = sampled === 0 ? 1 : (sampled + toStart + toEnd) / sampled
  if (perSecond) factor /= rangeMs / 1000
  return { ...compactHistogram(scaleHistogram(grown, factor)), counterResetHint: 'gauge' }
}

/** The last histogram without the first, and with what was there before each reset of a counter. */
function difference(window: SampleWindow, call: RangeCallContext, isCounter: boolean): Histogram | undefined {
  const { histograms, histogramTimesMs: timesMs, histogramStartTimesMs: startsMs } = window
  const { annotations, position, metricName } = call
  const last = histograms[histograms.length - 1]
  const startReset = (i: number) =>
    startsMs.length > i && isStartReset(startsMs[i - 1], timesMs[i - 1], startsMs[i], timesMs[i])
  const isReset = (i: number, before: Histogram) => startReset(i) || detectReset(histograms[i], before)
  const isGauge = (histogram: Histogram) => histogram.counterResetHint === 'gauge'
  if (isCounter && histograms.some(isGauge)) annotations.notCounter(metricName(), position)
  if (!isCounter && (!isGauge(histograms[0]) || !isGauge(last))) annotations.notGauge(metricName(), position)
  let previous = histograms[0]
  if (isCounter && histograms.length > 1 && isReset(1, previous)) {
    // What the first sample looked like does not matter then: an empty one of the second's kind stands for it.
    previous = emptyLike(histograms[1])
  }
  const custom = usesCustomBuckets(previous)
  const relevant = isCounter ? histograms.slice(1) : [last]
  if (relevant.some((histogram) => usesCustomBuckets(histogram) !== custom)) {
    annotations.mixedExponentialCustom(metricName(), position)
    return undefined
  }
  const taken = subtractHistograms(last, previous)!
  if (taken.boundsReconciled) annotations.mismatchedCustomBuckets('subtraction', position)
  let result = taken.histogram
  if (isCounter) {
    for (let i = 1; i < histograms.length; i++) {
      if (isReset(i, previous)) {
        const sum = addHistograms(result, previous)!
        if (sum.boundsReconciled) annotations.mismatchedCustomBuckets('addition', position)
        result = sum.histogram
      }
      previous = histograms[i]
    }
  }
  return { ...compactHistogram(result), counterResetHint: 'gauge' }
}

const NOTHING = new Float64Array(0)

function emptyLike(histogram: Histogram): Histogram {
  return {
    ...histogram,
    zeroThreshold: 0,
    zeroCount: 0,
    count: 0,
    sum: 0,
    counterResetHint: 'unknown',
    positiveSpans: [],
    negativeSpans: [],
    positiveBuckets: NOTHING,
    negativeBuckets: NOTHING,
  }
}

export function irateWindow(floats: WindowFunction): WindowFunction {
  return instantWindow(floats, true)
}

export function ideltaWindow(floats: WindowFunction): WindowFunction {
  return instantWindow(floats, false)
}

/** The last two samples of a window, whatever they are. */
function instantWindow(floats: WindowFunction, isCounter: boolean): WindowFunction {
  return (window, call) => {
    const { annotations, position, metricName } = call
    const { floatTimesMs, histogramTimesMs: timesMs, histograms, histogramStartTimesMs: startsMs } = window
    const last = histograms.length - 1
    // Which of the last two samples are histograms?
    const floatMs = floatTimesMs.at(-1) ?? Number.NEGATIVE_INFINITY
    const floatBeforeMs = floatTimesMs.at(-2) ?? Number.NEGATIVE_INFINITY
    const histogramMs = timesMs.at(-1) ?? Number.NEGATIVE_INFINITY
    const histogramBeforeMs = timesMs.at(-2) ?? Number.NEGATIVE_INFINITY
    if (floatBeforeMs > histogramMs || last < 0) return floats(window, call)
    if (!(histogramBeforeMs > floatMs)) {
      if (floatTimesMs.length > 0) annotations.mixedFloatsHistograms(metricName(), position)
      return undefined
    }
    const previous = histograms[last - 1]
    const current = histograms[last]
    const gauges = [previous, current].filter((histogram) => histogram.counterResetHint === 'gauge').length
    if (isCounter && gauges > 0) annotations.notCounter(metricName(), position)
    if (!isCounter && gauges < 2) annotations.notGauge(metricName(), position)
    let result = current
    const startReset =
      startsMs.length > 0 && isStartReset(startsMs[last - 1], timesMs[last - 1], startsMs[last], timesMs[last])
    if (!isCounter || (!startReset && !detectReset(current, previous))) {
      const taken = subtractHistograms(current, previous)
      if (taken === undefined) {
        annotations.mixedExponentialCustom(metricName(), position)
        return undefined
      }
      if (taken.boundsReconciled) annotations.mismatchedCustomBuckets('subtraction', position)
      result = taken.histogram
    }
    result = { ...compactHistogram(result), counterResetHint: 'gauge' }
    return isCounter ? divideHistogram(result, (timesMs[last] - timesMs[last - 1]) / 1000) : result
  }
}
