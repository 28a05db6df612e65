/** Kernels over the series of a sealed block, which decode each column where they compute its row: see `SealedColumns`. */
import { codecFailure, QUERY_FOLDS, QUERY_FUNCTIONS, type QueryKernels, type SealedArguments } from '@varve/native'
import type { SealedColumns } from '@varve/tsdb-core/query'
import { PromqlError } from '../errors.js'
import { FOUND, type FoldCells, type KernelFunction, LEFT } from './batch-kernels.js'
import type { VectorBatch } from './vector-batch.js'
import { slotsMax } from './window-cache.js'
import { borrowWindows, returnWindows, type WindowMemory } from './window-memory.js'
import type { WindowShape } from './windows.js'

/** What the kernel computes for each series. */
export interface SealedFunction {
  readonly kernels: QueryKernels
  readonly name: KernelFunction
  readonly shape: WindowShape
  /** The range in seconds for a growth per second, else 1. */
  readonly divisor: number
  readonly framed: boolean
  readonly presenceOnly: boolean
  /** Of `predict`: seconds ahead, then the evaluation time in milliseconds, each by step; else empty. */
  readonly scalars: Float64Array
}

/** Of a function that takes none. */
export const NO_SCALARS: Float64Array = new Float64Array(0)

/** Samples and cells of one call, which takes some milliseconds at most. */
const WORK_PER_CALL = 1 << 19
const SERIES_PER_CALL = 4096
/** `found` of a series without a sample in the range. */
const WITHOUT_SAMPLES = 3

/** How many series have samples in the range, and how many samples these are; series that are left do not count. */
export interface SealedCounts {
  readonly seriesCount: number
  readonly sampleCount: number
}

/**
 * Slots of timestamp columns that nobody uses, all zero: a block of a large fleet has tens of thousands of columns, of which a query
 * of one series meets one.
 */
let spareColumns: Uint32Array | undefined
const SPARE_COLUMNS_MAX = 1 << 18

const NOTHING: SealedCounts = { seriesCount: 0, sampleCount: 0 }

export class SealedSeries {
  readonly #columns: SealedColumns
  readonly #function: SealedFunction
  readonly #memory: WindowMemory
  readonly #facts: Float64Array
  readonly #slotColumns: Uint32Array
  readonly #parameters: Float64Array
  readonly #room = new Uint8Array(SERIES_PER_CALL)
  /** What became of each series of the call before. */
  found = new Uint8Array(0)

  constructor(columns: SealedColumns, what: SealedFunction) {
    this.#columns = columns
    this.#function = what
    const { shape } = what
    const steps = shape.grid.count
    let slots = 8
    while (slots < columns.series.length && slots < slotsMax(steps)) slots *= 2
    this.#memory = borrowWindows(steps, Math.min(slots, slotsMax(steps)), what.framed)
    this.#facts = new Float64Array(2 * this.#memory.slots)
    this.#slotColumns = borrowColumns(1 + 3 * columns.timeCounts.length)
    const presenceOnly = what.presenceOnly ? 1 : 0
    this.#parameters = Float64Array.of(shape.rangeMs, what.divisor, columns.startMs, columns.endMs, presenceOnly, 0)
  }

  /** Where a call that begins with place `from` ends. */
  endOf(from: number): number {
    const { series, chunkOffsets, chunkTimes, timeCounts } = this.#columns
    const { shape, presenceOnly } = this.#function
    const steps = shape.grid.count
    const last = Math.min(series.length, from + SERIES_PER_CALL)
    let work = 0
    let end = from
    for (; end < last && work < WORK_PER_CALL; end++) {
      work += steps
      if (presenceOnly) continue
      const chunk = chunkOffsets[series[end]]
      if (chunk < chunkTimes.length) work += timeCounts[chunkTimes[chunk]]
    }
    return end
  }

  /**
   * Adds series `[from, to)`, which are loaded, to the cells of their groups; places that are left to the caller are added to
   * `left`.
   *
   * @throws {PromqlError} `internal` for a column that cannot be decoded.
   */
  add(from: number, to: number, groups: Uint32Array, cells: FoldCells, left: number[]): SealedCounts {
    const columns = this.#arguments(from, to)
    let answer = 0
    if (columns !== undefined) {
      const { kernels, name } = this.#function
      const { fold, a, b, c, flags } = cells
      const mine = groups.subarray(from, to)
      answer = kernels.foldSealed(QUERY_FUNCTIONS[name], ...columns, QUERY_FOLDS[fold], mine, a, b, c, flags)
    }
    const { found } = this
    for (let i = 0; i < found.length; i++) if (found[i] === LEFT) left.push(from + i)
    return this.#countsOf(answer)
  }

  /**
   * Writes the rows of those of them that have samples behind those of `out`, which has room; undefined where a series is left:
   * then there are none.
   *
   * @throws {PromqlError} `internal` for a column that cannot be decoded.
   */
  write(from: number, to: number, out: VectorBatch): SealedCounts | undefined {
    const columns = this.#arguments(from, to)
    if (columns === undefined) return undefined
    const { kernels, name } = this.#function
    const answer = kernels.writeSealed(QUERY_FUNCTIONS[name], ...columns, out.seriesCount, out.values, out.presence)
    const counts = this.#countsOf(answer)
    return this.found.includes(LEFT) ? undefined : counts
  }

  /** Undefined where a column is damaged, so that all are left. */
  #arguments(from: number, to: number): SealedArguments | undefined {
    const columns = this.#columns
    const pages = columns.pages()
    this.found = this.#room.subarray(0, to - from).fill(LEFT)
    if (pages === undefined) return undefined
    const { shape, scalars } = this.#function
    const { first, end, presence, seconds } = this.#memory
    this.#parameters[5] = pages.start
    return [
      this.#parameters,
      scalars,
      pages.bytes,
      columns.pageChunks,
      columns.chunkOffsets,
      columns.chunkEnds,
      columns.chunkTimes,
      columns.numbers,
      columns.times,
      columns.timeOffsets,
      columns.timeCounts,
      columns.series.subarray(from, to),
      shape.endsMs,
      this.#slotColumns,
      first,
      end,
      presence,
      seconds,
      this.#facts,
      this.found,
    ]
  }

  #countsOf(answer: number): SealedCounts {
    const failure = codecFailure(answer)
    if (failure !== undefined) {
      throw new PromqlError(
        'internal',
        `expanding series: a column of a sealed block cannot be decoded: ${failure.code} at bit ${failure.bitOffset} of its page`,
      )
    }
    const { found } = this
    let seriesCount = 0
    for (let i = 0; i < found.length; i++) if (found[i] !== LEFT && found[i] !== WITHOUT_SAMPLES) seriesCount++
    return seriesCount === 0 ? NOTHING : { seriesCount, sampleCount: answer }
  }

  /** Marks the groups with a series that had a result in the call before, which began at `from`. */
  noteFound(from: number, groups: Uint32Array, seen: Uint8Array): void {
    const { found } = this
    for (let i = 0; i < found.length; i++) if (found[i] === FOUND) seen[groups[from + i]] = 1
  }

  /** The last call. */
  release(): void {
    returnWindows(this.#memory)
    returnColumns(this.#slotColumns, this.#columns)
  }
}

function borrowColumns(length: number): Uint32Array {
  if (spareColumns === undefined || spareColumns.length < length) return new Uint32Array(length)
  const columns = spareColumns.subarray(0, length)
  spareColumns = undefined
  return columns
}

/** Forgets the slots of all timestamp columns that these series may have met. */
function returnColumns(slots: Uint32Array, { series, chunkOffsets, chunkTimes }: SealedColumns): void {
  const whole = new Uint32Array(slots.buffer)
  if (whole.length > SPARE_COLUMNS_MAX || whole.length < (spareColumns?.length ?? 0)) return
  if (series.length * 4 > slots.length) slots.fill(0)
  else {
    slots[0] = 0
    for (const one of series) {
      for (let chunk = chunkOffsets[one]; chunk < chunkOffsets[one + 1]; chunk++) slots[1 + 3 * chunkTimes[chunk]] = 0
    }
  }
  spareColumns = whole
}

/** Whether the kernel knows such windows. */
export function isPlainShape({ beforeMs, afterMs, rangesMs }: WindowShape): boolean {
  return beforeMs === 0 && afterMs === 0 && rangesMs === undefined
}
