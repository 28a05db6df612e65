/**
 * rate, increase, delta, irate and idelta of native histograms, one window at a time.
 * Source: Prometheus 3.14, promql/functions.go, extrapolatedRate, histogramRate and instantValue.
 */
import type { Histogram } from '@varve/tsdb-core/model'
import {
  addHistograms,
  compactHistogram,
  detectReset,
  divideHistogram,
  HistogramTotal,
  reduceResolution,
  scaleHistogram,
  subtractHistograms,
  usesCustomBuckets,
} from '../histograms/index.js'
import { isStartReset, startsOverlap } from './counter-resets.js'
import type { RangeCallContext, SampleWindow } from './range-function.js'

export interface RateKind {
  readonly isCounter: boolean
  readonly perSecond: boolean
}

/** The growth over a window of histograms alone, extrapolated to its borders as for floats. */
export function histogramRate(window: SampleWindow, call: RangeCallContext, kind: RateKind): Histogram | undefined {
  const { histograms, histogramTimesMs: times, histogramStartTimesMs: starts, startMs, endMs, rangeMs } = window
  const { isCounter, perSecond } = kind
  const last = histograms.length - 1
  let result = last > 0 ? growthOf(window, call, isCounter) : undefined
  if (last > 0 && result === undefined) return undefined
  const firstMs = times[0]
  let toStart = (firstMs - startMs) / 1000
  let toEnd = (endMs - times[last]) / 1000
  let sampled = (times[last] - firstMs) / 1000
  const between = last > 0 ? sampled / last : 0
  const threshold = between * 1.1
  const firstStart = starts[0] ?? 0
  if (isCounter && firstStart !== 0 && firstStart > startMs && firstStart < firstMs) {
    toStart = 0
    sampled = (times[last] - firstStart) / 1000
    if (result === undefined) result = histograms[0]
    else {
      const sum = addHistograms(result, histograms[0])
      if (sum === undefined) {
        call.annotations.mixedExponentialCustom(call.metricName(), call.position)
        return undefined
      }
      if (sum.boundsReconciled) call.annotations.mismatchedCustomBuckets('addition', call.position)
      result = sum.histogram
    }
  } else if (result === undefined) return undefined
  else {
    if (toStart >= threshold) toStart = between / 2
    if (isCounter && result.count > 0 && histograms[0].count >= 0) {
      toStart = Math.min(toStart, sampled * (histograms[0].count / result.count))
    }
  }
  if (toEnd >= threshold) toEnd = between / 2
  let factor = sampled === 0 ? 1 : (sampled + toStart + toEnd) / sampled
  if (perSecond) factor /= rangeMs / 1000
  return scaleHistogram(result, factor)
}

/** Last less first, and what resets have hidden; undefined, with a warning, if the histograms do not go together. */
function growthOf(window: SampleWindow, call: RangeCallContext, isCounter: boolean): Histogram | undefined {
  const { histograms, histogramTimesMs: times, histogramStartTimesMs: starts } = window
  const { annotations, position, metricName } = call
  const count = histograms.length
  const last = histograms[count - 1]
  let previous = histograms[0]
  if (isCounter && (previous.counterResetHint === 'gauge' || last.counterResetHint === 'gauge')) {
    annotations.notCounter(metricName(), position)
  }
  const resetBefore = (i: number) =>
    (starts.length > 0 && isStartReset(starts[i - 1], times[i - 1], starts[i], times[i])) ||
    resetBetween(histograms[i], histograms[i - 1])
  // With a reset right behind it, nothing of the first histogram counts, its layout neither.
  if (isCounter && resetBefore(1)) previous = emptyLike(histograms[1])
  const custom = usesCustomBuckets(previous)
  const mixed = () => {
    annotations.mixedExponentialCustom(metricName(), position)
    return undefined
  }
  if (usesCustomBuckets(last) !== custom) return mixed()
  let schema = Math.min(last.schema, previous.schema)
  for (let i = 1; isCounter && i < count - 1; i++) {
    const { counterResetHint } = histograms[i]
    if (counterResetHint === 'gauge') annotations.notCounter(metricName(), position)
    schema = Math.min(schema, histograms[i].schema)
    if (usesCustomBuckets(histograms[i]) !== custom) return mixed()
  }
  const total = new HistogramTotal(schema < last.schema ? reduceResolution(last, schema) : last, false)
  if (total.add(previous, -1)) annotations.mismatchedCustomBuckets('subtraction', position)
  if (isCounter) {
    let overlapped = false
    for (let i = 1; i < count; i++) {
      if (!overlapped && starts.length > 0 && startsOverlap(starts[i - 1], times[i - 1], starts[i])) {
        overlapped = true
        annotations.startTimeOverlap(metricName(), position)
      }
      // A reset behind the first one was dealt with above.
      if (i === 1 && previous !== histograms[0]) continue
      if (resetBefore(i) && total.add(histograms[i - 1])) annotations.mismatchedCustomBuckets('addition', position)
    }
  } else if (histograms[0].counterResetHint !== 'gauge' || last.counterResetHint !== 'gauge') {
    annotations.notGauge(metricName(), position)
  }
  return compactHistogram(total.histogram('gauge'))
}

/** Neighbours are compared again and again as the window moves: the answer is kept with the later one. */
const knownResets = new WeakMap<Histogram, { readonly previous: Histogram; readonly reset: boolean }>()

export function resetBetween(current: Histogram, previous: Histogram): boolean {
  const known = knownResets.get(current)
  if (known?.previous === previous) return known.reset
  const reset = detectReset(current, previous)
  knownResets.set(current, { previous, reset })
  return reset
}

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
    positiveBuckets: new Float64Array(0),
    negativeBuckets: new Float64Array(0),
  }
}

/** irate and idelta: of the last two samples of a window, whatever their kind. */
export function instantRate(
  window: SampleWindow,
  call: RangeCallContext,
  isRate: boolean,
): number | Histogram | undefined {
  const [previous, last] = lastTwo(window)
  if (previous === undefined || last === undefined) return undefined
  const { annotations, position } = call
  const seconds = (last.timeMs - previous.timeMs) / 1000
  if (seconds === 0) return undefined
  const startReset = () => isStartReset(previous.startMs, previous.timeMs, last.startMs, last.timeMs)
  if (typeof last.value === 'number' && typeof previous.value === 'number') {
    const reset = isRate && (last.value < previous.value || startReset())
    const growth = reset ? last.value : last.value - previous.value
    return isRate ? growth / seconds : growth
  }
  if (typeof last.value === 'number' || typeof previous.value === 'number') {
    annotations.mixedFloatsHistograms(call.metricName(), position)
    return undefined
  }
  const gauges = [last.value, previous.value].filter(({ counterResetHint }) => counterResetHint === 'gauge').length
  if (isRate && gauges > 0) annotations.notCounter(call.metricName(), position)
  if (!isRate && gauges < 2) annotations.notGauge(call.metricName(), position)
  let growth = last.value
  if (!isRate || (!startReset() && !resetBetween(last.value, previous.value))) {
    const difference = subtractHistograms(last.value, previous.value)
    if (difference === undefined) {
      annotations.mixedExponentialCustom(call.metricName(), position)
      return undefined
    }
    if (difference.boundsReconciled) annotations.mismatchedCustomBuckets('subtraction', position)
    growth = difference.histogram
  }
  growth = compactHistogram({ ...growth, counterResetHint: 'gauge' })
  return isRate ? divideHistogram(growth, seconds) : growth
}

export interface WindowSample {
  readonly timeMs: number
  readonly startMs: number
  readonly value: number | Histogram
}

function lastTwo(window: SampleWindow): [WindowSample | undefined, WindowSample | undefined] {
  const samples = samplesInOrder(
    window,
    Math.max(0, window.floats.length - 2),
    Math.max(0, window.histograms.length - 2),
  )
  return [samples.at(-2), samples.at(-1)]
}

/** Floats and histograms of a window by time, from these indexes on. */
export function samplesInOrder(window: SampleWindow, fromFloat: number, fromHistogram: number): WindowSample[] {
  const samples: WindowSample[] = []
  let f = fromFloat
  let h = fromHistogram
  while (f < window.floats.length || h < window.histograms.length) {
    const floatFirst =
      h >= window.histograms.length || (f < window.floats.length && window.floatTimesMs[f] < window.histogramTimesMs[h])
    if (floatFirst) {
      samples.push({
        timeMs: window.floatTimesMs[f],
        startMs: window.floatStartTimesMs[f] ?? 0,
        value: window.floats[f++],
      })
    } else {
      samples.push({
        timeMs: window.histogramTimesMs[h],
        startMs: window.histogramStartTimesMs[h] ?? 0,
        value: window.histograms[h++],
      })
    }
  }
  return samples
}
