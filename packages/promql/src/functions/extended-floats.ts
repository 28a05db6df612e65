/**
 * rate, increase, delta, changes and resets of floats with `anchored` or `smoothed`, all steps in one pass: the borders of the
 * windows only move on, and resets are found once for the column. The twins of `extendedFloatRate` and `countPairs`, which go
 * window by window, operation by operation.
 */
import { FLOAT } from '../operators/vector-batch.js'
import { findResets, newResets } from './counter-resets.js'
import type { RateKind } from './histogram-rate.js'
import type { ExtendedKernel, FloatSeries } from './range-function.js'

const resets = newResets()

export function extendedGrowth({ isCounter, perSecond }: RateKind): ExtendedKernel {
  return (series, windows, out, smoothed) => {
    const { values, valueOffset, timesMs, timeOffset, count } = series
    const { first, end, endsMs, rangeMs } = windows
    if (isCounter) findResets(series, resets)
    else resets.count = 0
    /** The first sample behind the window's start, and the first one at its end or behind it. */
    let above = 0
    let reached = 0
    let resetLow = 0
    for (let s = 0; s < endsMs.length; s++) {
      const low = first[s]
      const high = end[s] - 1
      if (high < low) continue
      const endMs = endsMs[s]
      const startMs = endMs - rangeMs
      while (above < count && timesMs[timeOffset + above] <= startMs) above++
      while (reached < count && timesMs[timeOffset + reached] < endMs) reached++
      let from = Math.max(low, Math.min(above, high) - 1)
      let to = smoothed ? Math.max(low, Math.min(reached, high)) : high
      const fromMs = timesMs[timeOffset + from]
      const toMs = timesMs[timeOffset + to]
      if (toMs <= startMs || (smoothed && fromMs > endMs)) continue
      const left =
        smoothed && fromMs < startMs ? valueBetween(series, from, startMs, isCounter) : values[valueOffset + from]
      const right =
        smoothed && to > low && toMs > endMs ? valueBetween(series, to - 1, endMs, isCounter) : values[valueOffset + to]
      let result = right - left
      if (isCounter) {
        // Resets at the borders are in the interpolated values already.
        if (fromMs <= startMs) from++
        if (toMs >= endMs) to--
        let previous = left
        if (from <= to) {
          if (values[valueOffset + from] < previous) result += previous
          while (resetLow < resets.count && resets.indexes[resetLow] <= from) resetLow++
          for (let r = resetLow; r < resets.count && resets.indexes[r] <= to; r++) {
            result += values[valueOffset + resets.indexes[r] - 1]
          }
          previous = values[valueOffset + to]
        }
        if (right < previous) result += previous
      }
      out.values[out.offset + s] = perSecond ? result / (rangeMs / 1000) : result
      out.presence[out.offset + s] = FLOAT
    }
  }
}

/** Between samples i and i + 1; a counter that was reset there starts from 0. */
function valueBetween(
  { values, valueOffset, timesMs, timeOffset }: FloatSeries,
  i: number,
  timeMs: number,
  isCounter: boolean,
): number {
  const after = values[valueOffset + i + 1]
  const earlier = values[valueOffset + i]
  const before = isCounter && after < earlier ? 0 : earlier
  const earlierMs = timesMs[timeOffset + i]
  return before + ((after - before) * (timeMs - earlierMs)) / (timesMs[timeOffset + i + 1] - earlierMs)
}

let prefix = new Int32Array(0)

/** Counts pairs of neighbours from the newest sample at or before the window's start on. */
export function extendedCount(differ: (previous: number, current: number) => boolean): ExtendedKernel {
  return ({ values, valueOffset, timesMs, timeOffset, count }, { first, end, endsMs, rangeMs }, out) => {
    if (prefix.length < count) prefix = new Int32Array(count * 2)
    prefix[0] = 0
    for (let i = 1; i < count; i++) {
      const differs = differ(values[valueOffset + i - 1], values[valueOffset + i])
      prefix[i] = prefix[i - 1] + (differs ? 1 : 0)
    }
    let above = 0
    for (let s = 0; s < endsMs.length; s++) {
      const high = end[s] - 1
      const startMs = endsMs[s] - rangeMs
      while (above < count && timesMs[timeOffset + above] <= startMs) above++
      if (high < first[s] || timesMs[timeOffset + high] <= startMs) continue
      out.values[out.offset + s] = prefix[high] - prefix[Math.max(first[s], above - 1)]
      out.presence[out.offset + s] = FLOAT
    }
  }
}

export const extendedResets = extendedCount((previous, current) => current < previous)
export const extendedChanges = extendedCount(
  (previous, current) => previous !== current && !(Number.isNaN(previous) && Number.isNaN(current)),
)
