/** resets and changes over floats: prefix counts over the column, so that a step costs two look-ups. */
import { FLOAT } from '../operators/vector-batch.js'
import type { Windows } from '../operators/windows.js'
import { findResets, newResets } from './counter-resets.js'
import type { FloatSeries, StepOutput } from './range-function.js'

const resets = newResets()
let prefix = new Int32Array(0)

export function resetsFloats(series: FloatSeries, windows: Windows, out: StepOutput): void {
  findResets(series, resets)
  prefix = cleared(series.count)
  for (let r = 0; r < resets.count; r++) prefix[resets.indexes[r]] = 1
  countEvents(series, windows, out)
}

export function changesFloats(series: FloatSeries, windows: Windows, out: StepOutput): void {
  const { values, valueOffset, count } = series
  prefix = cleared(count)
  for (let i = 1; i < count; i++) {
    const value = values[valueOffset + i]
    const previous = values[valueOffset + i - 1]
    // Going from one NaN to another is no change.
    if (value !== previous && !(Number.isNaN(value) && Number.isNaN(previous))) prefix[i] = 1
  }
  countEvents(series, windows, out)
}

/** `prefix[i]` is 1 where something happened between samples i - 1 and i; it is summed up in place. */
function countEvents(series: FloatSeries, windows: Windows, out: StepOutput): void {
  for (let i = 1; i < series.count; i++) prefix[i] += prefix[i - 1]
  const { first, end } = windows
  for (let s = 0; s < windows.grid.count; s++) {
    if (end[s] <= first[s]) continue
    out.values[out.offset + s] = prefix[end[s] - 1] - prefix[first[s]]
    out.presence[out.offset + s] = FLOAT
  }
}

function cleared(count: number): Int32Array<ArrayBuffer> {
  if (prefix.length < count) return new Int32Array(count * 2)
  prefix.fill(0, 0, count)
  return prefix
}
