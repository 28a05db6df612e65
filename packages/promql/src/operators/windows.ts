/**
 * Which samples of a timestamp column lie in the window of each step.
 *
 * Series of one scrape target share their timestamp column, so this is found once for all of them; every range function
 * then works on indexes alone.
 */
import type { ResolutionSlice } from '@varve/tsdb-core/query'
import type { GrowthFrame } from '../functions/growth-frame.js'
import type { Grid } from './grid.js'

export interface Windows {
  readonly grid: Grid
  /** The window of step s is `(endsMs[s] - rangeMs, endsMs[s]]`. Never falling. */
  readonly endsMs: Float64Array
  readonly rangeMs: number
  /** The range of each step, where some are wider: see `widenedShape`. */
  readonly rangesMs: Float64Array | undefined
  /** Its samples are `first[s] .. end[s])` of the column. Neither ever falls. */
  readonly first: Int32Array
  readonly end: Int32Array
  /** Of the one function that these windows serve, if it is a growth: see `growth-frame.ts`. */
  frame?: GrowthFrame | undefined
}

/** What the windows of a selector look like before any timestamps are known. */
export interface WindowShape {
  readonly grid: Grid
  readonly endsMs: Float64Array
  readonly rangeMs: number
  readonly rangesMs?: Float64Array
  /** Samples so much before the window's start and after its end are looked at too (anchored, smoothed). */
  readonly beforeMs: number
  readonly afterMs: number
  /** Samples so much before the window's start are read, but not looked at: reset hints are found from them. */
  readonly historyMs: number
}

/** Ends of the windows: the evaluation time or that of `@`, less the offset. */
export function windowEnds(grid: Grid, atMs: number | undefined, offsetMs: number): Float64Array {
  const ends = new Float64Array(grid.count)
  for (let s = 0; s < grid.count; s++) ends[s] = (atMs ?? grid.startMs + s * grid.stepMs) - offsetMs
  return ends
}

/** The same with windows that are at least as long as what one sample stands for, where a coarser resolution serves. */
export function widenedShape(shape: WindowShape, slices: readonly ResolutionSlice[] | undefined): WindowShape {
  const { endsMs, rangeMs } = shape
  const wider = slices?.filter(({ resolutionMs }) => resolutionMs > rangeMs) ?? []
  if (wider.length === 0) return shape
  const rangesMs = new Float64Array(endsMs.length).fill(rangeMs)
  for (const { startMs, endMs, resolutionMs } of wider) {
    for (let s = 0; s < endsMs.length; s++) {
      if (endsMs[s] >= startMs && endsMs[s] < endMs && rangesMs[s] < resolutionMs) rangesMs[s] = resolutionMs
    }
  }
  return { ...shape, rangesMs }
}

/** Finds the windows over `timesMs[from..to)`; indexes count from `from`. */
export function findWindows(shape: WindowShape, timesMs: Float64Array, from: number, to: number): Windows {
  const { grid, endsMs, rangeMs, rangesMs } = shape
  const first = new Int32Array(grid.count)
  const end = new Int32Array(grid.count)
  fillWindows(shape, timesMs, from, to, first, end)
  return { grid, endsMs, rangeMs, rangesMs, first, end, frame: undefined }
}

/** Finds them into columns that are there. */
export function fillWindows(
  shape: WindowShape,
  timesMs: Float64Array,
  from: number,
  to: number,
  first: Int32Array,
  end: Int32Array,
): void {
  const { grid, endsMs, rangeMs, rangesMs, beforeMs, afterMs } = shape
  let low = from
  let high = from
  let lowMoved = 0
  let highMoved = 0
  for (let s = 0; s < grid.count; s++) {
    const startMs = endsMs[s] - (rangesMs === undefined ? rangeMs : rangesMs[s]) - beforeMs
    const endMs = endsMs[s] + afterMs
    // On even steps over even samples both borders move as far as they did before; two looks tell.
    const highBefore = high
    high += highMoved
    if (
      !(high <= to && (high === highBefore || timesMs[high - 1] <= endMs) && (high === to || timesMs[high] > endMs))
    ) {
      high = highBefore
      while (high < to && timesMs[high] <= endMs) high++
      highMoved = high - highBefore
    }
    const lowBefore = low
    low += lowMoved
    if (
      !(low <= high && (low === lowBefore || timesMs[low - 1] <= startMs) && (low === high || timesMs[low] > startMs))
    ) {
      low = lowBefore
      while (low < high && timesMs[low] <= startMs) low++
      lowMoved = low - lowBefore
    }
    first[s] = low - from
    end[s] = high - from
  }
}
