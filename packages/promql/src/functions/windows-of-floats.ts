/**
 * Range functions one window at a time, over its floats: plain transcriptions of what each function means.
 *
 * They serve series that also hold histograms, and are the twins against which the one-pass kernels are tested.
 */
import { FLOAT } from '../operators/vector-batch.js'
import type { FloatsKernel, RangeCallContext, SampleWindow, WindowFunction } from './range-function.js'

/** A window function made of a kernel: the window's floats are a series with one step. */
export function windowOf(kernel: FloatsKernel): WindowFunction {
  return (window, call) => {
    const { floats, floatTimesMs, floatStartTimesMs, step } = window
    if (floats.length === 0) return undefined
    const out = { values: new Float64Array(1), presence: new Uint8Array(1), offset: 0 }
    const series = {
      values: Float64Array.from(floats),
      valueOffset: 0,
      timesMs: Float64Array.from(floatTimesMs),
      timeOffset: 0,
      count: floats.length,
      startTimesMs: floatStartTimesMs.length === 0 ? undefined : Float64Array.from(floatStartTimesMs),
      counts: undefined,
    }
    const windows = {
      grid: { startMs: window.evaluationMs, stepMs: 1, count: 1 },
      endsMs: Float64Array.of(window.endMs),
      rangeMs: window.rangeMs,
      rangesMs: undefined,
      first: Int32Array.of(0),
      end: Int32Array.of(floats.length),
      frame: undefined,
    }
    kernel(series, windows, out, atStep(call, step))
    return out.presence[0] === FLOAT ? out.values[0] : undefined
  }
}

/** The call as it is at one step. */
function atStep(call: RangeCallContext, step: number): RangeCallContext {
  if (call.scalars.length === 0) return call
  const { annotations, position, scalarPositions, metricName } = call
  const scalars = call.scalars.map((values) => values.subarray(step, step + 1))
  return { annotations, position, scalarPositions, metricName, scalars }
}

/** Floats only; histograms in the same window are reported. */
export function ignoringHistograms(window: WindowFunction): WindowFunction {
  return (samples, call) => {
    if (samples.floats.length === 0) return undefined
    if (samples.histograms.length > 0) reportIgnored(samples, call)
    return window(samples, call)
  }
}

function reportIgnored(_window: SampleWindow, call: RangeCallContext): void {
  call.annotations.histogramIgnoredInMixedRange(call.metricName(), call.position)
}
