/**
 * deriv and predict_linear over floats: least squares. Source: Prometheus, linearRegression.
 *
 * A window is walked with compensated sums, as Prometheus does; where windows overlap much, its sums are differences of running
 * sums in pairs of doubles instead, as long as enough is left of them.
 */

import { timeAt } from '../operators/grid.js'
import { FLOAT } from '../operators/vector-batch.js'
import type { Windows } from '../operators/windows.js'
import {
  addPairs,
  findEqualRuns,
  greatestMagnitude,
  multiplyPairs,
  overlapMuch,
  RunningSums,
  result,
  TRUSTED_PART,
  twoProductError,
} from './double-double.js'
import { twoSumError } from './kahan.js'
import type { FloatSeries, RangeCallContext, StepOutput } from './range-function.js'

/** The slope a second, and the value at the intercept time. */
export interface Line {
  slope: number
  intercept: number
}

const line: Line = { slope: 0, intercept: 0 }

export function derivFloats(series: FloatSeries, windows: Windows, out: StepOutput): void {
  const { timesMs, timeOffset } = series
  eachLine(series, windows, out, (s) => timesMs[timeOffset + windows.first[s]], slopeOf)
}

export function predictFloats(series: FloatSeries, windows: Windows, out: StepOutput, call: RangeCallContext): void {
  const seconds = call.scalars[0]
  const ahead = ({ slope, intercept }: Line, s: number) => slope * seconds[s] + intercept
  eachLine(series, windows, out, (s) => timeAt(windows.grid, s), ahead)
}

function slopeOf({ slope }: Line): number {
  return slope
}

function eachLine(
  series: FloatSeries,
  windows: Windows,
  out: StepOutput,
  interceptMs: (step: number) => number,
  answer: (line: Line, step: number) => number,
): void {
  const { values, valueOffset, count } = series
  const { first, end } = windows
  const equalSince = overlapMuch(first, end, count) ? findEqualRuns(values, valueOffset, count) : undefined
  if (equalSince !== undefined) sumUp(series)
  for (let s = 0; s < windows.grid.count; s++) {
    const from = first[s]
    const to = end[s]
    if (to - from < 2) continue
    if (equalSince !== undefined && equalSince[to - 1] <= from) {
      line.slope = 0
      line.intercept = values[valueOffset + from]
    } else if (equalSince === undefined || !fitBetween(series, from, to, interceptMs(s))) {
      fitLine(series, from, to, interceptMs(s), line)
    }
    out.values[out.offset + s] = answer(line, s)
    out.presence[out.offset + s] = FLOAT
  }
}

/** Running sums over the column; x is milliseconds since its first sample, and so exact. */
const sumsX = new RunningSums()
const sumsXX = new RunningSums()
const sumsY = new RunningSums()
const sumsXY = new RunningSums()

function sumUp({ values, valueOffset, timesMs, timeOffset, count }: FloatSeries): void {
  for (const sums of [sumsX, sumsXX, sumsY, sumsXY]) sums.begin(count)
  for (let i = 0; i < count; i++) {
    const x = timesMs[timeOffset + i] - timesMs[timeOffset]
    const y = values[valueOffset + i]
    const xx = x * x
    const xy = x * y
    sumsX.add(x, 0)
    sumsXX.add(xx, twoProductError(x, x, xx))
    sumsY.add(y, 0)
    sumsXY.add(xy, twoProductError(x, y, xy))
  }
}

/** Fits `line` by running sums; false where too little is left of their differences. */
function fitBetween(series: FloatSeries, from: number, to: number, interceptMs: number): boolean {
  const { timesMs, timeOffset, count } = series
  const n = to - from
  sumsX.between(from, to)
  const xHigh = result.high
  const xLow = result.low
  sumsY.between(from, to)
  const y = result.high
  // Σx·Σy, then n·Σxy - Σx·Σy.
  multiplyPairs(xHigh, xLow, result.high, result.low)
  const productHigh = result.high
  const productLow = result.low
  sumsXY.between(from, to)
  multiplyPairs(result.high, result.low, n, 0)
  addPairs(result.high, result.low, -productHigh, -productLow)
  const covariance = result.high
  multiplyPairs(xHigh, xLow, xHigh, xLow)
  const squareHigh = result.high
  const squareLow = result.low
  sumsXX.between(from, to)
  multiplyPairs(result.high, result.low, n, 0)
  addPairs(result.high, result.low, -squareHigh, -squareLow)
  const variance = result.high
  const xMax = timesMs[timeOffset + count - 1] - timesMs[timeOffset]
  const wrongAtMost = n * count * xMax
  if (!(Math.abs(covariance) > wrongAtMost * greatestMagnitude() * TRUSTED_PART)) return false
  if (!(variance > wrongAtMost * xMax * TRUSTED_PART)) return false
  const slopeMs = covariance / variance
  line.slope = slopeMs * 1000
  line.intercept = y / n + slopeMs * (interceptMs - timesMs[timeOffset] - xHigh / n)
  return true
}

/** Fits samples `from` to `to` of a series. */
export function fitLine(series: FloatSeries, from: number, to: number, interceptMs: number, into: Line): void {
  const { values, valueOffset, timesMs, timeOffset } = series
  const firstValue = values[valueOffset + from]
  let constant = true
  let sumX = 0
  let sumXError = 0
  let sumY = 0
  let sumYError = 0
  let sumXY = 0
  let sumXYError = 0
  let sumXX = 0
  let sumXXError = 0
  for (let i = from; i < to; i++) {
    const y = values[valueOffset + i]
    if (y !== firstValue && i > from) constant = false
    const x = (timesMs[timeOffset + i] - interceptMs) / 1000
    let total = sumX + x
    sumXError += twoSumError(sumX, x, total)
    sumX = total
    total = sumY + y
    sumYError = overflowed(total) ? 0 : sumYError + twoSumError(sumY, y, total)
    sumY = total
    const xy = x * y
    total = sumXY + xy
    sumXYError = overflowed(total) ? 0 : sumXYError + twoSumError(sumXY, xy, total)
    sumXY = total
    const xx = x * x
    total = sumXX + xx
    sumXXError += twoSumError(sumXX, xx, total)
    sumXX = total
  }
  if (constant) {
    const finite = !overflowed(firstValue)
    into.slope = finite ? 0 : Number.NaN
    into.intercept = finite ? firstValue : Number.NaN
    return
  }
  const count = to - from
  sumX += sumXError
  sumY += sumYError
  sumXY += sumXYError
  sumXX += sumXXError
  const covariance = sumXY - (sumX * sumY) / count
  const variance = sumXX - (sumX * sumX) / count
  into.slope = covariance / variance
  into.intercept = sumY / count - (into.slope * sumX) / count
}

function overflowed(value: number): boolean {
  return Math.abs(value) === Number.POSITIVE_INFINITY
}
