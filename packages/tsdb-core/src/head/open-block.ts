/**
 * One block that still takes writes: recent samples raw in rows of a slab, full rows compressed, many by one call (DESIGN D3).
 *
 *     slot            one for each series (and column) with samples in this block: slot-table.ts
 *     row             the slot's newest samples, raw and sorted: row-slab.ts
 *     chunk           a full row, encoded; the chunks of a slot are a list, newest first: chunk-lists.ts
 *     time column     the offsets of a chunk, shared by the series of one scrape: time-columns.ts
 *
 * Chunks of one slot may overlap each other and the row once samples came out of order. In a raw block a timestamp stands
 * only once; in a replacing one (aggregated namespaces) the row wins over chunks, and newer chunks over older ones.
 * Histograms stand beside, in `HistogramStore`; their place among the samples is not in the rows.
 */
import { grownU8, grownU32 } from '../index/growable.js'
import { ABSENT_HIGH, ABSENT_LOW, HIGH_HALF, LOW_HALF } from '../model/columns.js'
import { halvesOf } from '../model/sample.js'
import { ByteArena } from './byte-arena.js'
import { ChunkLists } from './chunk-lists.js'
import type { HistogramStore } from './histogram-store.js'
import { encodeLanes, encodeValuesBatch, rowValuesSizeMax } from './row-codec.js'
import { ROW_SAMPLES, RowSlab, SLOTS_PER_PAGE, SLOTS_PER_PAGE_BITS } from './row-slab.js'
import { KEYS_PER_PAGE, KEYS_PER_PAGE_BITS, SlotTable } from './slot-table.js'
import { TimeColumns } from './time-columns.js'
import { WindowStripes } from './window-stripes.js'

/** So many full rows wait for each other at most. */
const FULL_ROWS_MAX = 256
const NONE = 0xffffffff

/** What became of one sample. */
export const STORED = 0
export const SAME = 1
export const CONFLICT = 2

/** Values of the rows of a page; or of one row, and its start timestamps. */
const rowBytes = new Uint8Array(rowValuesSizeMax(ROW_SAMPLES) * SLOTS_PER_PAGE)
const rowValues = new Float64Array(ROW_SAMPLES)
const rowStarts = new Float64Array(ROW_SAMPLES)
const rowOffsets = new Uint32Array(ROW_SAMPLES)
const rowRange = new Uint32Array(2)
const rowEnds = new Uint32Array(SLOTS_PER_PAGE)
const scratchTimes = new Float64Array(ROW_SAMPLES)
const scratchValues = new Float64Array(ROW_SAMPLES)
const scratchHalves = halvesOf(scratchValues)

/** Rows of a page that are compressed together. */
const lanes = new Uint8Array(SLOTS_PER_PAGE)
const NO_VALUES = new Float64Array(0)

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
  firstOffset = NONE
  lastOffset = 0
  histograms: HistogramStore | undefined
  /** Windows that were written whole; what stands there is older than rows and chunks. */
  stripes: WindowStripes | undefined
  /** Whether a sample has a start timestamp, or is the marker of a removed window. */
  hasStarts = false
  hasAbsent = false

  readonly #slots = new SlotTable()
  readonly #rows = new RowSlab()
  readonly #bytes = new ByteArena()
  readonly #chunks = new ChunkLists(this.#bytes)
  readonly #columns = new TimeColumns(this.#bytes)
  /** 1 + the newest offset of the slot, 0 when it has no sample yet. */
  #newest: Uint32Array = new Uint32Array(SLOTS_PER_PAGE)
  /** 1 when chunks and row of the slot may overlap in time. */
  #overlaps: Uint8Array = new Uint8Array(SLOTS_PER_PAGE)
  /** 1 + the newest offset of all slots. Not lowered by deletions. */
  #rowsEnd = 0
  /** Samples that were stored and taken out again. */
  #removedCount = 0

  /** Slots whose rows became full; some may have been compressed since. */
  readonly #fullSlots: Uint32Array = new Uint32Array(FULL_ROWS_MAX)
  #fullCount = 0

  constructor(startMs: number, endMs: number, replaces: boolean) {
    this.startMs = startMs
    this.endMs = endMs
    this.replaces = replaces
  }

  get sizeBytes(): number {
    return (
      this.#slots.sizeBytes +
      this.#rows.sizeBytes +
      this.#bytes.sizeBytes +
      this.#chunks.sizeBytes +
      this.#columns.sizeBytes +
      this.#newest.length * 5 +
      (this.histograms?.sizeBytes ?? 0) +
      (this.stripes?.sizeBytes ?? 0)
    )
  }

  get slotCount(): number {
    return this.#slots.count
  }

  /** Rises with every change of which timestamps stand where. */
  get version(): number {
    return this.sampleCount + this.#removedCount + this.#chunks.count
  }

  /** The key's slot, or -1. */
  slotOf(key: number): number {
    return this.#slots.slotOf(key)
  }

  keyOf(slot: number): number {
    return this.#slots.keyOf(slot)
  }

  /** Makes a slot for a key that has none. */
  addSlot(key: number): number {
    const slot = this.#slots.add(key)
    this.#newest = grownU32(this.#newest, slot + 1)
    this.#overlaps = grownU8(this.#overlaps, slot + 1)
    this.#rows.reserve(slot)
    this.#chunks.reserve(slot)
    return slot
  }

  /**
   * Stores samples `[from, to)` as long as they are of the ordinary kind, and returns the place of the first that is not:
   * `append` is then the way. Ordinary is a sample in `[firstMs, endMs)` and in this block, of a key that has a slot, newer
   * than all of its slot, without start timestamp. The block holds no histograms and does not replace.
   */
  appendRun(
    keys: Uint32Array,
    timestampsMs: Float64Array,
    values: Float64Array,
    halves: Uint32Array,
    from: number,
    to: number,
    firstMs: number,
    endMs: number,
  ): number {
    const { startMs } = this
    const slotPages = this.#slots.pages
    const newest = this.#newest
    const { counts, offsets, values: rows, halves: rowHalves, starts } = this.#rows
    const offsetMin = Math.max(firstMs, startMs) - startMs
    const offsetEnd = Math.min(endMs, this.endMs) - startMs
    let { firstOffset, lastOffset } = this
    let k = from
    for (; k < to; k++) {
      const offset = timestampsMs[k] - startMs
      if (!(offset >= offsetMin && offset < offsetEnd)) break
      const key = keys[k]
      const slotPage = slotPages[key >>> KEYS_PER_PAGE_BITS]
      if (slotPage === undefined) break
      const slot = slotPage[key & (KEYS_PER_PAGE - 1)] - 1
      if (slot < 0 || offset < newest[slot]) break
      const count = counts[slot]
      const page = slot >>> SLOTS_PER_PAGE_BITS
      if (count === ROW_SAMPLES || starts[page] !== undefined) break
      const place = count * SLOTS_PER_PAGE + (slot & (SLOTS_PER_PAGE - 1))
      offsets[page][place] = offset
      const value = values[k]
      if (Number.isNaN(value)) {
        const row = rowHalves[page]
        row[place * 2] = halves[k * 2]
        row[place * 2 + 1] = halves[k * 2 + 1]
      } else rows[page][place] = value
      newest[slot] = offset + 1
      counts[slot] = count + 1
      if (count + 1 === ROW_SAMPLES) this.#noteFull(slot)
      if (offset > lastOffset) lastOffset = offset
      if (offset < firstOffset) firstOffset = offset
    }
    this.firstOffset = firstOffset
    this.lastOffset = lastOffset
    this.sampleCount += k - from
    return k
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
    if (offset >= this.#rowsEnd) this.#rowsEnd = offset + 1
    if (offset < this.#newest[slot]) return this.#insert(slot, offset, halves, index, startTimestampMs)
    if (this.#rows.counts[slot] === ROW_SAMPLES) this.#compressRow(slot)
    this.#rows.push(slot, offset, halves, index, startTimestampMs)
    if (startTimestampMs !== 0) this.hasStarts = true
    if (this.#rows.counts[slot] === ROW_SAMPLES) this.#noteFull(slot)
    this.#newest[slot] = offset + 1
    if (offset > this.lastOffset) this.lastOffset = offset
    if (offset < this.firstOffset) this.firstOffset = offset
    this.sampleCount++
    return STORED
  }

  /** Windows that are written whole, made with the first of them. */
  openStripes(): WindowStripes {
    return (this.stripes ??= new WindowStripes(this.#bytes, (key, offset, halves, index) => {
      this.sampleCount--
      this.#removedCount++
      const slot = this.slotOf(key)
      // An ordinary sample of this time is newer.
      if (slot >= 0 && this.hasSampleAt(slot, this.startMs + offset)) return
      this.append(slot < 0 ? this.addSlot(key) : slot, this.startMs + offset, halves, index, 0)
    }))
  }

  /** Samples were stored in the stripes at this time. */
  noteWindow(offset: number, addedCount: number): void {
    if (offset > this.lastOffset) this.lastOffset = offset
    if (offset < this.firstOffset) this.firstOffset = offset
    this.sampleCount += addedCount
  }

  /** Removes a series' samples of a column from the stripes. */
  deleteWindows(ref: number, column: number, startMs: number, endMs: number): void {
    const count = this.stripes?.remove(ref, column, startMs - this.startMs, endMs - this.startMs) ?? 0
    this.sampleCount -= count
    // Twice, so that `version` rises.
    this.#removedCount += 2 * count
  }

  /** Whether `hasRowSince` may be true of any series of a replacing block. */
  mayHaveRowsSince(offset: number): boolean {
    return this.#rowsEnd > offset || this.histograms !== undefined
  }

  /**
   * Whether rows or chunks may hold a sample of one of these columns at this time or later, or a histogram stands at it: bit c
   * stands for `key + c`.
   */
  hasRowSince(key: number, columns: number, offset: number): boolean {
    const page = this.#slots.pages[key >>> KEYS_PER_PAGE_BITS]
    if (page === undefined) return false
    for (let column = 0; columns >>> column > 0; column++) {
      if (((columns >>> column) & 1) === 0) continue
      const slot = page[(key & (KEYS_PER_PAGE - 1)) + column] - 1
      if (slot < 0) continue
      if (this.#newest[slot] > offset || this.histograms?.has(slot, this.startMs + offset)) return true
    }
    return false
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
    if (offset >= this.#newest[slot]) return false
    return this.#rows.find(slot, offset) >= 0 || this.#chunkWith(slot, offset) !== NONE
  }

  /** Raw rows, for readers of many of them at once. */
  get rows(): RowSlab {
    return this.#rows
  }

  rowCount(slot: number): number {
    return this.#rows.counts[slot]
  }

  overlaps(slot: number): boolean {
    return this.#overlaps[slot] === 1
  }

  lastChunk(slot: number): number {
    return this.#chunks.last(slot)
  }

  /** `lastChunk` by slot. */
  get lastChunks(): Uint32Array {
    return this.#chunks.lasts
  }

  previousChunk(chunk: number): number {
    return this.#chunks.previous(chunk)
  }

  /** The chunk's time column. */
  columnOf(chunk: number): number {
    return this.#chunks.columnOf(chunk)
  }

  columnCountOf(column: number): number {
    return this.#columns.counts[column]
  }

  columnFirstMs(column: number): number {
    return this.startMs + this.#columns.firsts[column]
  }

  columnLastMs(column: number): number {
    return this.startMs + this.#columns.lasts[column]
  }

  /** Fills `out` from `outAt` with the column's timestamps and returns how many there are. */
  readColumn(column: number, out: Float64Array, outAt: number): number {
    return this.#columns.read(column, this.startMs, out, outAt)
  }

  readChunkValues(chunk: number, out: Float64Array, outAt: number): number {
    return this.#chunks.readValues(chunk, out, outAt)
  }

  /** Whether no value of the chunk is NaN, as far as its header tells. */
  chunkHoldsNumbers(chunk: number): boolean {
    return this.#chunks.holdsNumbers(chunk)
  }

  /** Where the chunk's values begin: a page of bytes and an offset in it. */
  chunkPage(chunk: number): number {
    return this.#chunks.pageOf(chunk)
  }

  chunkOffset(chunk: number): number {
    return this.#chunks.offsetOf(chunk)
  }

  chunkValuesSize(chunk: number): number {
    return this.#chunks.valuesSizeOf(chunk)
  }

  /** Page and offset of a position in the block's bytes. */
  pageOf(position: number): number {
    return this.#bytes.pageOf(position)
  }

  offsetAt(position: number): number {
    return this.#bytes.offsetAt(position)
  }

  page(page: number): Uint8Array {
    return this.#bytes.page(page)
  }

  /** Start timestamps of a chunk's samples; false when none has one. */
  readChunkStarts(chunk: number, out: Float64Array, outAt: number): boolean {
    return this.#chunks.readStarts(chunk, out, outAt)
  }

  rowFirstMs(slot: number): number {
    return this.startMs + this.#rows.offsetAt(slot, 0)
  }

  rowLastMs(slot: number): number {
    return this.startMs + this.#rows.offsetAt(slot, this.#rows.counts[slot] - 1)
  }

  rowHash(slot: number): number {
    return this.#rows.hash(slot)
  }

  rowsEqual(a: number, b: number): boolean {
    return this.#rows.sameOffsets(a, b)
  }

  readRowTimes(slot: number, out: Float64Array, outAt: number): number {
    const count = this.#rows.copyOffsets(slot, out, outAt)
    const start = this.startMs
    for (let i = outAt; i < outAt + count; i++) out[i] += start
    return count
  }

  readRowValues(slot: number, out: Float64Array, outAt: number): number {
    const count = this.#rows.counts[slot]
    this.#rows.copyValues(slot, 0, count, out, outAt)
    return count
  }

  /** Copies samples `[first, last)` of the row. */
  copyRowValues(slot: number, first: number, last: number, out: Float64Array, outAt: number): void {
    this.#rows.copyValues(slot, first, last, out, outAt)
  }

  readRowStarts(slot: number, out: Float64Array, outAt: number): boolean {
    return this.#rows.copyStarts(slot, out, outAt)
  }

  /** Removes the slot's samples in the range. */
  deleteSamples(slot: number, startMs: number, endMs: number): void {
    const times: number[] = []
    const chunks: number[] = []
    for (let chunk = this.lastChunk(slot); chunk !== NONE; chunk = this.previousChunk(chunk)) chunks.unshift(chunk)
    const rowCount = this.rowCount(slot)
    let count = rowCount
    for (const chunk of chunks) count += this.columnCountOf(this.columnOf(chunk))
    const values = new Float64Array(count)
    const starts = new Float64Array(count)
    const column = new Float64Array(ROW_SAMPLES)
    let at = 0
    for (const chunk of chunks) {
      const length = this.readColumn(this.columnOf(chunk), column, 0)
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
    this.#rows.clear(slot)
    this.#chunks.clear(slot)
    this.#newest[slot] = 0
    this.#overlaps[slot] = 0
    const halves = halvesOf(values)
    times.forEach((time, i) => {
      if (time < startMs || time >= endMs) this.append(slot, time, halves, i, starts[i])
    })
    this.histograms?.remove(slot, startMs, endMs)
  }

  /**
   * Compresses the rows that are full, those of a page in one call of the codec: series of one scrape fill up together. Who does
   * not call it after an append has the same samples; a full row is compressed at the latest when it gets another one.
   */
  compressFullRows(): void {
    if (this.#fullCount === 0) return
    const rows = this.#rows
    const full = this.#fullSlots.subarray(0, this.#fullCount).sort()
    this.#fullCount = 0
    let count = 0
    let before = NONE
    for (const slot of full) {
      // Compressed since, or noted twice.
      if (rows.counts[slot] !== ROW_SAMPLES || slot === before) continue
      if (rows.mayHaveStarts(slot)) {
        this.#compressRow(slot)
        continue
      }
      if (count > 0 && slot >>> SLOTS_PER_PAGE_BITS !== before >>> SLOTS_PER_PAGE_BITS) {
        this.#compressLanes(before >>> SLOTS_PER_PAGE_BITS, lanes.subarray(0, count))
        count = 0
      }
      lanes[count++] = slot & (SLOTS_PER_PAGE - 1)
      before = slot
    }
    if (count > 0) this.#compressLanes(before >>> SLOTS_PER_PAGE_BITS, lanes.subarray(0, count))
  }

  /** Compresses full rows of one page. */
  #compressLanes(page: number, some: Uint8Array): void {
    const rows = this.#rows
    const size = encodeLanes(rows.values[page], NO_VALUES, SLOTS_PER_PAGE, ROW_SAMPLES, some, rowBytes, 0, rowEnds)
    const position = this.#bytes.append(rowBytes, 0, size)
    const firstSlot = page << SLOTS_PER_PAGE_BITS
    const haveOneTime = rows.haveSameOffsets(page, some)
    let column = NONE
    for (let i = 0, start = 0; i < some.length; i++) {
      const slot = firstSlot + some[i]
      if (column === NONE || !haveOneTime) {
        rows.copyOffsets(slot, rowOffsets)
        column = this.#columns.intern(rowOffsets, ROW_SAMPLES)
      }
      this.#chunks.addAt(slot, column, position + start, rowEnds[i] - start)
      rows.clear(slot)
      start = rowEnds[i]
    }
  }

  #noteFull(slot: number): void {
    if (this.#fullCount === FULL_ROWS_MAX) this.compressFullRows()
    this.#fullSlots[this.#fullCount++] = slot
  }

  #compressRow(slot: number): void {
    const rows = this.#rows
    const count = rows.copyOffsets(slot, rowOffsets)
    rows.copyValues(slot, 0, count, rowValues, 0)
    rowRange[1] = count
    const valuesEnd = encodeValuesBatch(rowValues, rowRange, rowBytes, 0, rowEnds)
    const hasStarts = rows.copyStarts(slot, rowStarts, 0) && hasAny(rowStarts, 0, count)
    const startsEnd = hasStarts ? encodeValuesBatch(rowStarts, rowRange, rowBytes, valuesEnd, rowEnds) : valuesEnd
    this.#chunks.add(slot, this.#columns.intern(rowOffsets, count), rowBytes, 0, valuesEnd, startsEnd)
    rows.clear(slot)
  }

  /** A sample that is not newer than all before it. */
  #insert(slot: number, offset: number, halves: Uint32Array, index: number, startTimestampMs: number): number {
    const rows = this.#rows
    const found = rows.find(slot, offset)
    if (found >= 0) {
      if (rows.hasValue(slot, found, halves, index)) return SAME
      if (!this.replaces) return CONFLICT
      rows.setValue(slot, found, halves, index)
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
    if (rows.counts[slot] === ROW_SAMPLES) this.#compressRow(slot)
    rows.insert(slot, offset, halves, index, startTimestampMs)
    if (startTimestampMs !== 0) this.hasStarts = true
    if (offset >= this.#newest[slot]) this.#newest[slot] = offset + 1
    if (this.lastChunk(slot) !== NONE) this.#overlaps[slot] = 1
    if (offset < this.firstOffset) this.firstOffset = offset
    this.sampleCount++
    return STORED
  }

  /** The newest chunk of the slot with a sample of this offset, or `NONE`. */
  #chunkWith(slot: number, offset: number): number {
    for (let chunk = this.lastChunk(slot); chunk !== NONE; chunk = this.previousChunk(chunk)) {
      const column = this.columnOf(chunk)
      if (offset < this.#columns.firsts[column] || offset > this.#columns.lasts[column]) continue
      if (placeOf(offset, this.#decodedOffsets(chunk)) >= 0) return chunk
    }
    return NONE
  }

  /** Offsets of a chunk's samples, in `scratchTimes`; returns how many. */
  #decodedOffsets(chunk: number): number {
    return this.#columns.read(this.columnOf(chunk), 0, scratchTimes, 0)
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

/** Whether any of `[from, to)` is not 0. */
function hasAny(column: Float64Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (column[i] !== 0) return true
  return false
}
