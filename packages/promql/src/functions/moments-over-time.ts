/**
 * stddev_over_time, stdvar_over_time and double_exponential_smoothing over floats.
 *
 * Where windows overlap much, a variance comes from running sums of values and squares, in pairs of doubles; where too little
 * is left of their difference, and for smoothing, the window is walked.
 */

import { PromqlError } from '../errors.js'
import { FLOAT } from '../operators/vector-batch.js'
import type { Windows } from '../operators/windows.js'
import { formatFloatFixed } from '../parser/go-text.js'
import {
  addPairs,
  findEqualRuns,
  multiplyPairs,
  overlapMuch,
  RunningSums,
  result,
  TRUSTED_PART,
  twoProductError,
} from './double-double.js'
import { twoSumError } from './kahan.js'
import type { FloatSeries, RangeCallContext, StepOutput, WindowFunction } from './range-function.js'
import { ignoringHistograms, windowOf } from './windows-of-floats.js'

export function stddevFloats(series: FloatSeries, windows: Windows, out: StepOutput): void {
  variances(series, windows, out, true)
}

export function stdvarFloats(series: FloatSeries, windows: Windows, out: StepOutput): void {
  variances(series, windows, out, false)
}

const sums = new RunningSums()
const squares = new RunningSums()

function variances(series: FloatSeries, windows: Windows, out: StepOutput, root: boolean): void {
  const { values, valueOffset, count } = series
  const { first, end } = windows
  const equalSince = overlapMuch(first, end, count) ? findEqualRuns(values, valueOffset, count) : undefined
  if (equalSince !== undefined) sumUp(values, valueOffset, count)
  for (let s = 0; s < windows.grid.count; s++) {
    const from = first[s]
    const to = end[s]
    if (to <= from) continue
    let variance = Number.NaN
    if (equalSince !== undefined) variance = equalSince[to - 1] <= from ? 0 : varianceBetween(from, to, count)
    if (Number.isNaN(variance)) variance = varianceOf(values, valueOffset + from, valueOffset + to)
    out.values[out.offset + s] = root ? Math.sqrt(variance) : variance
    out.presence[out.offset + s] = FLOAT
  }
}

function sumUp(values: Float64Array, offset: number, count: number): void {
  sums.begin(count)
  squares.begin(count)
  for (let i = 0; i < count; i++) {
    const value = values[offset + i]
    sums.add(value, 0)
    const square = value * value
    squares.add(square, twoProductError(value, value, square))
  }
}

/** (n·Σv² - (Σv)²) / n² of a window, or NaN where too little is left of the difference. */
function varianceBetween(from: number, to: number, count: number): number {
  const n = to - from
  sums.between(from, to)
  const { high, low } = result
  multiplyPairs(high, low, high, low)
  const squareHigh = result.high
  const squareLow = result.low
  squares.between(from, to)
  multiplyPairs(result.high, result.low, n, 0)
  addPairs(result.high, result.low, -squareHigh, -squareLow)
  return result.high > n * squares.high[count] * TRUSTED_PART ? result.high / n / n : Number.NaN
}

/** Welford's recurrence with compensated mean and sum of squares. */
export function varianceOf(values: ArrayLike<number>, from: number, to: number): number {
  let mean = 0
  let meanCompensation = 0
  let squares = 0
  let squaresCompensation = 0
  for (let i = from; i < to; i++) {
    const value = values[i]
    const delta = value - (mean + meanCompensation)
    const meanStep = delta / (i - from + 1)
    const nextMean = mean + meanStep
    const meanError = twoSumError(mean, meanStep, nextMean)
    meanCompensation = isInfinite(nextMean) ? 0 : meanCompensation + meanError
    mean = nextMean
    const square = delta * (value - (mean + meanCompensation))
    const nextSquares = squares + square
    const squaresError = twoSumError(squares, square, nextSquares)
    squaresCompensation = isInfinite(nextSquares) ? 0 : squaresCompensation + squaresError
    squares = nextSquares
  }
  return (squares + squaresCompensation) / (to - from)
}

export function smoothingFloats(series: FloatSeries, windows: Windows, out: StepOutput, call: RangeCallContext): void {
  const { values, valueOffset } = series
  const { first, end } = windows
  const [smoothing, trend] = call.scalars
  for (let s = 0; s < windows.grid.count; s++) {
    if (end[s] <= first[s]) continue
    checkFactors(call, s)
    if (end[s] - first[s] < 2) continue
    out.values[out.offset + s] = smoothed(values, valueOffset + first[s], valueOffset + end[s], smoothing[s], trend[s])
    out.presence[out.offset + s] = FLOAT
  }
}

export function checkFactors(call: RangeCallContext, step: number): void {
  const [smoothing, trend] = call.scalars
  // Written so that NaN passes, as it does in Prometheus.
  if (smoothing[step] <= 0 || smoothing[step] >= 1) {
    throw new PromqlError(
      'execution',
      `invalid smoothing factor. Expected: 0 < sf < 1, got: ${formatFloatFixed(smoothing[step])}`,
    )
  }
  if (trend[step] <= 0 || trend[step] >= 1) {
    throw new PromqlError(
      'execution',
      `invalid trend factor. Expected: 0 < tf < 1, got: ${formatFloatFixed(trend[step])}`,
    )
  }
}

/** Factors are looked at where there are only histograms, too. */
export const smoothingWindow: WindowFunction = (window, call) => {
  checkFactors(call, window.step)
  return smoothingOfFloats(window, call)
}

const smoothingOfFloats = ignoringHistograms(windowOf(smoothingFloats))

/** Holt's double exponential smoothing of at least two values. */
export function smoothed(
  values: ArrayLike<number>,
  from: number,
  to: number,
  smoothing: number,
  trend: number,
): number {
  let before = 0
  let level = values[from]
  let slope = values[from + 1] - values[from]
  for (let i = from + 1; i < to; i++) {
    if (i > from + 1) slope = trend * (level - before) + (1 - trend) * slope
    const next = smoothing * values[i] + (1 - smoothing) * (level + slope)
    before = level
    level = next
  }
  return level
}

function isInfinite(value: number): boolean {
  return Math.abs(value) === Number.POSITIVE_INFINITY
}
