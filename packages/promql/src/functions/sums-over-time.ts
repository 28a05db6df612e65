/**
 * sum_over_time and avg_over_time over floats.
 *
 * Prometheus adds a window up with Kahan's compensation. Where windows overlap much, the same sum comes from the
 * difference of two prefix sums, kept in two doubles each (106 bits); its error is known, and where it would be above one
 * part in 2^40 (values of very different size that cancel, or values that are not finite) the window is added up after all.
 */
import { FLOAT } from '../operators/vector-batch.js'
import type { Windows } from '../operators/windows.js'
import { twoSumError } from './kahan.js'
import type { FloatSeries, StepOutput } from './range-function.js'

/** Adding windows up one by one is cheaper while the windows together hold at most so many times the column's samples. */
const OVERLAP_MIN = 4
/** A window's sum is trusted when it is at least this part of the magnitudes that went into the prefix sums. */
const TRUSTED_PART = 2 ** -60

let high = new Float64Array(0)
let low = new Float64Array(0)
let magnitude = new Float64Array(0)
let notFinite = new Int32Array(0)
let notZero = new Int32Array(0)

export function sumFloats(series: FloatSeries, windows: Windows, out: StepOutput): void {
  eachWindow(series, windows, out, false)
}

export function avgFloats(series: FloatSeries, windows: Windows, out: StepOutput): void {
  eachWindow(series, windows, out, true)
}

function eachWindow(series: FloatSeries, windows: Windows, out: StepOutput, mean: boolean): void {
  const { first, end } = windows
  const stepCount = windows.grid.count
  let windowSamples = 0
  for (let s = 0; s < stepCount; s++) windowSamples += end[s] - first[s]
  const prefixed = windowSamples > series.count * OVERLAP_MIN
  if (prefixed) sumPrefixes(series)
  const { values, valueOffset } = series
  for (let s = 0; s < stepCount; s++) {
    const from = first[s]
    const to = end[s]
    if (to <= from) continue
    let result = prefixed ? prefixDifference(from, to) : Number.NaN
    if (Number.isNaN(result)) {
      // Windows of downsampled columns have one sample, mostly. A sum begins at 0, which is not -0.
      if (to - from === 1) result = 0 + values[valueOffset + from]
      else
        result = mean
          ? meanOf(values, valueOffset + from, valueOffset + to)
          : sumOf(values, valueOffset + from, valueOffset + to)
    } else if (mean) result /= to - from
    out.values[out.offset + s] = result
    out.presence[out.offset + s] = FLOAT
  }
}

function sumPrefixes(series: FloatSeries): void {
  const { values, valueOffset, count } = series
  if (high.length <= count) {
    high = new Float64Array(count * 2 + 1)
    low = new Float64Array(count * 2 + 1)
    magnitude = new Float64Array(count * 2 + 1)
    notFinite = new Int32Array(count * 2 + 1)
    notZero = new Int32Array(count * 2 + 1)
  }
  let sumHigh = 0
  let sumLow = 0
  let sumMagnitude = 0
  let bad = 0
  let some = 0
  high[0] = low[0] = magnitude[0] = notFinite[0] = notZero[0] = 0
  for (let i = 0; i < count; i++) {
    const value = values[valueOffset + i]
    if (value - value === 0) {
      const total = sumHigh + value
      sumLow += twoSumError(sumHigh, value, total)
      // Renormalised, so that the low part stays below the high part's last bit.
      sumHigh = total + sumLow
      sumLow = total - sumHigh + sumLow
      sumMagnitude += Math.abs(value)
    } else bad++
    if (value !== 0) some++
    high[i + 1] = sumHigh
    low[i + 1] = sumLow
    magnitude[i + 1] = sumMagnitude
    notFinite[i + 1] = bad
    notZero[i + 1] = some
  }
}

/** The sum of a window, or NaN where it has to be added up. */
function prefixDifference(from: number, to: number): number {
  if (notFinite[to] !== notFinite[from]) return Number.NaN
  const difference = high[to] - high[from]
  const error = twoSumError(high[to], -high[from], difference)
  const sum = difference + (error + (low[to] - low[from]))
  if (Math.abs(sum) > magnitude[to] * TRUSTED_PART) return sum
  // Counted, since a magnitude stays as it is when much smaller ones are added to it.
  return notZero[to] === notZero[from] ? 0 : Number.NaN
}

/** Kahan's sum, as Prometheus adds up a window. */
export function sumOf(values: ArrayLike<number>, from: number, to: number): number {
  let sum = 0
  let compensation = 0
  for (let i = from; i < to; i++) {
    const value = values[i]
    const total = sum + value
    const error = twoSumError(sum, value, total)
    compensation = Number.isNaN(error) ? 0 : compensation + error
    sum = total
  }
  return Number.isFinite(sum) ? sum + compensation : sum
}

/** The compensated sum over the count; where the sum would overflow, it goes on with the mean so far. */
export function meanOf(values: ArrayLike<number>, from: number, to: number): number {
  let sum = values[from]
  let compensation = 0
  let mean = 0
  let incremental = false
  for (let i = from + 1; i < to; i++) {
    const count = i - from + 1
    const value = values[i]
    if (!incremental) {
      const total = sum + value
      if (Math.abs(total) !== Number.POSITIVE_INFINITY) {
        const error = twoSumError(sum, value, total)
        compensation += error
        sum = total
        continue
      }
      incremental = true
      mean = sum / (count - 1)
      compensation /= count - 1
    }
    const weight = (count - 1) / count
    const scaled = weight * mean
    const part = value / count
    const total = scaled + part
    const error = twoSumError(scaled, part, total)
    compensation = Math.abs(total) === Number.POSITIVE_INFINITY ? 0 : weight * compensation + error
    mean = total
  }
  const count = to - from
  return incremental ? mean + compensation : sum / count + compensation / count
}
