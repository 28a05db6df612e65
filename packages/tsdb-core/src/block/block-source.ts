/** Reads one sealed block for one query. Series are places in the block. */
import { decodeSealedValues, readSealedValuesHeader, type SealedValuesHeader } from '@varve/gorilla-codec'
import type { HistogramRun } from '../head/histogram-store.js'
import { grownF64, grownU32 } from '../index/growable.js'
import { COLUMN_STRIDE } from '../model/columns.js'
import { halvesOf, isStaleAt } from '../model/sample.js'
import type { Extreme } from '../query/queryable.js'
import type { PieceList } from '../read/piece-list.js'
import { RunQueue } from '../read/run-queue.js'
import type { SampleSource } from '../read/sample-source.js'
import type { BlockIndex } from './block-index.js'
import type { ColumnPages } from './column-pages.js'
import { HAS_ABSENT, HAS_STARTS } from './format.js'
import type { HistogramRuns } from './histogram-runs.js'
import { SealedBlockParts } from './sealed-parts.js'

const header: SealedValuesHeader = { encoding: 0, count: 0, min: 0, max: 0, sum: 0 }
/** One chunk's, for one call. */
let values: Float64Array = new Float64Array(0)
const NO_ZEROS: Uint32Array = new Uint32Array(0)

export interface BlockSourceParts {
  readonly index: BlockIndex
  readonly pages: ColumnPages
  readonly startMs: number
  readonly endMs: number
  readonly flags: number
  readonly histograms: HistogramRuns | undefined
  /** Deleted ranges by series. */
  readonly deleted: ReadonlyMap<number, readonly number[]> | undefined
  /** Told of each damaged column, once a query. */
  readonly warn: (message: string) => void
}

export class BlockSource implements SampleSource {
  readonly index: BlockIndex
  readonly startMs: number
  readonly endMs: number
  readonly hasAbsent: boolean
  readonly hasStarts: boolean
  readonly hasHistograms: boolean
  readonly loads = true
  readonly #parts: BlockSourceParts
  readonly #pages: ColumnPages
  /** Pages of this batch: kept even when the cache lets go of them. */
  #held = new Map<number, Uint8Array>()
  readonly #queue = new RunQueue()
  #presenceOnly = false
  /** Chunks of which one value is wanted, and where it goes. */
  readonly #extremes: number[] = []
  #extreme: Extreme = 'max'
  /** Where zeros go instead of values, first and end. */
  #zeros: Uint32Array = NO_ZEROS
  #zerosEnd = 0

  constructor(parts: BlockSourceParts) {
    this.#parts = parts
    this.index = parts.index
    this.#pages = parts.pages
    this.startMs = parts.startMs
    this.endMs = parts.endMs
    this.hasAbsent = (parts.flags & HAS_ABSENT) !== 0
    this.hasStarts = (parts.flags & HAS_STARTS) !== 0
    this.hasHistograms = parts.histograms !== undefined
  }

  get symbolCount(): number {
    return this.index.symbolCount
  }

  get hasDeletions(): boolean {
    return this.#parts.deleted !== undefined
  }

  get sealed(): SealedBlockParts | undefined {
    if (this.hasAbsent || this.hasStarts || this.hasHistograms || this.hasDeletions) return undefined
    if (this.index.chunkColumns !== undefined || this.#pages.isDamaged) return undefined
    return new SealedBlockParts(this.index, this.#pages)
  }

  load(series: ArrayLike<number>, startMs: number, endMs: number): Promise<void> | undefined {
    const { index } = this
    const held = new Map<number, Uint8Array>()
    const missing: number[] = []
    let lastPage = -1
    for (let i = 0; i < series.length; i++) {
      const one = series[i]
      for (let chunk = index.chunkOffsets[one]; chunk < index.chunkOffsets[one + 1]; chunk++) {
        const times = index.chunkTimeColumns[chunk]
        if (index.timeFirstMs[times] >= endMs || index.timeLastMs[times] < startMs) continue
        const page = this.#pages.pageOf(chunk)
        if (page === lastPage) continue
        lastPage = page
        if (held.has(page)) continue
        const bytes = this.#held.get(page) ?? this.#pages.get(page)
        if (bytes !== undefined) held.set(page, bytes)
        else if (missing.at(-1) !== page) missing.push(page)
      }
    }
    this.#held = held
    if (missing.length === 0) return undefined
    return this.#pages.load(
      [...new Set(missing)].sort((a, b) => a - b),
      held,
    )
  }

  begin(presenceOnly: boolean): number {
    this.#presenceOnly = presenceOnly
    this.#zerosEnd = 0
    this.#extremes.length = 0
    this.#queue.clear()
    return 0
  }

  columnMask(series: number): number {
    const { index } = this
    const columns = index.chunkColumns
    let mask = 0
    for (let chunk = index.chunkOffsets[series]; chunk < index.chunkOffsets[series + 1]; chunk++) {
      mask |= 1 << (columns === undefined ? 0 : columns[chunk])
    }
    const histograms = this.#parts.histograms
    if (histograms !== undefined) {
      for (let column = 0; column < COLUMN_STRIDE; column++) {
        if (histograms.has(series, column)) mask |= 1 << column
      }
    }
    return mask
  }

  pieces(series: number, column: number, startMs: number, endMs: number, out: PieceList): void {
    const { index } = this
    const columns = index.chunkColumns
    for (let chunk = index.chunkOffsets[series]; chunk < index.chunkOffsets[series + 1]; chunk++) {
      if (columns !== undefined && columns[chunk] !== column) continue
      const times = index.chunkTimeColumns[chunk]
      const firstMs = index.timeFirstMs[times]
      const lastMs = index.timeLastMs[times]
      if (firstMs >= endMs || lastMs < startMs) continue
      const damage = this.#pages.damageOf(chunk)
      if (damage !== undefined) this.#parts.warn(damage)
      else out.add(times, chunk, index.timeCounts[times], firstMs, lastMs)
    }
  }

  readTimes(timeColumn: number, out: Float64Array, outAt: number): number {
    return this.index.readTimes(timeColumn, out, outAt)
  }

  readValues(chunk: number, out: Float64Array, outAt: number): number {
    const page = this.#pages.pageOf(chunk)
    const bytes = this.#pageBytes(page)
    const base = this.#pages.startOf(page)
    const start = (chunk === 0 ? 0 : this.index.chunkEnds[chunk - 1]) - base
    const end = this.index.chunkEnds[chunk] - this.index.chunkStartSizes[chunk] - base
    return decodeSealedValues(bytes, start, end, out, outAt)
  }

  queueValues(chunk: number, count: number, first: number, last: number, outAt: number): void {
    if (this.#presenceOnly && this.#pages.holdsNumbers(chunk)) {
      this.#addZeros(outAt, outAt + last - first)
      return
    }
    const { chunkEnds, chunkStartSizes } = this.index
    const page = this.#pages.pageOf(chunk)
    const base = this.#pages.startOf(page)
    const start = (chunk === 0 ? 0 : chunkEnds[chunk - 1]) - base
    const end = chunkEnds[chunk] - chunkStartSizes[chunk] - base
    this.#queue.add(page, start, end, count, first, last, outAt)
  }

  queueExtreme(chunk: number, extreme: Extreme, outAt: number): void {
    this.#extreme = extreme
    this.#extremes.push(chunk, outAt)
  }

  readQueued(out: Float64Array): void {
    for (let at = 0; at < this.#extremes.length; at += 2) {
      this.#readExtreme(this.#extremes[at], out, this.#extremes[at + 1])
    }
    this.#extremes.length = 0
    for (let at = 0; at < this.#zerosEnd; at += 2) out.fill(0, this.#zeros[at], this.#zeros[at + 1])
    this.#zerosEnd = 0
    this.#queue.decode((page) => this.#pageBytes(page), out)
  }

  readStarts(chunk: number, out: Float64Array, outAt: number): boolean {
    const size = this.index.chunkStartSizes[chunk]
    if (size === 0) return false
    const page = this.#pages.pageOf(chunk)
    const end = this.index.chunkEnds[chunk] - this.#pages.startOf(page)
    decodeSealedValues(this.#pageBytes(page), end - size, end, out, outAt)
    return true
  }

  histogramCount(series: number, column: number, startMs: number, endMs: number): number {
    return this.#parts.histograms?.count(series, column, startMs, endMs) ?? 0
  }

  histograms(series: number, column: number, startMs: number, endMs: number): HistogramRun | undefined {
    return this.#parts.histograms?.decode(series, column, startMs, endMs)
  }

  deletedRanges(series: number): readonly number[] | undefined {
    return this.#parts.deleted?.get(series)
  }

  readPairs(series: number, out: Uint32Array, outAt: number): number {
    const { pairs, pairOffsets } = this.index
    const from = pairOffsets[series]
    const to = pairOffsets[series + 1]
    for (let i = from; i < to; i++) out[outAt++] = pairs[i]
    return to - from
  }

  pairsLength(series: number): number {
    return this.index.pairOffsets[series + 1] - this.index.pairOffsets[series]
  }

  symbolText(symbol: number): string {
    return this.index.symbolText(symbol)
  }

  /** Series after series stand one behind the other: mostly it is one run of zeros. */
  #addZeros(from: number, to: number): void {
    const end = this.#zerosEnd
    if (end > 0 && this.#zeros[end - 1] === from) {
      this.#zeros[end - 1] = to
      return
    }
    this.#zeros = grownU32(this.#zeros, end + 2)
    this.#zeros[end] = from
    this.#zeros[end + 1] = to
    this.#zerosEnd = end + 2
  }

  /** From the header; where that does not know the bits (a zero has a sign, a NaN a payload), from the values. */
  #readExtreme(chunk: number, out: Float64Array, outAt: number): void {
    const { chunkEnds, chunkStartSizes } = this.index
    const page = this.#pages.pageOf(chunk)
    const base = this.#pages.startOf(page)
    const start = (chunk === 0 ? 0 : chunkEnds[chunk - 1]) - base
    const end = chunkEnds[chunk] - chunkStartSizes[chunk] - base
    const bytes = this.#pageBytes(page)
    const { min, max, count } = readSealedValuesHeader(bytes, start, end, header)
    const known = this.#extreme === 'max' ? max : min
    if (known !== 0 && !Number.isNaN(known)) {
      out[outAt] = known
      return
    }
    values = grownF64(values, count)
    decodeSealedValues(bytes, start, end, values, 0)
    const place = extremePlace(values, count, this.#extreme)
    out.set(values.subarray(place, place + 1), outAt)
  }

  #pageBytes(page: number): Uint8Array {
    const bytes = this.#held.get(page)
    if (bytes === undefined) throw new Error(`invariant broken: page ${page} was not loaded`)
    return bytes
  }
}

/** The newest of the equal extremes; else the first NaN that is no staleness marker; else a marker. */
function extremePlace(column: Float64Array, count: number, extreme: Extreme): number {
  const halves = halvesOf(column)
  let best = -1
  let firstNaN = -1
  for (let i = 0; i < count; i++) {
    const value = column[i]
    if (Number.isNaN(value)) {
      if (firstNaN < 0 && !isStaleAt(halves, i)) firstNaN = i
    } else if (best < 0 || (extreme === 'max' ? value >= column[best] : value <= column[best])) best = i
  }
  return best >= 0 ? best : Math.max(firstNaN, 0)
}
