/** deriv and predict_linear over floats: least squares with compensated sums. Source: Prometheus, linearRegression. */

import { timeAt } from '../operators/grid.js'
import { FLOAT } from '../operators/vector-batch.js'
import type { Windows } from '../operators/windows.js'
import { twoSumError } from './kahan.js'
import type { FloatSeries, RangeCallContext, StepOutput } from './range-function.js'

/** The slope a second, and the value at the intercept time. */
export interface Line {
  slope: number
  intercept: number
}

const line: Line = { slope: 0, intercept: 0 }

export function derivFloats(series: FloatSeries, windows: Windows, out: StepOutput): void {
  const { first, end } = windows
  for (let s = 0; s < windows.grid.count; s++) {
    if (end[s] - first[s] < 2) continue
    fitLine(series, first[s], end[s], series.timesMs[series.timeOffset + first[s]], line)
    out.values[out.offset + s] = line.slope
    out.presence[out.offset + s] = FLOAT
  }
}

export function predictFloats(series: FloatSeries, windows: Windows, out: StepOutput, call: RangeCallContext): void {
  const { first, end } = windows
  const seconds = call.scalars[0]
  for (let s = 0; s < windows.grid.count; s++) {
    if (end[s] - first[s] < 2) continue
    fitLine(series, first[s], end[s], timeAt(windows.grid, s), line)
    out.values[out.offset + s] = line.slope * seconds[s] + line.intercept
    out.presence[out.offset + s] = FLOAT
  }
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
