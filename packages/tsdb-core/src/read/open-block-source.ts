/** Reads an open block: rows as they stand, chunks by decoding. Series are references of the head. */
import type { HistogramRun } from '../head/histogram-store.js'
import type { OpenBlock } from '../head/open-block.js'
import type { SeriesTable } from '../head/series-table.js'
import type { WindowStripes } from '../head/window-stripes.js'
import { grownU32 } from '../index/growable.js'
import type { LabelIndex } from '../index/label-index.js'
import { COLUMN_STRIDE } from '../model/columns.js'
import type { PieceList } from './piece-list.js'
import { RunQueue } from './run-queue.js'
import type { RunPattern, SampleSource } from './sample-source.js'

/** Rows and chunks share one space of numbers: rows are `ROWS + slot`. */
const ROWS = 0x1_0000_0000
/** Then come the runs of stripes, and raw rows of stripes as `RAW_ROWS + slot · COLUMN_STRIDE + column`. */
const STRIPES = 0x4_0000_0000
const RAW_ROWS = 2 ** 46
/** In the queue slots of rows and raw rows of stripes share one space of 32 bits. */
const RAW = 2 ** 31
const NONE = 0xffffffff
/** `RunPattern.row` of a series that is not in the block. */
const NO_SLOT = -2
const NO_ROWS: Uint32Array = new Uint32Array(0)

/** For one call of `pieces`. */
let chunksFound: Uint32Array = new Uint32Array(64)
/** Numbers of a queued row: slot, first, last, place in the output. */
const ROW_SIZE = 4

export class OpenBlockSource implements SampleSource {
  readonly loads = false
  readonly hasDeletions = false
  readonly index: LabelIndex
  readonly #block: OpenBlock
  readonly #series: SeriesTable
  readonly #stride: number
  /** Rows with equal times, found by hash: the slot that stands for them. Good while the block does not change. */
  readonly #rows = new Map<number, number>()
  /** The slot that was last found to stand for others, or -1. */
  #lastRow = -1
  #version = -1
  readonly #queue = new RunQueue()
  #queuedRows: Uint32Array = NO_ROWS
  #queuedRowsEnd = 0
  #presenceOnly = false
  /** Of the series that `isLike` was asked for last: its slot, and its chunks in the range, newest first. */
  #likeSlot = -1
  #likeChunks: Uint32Array = NO_ROWS
  /** From and to, in turn, of what shall be 0: chunks of which only the presence is wanted. */
  #zeros: Uint32Array = NO_ROWS
  #zerosEnd = 0

  constructor(block: OpenBlock, series: SeriesTable, index: LabelIndex, stride: number) {
    this.#block = block
    this.#series = series
    this.index = index
    this.#stride = stride
  }

  get startMs(): number {
    return this.#block.startMs
  }

  get endMs(): number {
    return this.#block.endMs
  }

  get hasAbsent(): boolean {
    return this.#block.hasAbsent
  }

  get hasStarts(): boolean {
    return this.#block.hasStarts
  }

  get hasHistograms(): boolean {
    return this.#block.histograms !== undefined
  }

  get symbolCount(): number {
    return this.#series.symbols.count
  }

  load(): undefined {
    return undefined
  }

  begin(presenceOnly: boolean): number {
    this.#presenceOnly = presenceOnly
    this.#queue.clear()
    this.#queuedRowsEnd = 0
    this.#zerosEnd = 0
    const { version } = this.#block
    if (version !== this.#version) {
      this.#version = version
      this.#rows.clear()
      this.#lastRow = -1
    }
    return version
  }

  columnMask(series: number): number {
    if (this.#stride === 1) return this.#block.slotOf(series) >= 0 ? 1 : 0
    let mask = this.#block.stripes?.columnMask(series) ?? 0
    for (let column = 0; column < COLUMN_STRIDE; column++) {
      if (this.#block.slotOf(series * this.#stride + column) >= 0) mask |= 1 << column
    }
    return mask
  }

  pieces(series: number, column: number, startMs: number, endMs: number, out: PieceList): void {
    const block = this.#block
    // Windows that were computed again stand in rows and chunks: what comes later here hides what comes first.
    if (block.stripes !== undefined) this.#stripePieces(block.stripes, series, column, startMs, endMs, out)
    const slot = block.slotOf(series * this.#stride + column)
    if (slot < 0) return
    // The list of chunks begins with the newest.
    let found = 0
    for (let chunk = block.lastChunk(slot); chunk !== NONE; chunk = block.previousChunk(chunk)) {
      const times = block.columnOf(chunk)
      if (block.columnFirstMs(times) >= endMs) continue
      if (block.columnLastMs(times) >= startMs) {
        if (found === chunksFound.length) chunksFound = grownU32(chunksFound, found + 1)
        chunksFound[found++] = chunk
      } else if (!block.overlaps(slot)) break
    }
    while (found > 0) {
      const chunk = chunksFound[--found]
      const times = block.columnOf(chunk)
      out.add(times, chunk, block.columnCountOf(times), block.columnFirstMs(times), block.columnLastMs(times))
    }
    const count = block.rowCount(slot)
    if (count === 0) return
    const firstMs = block.rowFirstMs(slot)
    const lastMs = block.rowLastMs(slot)
    if (firstMs < endMs && lastMs >= startMs) out.add(ROWS + this.#rowLike(slot), ROWS + slot, count, firstMs, lastMs)
  }

  patternKey(series: number): number {
    const block = this.#block
    const slot = block.slotOf(series)
    if (slot < 0) return -1
    const chunk = block.lastChunk(slot)
    if (chunk !== NONE) return block.columnOf(chunk)
    return block.rowCount(slot) === 0 ? -1 : ROWS + block.rowFirstMs(slot) - block.startMs
  }

  patternOf(series: number, startMs: number, endMs: number): RunPattern | undefined {
    const block = this.#block
    const isPlain = this.#stride === 1 && block.stripes === undefined && block.histograms === undefined
    if (!isPlain || block.hasStarts || block.hasAbsent) return undefined
    const slot = block.slotOf(series)
    if (slot < 0) return { columns: NO_ROWS, row: NO_SLOT }
    if (block.overlaps(slot)) return undefined
    const columns: number[] = []
    for (let chunk = block.lastChunk(slot); chunk !== NONE; chunk = block.previousChunk(chunk)) {
      const column = block.columnOf(chunk)
      if (block.columnLastMs(column) < startMs) break
      if (block.columnFirstMs(column) < endMs) columns.push(column)
    }
    return { columns: Uint32Array.from(columns), row: this.#rowIsIn(slot, startMs, endMs) ? slot : -1 }
  }

  isLike(series: number, { columns, row }: RunPattern, startMs: number, endMs: number): boolean {
    const block = this.#block
    const slot = block.slotOf(series)
    if (slot < 0) return row === NO_SLOT
    if (row === NO_SLOT || block.overlaps(slot)) return false
    if (this.#rowIsIn(slot, startMs, endMs) !== row >= 0 || (row >= 0 && !block.rowsEqual(row, slot))) return false
    const { length } = columns
    this.#likeChunks = grownU32(this.#likeChunks, length)
    const chunks = this.#likeChunks
    let chunk = block.lastChunk(slot)
    // Chunks that do not overlap are older and older.
    while (chunk !== NONE && block.columnFirstMs(block.columnOf(chunk)) >= endMs) chunk = block.previousChunk(chunk)
    for (let k = 0; k < length; k++) {
      if (chunk === NONE || block.columnOf(chunk) !== columns[k]) return false
      chunks[k] = chunk
      chunk = block.previousChunk(chunk)
    }
    this.#likeSlot = slot
    return chunk === NONE || block.columnLastMs(block.columnOf(chunk)) < startMs
  }

  queueLike({ columns, row }: RunPattern, clips: Uint32Array, outAt: number): number {
    const block = this.#block
    let clip = 0
    for (let k = columns.length - 1; k >= 0; k--, clip += 2) {
      const from = clips[clip]
      const to = clips[clip + 1]
      if (from === to) continue
      this.queueValues(this.#likeChunks[k], block.columnCountOf(columns[k]), from, to, outAt)
      outAt += to - from
    }
    if (row >= 0 && clips[clip] !== clips[clip + 1]) {
      const slot = this.#likeSlot
      this.queueValues(ROWS + slot, block.rowCount(slot), clips[clip], clips[clip + 1], outAt)
      outAt += clips[clip + 1] - clips[clip]
    }
    return outAt
  }

  readTimes(timeColumn: number, out: Float64Array, outAt: number): number {
    if (timeColumn >= STRIPES) return this.#readStripeTimes(timeColumn, out, outAt)
    return timeColumn >= ROWS
      ? this.#block.readRowTimes(timeColumn - ROWS, out, outAt)
      : this.#block.readColumn(timeColumn, out, outAt)
  }

  readValues(handle: number, out: Float64Array, outAt: number): number {
    const { stripes } = this.#block
    if (handle >= RAW_ROWS && stripes !== undefined) {
      const raw = handle - RAW_ROWS
      const column = raw % COLUMN_STRIDE
      const slot = (raw - column) / COLUMN_STRIDE
      const count = stripes.rawCount(slot, column)
      stripes.readRaw(slot, column, 0, count, out, outAt)
      return count
    }
    if (handle >= STRIPES && stripes !== undefined) return stripes.readRun(handle - STRIPES, out, outAt)
    return handle >= ROWS
      ? this.#block.readRowValues(handle - ROWS, out, outAt)
      : this.#block.readChunkValues(handle, out, outAt)
  }

  queueValues(handle: number, count: number, first: number, last: number, outAt: number): void {
    if (handle < ROWS) {
      const block = this.#block
      if (this.#presenceOnly && block.chunkHoldsNumbers(handle)) {
        this.#addZeros(outAt, outAt + last - first)
        return
      }
      const start = block.chunkOffset(handle)
      const end = start + block.chunkValuesSize(handle)
      this.#queue.add(block.chunkPage(handle), start, end, count, first, last, outAt)
      return
    }
    const { stripes } = this.#block
    if (handle >= STRIPES && handle < RAW_ROWS && stripes !== undefined) {
      const position = stripes.positionOf(handle - STRIPES)
      const start = this.#block.offsetAt(position)
      const end = start + stripes.sizeOf(handle - STRIPES)
      this.#queue.add(this.#block.pageOf(position), start, end, count, first, last, outAt)
      return
    }
    const at = this.#queuedRowsEnd
    this.#queuedRows = grownU32(this.#queuedRows, at + ROW_SIZE)
    const rows = this.#queuedRows
    rows[at] = handle >= RAW_ROWS ? RAW + handle - RAW_ROWS : handle - ROWS
    rows[at + 1] = first
    rows[at + 2] = last
    rows[at + 3] = outAt
    this.#queuedRowsEnd = at + ROW_SIZE
  }

  readQueued(out: Float64Array): void {
    const rows = this.#queuedRows
    for (let at = 0; at < this.#queuedRowsEnd; at += ROW_SIZE) {
      if (rows[at] < RAW) this.#block.copyRowValues(rows[at], rows[at + 1], rows[at + 2], out, rows[at + 3])
      else this.#copyRaw(rows[at] - RAW, rows[at + 1], rows[at + 2], out, rows[at + 3])
    }
    this.#queuedRowsEnd = 0
    for (let at = 0; at < this.#zerosEnd; at += 2) out.fill(0, this.#zeros[at], this.#zeros[at + 1])
    this.#zerosEnd = 0
    this.#queue.decode((page) => this.#block.page(page), out)
  }

  readStarts(handle: number, out: Float64Array, outAt: number): boolean {
    if (handle >= STRIPES) return false
    return handle >= ROWS
      ? this.#block.readRowStarts(handle - ROWS, out, outAt)
      : this.#block.readChunkStarts(handle, out, outAt)
  }

  histograms(series: number, column: number): HistogramRun | undefined {
    const store = this.#block.histograms
    if (store === undefined) return undefined
    const slot = this.#block.slotOf(series * this.#stride + column)
    return slot < 0 ? undefined : store.run(slot)
  }

  histogramCount(series: number, column: number): number {
    return this.histograms(series, column)?.histograms.length ?? 0
  }

  deletedRanges(): undefined {
    return undefined
  }

  readPairs(series: number, out: Uint32Array, outAt: number): number {
    const { pairs, offsets } = this.#series
    const from = offsets.at(series)
    const to = offsets.at(series + 1)
    for (let i = from; i < to; i++) out[outAt++] = pairs.at(i)
    return to - from
  }

  pairsLength(series: number): number {
    const { offsets } = this.#series
    return offsets.at(series + 1) - offsets.at(series)
  }

  symbolText(symbol: number): string {
    return this.#series.symbols.texts[symbol]
  }

  #stripePieces(
    stripes: WindowStripes,
    series: number,
    column: number,
    startMs: number,
    endMs: number,
    out: PieceList,
  ): void {
    const slot = stripes.slotOf(series)
    if (slot < 0) return
    const blockStartMs = this.#block.startMs
    for (const run of stripes.runsOf(slot)) {
      const times = stripes.runTimes(run)
      const firstMs = blockStartMs + stripes.timesFirst(times)
      const lastMs = blockStartMs + stripes.timesLast(times)
      if (firstMs >= endMs || lastMs < startMs) continue
      const handle = stripes.runHandle(run, slot, column)
      if (handle >= 0) out.add(STRIPES + times, STRIPES + handle, stripes.runCount(run), firstMs, lastMs)
    }
    const count = stripes.rawCount(slot, column)
    if (count === 0) return
    const firstMs = blockStartMs + stripes.rawFirst(slot, column)
    const lastMs = blockStartMs + stripes.rawLast(slot, column)
    if (firstMs >= endMs || lastMs < startMs) return
    const raw = RAW_ROWS + slot * COLUMN_STRIDE + column
    const times = stripes.rawTimes(slot, count)
    out.add(times < 0 ? raw : STRIPES + times, raw, count, firstMs, lastMs)
  }

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

  #copyRaw(raw: number, first: number, last: number, out: Float64Array, outAt: number): void {
    const column = raw % COLUMN_STRIDE
    this.#block.stripes?.readRaw((raw - column) / COLUMN_STRIDE, column, first, last, out, outAt)
  }

  #readStripeTimes(timeColumn: number, out: Float64Array, outAt: number): number {
    const { stripes, startMs } = this.#block
    if (stripes === undefined) return 0
    const raw = timeColumn - RAW_ROWS
    const column = raw % COLUMN_STRIDE
    const count =
      raw >= 0
        ? stripes.readRawTimes((raw - column) / COLUMN_STRIDE, column, out, outAt)
        : stripes.readTimes(timeColumn - STRIPES, out, outAt)
    for (let i = outAt; i < outAt + count; i++) out[i] += startMs
    return count
  }

  #rowIsIn(slot: number, startMs: number, endMs: number): boolean {
    const block = this.#block
    return block.rowCount(slot) > 0 && block.rowFirstMs(slot) < endMs && block.rowLastMs(slot) >= startMs
  }

  #rowLike(slot: number): number {
    // Series of one scrape come one after the other.
    if (this.#lastRow >= 0 && this.#block.rowsEqual(this.#lastRow, slot)) return this.#lastRow
    const hash = this.#block.rowHash(slot)
    const known = this.#rows.get(hash)
    if (known !== undefined && this.#block.rowsEqual(known, slot)) return (this.#lastRow = known)
    this.#rows.set(hash, slot)
    return (this.#lastRow = slot)
  }
}
