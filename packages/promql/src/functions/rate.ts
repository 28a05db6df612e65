/**
 * rate, increase and delta without modifiers: the growth between the first and the last sample of a window, with resets
 * of counters made good, extrapolated to the window's borders where the samples come close to them.
 *
 * One pass finds the resets of the whole column; a step then costs its resets only.
 * Source: Prometheus, promql/functions.go, extrapolatedRate. The order of operations is kept.
 */
import { FLOAT } from '../operators/vector-batch.js'
import type { Windows } from '../operators/windows.js'
import { findResets, newResets, startsOverlap } from './counter-resets.js'
import type { FloatSeries, RangeCallContext, StepOutput } from './range-function.js'

const resets = newResets()

export function rateFloats(series: FloatSeries, windows: Windows, out: StepOutput, call: RangeCallContext): void {
  growth(series, windows, out, call, true, true)
}

export function increaseFloats(series: FloatSeries, windows: Windows, out: StepOutput, call: RangeCallContext): void {
  growth(series, windows, out, call, true, false)
}

export function deltaFloats(series: FloatSeries, windows: Windows, out: StepOutput, call: RangeCallContext): void {
  growth(series, windows, out, call, false, false)
}

function growth(
  series: FloatSeries,
  windows: Windows,
  out: StepOutput,
  call: RangeCallContext,
  isCounter: boolean,
  perSecond: boolean,
): void {
  const { values, valueOffset, timesMs, timeOffset, startTimesMs } = series
  const { first, end, endsMs, rangeMs } = windows
  const outValues = out.values
  const outPresence = out.presence
  const stepCount = windows.grid.count
  if (isCounter) {
    findResets(series, resets)
    if (startTimesMs !== undefined) reportOverlap(series, windows, startTimesMs, call)
  } else resets.count = 0
  const resetIndexes = resets.indexes
  const resetCount = resets.count
  const rangeSeconds = rangeMs / 1000
  let resetLow = 0
  for (let s = 0; s < stepCount; s++) {
    const from = first[s]
    const last = end[s] - 1
    if (last < from) continue
    const firstStartMs = isCounter && startTimesMs !== undefined ? startTimesMs[valueOffset + from] : 0
    const rangeStartMs = endsMs[s] - rangeMs
    const firstMs = timesMs[timeOffset + from]
    const startsInside = firstStartMs !== 0 && firstStartMs > rangeStartMs && firstStartMs < firstMs
    if (last === from && !startsInside) continue

    const firstValue = values[valueOffset + from]
    let result = values[valueOffset + last] - firstValue
    if (resetCount > 0) {
      while (resetLow < resetCount && resetIndexes[resetLow] <= from) resetLow++
      for (let r = resetLow; r < resetCount && resetIndexes[r] <= last; r++) {
        result += values[valueOffset + resetIndexes[r] - 1]
      }
    }

    const lastMs = timesMs[timeOffset + last]
    let toStart = (firstMs - rangeStartMs) / 1000
    let toEnd = (endsMs[s] - lastMs) / 1000
    let sampled = (lastMs - firstMs) / 1000
    const between = last > from ? sampled / (last - from) : 0
    const threshold = between * 1.1
    if (startsInside) {
      // The counter was 0 at its start, which lies in the window: nothing to guess on the left.
      toStart = 0
      sampled = (lastMs - firstStartMs) / 1000
      result += firstValue
    } else {
      if (toStart >= threshold) toStart = between / 2
      if (isCounter && result > 0 && firstValue >= 0) {
        // A counter is never below 0, so it cannot have grown from further left than there.
        const toZero = sampled * (firstValue / result)
        if (toZero < toStart) toStart = toZero
      }
    }
    if (toEnd >= threshold) toEnd = between / 2
    let factor = sampled === 0 ? 1 : (sampled + toStart + toEnd) / sampled
    if (perSecond) factor /= rangeSeconds
    outValues[out.offset + s] = result * factor
    outPresence[out.offset + s] = FLOAT
  }
}

/** Warns once for a series if, within some window, a sample claims to have started inside the one before it. */
function reportOverlap(series: FloatSeries, windows: Windows, starts: Float64Array, call: RangeCallContext): void {
  const { valueOffset, timesMs, timeOffset } = series
  const { first, end } = windows
  let checked = 1
  for (let s = 0; s < windows.grid.count; s++) {
    for (let i = Math.max(checked, first[s] + 1); i < end[s]; i++) {
      const at = valueOffset + i
      if (startsOverlap(starts[at - 1], timesMs[timeOffset + i - 1], starts[at])) {
        call.annotations.startTimeOverlap(call.metricName(), call.position)
        return
      }
    }
    checked = Math.max(checked, end[s])
  }
}
