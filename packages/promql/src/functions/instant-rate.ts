/** irate and idelta over floats: the last two samples of a window. Source: Prometheus, promql/functions.go, instantValue. */
import { FLOAT } from '../operators/vector-batch.js'
import type { Windows } from '../operators/windows.js'
import { isStartReset } from './counter-resets.js'
import type { FloatSeries, StepOutput } from './range-function.js'

export function irateFloats(series: FloatSeries, windows: Windows, out: StepOutput): void {
  const { values, valueOffset, timesMs, timeOffset, startTimesMs } = series
  const { first, end } = windows
  for (let s = 0; s < windows.grid.count; s++) {
    const last = end[s] - 1
    if (last <= first[s]) continue
    const at = valueOffset + last
    const lastMs = timesMs[timeOffset + last]
    const previousMs = timesMs[timeOffset + last - 1]
    let reset = values[at] < values[at - 1]
    if (startTimesMs !== undefined) {
      reset ||= isStartReset(startTimesMs[at - 1], previousMs, startTimesMs[at], lastMs)
    }
    const growth = reset ? values[at] : values[at] - values[at - 1]
    out.values[out.offset + s] = growth / ((lastMs - previousMs) / 1000)
    out.presence[out.offset + s] = FLOAT
  }
}

export function ideltaFloats(series: FloatSeries, windows: Windows, out: StepOutput): void {
  const { values, valueOffset } = series
  const { first, end } = windows
  for (let s = 0; s < windows.grid.count; s++) {
    const last = end[s] - 1
    if (last <= first[s]) continue
    out.values[out.offset + s] = values[valueOffset + last] - values[valueOffset + last - 1]
    out.presence[out.offset + s] = FLOAT
  }
}
