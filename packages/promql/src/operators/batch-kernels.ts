/**
 * The Rust kernels for a batch: one call for all of its series. What a kernel leaves (series with markers) is computed in
 * TypeScript, and so is everything where there is no native module.
 */
import { QUERY_FOLDS, QUERY_FUNCTIONS, type QueryKernels } from '@varve/native'
import { halvesOf, isStaleAt } from '@varve/tsdb-core/model'
import type { SeriesBatch } from '@varve/tsdb-core/query'
import type { VectorBatch } from './vector-batch.js'
import type { WindowCache } from './window-cache.js'

export type KernelFunction = keyof typeof QUERY_FUNCTIONS

/** The cells of an accumulator, as a kernel fills them; columns that the fold does not use are empty. */
export interface FoldCells {
  readonly fold: keyof typeof QUERY_FOLDS
  readonly a: Float64Array
  readonly b: Float64Array
  readonly c: Float64Array
  readonly flags: Uint8Array
}

/** What became of a series. */
export const LEFT = 0
export const FOUND = 2

export class BatchKernels {
  /** By series, of the call before: `LEFT`, `FOUND`, or 1 for none. */
  found = new Uint8Array(0)
  readonly #native: QueryKernels
  readonly #code: number
  readonly #cache: WindowCache
  readonly #divisor: number
  readonly #seesMarkers: boolean
  #slots = new Uint32Array(0)

  /** `divisor`: the range in seconds for a growth per second, else 1. */
  constructor(native: QueryKernels, name: KernelFunction, cache: WindowCache, divisor: number) {
    this.#native = native
    this.#code = QUERY_FUNCTIONS[name]
    this.#seesMarkers = name === 'latest'
    this.#cache = cache
    this.#divisor = divisor
  }

  /** Folds the series of a batch into the cells of `groups`. */
  fold(batch: SeriesBatch, groups: Uint32Array, cells: FoldCells): void {
    const { a, b, c, flags } = cells
    const cache = this.#cache
    for (let from = 0; from < batch.seriesCount; ) {
      const to = this.#findSlots(batch, from, batch.seriesCount)
      const { memory } = cache
      this.#native.foldSeries(
        this.#code,
        QUERY_FOLDS[cells.fold],
        batch.values,
        batch.sampleOffsets.subarray(from, to + 1),
        this.#slots.subarray(from, to),
        cache.steps,
        this.#divisor,
        memory.first,
        memory.end,
        memory.presence,
        memory.seconds,
        groups.subarray(from, to),
        a,
        b,
        c,
        flags,
        this.found.subarray(from, to),
      )
      from = to
    }
  }

  /**
   * Writes rows of series from `from` on behind those of `out`, which has room up to `to`; returns where it ended: behind the
   * first series that it left, if it left one, so that rows keep the order of their series.
   */
  write(batch: SeriesBatch, from: number, to: number, out: VectorBatch): number {
    const cache = this.#cache
    const end = this.#findSlots(batch, from, to)
    const { memory } = cache
    const looked = this.#native.writeRows(
      this.#code,
      batch.values,
      batch.sampleOffsets.subarray(from, end + 1),
      this.#slots.subarray(from, end),
      cache.steps,
      this.#divisor,
      memory.first,
      memory.end,
      memory.presence,
      memory.seconds,
      out.seriesCount,
      out.values,
      out.presence,
      this.found.subarray(from, end),
    )
    return from + looked
  }

  /** Finds the slots of series, as far as they can be there together; returns where it ended. */
  #findSlots({ seriesCount, timestampColumns, sampleOffsets, values }: SeriesBatch, from: number, to: number): number {
    if (this.found.length < seriesCount) {
      this.found = new Uint8Array(seriesCount)
      this.#slots = new Uint32Array(seriesCount)
    }
    const slots = this.#slots
    const cache = this.#cache
    cache.unpin()
    const halves = halvesOf(values)
    let column = -1
    let ended = false
    let slot = -1
    for (let series = from; series < to; series++) {
      const end = sampleOffsets[series + 1]
      // The marker that a series has ended with is no sample of a range; for the kernel neither.
      const endsHere = !this.#seesMarkers && end > sampleOffsets[series] && isStaleAt(halves, end - 1)
      if (timestampColumns[series] !== column || endsHere !== ended) {
        column = timestampColumns[series]
        ended = endsHere
        slot = cache.pinnedSlotOf(column, ended)
        if (slot < 0) return series
      }
      slots[series] = slot
    }
    return to
  }
}
