/** Where a counter started anew, by its values and its start timestamps. Source: Prometheus, promql/functions.go. */
import type { FloatSeries } from './range-function.js'

/** Samples (from 1) before which the series was reset. `count` of `indexes` are filled. */
export interface Resets {
  indexes: Int32Array
  count: number
  /** Values never fall and none is NaN. */
  rising: boolean
}

/** A scratch list for one series at a time. */
export function newResets(): Resets {
  return { indexes: new Int32Array(64), count: 0, rising: true }
}

export function findResets(series: FloatSeries, into: Resets): void {
  const { values, valueOffset, count, startTimesMs } = series
  into.count = 0
  into.rising = true
  if (startTimesMs !== undefined) {
    findWithStarts(series, startTimesMs, into)
    return
  }
  let previous = values[valueOffset]
  for (let i = 1; i < count; i++) {
    const value = values[valueOffset + i]
    if (!(value >= previous)) {
      if (value < previous) push(into, i)
      into.rising = false
    }
    previous = value
  }
}

function findWithStarts(series: FloatSeries, starts: Float64Array, into: Resets): void {
  const { values, valueOffset, timesMs, timeOffset, count } = series
  for (let i = 1; i < count; i++) {
    const at = valueOffset + i
    const reset =
      values[at] < values[at - 1] ||
      isStartReset(starts[at - 1], timesMs[timeOffset + i - 1], starts[at], timesMs[timeOffset + i])
    if (reset) push(into, i)
  }
}

function push(into: Resets, index: number): void {
  if (into.count === into.indexes.length) {
    const larger = new Int32Array(into.count * 2)
    larger.set(into.indexes)
    into.indexes = larger
  }
  into.indexes[into.count++] = index
}

/** True if the start timestamps alone tell that the counter began anew between two samples. */
export function isStartReset(previousStartMs: number, previousMs: number, startMs: number, timeMs: number): boolean {
  // 0 is unknown; a start at or after its own sample is invalid, or OpenTelemetry's "unknown".
  if (startMs === 0 || startMs >= timeMs) return false
  if (startMs !== previousMs) return startMs > previousMs
  // The start is the sample before: a delta, or a cumulative series of unknown start, whose own start tells them apart.
  return previousStartMs !== 0 && previousStartMs < previousMs
}

/** True if a sample claims to have started inside the span of the one before it. */
export function startsOverlap(previousStartMs: number, previousMs: number, startMs: number): boolean {
  return startMs !== 0 && startMs < previousMs && startMs !== previousStartMs
}
