/**
 * The newest samples of each slot, raw: offsets (ms after the block's start) and values.
 *
 *     row      the slot's newest samples, at most `ROW_SAMPLES`, sorted by offset
 *     page     rows of 64 slots, scrape by scrape: sample i of slot s stands at `i · 64 + s`
 *
 * The series of one scrape have slots in a row, so a scrape is written to the memory that lies in a row too: eight values
 * a cache line. Laid out row by row each sample would touch a line of its own, and mostly a page of its own.
 */
import { grownU8 } from '../index/growable.js'
import { halvesOf } from '../model/sample.js'

/** A longer row takes more memory while it is raw, a shorter one more for the headers of its chunks. */
export const ROW_SAMPLES = 48
export const SLOTS_PER_PAGE_BITS = 6
export const SLOTS_PER_PAGE = 1 << SLOTS_PER_PAGE_BITS
const SLOT_MASK = SLOTS_PER_PAGE - 1
const PAGE_SAMPLES = SLOTS_PER_PAGE * ROW_SAMPLES

export class RowSlab {
  /** Samples in each slot's row. */
  counts: Uint8Array = new Uint8Array(SLOTS_PER_PAGE)
  readonly offsets: Uint32Array[] = []
  readonly values: Float64Array[] = []
  /** The same memory as `values`: the bits of a NaN are copied through these. */
  readonly halves: Uint32Array[] = []
  /** Start timestamps beside the rows; pages come into being with the first sample that has one. */
  readonly starts: (Float64Array | undefined)[] = []

  get sizeBytes(): number {
    let size = this.counts.length + this.values.length * PAGE_SAMPLES * 12
    for (const page of this.starts) if (page !== undefined) size += page.byteLength
    return size
  }

  /** Makes room for the slot; slots come one after the other. */
  reserve(slot: number): void {
    this.counts = grownU8(this.counts, slot + 1)
    if (slot >>> SLOTS_PER_PAGE_BITS < this.offsets.length) return
    const values = new Float64Array(PAGE_SAMPLES)
    this.offsets.push(new Uint32Array(PAGE_SAMPLES))
    this.values.push(values)
    this.halves.push(halvesOf(values))
    this.starts.push(undefined)
  }

  /** Whether samples of the slot may have start timestamps. */
  mayHaveStarts(slot: number): boolean {
    return this.starts[slot >>> SLOTS_PER_PAGE_BITS] !== undefined
  }

  /** Adds value `index` of the column whose halves are given behind the row, which is not full. */
  push(slot: number, offset: number, halves: Uint32Array, index: number, startTimestampMs: number): void {
    this.#write(slot, this.counts[slot]++, offset, halves, index, startTimestampMs)
  }

  /** The same at the place that the offset has in the sorted row. */
  insert(slot: number, offset: number, halves: Uint32Array, index: number, startTimestampMs: number): void {
    const page = slot >>> SLOTS_PER_PAGE_BITS
    const offsets = this.offsets[page]
    const values = this.halves[page]
    const starts = this.starts[page]
    let i = this.counts[slot]
    for (; i > 0; i--) {
      const from = placeOf(slot, i - 1)
      if (offsets[from] <= offset) break
      const to = from + SLOTS_PER_PAGE
      offsets[to] = offsets[from]
      values[to * 2] = values[from * 2]
      values[to * 2 + 1] = values[from * 2 + 1]
      if (starts !== undefined) starts[to] = starts[from]
    }
    this.counts[slot]++
    this.#write(slot, i, offset, halves, index, startTimestampMs)
  }

  /** Place in the row of the sample with this offset, or -1. */
  find(slot: number, offset: number): number {
    const offsets = this.offsets[slot >>> SLOTS_PER_PAGE_BITS]
    for (let i = this.counts[slot] - 1; i >= 0; i--) {
      const at = offsets[placeOf(slot, i)]
      if (at === offset) return i
      if (at < offset) return -1
    }
    return -1
  }

  /** Whether sample i of the row has the bits of value `index`. */
  hasValue(slot: number, i: number, halves: Uint32Array, index: number): boolean {
    const row = this.halves[slot >>> SLOTS_PER_PAGE_BITS]
    const at = placeOf(slot, i)
    return row[at * 2] === halves[index * 2] && row[at * 2 + 1] === halves[index * 2 + 1]
  }

  setValue(slot: number, i: number, halves: Uint32Array, index: number): void {
    const row = this.halves[slot >>> SLOTS_PER_PAGE_BITS]
    const at = placeOf(slot, i)
    row[at * 2] = halves[index * 2]
    row[at * 2 + 1] = halves[index * 2 + 1]
  }

  offsetAt(slot: number, i: number): number {
    return this.offsets[slot >>> SLOTS_PER_PAGE_BITS][placeOf(slot, i)]
  }

  /** Copies the offsets of the row to the front of `out`, and returns how many there are. */
  copyOffsets(slot: number, out: Uint32Array | Float64Array, outAt = 0): number {
    const offsets = this.offsets[slot >>> SLOTS_PER_PAGE_BITS]
    const count = this.counts[slot]
    for (let i = 0, at = placeOf(slot, 0); i < count; i++, at += SLOTS_PER_PAGE) out[outAt + i] = offsets[at]
    return count
  }

  /** Copies the values of samples `[first, last)`, bit by bit. */
  copyValues(slot: number, first: number, last: number, out: Float64Array, outAt: number): void {
    const page = slot >>> SLOTS_PER_PAGE_BITS
    const values = this.values[page]
    let at = placeOf(slot, first)
    for (let i = first; i < last; i++, at += SLOTS_PER_PAGE, outAt++) {
      const value = values[at]
      if (Number.isNaN(value)) copyBits(this.halves[page], at, out, outAt)
      else out[outAt] = value
    }
  }

  /** Copies the start timestamps of the row; false when no sample of its page has one. */
  copyStarts(slot: number, out: Float64Array, outAt: number): boolean {
    const starts = this.starts[slot >>> SLOTS_PER_PAGE_BITS]
    if (starts === undefined) return false
    const count = this.counts[slot]
    for (let i = 0, at = placeOf(slot, 0); i < count; i++, at += SLOTS_PER_PAGE) out[outAt + i] = starts[at]
    return true
  }

  /** Of the row's offsets: equal rows have equal hashes. */
  hash(slot: number): number {
    const offsets = this.offsets[slot >>> SLOTS_PER_PAGE_BITS]
    const count = this.counts[slot]
    let hash = count
    for (let i = 0, at = placeOf(slot, 0); i < count; i++, at += SLOTS_PER_PAGE) {
      hash = Math.imul(hash ^ offsets[at], 0x9e3779b1) ^ (hash >>> 15)
    }
    return hash >>> 0
  }

  /** Whether two rows have the same offsets. */
  sameOffsets(a: number, b: number): boolean {
    const count = this.counts[a]
    if (count !== this.counts[b]) return false
    const left = this.offsets[a >>> SLOTS_PER_PAGE_BITS]
    const right = this.offsets[b >>> SLOTS_PER_PAGE_BITS]
    let i = placeOf(a, 0)
    let j = placeOf(b, 0)
    for (const end = i + count * SLOTS_PER_PAGE; i < end; i += SLOTS_PER_PAGE, j += SLOTS_PER_PAGE) {
      if (left[i] !== right[j]) return false
    }
    return true
  }

  /** Whether full rows of a page all have the same offsets. */
  haveSameOffsets(page: number, lanes: Uint8Array): boolean {
    const offsets = this.offsets[page]
    for (let at = 0; at < PAGE_SAMPLES; at += SLOTS_PER_PAGE) {
      const first = offsets[at + lanes[0]]
      for (let i = 1; i < lanes.length; i++) if (offsets[at + lanes[i]] !== first) return false
    }
    return true
  }

  /** Offsets and values keep standing in their places until newer samples take them: `RecentReader` counts on it. */
  clear(slot: number): void {
    const starts = this.starts[slot >>> SLOTS_PER_PAGE_BITS]
    if (starts !== undefined) {
      for (let i = 0, at = placeOf(slot, 0); i < this.counts[slot]; i++, at += SLOTS_PER_PAGE) starts[at] = 0
    }
    this.counts[slot] = 0
  }

  #write(slot: number, i: number, offset: number, halves: Uint32Array, index: number, startTimestampMs: number): void {
    const page = slot >>> SLOTS_PER_PAGE_BITS
    const at = placeOf(slot, i)
    this.offsets[page][at] = offset
    const row = this.halves[page]
    row[at * 2] = halves[index * 2]
    row[at * 2 + 1] = halves[index * 2 + 1]
    let starts = this.starts[page]
    if (starts === undefined) {
      if (startTimestampMs === 0) return
      starts = this.starts[page] = new Float64Array(PAGE_SAMPLES)
    }
    starts[at] = startTimestampMs
  }
}

/** Place in its page of sample i of the slot. */
function placeOf(slot: number, i: number): number {
  return i * SLOTS_PER_PAGE + (slot & SLOT_MASK)
}

function copyBits(from: Uint32Array, at: number, out: Float64Array, outAt: number): void {
  const to = halvesOf(out)
  to[outAt * 2] = from[at * 2]
  to[outAt * 2 + 1] = from[at * 2 + 1]
}
