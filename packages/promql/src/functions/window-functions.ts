/**
 * Range functions over one window that may hold histograms, or look beyond its borders.
 * Source: Prometheus 3.14, promql/functions.go.
 */
import type { Histogram } from '@varve/tsdb-core/model'
import { HistogramAverage, HistogramSummer, histogramsEqual } from '../histograms/index.js'
import { isStartReset } from './counter-resets.js'
import { extendedFloatRate, extendedHistogramRate } from './extended-rate.js'
import { histogramRate, type RateKind, resetBetween, samplesInOrder, type WindowSample } from './histogram-rate.js'
import type { FloatsKernel, RangeCallContext, SampleWindow, WindowFunction } from './range-function.js'
import { windowOf } from './windows-of-floats.js'

/** rate, increase and delta. */
export function rateOf(kernel: FloatsKernel, kind: RateKind): WindowFunction {
  const ofFloats = windowOf(kernel)
  return (window, call) => {
    const { floats, histograms, anchored, smoothed } = window
    if (floats.length > 0 && histograms.length > 0) {
      call.annotations.mixedFloatsHistograms(call.metricName(), call.position)
      return undefined
    }
    if (anchored || smoothed) {
      return floats.length > 0 ? extendedFloatRate(window, kind) : extendedHistogramRate(window, call, kind)
    }
    return floats.length > 0 ? ofFloats(window, call) : histogramRate(window, call, kind)
  }
}

/** resets: falling values, changes of kind, and histograms that shrank. */
export const resetsOf: WindowFunction = countPairs(
  (previous, current) =>
    isStartReset(previous.startMs, previous.timeMs, current.startMs, current.timeMs) ||
    (typeof current.value === 'number'
      ? typeof previous.value !== 'number' || current.value < previous.value
      : typeof previous.value === 'number' || resetBetween(current.value, previous.value)),
)

export const changesOf: WindowFunction = countPairs((previous, current) => {
  const a = previous.value
  const b = current.value
  if (typeof a === 'number' && typeof b === 'number') return a !== b && !(Number.isNaN(a) && Number.isNaN(b))
  return typeof a === 'number' || typeof b === 'number' || !histogramsEqual(b, a)
})

function countPairs(differ: (previous: WindowSample, current: WindowSample) => boolean): WindowFunction {
  return (window) => {
    let samples = samplesInOrder(window, 0, 0)
    if (window.anchored) {
      if (samples.length === 0 || samples[samples.length - 1].timeMs <= window.startMs) return undefined
      // The anchor is the newest sample at or before the window's start.
      let anchor = 0
      while (anchor + 1 < samples.length && samples[anchor + 1].timeMs <= window.startMs) anchor++
      samples = samples.slice(anchor)
    }
    if (samples.length === 0) return undefined
    let count = 0
    for (let i = 1; i < samples.length; i++) if (differ(samples[i - 1], samples[i])) count++
    return count
  }
}

/** The oldest or the newest sample of any kind. */
export function pickSample(newest: boolean): WindowFunction {
  return (window) => {
    const samples = samplesInOrder(
      window,
      newest ? Math.max(0, window.floats.length - 1) : 0,
      newest ? Math.max(0, window.histograms.length - 1) : 0,
    )
    return samples.at(newest ? -1 : 0)?.value
  }
}

export function pickTime(newest: boolean): WindowFunction {
  return ({ floatTimesMs, histogramTimesMs }) => {
    const times = newest ? [floatTimesMs.at(-1), histogramTimesMs.at(-1)] : [floatTimesMs[0], histogramTimesMs[0]]
    const known = times.filter((timeMs) => timeMs !== undefined)
    if (known.length === 0) return undefined
    return (newest ? Math.max(...known) : Math.min(...known)) / 1000
  }
}

/** sum_over_time and avg_over_time: of floats or of histograms, not of both. */
export function totalOf(kernel: FloatsKernel, mean: boolean): WindowFunction {
  const ofFloats = windowOf(kernel)
  return (window, call) => {
    if (window.floats.length > 0 && window.histograms.length > 0) {
      call.annotations.mixedFloatsHistograms(call.metricName(), call.position)
      return undefined
    }
    return window.histograms.length > 0 ? totalHistogram(window, call, mean) : ofFloats(window, call)
  }
}

function totalHistogram(window: SampleWindow, call: RangeCallContext, mean: boolean): Histogram | undefined {
  const [first, ...others] = window.histograms
  const { annotations, position } = call
  const total = mean ? new HistogramAverage(first) : new HistogramSummer(first)
  for (const histogram of others) {
    if (total.add(histogram)) continue
    annotations.mixedExponentialCustom(call.metricName(), position)
    return undefined
  }
  if (total.boundsReconciled) annotations.mismatchedCustomBuckets('aggregation', position)
  if (total.counterResetCollision) annotations.counterResetCollision('aggregation', position)
  return total.result()
}
