/**
 * Quantiles of plain values, NaN being the least of them, and quantile_over_time and mad_over_time over floats.
 *
 * A window that moves keeps its values sorted: a sample enters and leaves by a binary search and a move of memory.
 */
import { FLOAT } from '../operators/vector-batch.js'
import type { Windows } from '../operators/windows.js'
import type { FloatSeries, RangeCallContext, StepOutput } from './range-function.js'

/** `sorted[0..count)` rises; `nanCount` NaNs stand before all of them. */
export function quantileOfSorted(quantile: number, sorted: ArrayLike<number>, count: number, nanCount: number): number {
  const total = count + nanCount
  if (total === 0 || Number.isNaN(quantile)) return Number.NaN
  if (quantile < 0) return Number.NEGATIVE_INFINITY
  if (quantile > 1) return Number.POSITIVE_INFINITY
  const rank = quantile * (total - 1)
  const lower = Math.max(0, Math.floor(rank))
  const upper = Math.min(total - 1, lower + 1)
  const weight = rank - Math.floor(rank)
  const lowerValue = lower < nanCount ? Number.NaN : sorted[lower - nanCount]
  const upperValue = upper < nanCount ? Number.NaN : sorted[upper - nanCount]
  return lowerValue * (1 - weight) + upperValue * weight
}

/** The same of `values[0..count)` in any order, none of them NaN; they are moved. */
export function quantileOfUnsorted(quantile: number, values: Float64Array, count: number, nanCount: number): number {
  const total = count + nanCount
  if (total > 0 && quantile >= 0 && quantile <= 1) {
    const lower = Math.floor(quantile * (total - 1)) - nanCount
    if (lower + 1 >= 0) placeRanks(values, count, Math.max(0, lower))
  }
  return quantileOfSorted(quantile, values, count, nanCount)
}

/** Moves values so that those at `rank` and `rank + 1` are the ones that stand there when all are sorted. */
function placeRanks(values: Float64Array, count: number, rank: number): void {
  let left = 0
  let right = count - 1
  // Halving takes log2(count) rounds. Whoever chooses values so that it takes many more gets a sort.
  for (let round = 2 * (32 - Math.clz32(count)); left < right; round--) {
    if (round < 0) {
      values.subarray(left, right + 1).sort()
      break
    }
    const pivot = medianOfThree(values[left], values[(left + right) >>> 1], values[right])
    let low = left
    let high = right
    while (low <= high) {
      while (values[low] < pivot) low++
      while (values[high] > pivot) high--
      if (low > high) break
      const held = values[low]
      values[low++] = values[high]
      values[high--] = held
    }
    if (rank <= high) right = high
    else if (rank >= low) left = low
    else break
  }
  if (rank + 1 >= count) return
  let least = rank + 1
  for (let i = least + 1; i < count; i++) if (values[i] < values[least]) least = i
  const held = values[least]
  values[least] = values[rank + 1]
  values[rank + 1] = held
}

function medianOfThree(a: number, b: number, c: number): number {
  if (a < b) return b < c ? b : a < c ? c : a
  return a < c ? a : b < c ? c : b
}

/** A quantile of values in any order. */
export function quantileOf(quantile: number, values: readonly number[]): number {
  const sorted = Float64Array.from(values.filter((value) => !Number.isNaN(value))).sort()
  return quantileOfSorted(quantile, sorted, sorted.length, values.length - sorted.length)
}

/** The values of a window, sorted. */
class SortedWindow {
  sorted = new Float64Array(64)
  count = 0
  nanCount = 0

  clear(): void {
    this.count = 0
    this.nanCount = 0
  }

  add(value: number): void {
    if (Number.isNaN(value)) {
      this.nanCount++
      return
    }
    if (this.count === this.sorted.length) {
      const larger = new Float64Array(this.count * 2)
      larger.set(this.sorted)
      this.sorted = larger
    }
    const at = this.#find(value)
    this.sorted.copyWithin(at + 1, at, this.count++)
    this.sorted[at] = value
  }

  remove(value: number): void {
    if (Number.isNaN(value)) {
      this.nanCount--
      return
    }
    const at = this.#find(value)
    this.sorted.copyWithin(at, at + 1, this.count--)
  }

  /** Index of the first value that is not below. */
  #find(value: number): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.sorted[middle] < value) low = middle + 1
      else high = middle
    }
    return low
  }
}

const window = new SortedWindow()

export function quantileFloats(series: FloatSeries, windows: Windows, out: StepOutput, call: RangeCallContext): void {
  const quantiles = call.scalars[0]
  eachSortedWindow(series, windows, (s) => {
    const quantile = quantiles[s]
    checkQuantile(quantile, call)
    out.values[out.offset + s] = quantileOfSorted(quantile, window.sorted, window.count, window.nanCount)
    out.presence[out.offset + s] = FLOAT
  })
}

/** Median of the distances from the median; NaN if any value is NaN. */
export function madFloats(series: FloatSeries, windows: Windows, out: StepOutput): void {
  const { values, valueOffset } = series
  const { first, end } = windows
  eachSortedWindow(series, windows, (s) => {
    const median = quantileOfSorted(0.5, window.sorted, window.count, window.nanCount)
    let result = Number.NaN
    if (window.nanCount > 0) result = Number.NaN
    else if (Number.isFinite(median)) result = medianDistance(window.sorted, window.count, median)
    else {
      const held = values.subarray(valueOffset + first[s], valueOffset + end[s])
      result = quantileOf(
        0.5,
        Array.from(held, (value) => Math.abs(value - median)),
      )
    }
    out.values[out.offset + s] = result
    out.presence[out.offset + s] = FLOAT
  })
}

/** The distances of sorted values from their median rise to both sides of it, so their median is found by merging the two. */
function medianDistance(sorted: Float64Array, count: number, median: number): number {
  const rank = 0.5 * (count - 1)
  const lower = Math.floor(rank)
  let left = Math.floor(rank)
  let right = left + 1
  let previous = 0
  let distance = 0
  for (let taken = 0; taken <= Math.min(count - 1, lower + 1); taken++) {
    previous = distance
    const below = left >= 0 ? median - sorted[left] : Number.POSITIVE_INFINITY
    const above = right < count ? sorted[right] - median : Number.POSITIVE_INFINITY
    if (below <= above && left >= 0) {
      distance = below
      left--
    } else {
      distance = above
      right++
    }
  }
  if (count === 1) return distance
  const weight = rank - lower
  return previous * (1 - weight) + distance * weight
}

export function checkQuantile(quantile: number, call: RangeCallContext): void {
  if (!(quantile >= 0 && quantile <= 1)) call.annotations.invalidQuantile(quantile, call.scalarPositions[0])
}

function eachSortedWindow(series: FloatSeries, windows: Windows, visit: (step: number) => void): void {
  const { values, valueOffset } = series
  const { first, end } = windows
  window.clear()
  let left = 0
  let entered = 0
  for (let s = 0; s < windows.grid.count; s++) {
    const from = first[s]
    const to = end[s]
    if (to <= from) continue
    if (from >= entered) {
      window.clear()
      left = entered = from
    }
    for (; left < from; left++) window.remove(values[valueOffset + left])
    for (; entered < to; entered++) window.add(values[valueOffset + entered])
    visit(s)
  }
}
