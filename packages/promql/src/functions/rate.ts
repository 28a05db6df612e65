/**
 * rate, increase and delta without modifiers: the growth between the first and the last sample of a window, with resets
 * of counters made good, extrapolated to the window's borders where the samples come close to them.
 *
 * One pass finds the resets of the whole column; a step then costs its resets only. How far to extrapolate depends on times alone,
 * so it is computed once for all series that share their timestamps.
 * Source: Prometheus, promql/functions.go, extrapolatedRate. The order of operations is kept.
 */
import { FLOAT } from '../operators/vector-batch.js'
import type { Windows } from '../operators/windows.js'
import { findResets, newResets, startsOverlap } from './counter-resets.js'
import { fillGrowthFrame, type GrowthFrame, newGrowthFrame } from './growth-frame.js'
import type { FloatSeries, FloatsKernel, RangeCallContext, StepOutput } from './range-function.js'

const resets = newResets()

export const rateFloats = growthKernel(true, true)
export const increaseFloats = growthKernel(true, false)
export const deltaFloats = growthKernel(false, false)

function growthKernel(isCounter: boolean, perSecond: boolean): FloatsKernel {
  return (series, windows, out, call) => {
    if (!isCounter) differences(series, windows, growthFrameOf(series, windows, perSecond), out, 0)
    else if (series.startTimesMs === undefined) growthOfSeries(series, windows, out, perSecond)
    else {
      findResets(series, resets)
      reportOverlap(series, windows, series.startTimesMs, call)
      growthWithStarts(series, windows, out, series.startTimesMs, perSecond)
    }
  }
}

/** rate and increase of a counter without start timestamps, into the steps of `out`. */
export function growthOfSeries(series: FloatSeries, windows: Windows, out: StepOutput, perSecond: boolean): void {
  findResets(series, resets)
  const frame = growthFrameOf(series, windows, perSecond)
  if (resets.count > 0) growth(series, windows, frame, out)
  else {
    const aboveZero = resets.rising ? firstStepAboveZero(series, windows, frame) : windows.grid.count
    growthWithoutResets(series, windows, frame, out, aboveZero)
    differences(series, windows, frame, out, aboveZero)
  }
}

/** The frame of the windows. All series of one timestamp column find the one that the first of them has made. */
function growthFrameOf({ timesMs, timeOffset }: FloatSeries, windows: Windows, perSecond: boolean): GrowthFrame {
  if (windows.frame !== undefined) return windows.frame
  const frame = newGrowthFrame(windows.grid.count)
  fillGrowthFrame(frame, windows, timesMs, timeOffset, perSecond)
  return (windows.frame = frame)
}

/**
 * The step from which on no window of a rising counter reaches down to zero: its first value, against the growth of the whole
 * column, is far enough up.
 */
function firstStepAboveZero(
  { values, valueOffset, count }: FloatSeries,
  { first }: Windows,
  frame: GrowthFrame,
): number {
  const { presence, reachMin } = frame
  const enough = (values[valueOffset + count - 1] - values[valueOffset]) / reachMin
  let step = 0
  // Written so that a value or a reach that is no number is never enough.
  while (step < presence.length && (presence[step] === 0 || !(values[valueOffset + first[step]] > enough))) step++
  return step
}

function differences(
  series: FloatSeries,
  windows: Windows,
  frame: GrowthFrame,
  out: StepOutput,
  fromStep: number,
): void {
  const { values, valueOffset } = series
  const { first, end } = windows
  const { presence, factor } = frame
  const outValues = out.values
  const outOffset = out.offset
  for (let s = fromStep; s < presence.length; s++) {
    if (presence[s] === 0) continue
    outValues[outOffset + s] = (values[valueOffset + end[s] - 1] - values[valueOffset + first[s]]) * factor[s]
  }
  out.presence.set(presence, outOffset)
}

/** Up to a step; `differences` does the rest. */
function growthWithoutResets(
  series: FloatSeries,
  windows: Windows,
  frame: GrowthFrame,
  out: StepOutput,
  toStep: number,
): void {
  const { values, valueOffset } = series
  const { first, end } = windows
  const { presence, sampled, toStart, toEnd, factor, seconds } = frame
  const outValues = out.values
  const outOffset = out.offset
  for (let s = 0; s < toStep; s++) {
    if (presence[s] === 0) continue
    const firstValue = values[valueOffset + first[s]]
    const result = values[valueOffset + end[s] - 1] - firstValue
    // A counter is never below 0, so it cannot have grown from further left than there.
    if (result > 0 && firstValue >= 0 && sampled[s] * firstValue < toStart[s] * result) {
      const toZero = sampled[s] * (firstValue / result)
      outValues[outOffset + s] = result * ((sampled[s] + toZero + toEnd[s]) / sampled[s] / seconds)
    } else outValues[outOffset + s] = result * factor[s]
  }
}

function growth(series: FloatSeries, windows: Windows, frame: GrowthFrame, out: StepOutput): void {
  const { values, valueOffset } = series
  const { first, end } = windows
  const { presence, sampled, toStart, toEnd, factor, seconds } = frame
  const resetIndexes = resets.indexes
  const resetCount = resets.count
  let resetLow = 0
  for (let s = 0; s < presence.length; s++) {
    if (presence[s] === 0) continue
    const last = end[s] - 1
    const firstValue = values[valueOffset + first[s]]
    let result = values[valueOffset + last] - firstValue
    while (resetLow < resetCount && resetIndexes[resetLow] <= first[s]) resetLow++
    for (let r = resetLow; r < resetCount && resetIndexes[r] <= last; r++) {
      result += values[valueOffset + resetIndexes[r] - 1]
    }
    let scale = factor[s]
    if (result > 0 && firstValue >= 0) {
      const toZero = sampled[s] * (firstValue / result)
      if (toZero < toStart[s]) scale = (sampled[s] + toZero + toEnd[s]) / sampled[s] / seconds
    }
    out.values[out.offset + s] = result * scale
  }
  out.presence.set(presence, out.offset)
}

/** With start timestamps a window may begin at the counter's own start, and one sample may then be enough. */
function growthWithStarts(
  series: FloatSeries,
  windows: Windows,
  out: StepOutput,
  startTimesMs: Float64Array,
  perSecond: boolean,
): void {
  const { values, valueOffset, timesMs, timeOffset } = series
  const { first, end, endsMs, rangeMs } = windows
  const rangeSeconds = rangeMs / 1000
  let resetLow = 0
  for (let s = 0; s < windows.grid.count; s++) {
    const from = first[s]
    const last = end[s] - 1
    if (last < from) continue
    const firstStartMs = startTimesMs[valueOffset + from]
    const rangeStartMs = endsMs[s] - rangeMs
    const firstMs = timesMs[timeOffset + from]
    const startsInside = firstStartMs !== 0 && firstStartMs > rangeStartMs && firstStartMs < firstMs
    if (last === from && !startsInside) continue

    const firstValue = values[valueOffset + from]
    let result = values[valueOffset + last] - firstValue
    while (resetLow < resets.count && resets.indexes[resetLow] <= from) resetLow++
    for (let r = resetLow; r < resets.count && resets.indexes[r] <= last; r++) {
      result += values[valueOffset + resets.indexes[r] - 1]
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
      if (result > 0 && firstValue >= 0) toStart = Math.min(toStart, sampled * (firstValue / result))
    }
    if (toEnd >= threshold) toEnd = between / 2
    let factor = sampled === 0 ? 1 : (sampled + toStart + toEnd) / sampled
    if (perSecond) factor /= rangeSeconds
    out.values[out.offset + s] = result * factor
    out.presence[out.offset + s] = FLOAT
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
