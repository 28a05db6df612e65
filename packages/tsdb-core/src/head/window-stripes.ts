/**
 * Windows of aggregated series in an open block, as their writer makes them: many series, one timestamp, several columns.
 *
 *     window       a timestamp of the block; windows are written in their order
 *     slot         one for each series, in the order in which they first came; 64 slots are a stripe
 *     stripe       raw rows of up to 48 windows: for each column a dense array, `[row · 64 + lane]`, and a mask of columns
 *                  for each (row, lane). Writing a window is a copy of rows
 *     run          the rows of a stripe, encoded by column: their windows are shared by all 64 series
 *
 * Stripes fill up at different windows, so that each window finds few to encode. Whatever does not fit this shape (a series
 * without a value in some window of the run, a window out of order) is kept by the block as ordinary samples; those are newer
 * than a run, and hide its samples of the same time.
 */
import { grownU32 } from '../index/growable.js'
import { COLUMN_STRIDE, LAST_COLUMN } from '../model/columns.js'
import { halvesOf } from '../model/sample.js'
import { bitCount } from '../window-batch.js'
import type { ByteArena } from './byte-arena.js'
import { decodeValues, encodeLanes, rowValuesSizeMax } from './row-codec.js'

export const STRIPE_WINDOWS = 48
const LANE_BITS = 6
/** Slots of one stripe. */
export const LANES = 1 << LANE_BITS
/** Columns of the series of a run. */
const RUN_PLACES = LANES * COLUMN_STRIDE
const REFS_PER_PAGE_BITS = 10
const REFS_PER_PAGE = 1 << REFS_PER_PAGE_BITS
/** Spreads the windows at which stripes are encoded; coprime to `STRIPE_WINDOWS`. */
const PHASE_STEP = 29

const NO_VALUES = new Float64Array(0)
/** So many lanes are copied at once. */
const COPY_MIN = 16
/** By lane: the columns that all rows of a stripe have, and those that some have. */
const everyColumns = new Uint8Array(LANES)
const someColumns = new Uint8Array(LANES)
const rowEnds = new Uint32Array(LANES)
const rowLanes = new Uint8Array(LANES)
const rowBytes = new Uint8Array(LANES * rowValuesSizeMax(STRIPE_WINDOWS))

/** Takes one sample that has no place in a run: half pair `index` of the column. */
export type SampleSink = (key: number, offset: number, halves: Uint32Array, index: number) => void

interface Stripe {
  /** The window of row 0, as a place in the list of windows. */
  first: number
  rowCount: number
  /** Encoded when there are so many rows. */
  rowCountMax: number
  readonly masks: Uint8Array
  /** Bit c: it has column c. */
  columns: number
  /** By column. */
  readonly values: (Float64Array | undefined)[]
  readonly halves: (Uint32Array | undefined)[]
  /** Numbers of its runs, oldest first. */
  readonly runs: number[]
}

interface Run {
  readonly first: number
  readonly count: number
  /** For lane · COLUMN_STRIDE + column: 1 + where its values begin, 0 when it has none; and their size. */
  readonly positions: Uint32Array
  readonly sizes: Uint16Array
}

export class WindowStripes {
  /** Samples in it. */
  sampleCount = 0
  #windows: Uint32Array = new Uint32Array(64)
  #windowCount = 0
  readonly #slotPages: (Uint32Array | undefined)[] = []
  #slotCount = 0
  #refs: Uint32Array = new Uint32Array(LANES)
  /** Columns that the slot has ever had, as bits. */
  #columns: Uint8Array = new Uint8Array(LANES)
  readonly #stripes: Stripe[] = []
  readonly #runs: Run[] = []
  readonly #bytes: ByteArena
  readonly #sink: SampleSink
  /** Of pages, stripes and runs. */
  #sizeBytes = 0

  /** Runs are kept in `bytes`, whose size is not counted here. */
  constructor(bytes: ByteArena, sink: SampleSink) {
    this.#bytes = bytes
    this.#sink = sink
  }

  get sizeBytes(): number {
    return this.#sizeBytes + this.#refs.length * 5 + this.#windows.byteLength
  }

  /** Whether a window may be written now: it is the newest one, or newer. */
  takes(offset: number): boolean {
    return this.#windowCount === 0 || offset >= this.#windows[this.#windowCount - 1]
  }

  /** Begins a window, or goes on with the newest one. */
  beginWindow(offset: number): void {
    if (this.#windowCount > 0 && this.#windows[this.#windowCount - 1] === offset) return
    this.#windows = grownU32(this.#windows, this.#windowCount + 1)
    this.#windows[this.#windowCount++] = offset
  }

  get slotCount(): number {
    return this.#slotCount
  }

  /** References by slot; may be longer. Another array after `addSlot`. */
  get refs(): Uint32Array {
    return this.#refs
  }

  slotOf(ref: number): number {
    const page = this.#slotPages[ref >>> REFS_PER_PAGE_BITS]
    return page === undefined ? -1 : page[ref & (REFS_PER_PAGE - 1)] - 1
  }

  addSlot(ref: number): number {
    const slot = this.#slotCount++
    const pageIndex = ref >>> REFS_PER_PAGE_BITS
    let page = this.#slotPages[pageIndex]
    if (page === undefined) {
      page = this.#slotPages[pageIndex] = new Uint32Array(REFS_PER_PAGE)
      this.#sizeBytes += page.byteLength
    }
    page[ref & (REFS_PER_PAGE - 1)] = slot + 1
    if (slot === this.#refs.length) {
      this.#refs = grownU32(this.#refs, slot * 2)
      const columns = new Uint8Array(this.#refs.length)
      columns.set(this.#columns)
      this.#columns = columns
    }
    this.#refs[slot] = ref
    return slot
  }

  /** Bit c: the series has, or had, samples in column c. */
  columnMask(ref: number): number {
    const slot = this.slotOf(ref)
    return slot < 0 ? 0 : this.#columns[slot]
  }

  /**
   * Writes a row of the newest window: lanes `[slot, slot + count)` of one stripe, from places `[from, from + count)` of the
   * given columns, and their halves. `masks` are by column number. Returns how many samples are new.
   */
  write(
    slot: number,
    count: number,
    masks: Uint8Array,
    from: number,
    columns: readonly number[],
    values: readonly Float64Array[],
    halves: readonly Uint32Array[],
  ): number {
    const stripe = this.#stripeFor(slot >>> LANE_BITS)
    const row = this.#windowCount - 1 - stripe.first
    // What stands beside the masks of a row that begins is nothing.
    const isNew = row >= stripe.rowCount
    if (isNew) stripe.rowCount = row + 1
    const first = row * LANES + (slot & (LANES - 1))
    let all = 0
    let every = 0xff
    let added = 0
    for (let i = 0; i < count; i++) {
      const mask = masks[from + i]
      every &= mask
      if (mask === 0) continue
      const before = stripe.masks[first + i]
      all |= mask
      added += before === 0 ? bitCount(mask) : bitCount(mask & ~before)
      stripe.masks[first + i] = before | mask
      this.#columns[slot + i] |= mask
    }
    if ((all & ~stripe.columns) !== 0) this.#addColumns(stripe, all & ~stripe.columns)
    for (let k = 0; k < columns.length; k++) {
      const column = columns[k]
      if ((all & (1 << column)) === 0) continue
      const isWhole = isNew || (every & (1 << column)) !== 0
      // A copy of memory keeps the bits of a NaN; of a few numbers the call would be most.
      if (isWhole && count >= COPY_MIN) stripe.values[column]!.set(values[k].subarray(from, from + count), first)
      else copyRow(stripe.halves[column]!, first, halves[k], from, count, masks, 1 << column)
    }
    this.sampleCount += added
    return added
  }

  /** Stores a newer value of a sample that stands here raw; false: it does not. */
  replace(key: number, offset: number, halves: Uint32Array, index: number): boolean {
    const column = key % COLUMN_STRIDE
    const slot = this.slotOf((key - column) / COLUMN_STRIDE)
    if (slot < 0) return false
    const stripe = this.#stripes[slot >>> LANE_BITS]
    if (stripe === undefined) return false
    const row = this.#rowOf(stripe, offset)
    if (row < 0) return false
    const at = row * LANES + (slot & (LANES - 1))
    const to = stripe.halves[column]
    // A series that has nothing here may have an ordinary sample of this time, which would hide ours.
    if (to === undefined || (stripe.masks[at] & (1 << column)) === 0) return false
    to[at * 2] = halves[index * 2]
    to[at * 2 + 1] = halves[index * 2 + 1]
    return true
  }

  /** Removes samples of a series' column. Those of a run that stay go to the sink. Returns how many went. */
  remove(ref: number, column: number, startOffset: number, endOffset: number): number {
    const slot = this.slotOf(ref)
    const stripe = slot < 0 ? undefined : this.#stripes[slot >>> LANE_BITS]
    if (stripe === undefined) return 0
    const lane = slot & (LANES - 1)
    const before = this.sampleCount
    for (let row = 0; row < stripe.rowCount; row++) {
      const offset = this.#windows[stripe.first + row]
      const at = row * LANES + lane
      if (offset < startOffset || offset >= endOffset || (stripe.masks[at] & (1 << column)) === 0) continue
      stripe.masks[at] &= ~(1 << column)
      this.sampleCount--
    }
    let removed = before - this.sampleCount
    for (const number of stripe.runs) {
      const run = this.#runs[number]
      const place = lane * COLUMN_STRIDE + column
      const firstOffset = this.#windows[run.first]
      const lastOffset = this.#windows[run.first + run.count - 1]
      if (run.positions[place] === 0 || lastOffset < startOffset || firstOffset >= endOffset) continue
      const values = new Float64Array(run.count)
      this.readRun(number * RUN_PLACES + place, values, 0)
      run.positions[place] = 0
      this.sampleCount -= run.count
      const halves = halvesOf(values)
      for (let i = 0; i < run.count; i++) {
        const offset = this.#windows[run.first + i]
        if (offset >= startOffset && offset < endOffset) removed++
        else this.#sink(ref * COLUMN_STRIDE + column, offset, halves, i)
      }
    }
    return removed
  }

  /** Numbers of the runs of a series' stripe, oldest first. */
  runsOf(slot: number): readonly number[] {
    return this.#stripes[slot >>> LANE_BITS]?.runs ?? []
  }

  /** What `readRun` reads, or -1 when the run has nothing of this slot and column. */
  runHandle(run: number, slot: number, column: number): number {
    const place = (slot & (LANES - 1)) * COLUMN_STRIDE + column
    return this.#runs[run].positions[place] === 0 ? -1 : run * RUN_PLACES + place
  }

  /** First window of a run, and how many there are, as one number: equal ones have equal times. */
  runTimes(run: number): number {
    return this.#runs[run].first * LANES + this.#runs[run].count
  }

  runCount(run: number): number {
    return this.#runs[run].count
  }

  /** Where the values of a handle begin in the block's bytes. */
  positionOf(handle: number): number {
    const place = handle % RUN_PLACES
    return this.#runs[(handle - place) / RUN_PLACES].positions[place] - 1
  }

  sizeOf(handle: number): number {
    const place = handle % RUN_PLACES
    return this.#runs[(handle - place) / RUN_PLACES].sizes[place]
  }

  readRun(handle: number, out: Float64Array, outAt: number): number {
    const position = this.positionOf(handle)
    const at = this.#bytes.offsetAt(position)
    return decodeValues(this.#bytes.pageAt(position), at, at + this.sizeOf(handle), out, outAt)
  }

  /** How many raw samples a slot has in a column. */
  rawCount(slot: number, column: number): number {
    const stripe = this.#stripes[slot >>> LANE_BITS]
    if (stripe === undefined || stripe.values[column] === undefined) return 0
    const bit = 1 << column
    let count = 0
    for (let row = 0, at = slot & (LANES - 1); row < stripe.rowCount; row++, at += LANES) {
      if ((stripe.masks[at] & bit) !== 0) count++
    }
    return count
  }

  /** As `runTimes` when all raw rows of the slot's stripe have the column, else -1. */
  rawTimes(slot: number, count: number): number {
    const stripe = this.#stripes[slot >>> LANE_BITS]
    return count === stripe.rowCount ? stripe.first * LANES + count : -1
  }

  /** Offset of the first and of the last raw sample. */
  rawFirst(slot: number, column: number): number {
    const { first, masks } = this.#stripes[slot >>> LANE_BITS]
    let row = 0
    while ((masks[row * LANES + (slot & (LANES - 1))] & (1 << column)) === 0) row++
    return this.#windows[first + row]
  }

  rawLast(slot: number, column: number): number {
    const { first, masks, rowCount } = this.#stripes[slot >>> LANE_BITS]
    let row = rowCount - 1
    while ((masks[row * LANES + (slot & (LANES - 1))] & (1 << column)) === 0) row--
    return this.#windows[first + row]
  }

  /** Copies raw samples `[from, to)` of those that the slot has in the column. */
  readRaw(slot: number, column: number, from: number, to: number, out: Float64Array, outAt: number): void {
    const { masks, values, halves, rowCount } = this.#stripes[slot >>> LANE_BITS]
    const column64 = values[column]
    const column32 = halves[column]
    if (column64 === undefined || column32 === undefined) return
    let at = outAt - from
    for (let row = 0, place = slot & (LANES - 1); row < rowCount; row++, place += LANES) {
      if ((masks[place] & (1 << column)) === 0) continue
      if (at >= outAt) {
        const value = column64[place]
        if (Number.isNaN(value)) copyBits(column32, place, out, at)
        else out[at] = value
      }
      if (++at === outAt + to - from) return
    }
  }

  /** Offsets of a slot's raw samples. */
  readRawTimes(slot: number, column: number, out: Float64Array, outAt: number): number {
    const { first, masks, rowCount } = this.#stripes[slot >>> LANE_BITS]
    let at = outAt
    for (let row = 0, place = slot & (LANES - 1); row < rowCount; row++, place += LANES) {
      if ((masks[place] & (1 << column)) !== 0) out[at++] = this.#windows[first + row]
    }
    return at - outAt
  }

  /** Offsets of the windows that `runTimes` or `rawTimes` named. */
  readTimes(times: number, out: Float64Array, outAt: number): number {
    const count = timesCount(times)
    const first = (times - count) / LANES
    for (let i = 0; i < count; i++) out[outAt + i] = this.#windows[first + i]
    return count
  }

  timesFirst(times: number): number {
    return this.#windows[(times - timesCount(times)) / LANES]
  }

  timesLast(times: number): number {
    const count = timesCount(times)
    return this.#windows[(times - count) / LANES + count - 1]
  }

  #rowOf(stripe: Stripe, offset: number): number {
    for (let row = stripe.rowCount - 1; row >= 0; row--) {
      const at = this.#windows[stripe.first + row]
      if (at === offset) return row
      if (at < offset) return -1
    }
    return -1
  }

  /** The stripe, with room for the newest window. */
  #stripeFor(index: number): Stripe {
    const window = this.#windowCount - 1
    let stripe = this.#stripes[index]
    if (stripe === undefined) {
      stripe = {
        first: window,
        rowCount: 0,
        rowCountMax: STRIPE_WINDOWS - ((index * PHASE_STEP) % STRIPE_WINDOWS),
        masks: new Uint8Array(LANES * STRIPE_WINDOWS),
        columns: 0,
        values: new Array(COLUMN_STRIDE).fill(undefined),
        halves: new Array(COLUMN_STRIDE).fill(undefined),
        runs: [],
      }
      this.#stripes[index] = stripe
      this.#sizeBytes += stripe.masks.length
    } else if (window - stripe.first >= stripe.rowCountMax) {
      this.#encode(stripe, index)
      stripe.first = window
      stripe.rowCount = 0
      stripe.rowCountMax = STRIPE_WINDOWS
      stripe.masks.fill(0)
    }
    return stripe
  }

  /** In one buffer: new outputs come by the hundred thousand, and a buffer is dear for the collector. */
  #addColumns(stripe: Stripe, mask: number): void {
    const length = LANES * STRIPE_WINDOWS
    const buffer = new ArrayBuffer(bitCount(mask) * length * Float64Array.BYTES_PER_ELEMENT)
    let offset = 0
    for (let column = 0; column < COLUMN_STRIDE; column++) {
      if ((mask & (1 << column)) === 0) continue
      const values = new Float64Array(buffer, offset, length)
      offset += values.byteLength
      stripe.values[column] = values
      stripe.halves[column] = halvesOf(values)
    }
    stripe.columns |= mask
    this.#sizeBytes += buffer.byteLength
  }

  /** The raw rows become a run; series that lack some window go to the sink. */
  #encode(stripe: Stripe, index: number): void {
    const { rowCount } = stripe
    const positions = new Uint32Array(RUN_PLACES)
    const sizes = new Uint16Array(RUN_PLACES)
    const laneCount = Math.min(LANES, this.#slotCount - index * LANES)
    noteColumns(stripe.masks, rowCount, laneCount)
    // The maxima of a counter are its last values, and of a gauge that stands still all are: those are encoded once.
    const lasts = stripe.values[LAST_COLUMN]
    for (let column = 0; column < COLUMN_STRIDE; column++) {
      const values = stripe.values[column]
      if (values === undefined) continue
      const bit = 1 << column
      let count = 0
      let haveLasts = lasts !== undefined && column > LAST_COLUMN
      for (let lane = 0; lane < laneCount; lane++) {
        if ((everyColumns[lane] & bit) !== 0) {
          rowLanes[count++] = lane
          haveLasts &&= positions[lane * COLUMN_STRIDE + LAST_COLUMN] !== 0
        } else if ((someColumns[lane] & bit) !== 0) this.#spill(stripe, index, lane, column, stripe.halves[column]!)
      }
      if (count === 0) continue
      const lanes = rowLanes.subarray(0, count)
      const size = encodeLanes(values, haveLasts ? lasts! : NO_VALUES, LANES, rowCount, lanes, rowBytes, 0, rowEnds)
      const position = size === 0 ? 0 : this.#bytes.append(rowBytes, 0, size) + 1
      for (let i = 0, start = 0; i < count; i++) {
        const place = lanes[i] * COLUMN_STRIDE
        const end = rowEnds[i]
        positions[place + column] = end === start ? positions[place + LAST_COLUMN] : position + start
        sizes[place + column] = end === start ? sizes[place + LAST_COLUMN] : end - start
        start = end
      }
    }
    stripe.runs.push(this.#runs.length)
    this.#sizeBytes += positions.byteLength + sizes.byteLength
    this.#runs.push({ first: stripe.first, count: rowCount, positions, sizes })
  }

  #spill(stripe: Stripe, index: number, lane: number, column: number, halves: Uint32Array): void {
    const key = this.#refs[index * LANES + lane] * COLUMN_STRIDE + column
    for (let row = 0, at = lane; row < stripe.rowCount; row++, at += LANES) {
      if ((stripe.masks[at] & (1 << column)) === 0) continue
      this.sampleCount--
      this.#sink(key, this.#windows[stripe.first + row], halves, at)
    }
  }
}

/** Fills `everyColumns` and `someColumns`. */
function noteColumns(masks: Uint8Array, rowCount: number, laneCount: number): void {
  everyColumns.fill(0xff)
  someColumns.fill(0)
  for (let row = 0; row < rowCount; row++) {
    for (let lane = 0, at = row * LANES; lane < laneCount; lane++, at++) {
      everyColumns[lane] &= masks[at]
      someColumns[lane] |= masks[at]
    }
  }
}

/** Copies the values of those series that have the column: what others have of an earlier computation stays. */
function copyRow(
  to: Uint32Array,
  toAt: number,
  from: Uint32Array,
  fromAt: number,
  count: number,
  masks: Uint8Array,
  bit: number,
): void {
  for (let i = 0; i < count; i++) {
    if ((masks[fromAt + i] & bit) === 0) continue
    to[(toAt + i) * 2] = from[(fromAt + i) * 2]
    to[(toAt + i) * 2 + 1] = from[(fromAt + i) * 2 + 1]
  }
}

function copyBits(from: Uint32Array, at: number, out: Float64Array, outAt: number): void {
  const to = halvesOf(out)
  to[outAt * 2] = from[at * 2]
  to[outAt * 2 + 1] = from[at * 2 + 1]
}

function timesCount(times: number): number {
  return times % LANES
}
