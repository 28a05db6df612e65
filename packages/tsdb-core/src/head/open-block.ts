/**
 * One block that still takes writes: recent samples raw in rows of a slab, full rows compressed, many by one call (DESIGN D3).
 *
 *     slot            one for each series (and column) with samples in this block; found by `slotPages[key >>> 10][key & 1023]`
 *     row             the slot's newest `ROW_SAMPLES` samples at most: offsets (ms after the block's start) and values, sorted
 *     chunk           a full row, encoded; the chunks of a slot are a list, newest first
 *     time column     the encoded offsets of a chunk; series of one scrape have equal ones, so each is kept once
 *
 * Rows are sorted. Chunks of one slot may overlap each other and the row once samples came out of order. In a raw block a
 * timestamp stands only once; in a replacing one (aggregated namespaces) the row wins over chunks, and newer chunks over
 * older ones. Histograms stand beside, in `HistogramStore`; their place among the samples is not in the rows.
 */
import { grownU8, grownU16, grownU32 } from '../index/growable.js'
import { ABSENT_HIGH, ABSENT_LOW, HIGH_HALF, LOW_HALF } from '../model/columns.js'
import { halvesOf } from '../model/sample.js'
import { ByteArena } from './byte-arena.js'
import type { HistogramStore } from './histogram-store.js'
import { hasAny, RowBatch, sameOffsets } from './row-batch.js'
import {
  decodeTimestamps,
  decodeValues,
  encodeTimestamps,
  encodeValues,
  rowTimestampsSizeMax,
  rowValuesSizeMax,
} from './row-codec.js'

/** A longer row takes more memory while it is raw, a shorter one more for the headers of its chunks. */
export const ROW_SAMPLES = 48
/** So many full rows wait for each other at most. */
const FULL_ROWS_MAX = 256
const SLOTS_PER_PAGE_BITS = 6
const SLOTS_PER_PAGE = 1 << SLOTS_PER_PAGE_BITS
const KEYS_PER_PAGE_BITS = 10
const KEYS_PER_PAGE = 1 << KEYS_PER_PAGE_BITS
const NONE = 0xffffffff
const RECENT_COLUMNS = 4

/** What became of one sample. */
export const STORED = 0
export const SAME = 1
export const CONFLICT = 2

const scratchBytes = new Uint8Array(rowTimestampsSizeMax(ROW_SAMPLES))
/** Values of a row, and its start timestamps. */
const rowBytes = new Uint8Array(rowValuesSizeMax(ROW_SAMPLES) * 2)
const scratchTimes = new Float64Array(ROW_SAMPLES)
const scratchValues = new Float64Array(ROW_SAMPLES)
const scratchHalves = halvesOf(scratchValues)

const batch = new RowBatch(FULL_ROWS_MAX, ROW_SAMPLES)

export class OpenBlock {
  readonly startMs: number
  readonly endMs: number
  /** Later samples replace earlier ones of the same timestamp. */
  readonly replaces: boolean
  /** Oldest log segment that holds samples of this block which are nowhere else on disk. */
  firstSegment = 0
  /** Of the last append, on the monotonic clock. */
  lastAppendMs = 0
  sampleCount = 0
  slotCount = 0
  firstOffset = NONE
  lastOffset = 0
  histograms: HistogramStore | undefined
  /** Whether a sample has a start timestamp, or is the marker of a removed window. */
  hasStarts = false
  hasAbsent = false

  #slotPages: (Uint32Array | undefined)[] = []
  #keys: Uint32Array = new Uint32Array(SLOTS_PER_PAGE)
  #rowCounts: Uint8Array = new Uint8Array(SLOTS_PER_PAGE)
  /** 1 + the newest offset of the slot, 0 when it has no sample yet. */
  #newest: Uint32Array = new Uint32Array(SLOTS_PER_PAGE)
  #lastChunks: Uint32Array = new Uint32Array(SLOTS_PER_PAGE).fill(NONE)
  /** 1 when chunks and row of the slot may overlap in time. */
  #overlaps: Uint8Array = new Uint8Array(SLOTS_PER_PAGE)

  readonly #rowOffsets: Uint32Array[] = []
  readonly #rowHalves: Uint32Array[] = []
  readonly #rowValues: Float64Array[] = []
  /** Start timestamps beside the rows; pages come into being with the first sample that has one. */
  readonly #rowStarts: (Float64Array | undefined)[] = []

  /** Slots whose rows became full; some may have been compressed since. */
  readonly #fullSlots: Uint32Array = new Uint32Array(FULL_ROWS_MAX)
  #fullCount = 0

  /** Samples that were stored and taken out again. */
  #removedCount = 0
  #chunkCount = 0
  #chunkPrevious: Uint32Array = new Uint32Array(64)
  #chunkColumns: Uint32Array = new Uint32Array(64)
  #chunkPositions: Uint32Array = new Uint32Array(64)
  /** Bytes of the values, and of the start timestamps behind them (0: none). */
  #chunkValueSizes: Uint16Array = new Uint16Array(64)
  #chunkStartSizes: Uint16Array = new Uint16Array(64)

  #columnCount = 0
  #columnPositions: Uint32Array = new Uint32Array(64)
  #columnSizes: Uint16Array = new Uint16Array(64)
  #columnCounts: Uint8Array = new Uint8Array(64)
  #columnFirsts: Uint32Array = new Uint32Array(64)
  #columnLasts: Uint32Array = new Uint32Array(64)
  #columnHashes: Uint32Array = new Uint32Array(64)
  #columnTable: Uint32Array = new Uint32Array(64).fill(NONE)
  readonly #bytes = new ByteArena()
  readonly #recentColumns: Uint32Array = new Uint32Array(RECENT_COLUMNS).fill(NONE)
  readonly #recentOffsets: Uint32Array = new Uint32Array(RECENT_COLUMNS * ROW_SAMPLES)
  #nextRecent = 0

  constructor(startMs: number, endMs: number, replaces: boolean) {
    this.startMs = startMs
    this.endMs = endMs
    this.replaces = replaces
  }

  get sizeBytes(): number {
    let size = this.#bytes.sizeBytes + (this.histograms?.sizeBytes ?? 0)
    for (const page of this.#slotPages) if (page !== undefined) size += page.byteLength
    for (const page of this.#rowOffsets) size += page.byteLength * 3
    for (const page of this.#rowStarts) if (page !== undefined) size += page.byteLength
    size += this.#keys.length * 14
    size += this.#chunkPositions.length * 16
    size += this.#columnPositions.length * 23
    return size
  }

  /** Rises with every change of which timestamps stand where. */
  get version(): number {
    return this.sampleCount + this.#removedCount + this.#chunkCount
  }

  /** The key's slot, or -1. */
  slotOf(key: number): number {
    const page = this.#slotPages[key >>> KEYS_PER_PAGE_BITS]
    return page === undefined ? -1 : page[key & (KEYS_PER_PAGE - 1)] - 1
  }

  keyOf(slot: number): number {
    return this.#keys[slot]
  }

  /** Makes a slot for a key that has none. */
  addSlot(key: number): number {
    const slot = this.slotCount++
    const pageIndex = key >>> KEYS_PER_PAGE_BITS
    let page = this.#slotPages[pageIndex]
    if (page === undefined) page = this.#slotPages[pageIndex] = new Uint32Array(KEYS_PER_PAGE)
    page[key & (KEYS_PER_PAGE - 1)] = slot + 1
    if (slot === this.#keys.length) {
      const length = Math.ceil((slot * 3) / 2)
      this.#keys = grownU32(this.#keys, length)
      this.#rowCounts = grownU8(this.#rowCounts, length)
      this.#newest = grownU32(this.#newest, length)
      this.#overlaps = grownU8(this.#overlaps, length)
      const used = this.#lastChunks.length
      this.#lastChunks = grownU32(this.#lastChunks, length)
      this.#lastChunks.fill(NONE, used)
    }
    if (slot >>> SLOTS_PER_PAGE_BITS === this.#rowOffsets.length) {
      const values = new Float64Array(SLOTS_PER_PAGE * ROW_SAMPLES)
      this.#rowOffsets.push(new Uint32Array(SLOTS_PER_PAGE * ROW_SAMPLES))
      this.#rowValues.push(values)
      this.#rowHalves.push(halvesOf(values))
      this.#rowStarts.push(undefined)
    }
    this.#keys[slot] = key
    return slot
  }

  /**
   * Stores one sample: value `index` of the column whose halves are given. `startMs` is 0 when it has none.
   *
   * The halves, not the number, so that the bits of a NaN arrive.
   */
  append(slot: number, timestampMs: number, halves: Uint32Array, index: number, startTimestampMs: number): number {
    const offset = timestampMs - this.startMs
    if (this.replaces && halves[index * 2 + HIGH_HALF] === ABSENT_HIGH && halves[index * 2 + LOW_HALF] === ABSENT_LOW) {
      this.hasAbsent = true
    }
    if (offset < this.#newest[slot]) return this.#insert(slot, offset, halves, index, startTimestampMs)
    let at = this.#rowCounts[slot]
    if (at === ROW_SAMPLES) {
      this.#compressRow(slot)
      at = 0
    }
    const page = slot >>> SLOTS_PER_PAGE_BITS
    const place = (slot & (SLOTS_PER_PAGE - 1)) * ROW_SAMPLES + at
    this.#rowOffsets[page][place] = offset
    const row = this.#rowHalves[page]
    row[place * 2] = halves[index * 2]
    row[place * 2 + 1] = halves[index * 2 + 1]
    if (startTimestampMs !== 0 || this.#rowStarts[page] !== undefined) this.#setStart(page, place, startTimestampMs)
    this.#rowCounts[slot] = at + 1
    if (at + 1 === ROW_SAMPLES) {
      if (this.#fullCount === FULL_ROWS_MAX) this.compressFullRows()
      this.#fullSlots[this.#fullCount++] = slot
    }
    this.#newest[slot] = offset + 1
    if (offset > this.lastOffset) this.lastOffset = offset
    if (offset < this.firstOffset) this.firstOffset = offset
    this.sampleCount++
    return STORED
  }

  /** A histogram was stored beside the rows. */
  noteHistogram(timestampMs: number, startTimestampMs: number): void {
    const offset = timestampMs - this.startMs
    if (offset > this.lastOffset) this.lastOffset = offset
    if (offset < this.firstOffset) this.firstOffset = offset
    if (startTimestampMs !== 0) this.hasStarts = true
    this.sampleCount++
  }

  /** Makes room for a float where a histogram stands. */
  removeHistogram(slot: number, timestampMs: number): void {
    if (!this.histograms?.has(slot, timestampMs)) return
    this.histograms.remove(slot, timestampMs, timestampMs + 1)
    this.sampleCount--
    this.#removedCount++
  }

  /** Whether a float sample stands at this time. */
  hasSampleAt(slot: number, timestampMs: number): boolean {
    const offset = timestampMs - this.startMs
    return offset < this.#newest[slot] && (this.#rowPlace(slot, offset) >= 0 || this.#chunkWith(slot, offset) !== NONE)
  }

  rowCount(slot: number): number {
    return this.#rowCounts[slot]
  }

  overlaps(slot: number): boolean {
    return this.#overlaps[slot] === 1
  }

  lastChunk(slot: number): number {
    return this.#lastChunks[slot]
  }

  previousChunk(chunk: number): number {
    return this.#chunkPrevious[chunk]
  }

  /** The chunk's time column. */
  columnOf(chunk: number): number {
    return this.#chunkColumns[chunk]
  }

  columnCountOf(column: number): number {
    return this.#columnCounts[column]
  }

  columnFirstMs(column: number): number {
    return this.startMs + this.#columnFirsts[column]
  }

  columnLastMs(column: number): number {
    return this.startMs + this.#columnLasts[column]
  }

  /** Fills `out` from `outAt` with the column's timestamps and returns how many there are. */
  readColumn(column: number, out: Float64Array, outAt: number): number {
    const position = this.#columnPositions[column]
    const at = this.#bytes.offsetAt(position)
    const end = at + this.#columnSizes[column]
    const count = decodeTimestamps(this.#bytes.pageAt(position), at, end, out, outAt)
    const start = this.startMs
    for (let i = outAt; i < outAt + count; i++) out[i] += start
    return count
  }

  readChunkValues(chunk: number, out: Float64Array, outAt: number): number {
    const position = this.#chunkPositions[chunk]
    const at = this.#bytes.offsetAt(position)
    return decodeValues(this.#bytes.pageAt(position), at, at + this.#chunkValueSizes[chunk], out, outAt)
  }

  /** Where the chunk's values begin: a page of bytes and an offset in it. */
  chunkPage(chunk: number): number {
    return this.#bytes.pageOf(this.#chunkPositions[chunk])
  }

  chunkOffset(chunk: number): number {
    return this.#bytes.offsetAt(this.#chunkPositions[chunk])
  }

  chunkValuesSize(chunk: number): number {
    return this.#chunkValueSizes[chunk]
  }

  page(page: number): Uint8Array {
    return this.#bytes.page(page)
  }

  /** Start timestamps of a chunk's samples; false when none has one. */
  readChunkStarts(chunk: number, out: Float64Array, outAt: number): boolean {
    const sizeBytes = this.#chunkStartSizes[chunk]
    if (sizeBytes === 0) return false
    const position = this.#chunkPositions[chunk]
    const at = this.#bytes.offsetAt(position) + this.#chunkValueSizes[chunk]
    decodeValues(this.#bytes.pageAt(position), at, at + sizeBytes, out, outAt)
    return true
  }

  rowFirstMs(slot: number): number {
    return this.startMs + this.#rowOffsets[slot >>> SLOTS_PER_PAGE_BITS][(slot & (SLOTS_PER_PAGE - 1)) * ROW_SAMPLES]
  }

  rowLastMs(slot: number): number {
    const place = (slot & (SLOTS_PER_PAGE - 1)) * ROW_SAMPLES + this.#rowCounts[slot] - 1
    return this.startMs + this.#rowOffsets[slot >>> SLOTS_PER_PAGE_BITS][place]
  }

  rowHash(slot: number): number {
    const offsets = this.#rowOffsets[slot >>> SLOTS_PER_PAGE_BITS]
    const start = (slot & (SLOTS_PER_PAGE - 1)) * ROW_SAMPLES
    const count = this.#rowCounts[slot]
    let hash = count
    for (let i = start; i < start + count; i++) hash = Math.imul(hash ^ offsets[i], 0x9e3779b1) ^ (hash >>> 15)
    return hash >>> 0
  }

  rowsEqual(a: number, b: number): boolean {
    const count = this.#rowCounts[a]
    if (count !== this.#rowCounts[b]) return false
    const left = this.#rowOffsets[a >>> SLOTS_PER_PAGE_BITS]
    const right = this.#rowOffsets[b >>> SLOTS_PER_PAGE_BITS]
    let i = (a & (SLOTS_PER_PAGE - 1)) * ROW_SAMPLES
    let j = (b & (SLOTS_PER_PAGE - 1)) * ROW_SAMPLES
    for (const end = i + count; i < end; ) if (left[i++] !== right[j++]) return false
    return true
  }

  readRowTimes(slot: number, out: Float64Array, outAt: number): number {
    const offsets = this.#rowOffsets[slot >>> SLOTS_PER_PAGE_BITS]
    const from = (slot & (SLOTS_PER_PAGE - 1)) * ROW_SAMPLES
    const count = this.#rowCounts[slot]
    for (let i = 0; i < count; i++) out[outAt + i] = this.startMs + offsets[from + i]
    return count
  }

  readRowValues(slot: number, out: Float64Array, outAt: number): number {
    const from = (slot & (SLOTS_PER_PAGE - 1)) * ROW_SAMPLES
    const count = this.#rowCounts[slot]
    out.set(this.#rowValues[slot >>> SLOTS_PER_PAGE_BITS].subarray(from, from + count), outAt)
    return count
  }

  /** Copies samples `[first, last)` of the row. */
  copyRowValues(slot: number, first: number, last: number, out: Float64Array, outAt: number): void {
    const from = (slot & (SLOTS_PER_PAGE - 1)) * ROW_SAMPLES
    out.set(this.#rowValues[slot >>> SLOTS_PER_PAGE_BITS].subarray(from + first, from + last), outAt)
  }

  readRowStarts(slot: number, out: Float64Array, outAt: number): boolean {
    const starts = this.#rowStarts[slot >>> SLOTS_PER_PAGE_BITS]
    if (starts === undefined) return false
    const from = (slot & (SLOTS_PER_PAGE - 1)) * ROW_SAMPLES
    out.set(starts.subarray(from, from + this.#rowCounts[slot]), outAt)
    return true
  }

  /** Removes the slot's samples in the range. */
  deleteSamples(slot: number, startMs: number, endMs: number): void {
    const times: number[] = []
    const chunks: number[] = []
    for (let chunk = this.#lastChunks[slot]; chunk !== NONE; chunk = this.#chunkPrevious[chunk]) chunks.unshift(chunk)
    const rowCount = this.#rowCounts[slot]
    let count = rowCount
    for (const chunk of chunks) count += this.#columnCounts[this.#chunkColumns[chunk]]
    const values = new Float64Array(count)
    const starts = new Float64Array(count)
    const column = new Float64Array(ROW_SAMPLES)
    let at = 0
    for (const chunk of chunks) {
      const length = this.readColumn(this.#chunkColumns[chunk], column, 0)
      this.readChunkValues(chunk, values, at)
      this.readChunkStarts(chunk, starts, at)
      for (let i = 0; i < length; i++) times.push(column[i])
      at += length
    }
    this.readRowTimes(slot, column, 0)
    for (let i = 0; i < rowCount; i++) times.push(column[i])
    this.readRowValues(slot, values, at)
    this.readRowStarts(slot, starts, at)
    this.sampleCount -= count
    this.#removedCount += count
    this.#rowCounts[slot] = 0
    this.#newest[slot] = 0
    this.#lastChunks[slot] = NONE
    this.#overlaps[slot] = 0
    const halves = halvesOf(values)
    times.forEach((time, i) => {
      if (time < startMs || time >= endMs) this.append(slot, time, halves, i, starts[i])
    })
    this.histograms?.remove(slot, startMs, endMs)
  }

  /** A sample that is not newer than all before it. */
  #insert(slot: number, offset: number, halves: Uint32Array, index: number, startTimestampMs: number): number {
    const page = slot >>> SLOTS_PER_PAGE_BITS
    const found = this.#rowPlace(slot, offset)
    if (found >= 0) {
      const row = this.#rowHalves[page]
      const same = row[found * 2] === halves[index * 2] && row[found * 2 + 1] === halves[index * 2 + 1]
      if (same) return SAME
      if (!this.replaces) return CONFLICT
      row[found * 2] = halves[index * 2]
      row[found * 2 + 1] = halves[index * 2 + 1]
      return STORED
    }
    const chunk = this.#chunkWith(slot, offset)
    if (chunk !== NONE) {
      this.readChunkValues(chunk, scratchValues, 0)
      const at = placeOf(offset, this.#decodedOffsets(chunk))
      const same = scratchHalves[at * 2] === halves[index * 2] && scratchHalves[at * 2 + 1] === halves[index * 2 + 1]
      if (same) return SAME
      if (!this.replaces) return CONFLICT
    }
    if (this.#rowCounts[slot] === ROW_SAMPLES) this.#compressRow(slot)
    this.#insertIntoRow(slot, offset, halves, index, startTimestampMs)
    if (this.#lastChunks[slot] !== NONE) this.#overlaps[slot] = 1
    if (offset < this.firstOffset) this.firstOffset = offset
    this.sampleCount++
    return STORED
  }

  #insertIntoRow(slot: number, offset: number, halves: Uint32Array, index: number, startTimestampMs: number): void {
    const page = slot >>> SLOTS_PER_PAGE_BITS
    const offsets = this.#rowOffsets[page]
    const row = this.#rowHalves[page]
    const first = (slot & (SLOTS_PER_PAGE - 1)) * ROW_SAMPLES
    const end = first + this.#rowCounts[slot]
    let place = end
    while (place > first && offsets[place - 1] > offset) place--
    offsets.copyWithin(place + 1, place, end)
    row.copyWithin(place * 2 + 2, place * 2, end * 2)
    this.#rowStarts[page]?.copyWithin(place + 1, place, end)
    offsets[place] = offset
    row[place * 2] = halves[index * 2]
    row[place * 2 + 1] = halves[index * 2 + 1]
    if (startTimestampMs !== 0 || this.#rowStarts[page] !== undefined) this.#setStart(page, place, startTimestampMs)
    this.#rowCounts[slot]++
    if (offset >= this.#newest[slot]) this.#newest[slot] = offset + 1
  }

  #setStart(page: number, place: number, startTimestampMs: number): void {
    this.hasStarts = true
    let starts = this.#rowStarts[page]
    if (starts === undefined) starts = this.#rowStarts[page] = new Float64Array(SLOTS_PER_PAGE * ROW_SAMPLES)
    starts[place] = startTimestampMs
  }

  /** Place in the row page of the sample with this offset, or -1. */
  #rowPlace(slot: number, offset: number): number {
    const offsets = this.#rowOffsets[slot >>> SLOTS_PER_PAGE_BITS]
    const first = (slot & (SLOTS_PER_PAGE - 1)) * ROW_SAMPLES
    for (let place = first + this.#rowCounts[slot] - 1; place >= first; place--) {
      if (offsets[place] === offset) return place
      if (offsets[place] < offset) return -1
    }
    return -1
  }

  /** The newest chunk of the slot with a sample of this offset, or `NONE`. */
  #chunkWith(slot: number, offset: number): number {
    for (let chunk = this.#lastChunks[slot]; chunk !== NONE; chunk = this.#chunkPrevious[chunk]) {
      const column = this.#chunkColumns[chunk]
      if (offset < this.#columnFirsts[column] || offset > this.#columnLasts[column]) continue
      if (placeOf(offset, this.#decodedOffsets(chunk)) >= 0) return chunk
    }
    return NONE
  }

  /** Offsets of a chunk's samples, in `scratchTimes`; returns how many. */
  #decodedOffsets(chunk: number): number {
    const column = this.#chunkColumns[chunk]
    const position = this.#columnPositions[column]
    const at = this.#bytes.offsetAt(position)
    return decodeTimestamps(this.#bytes.pageAt(position), at, at + this.#columnSizes[column], scratchTimes, 0)
  }

  /**
   * Compresses the rows that are full, in one call of the codec: series of one scrape fill up together. Who does not call
   * it after an append has the same samples; a full row is compressed at the latest when it gets another one.
   */
  compressFullRows(): void {
    batch.count = 0
    for (let i = 0; i < this.#fullCount; i++) {
      const slot = this.#fullSlots[i]
      // Compressed since, or noted twice.
      if (this.#rowCounts[slot] !== ROW_SAMPLES) continue
      const page = slot >>> SLOTS_PER_PAGE_BITS
      if (this.#rowStarts[page] !== undefined) {
        this.#compressRow(slot)
        continue
      }
      batch.add(slot, this.#rowValues[page], (slot & (SLOTS_PER_PAGE - 1)) * ROW_SAMPLES)
      this.#rowCounts[slot] = 0
    }
    this.#fullCount = 0
    batch.encode()
    for (let i = 0, start = 0; i < batch.count; i++) {
      const end = batch.ends[i]
      this.#addChunk(batch.slots[i], ROW_SAMPLES, batch.bytes, start, end, end)
      start = end
    }
  }

  #compressRow(slot: number): void {
    const page = slot >>> SLOTS_PER_PAGE_BITS
    const from = (slot & (SLOTS_PER_PAGE - 1)) * ROW_SAMPLES
    const count = this.#rowCounts[slot]
    const valuesEnd = encodeValues(this.#rowValues[page], from, from + count, rowBytes, 0)
    const starts = this.#rowStarts[page]
    const startsEnd =
      starts !== undefined && hasAny(starts, from, from + count)
        ? encodeValues(starts, from, from + count, rowBytes, valuesEnd)
        : valuesEnd
    this.#addChunk(slot, count, rowBytes, 0, valuesEnd, startsEnd)
    this.#rowCounts[slot] = 0
    starts?.fill(0, from, from + count)
  }

  /** The first `count` samples of the slot's row become a chunk: values in `bytes[start, valuesEnd)`, start timestamps behind them. */
  #addChunk(slot: number, count: number, bytes: Uint8Array, start: number, valuesEnd: number, startsEnd: number): void {
    const from = (slot & (SLOTS_PER_PAGE - 1)) * ROW_SAMPLES
    const column = this.#internColumn(this.#rowOffsets[slot >>> SLOTS_PER_PAGE_BITS], from, count)
    const chunk = this.#chunkCount++
    if (chunk === this.#chunkPositions.length) this.#growChunks(chunk)
    this.#chunkPrevious[chunk] = this.#lastChunks[slot]
    this.#chunkColumns[chunk] = column
    this.#chunkPositions[chunk] = this.#bytes.append(bytes, start, startsEnd)
    this.#chunkValueSizes[chunk] = valuesEnd - start
    this.#chunkStartSizes[chunk] = startsEnd - valuesEnd
    this.#lastChunks[slot] = chunk
  }

  #growChunks(chunk: number): void {
    const length = Math.ceil((chunk * 3) / 2)
    this.#chunkPrevious = grownU32(this.#chunkPrevious, length)
    this.#chunkColumns = grownU32(this.#chunkColumns, length)
    this.#chunkPositions = grownU32(this.#chunkPositions, length)
    this.#chunkValueSizes = grownU16(this.#chunkValueSizes, length)
    this.#chunkStartSizes = grownU16(this.#chunkStartSizes, length)
  }

  /** The time column with these offsets, made if there is none yet. Equal offsets have equal bytes, which are compared. */
  #internColumn(offsets: Uint32Array, from: number, count: number): number {
    // Series of one scrape come one after the other: mostly it is one of the last few.
    for (let k = 0; k < this.#recentColumns.length; k++) {
      if (this.#recentColumns[k] !== NONE && sameOffsets(this.#recentOffsets, k * ROW_SAMPLES, offsets, from, count)) {
        if (this.#columnCounts[this.#recentColumns[k]] === count) return this.#recentColumns[k]
      }
    }
    const column = this.#findColumn(offsets, from, count)
    this.#recentColumns[this.#nextRecent] = column
    this.#recentOffsets.set(offsets.subarray(from, from + count), this.#nextRecent * ROW_SAMPLES)
    this.#nextRecent = (this.#nextRecent + 1) % RECENT_COLUMNS
    return column
  }

  #findColumn(offsets: Uint32Array, from: number, count: number): number {
    let hash = count
    for (let i = 0; i < count; i++) {
      const offset = offsets[from + i]
      scratchTimes[i] = offset
      hash = Math.imul(hash ^ offset, 0x9e3779b1) ^ (hash >>> 15)
    }
    hash >>>= 0
    const size = encodeTimestamps(scratchTimes, 0, count, scratchBytes, 0)
    const table = this.#columnTable
    const mask = table.length - 1
    let place = hash & mask
    for (; table[place] !== NONE; place = (place + 1) & mask) {
      const column = table[place]
      if (this.#columnHashes[column] === hash && this.#columnEquals(column, size)) return column
    }
    const column = this.#columnCount++
    if (column === this.#columnPositions.length) this.#growColumns(column)
    this.#columnPositions[column] = this.#bytes.append(scratchBytes, 0, size)
    this.#columnSizes[column] = size
    this.#columnCounts[column] = count
    this.#columnFirsts[column] = offsets[from]
    this.#columnLasts[column] = offsets[from + count - 1]
    this.#columnHashes[column] = hash
    if (this.#columnCount * 2 > table.length) this.#rehashColumns(table.length * 2)
    else table[place] = column
    return column
  }

  #columnEquals(column: number, size: number): boolean {
    if (this.#columnSizes[column] !== size) return false
    const position = this.#columnPositions[column]
    const page = this.#bytes.pageAt(position)
    const at = this.#bytes.offsetAt(position)
    for (let i = 0; i < size; i++) if (page[at + i] !== scratchBytes[i]) return false
    return true
  }

  #growColumns(column: number): void {
    const length = Math.ceil((column * 3) / 2)
    this.#columnPositions = grownU32(this.#columnPositions, length)
    this.#columnSizes = grownU16(this.#columnSizes, length)
    this.#columnCounts = grownU8(this.#columnCounts, length)
    this.#columnFirsts = grownU32(this.#columnFirsts, length)
    this.#columnLasts = grownU32(this.#columnLasts, length)
    this.#columnHashes = grownU32(this.#columnHashes, length)
  }

  #rehashColumns(length: number): void {
    const table = new Uint32Array(length).fill(NONE)
    const mask = length - 1
    for (let column = 0; column < this.#columnCount; column++) {
      let place = this.#columnHashes[column] & mask
      while (table[place] !== NONE) place = (place + 1) & mask
      table[place] = column
    }
    this.#columnTable = table
  }
}

/** Place of the offset among the first `count` of `scratchTimes`, or -1. */
function placeOf(offset: number, count: number): number {
  let low = 0
  let high = count - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    const at = scratchTimes[middle]
    if (at === offset) return middle
    if (at < offset) low = middle + 1
    else high = middle - 1
  }
  return -1
}
