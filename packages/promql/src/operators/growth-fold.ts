/**
 * Sums of rates and increases without the native module: batches of series go from their samples into the cells of their
 * groups, four series at a time, and no row is written.
 *
 * Series of one scrape share their windows, so that indexes and factors of a step are loaded once for four of them, and
 * where they are of one group its cells too. What is special (a reset, a counter near zero, steps without windows) is
 * computed as a row and then added, in the order of the series. The operations are those of `rate.ts` and `accumulators.ts`.
 */
import { halvesOf, isStaleAt } from '@varve/tsdb-core/model'
import type { SeriesBatch } from '@varve/tsdb-core/query'
import { growthOfSeries } from '../functions/rate.js'
import { addCompensated } from './accumulators.js'
import { FOUND, type FoldCells, LEFT } from './batch-kernels.js'
import { emptyFloatSeries } from './sample-range.js'
import { FLOAT } from './vector-batch.js'
import type { WindowCache } from './window-cache.js'
import type { Windows } from './windows.js'

const NONE = 1
/** Some milliseconds of work between two looks at the clock. */
const CELLS_AT_ONCE = 1 << 20

export class GrowthFold {
  /** By series, of the call before: `LEFT`, `FOUND`, or 1 for none. */
  found = new Uint8Array(0)
  readonly #cache: WindowCache
  readonly #perSecond: boolean
  readonly #series = emptyFloatSeries()
  readonly #row: { values: Float64Array; presence: Uint8Array; offset: number }
  /** Where the samples and the cells of up to four series begin, which wait for each other: all of the windows `#windows`. */
  readonly #from = new Int32Array(4)
  readonly #cells = new Int32Array(4)
  #waiting = 0
  #windows: Windows | undefined

  constructor(cache: WindowCache, perSecond: boolean) {
    this.#cache = cache
    this.#perSecond = perSecond
    this.#row = { values: new Float64Array(cache.steps), presence: new Uint8Array(cache.steps), offset: 0 }
  }

  /** How many series may go into one call of `fold`. */
  get seriesAtOnce(): number {
    return Math.max(4, Math.floor(CELLS_AT_ONCE / Math.max(1, this.#cache.steps)))
  }

  /** Folds series `[from, to)` of a batch into the cells of `groups`. Those with NaN, which may be markers, are left. */
  fold(batch: SeriesBatch, from: number, to: number, groups: Uint32Array, cells: FoldCells): void {
    if (this.found.length < batch.seriesCount) this.found = new Uint8Array(batch.seriesCount)
    const { values, sampleOffsets, timestampColumns, timestampsMs, timestampOffsets } = batch
    const { found } = this
    const steps = this.#cache.steps
    const halves = halvesOf(values)
    const series = this.#series
    series.values = values
    series.timesMs = timestampsMs
    let windows: Windows | undefined
    let column = -1
    let ended = false
    for (let i = from; i < to; i++) {
      const start = sampleOffsets[i]
      let end = sampleOffsets[i + 1]
      // The marker that a series has ended with is no sample of a range.
      const endsHere = end > start && isStaleAt(halves, end - 1)
      if (endsHere) end--
      const rises = isRising(values, start, end)
      if (!rises && hasNaN(values, start, end)) {
        found[i] = LEFT
        continue
      }
      if (windows === undefined || timestampColumns[i] !== column || endsHere !== ended) {
        this.#addWaiting(values, cells)
        column = timestampColumns[i]
        ended = endsHere
        windows = this.#cache.windows(this.#cache.slotOf(column, ended))
        this.#windows = windows
      }
      const frame = windows.frame
      if (end === start || frame?.presentTo === 0) {
        found[i] = NONE
        continue
      }
      if (rises && frame !== undefined && frame.presentFrom >= 0) {
        const { presentFrom, presentTo } = frame
        const growth = values[end - 1] - values[start]
        if (growth === 0) {
          // Zeros change no sum.
          found[i] = FOUND
          cells.flags.fill(1, groups[i] * steps + presentFrom, groups[i] * steps + presentTo)
          continue
        }
        // Against the growth of the whole column, its first value in a window is far enough up from zero: and so are all later ones.
        if (values[start + windows.first[presentFrom]] > growth / frame.reachMin) {
          found[i] = FOUND
          this.#from[this.#waiting] = start
          this.#cells[this.#waiting] = groups[i] * steps
          if (++this.#waiting === 4) this.#addWaiting(values, cells)
          continue
        }
      }
      this.#addWaiting(values, cells)
      series.valueOffset = start
      series.timeOffset = timestampOffsets[column]
      series.count = end - start
      this.#row.presence.fill(0)
      growthOfSeries(series, windows, this.#row, this.#perSecond)
      found[i] = NONE
      if (this.#row.presence.indexOf(FLOAT) < 0) continue
      found[i] = FOUND
      const { values: rowValues, presence } = this.#row
      addCompensated(rowValues, presence, 0, cells.a, cells.b, cells.flags, groups[i] * steps, steps)
    }
    this.#addWaiting(values, cells)
  }

  #addWaiting(values: Float64Array, { a, b, flags }: FoldCells): void {
    const count = this.#waiting
    if (count === 0) return
    this.#waiting = 0
    const { first, end, frame } = this.#windows as Windows
    const { factor, presentFrom, presentTo } = frame!
    const from = this.#from
    const cells = this.#cells
    const cell = cells[0]
    if (count === 4 && cell === cells[1] && cell === cells[2] && cell === cells[3]) {
      addFour(values, from[0], from[1], from[2], from[3], first, end, factor, presentFrom, presentTo, a, b, cell)
      flags.fill(1, cell + presentFrom, cell + presentTo)
      return
    }
    let at = 0
    for (; at + 1 < count; at += 2) {
      const other = cells[at + 1]
      addTwo(values, from[at], from[at + 1], first, end, factor, presentFrom, presentTo, a, b, cells[at], other)
    }
    if (at < count) addOne(values, from[at], first, end, factor, presentFrom, presentTo, a, b, cells[at])
    for (let i = 0; i < count; i++) {
      if (i === 0 || cells[i] !== cells[i - 1]) flags.fill(1, cells[i] + presentFrom, cells[i] + presentTo)
    }
  }
}

/** No value is less than the one before it, and none is NaN if there are two. */
function isRising(values: Float64Array, from: number, to: number): boolean {
  let previous = values[from]
  for (let i = from + 1; i < to; i++) {
    const value = values[i]
    if (!(value >= previous)) return false
    previous = value
  }
  return true
}

function hasNaN(values: Float64Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (Number.isNaN(values[i])) return true
  return false
}

/** The growths of one series, added to the cells from `cell` on. */
function addOne(
  values: Float64Array,
  from: number,
  first: Int32Array,
  end: Int32Array,
  factor: Float64Array,
  stepFrom: number,
  stepTo: number,
  sums: Float64Array,
  compensations: Float64Array,
  cell: number,
): void {
  for (let s = stepFrom; s < stepTo; s++) {
    const at = cell + s
    const value = (values[from + end[s] - 1] - values[from + first[s]]) * factor[s]
    const sum = sums[at]
    const total = sum + value
    const part = total - sum
    const error = sum - (total - part) + (value - part)
    compensations[at] = Number.isNaN(error) ? 0 : compensations[at] + error
    sums[at] = total
  }
}

/** Of two, one after the other at each step: they may be of one group. */
function addTwo(
  values: Float64Array,
  from0: number,
  from1: number,
  first: Int32Array,
  end: Int32Array,
  factor: Float64Array,
  stepFrom: number,
  stepTo: number,
  sums: Float64Array,
  compensations: Float64Array,
  cell0: number,
  cell1: number,
): void {
  for (let s = stepFrom; s < stepTo; s++) {
    const low = first[s]
    const high = end[s] - 1
    const scale = factor[s]

    let value = (values[from0 + high] - values[from0 + low]) * scale
    let sum = sums[cell0 + s]
    let total = sum + value
    let part = total - sum
    let error = sum - (total - part) + (value - part)
    compensations[cell0 + s] = Number.isNaN(error) ? 0 : compensations[cell0 + s] + error
    sums[cell0 + s] = total

    value = (values[from1 + high] - values[from1 + low]) * scale
    sum = sums[cell1 + s]
    total = sum + value
    part = total - sum
    error = sum - (total - part) + (value - part)
    compensations[cell1 + s] = Number.isNaN(error) ? 0 : compensations[cell1 + s] + error
    sums[cell1 + s] = total
  }
}

/** Of four series of one group, whose cells stay in registers meanwhile. */
function addFour(
  values: Float64Array,
  from0: number,
  from1: number,
  from2: number,
  from3: number,
  first: Int32Array,
  end: Int32Array,
  factor: Float64Array,
  stepFrom: number,
  stepTo: number,
  sums: Float64Array,
  compensations: Float64Array,
  cell: number,
): void {
  for (let s = stepFrom; s < stepTo; s++) {
    const low = first[s]
    const high = end[s] - 1
    const scale = factor[s]
    let sum = sums[cell + s]
    let compensation = compensations[cell + s]

    let value = (values[from0 + high] - values[from0 + low]) * scale
    let total = sum + value
    let part = total - sum
    let error = sum - (total - part) + (value - part)
    compensation = Number.isNaN(error) ? 0 : compensation + error
    sum = total

    value = (values[from1 + high] - values[from1 + low]) * scale
    total = sum + value
    part = total - sum
    error = sum - (total - part) + (value - part)
    compensation = Number.isNaN(error) ? 0 : compensation + error
    sum = total

    value = (values[from2 + high] - values[from2 + low]) * scale
    total = sum + value
    part = total - sum
    error = sum - (total - part) + (value - part)
    compensation = Number.isNaN(error) ? 0 : compensation + error
    sum = total

    value = (values[from3 + high] - values[from3 + low]) * scale
    total = sum + value
    part = total - sum
    error = sum - (total - part) + (value - part)
    compensations[cell + s] = Number.isNaN(error) ? 0 : compensation + error
    sums[cell + s] = total
  }
}
