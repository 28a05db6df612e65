/** Functions that only look at which samples a window has: count, presence, the first, the last and their times. */
import { FLOAT } from '../operators/vector-batch.js'
import type { Windows } from '../operators/windows.js'
import type { FloatSeries, StepOutput } from './range-function.js'

export function countFloats(_series: FloatSeries, windows: Windows, out: StepOutput): void {
  const { first, end } = windows
  for (let s = 0; s < windows.grid.count; s++) {
    if (end[s] > first[s]) put(out, s, end[s] - first[s])
  }
}

export function presentFloats(_series: FloatSeries, windows: Windows, out: StepOutput): void {
  const { first, end } = windows
  for (let s = 0; s < windows.grid.count; s++) if (end[s] > first[s]) put(out, s, 1)
}

export function firstFloats(series: FloatSeries, windows: Windows, out: StepOutput): void {
  const { first, end } = windows
  for (let s = 0; s < windows.grid.count; s++) {
    if (end[s] > first[s]) put(out, s, series.values[series.valueOffset + first[s]])
  }
}

export function lastFloats(series: FloatSeries, windows: Windows, out: StepOutput): void {
  const { first, end } = windows
  for (let s = 0; s < windows.grid.count; s++) {
    if (end[s] > first[s]) put(out, s, series.values[series.valueOffset + end[s] - 1])
  }
}

export function timeOfFirstFloats(series: FloatSeries, windows: Windows, out: StepOutput): void {
  const { first, end } = windows
  for (let s = 0; s < windows.grid.count; s++) {
    if (end[s] > first[s]) put(out, s, series.timesMs[series.timeOffset + first[s]] / 1000)
  }
}

export function timeOfLastFloats(series: FloatSeries, windows: Windows, out: StepOutput): void {
  const { first, end } = windows
  for (let s = 0; s < windows.grid.count; s++) {
    if (end[s] > first[s]) put(out, s, series.timesMs[series.timeOffset + end[s] - 1] / 1000)
  }
}

function put(out: StepOutput, step: number, value: number): void {
  out.values[out.offset + step] = value
  out.presence[out.offset + step] = FLOAT
}
