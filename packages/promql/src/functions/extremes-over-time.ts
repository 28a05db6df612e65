/**
 * min_over_time, max_over_time and the times of the extremes, over floats.
 *
 * The extreme is looked for again when it leaves the window, which is rare: windows overlap, and it may stand anywhere in
 * them. Where it is not (values that fall, for a maximum), a queue takes over, which holds the samples that may still become
 * the extreme, best first: each enters and leaves once, whatever the windows. NaN counts only where there is nothing else.
 */
import { FLOAT } from '../operators/vector-batch.js'
import type { Windows } from '../operators/windows.js'
import type { FloatSeries, StepOutput } from './range-function.js'

let queue = new Int32Array(0)
/** Times as many as the series has. */
const LOOKED_AT_AGAIN = 3

export function maxFloats(series: FloatSeries, windows: Windows, out: StepOutput): void {
  extremes(series, windows, out, -1, false)
}

export function minFloats(series: FloatSeries, windows: Windows, out: StepOutput): void {
  extremes(series, windows, out, 1, false)
}

export function timeOfMaxFloats(series: FloatSeries, windows: Windows, out: StepOutput): void {
  extremes(series, windows, out, -1, true)
}

export function timeOfMinFloats(series: FloatSeries, windows: Windows, out: StepOutput): void {
  extremes(series, windows, out, 1, true)
}

/** `sign` 1 looks for the least value, -1 for the greatest. Of equals the newest answers for its time. */
function extremes(series: FloatSeries, windows: Windows, out: StepOutput, sign: number, timed: boolean): void {
  const { values, valueOffset, timesMs, timeOffset, count } = series
  const { first, end } = windows
  /** So many samples may be looked at again before the queue takes over. */
  let left = LOOKED_AT_AGAIN * count
  let best = -1
  let bestValue = Number.POSITIVE_INFINITY
  let entered = 0
  for (let s = 0; s < windows.grid.count; s++) {
    const from = first[s]
    const to = end[s]
    if (to <= from) continue
    if (best < from) {
      left -= Math.max(0, entered - from)
      if (left < 0) {
        extremesByQueue(series, windows, out, sign, timed, s)
        return
      }
      entered = from
      best = -1
      bestValue = Number.POSITIVE_INFINITY
    }
    for (; entered < to; entered++) {
      const value = sign * values[valueOffset + entered]
      // No NaN is.
      if (value <= bestValue) {
        best = entered
        bestValue = value
      }
    }
    // Among NaNs alone, Prometheus' walk ends at the last of them.
    const at = best >= 0 ? best : timed ? to - 1 : from
    out.values[out.offset + s] = timed ? timesMs[timeOffset + at] / 1000 : values[valueOffset + at]
    out.presence[out.offset + s] = FLOAT
  }
}

/** From a step on. */
function extremesByQueue(
  series: FloatSeries,
  windows: Windows,
  out: StepOutput,
  sign: number,
  timed: boolean,
  stepFrom: number,
): void {
  const { values, valueOffset, timesMs, timeOffset, count } = series
  const { first, end } = windows
  if (queue.length < count) queue = new Int32Array(count * 2)
  let head = 0
  let tail = 0
  let entered = first[stepFrom]
  for (let s = stepFrom; s < windows.grid.count; s++) {
    const from = first[s]
    const to = end[s]
    if (to <= from) continue
    for (; entered < to; entered++) {
      const value = sign * values[valueOffset + entered]
      if (Number.isNaN(value)) continue
      while (tail > head && sign * values[valueOffset + queue[tail - 1]] >= value) tail--
      queue[tail++] = entered
    }
    while (head < tail && queue[head] < from) head++
    const best = head < tail ? queue[head] : timed ? to - 1 : from
    out.values[out.offset + s] = timed ? timesMs[timeOffset + best] / 1000 : values[valueOffset + best]
    out.presence[out.offset + s] = FLOAT
  }
}
