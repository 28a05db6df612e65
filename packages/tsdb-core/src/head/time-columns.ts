/**
 * The encoded offsets of chunks. The series of one scrape have equal ones, so each column is kept once: equal offsets have
 * equal bytes, which are compared.
 *
 * Most targets are scraped on the beat, each on its own: a dashboard over a thousand targets reads some thousand columns. Of one
 * whose offsets are a step apart, first offset and step say all, and nothing is decoded.
 */
import { grownU8, grownU16, grownU32 } from '../index/growable.js'
import type { ByteArena } from './byte-arena.js'
import { decodeTimestamps, encodeTimestamps, rowTimestampsSizeMax } from './row-codec.js'
import { ROW_SAMPLES } from './row-slab.js'

const NONE = 0xffffffff
const RECENT_COLUMNS = 4

const scratchBytes = new Uint8Array(rowTimestampsSizeMax(ROW_SAMPLES))
const scratchTimes = new Float64Array(ROW_SAMPLES)

export class TimeColumns {
  /** Samples in each column, and its first and last offset. */
  counts: Uint8Array = new Uint8Array(64)
  firsts: Uint32Array = new Uint32Array(64)
  lasts: Uint32Array = new Uint32Array(64)
  /** From one offset to the next, where that is the same for all; else `NONE`. */
  #steps: Uint32Array = new Uint32Array(64)
  readonly #bytes: ByteArena
  #count = 0
  #positions: Uint32Array = new Uint32Array(64)
  #sizes: Uint16Array = new Uint16Array(64)
  #hashes: Uint32Array = new Uint32Array(64)
  #table: Uint32Array = new Uint32Array(64).fill(NONE)
  readonly #recent: Uint32Array = new Uint32Array(RECENT_COLUMNS).fill(NONE)
  readonly #recentOffsets: Uint32Array = new Uint32Array(RECENT_COLUMNS * ROW_SAMPLES)
  #nextRecent = 0

  constructor(bytes: ByteArena) {
    this.#bytes = bytes
  }

  get sizeBytes(): number {
    return this.#positions.length * 27
  }

  /** Fills `out` from `outAt` with `base` and each of the column's offsets and returns how many there are. */
  read(column: number, base: number, out: Float64Array, outAt: number): number {
    const step = this.#steps[column]
    const count = this.counts[column]
    if (step !== NONE) {
      for (let i = 0, time = base + this.firsts[column]; i < count; i++, time += step) out[outAt + i] = time
      return count
    }
    const position = this.#positions[column]
    const at = this.#bytes.offsetAt(position)
    decodeTimestamps(this.#bytes.pageAt(position), at, at + this.#sizes[column], out, outAt)
    for (let i = outAt; i < outAt + count; i++) out[i] += base
    return count
  }

  /** The column of the first `count` of these offsets, made if there is none yet. */
  intern(offsets: Uint32Array, count: number): number {
    // Series of one scrape come one after the other: mostly it is one of the last few.
    for (let k = 0; k < RECENT_COLUMNS; k++) {
      const column = this.#recent[k]
      if (column === NONE || this.counts[column] !== count) continue
      if (sameOffsets(this.#recentOffsets, k * ROW_SAMPLES, offsets, count)) return column
    }
    const column = this.#find(offsets, count)
    this.#recent[this.#nextRecent] = column
    this.#recentOffsets.set(offsets.subarray(0, count), this.#nextRecent * ROW_SAMPLES)
    this.#nextRecent = (this.#nextRecent + 1) % RECENT_COLUMNS
    return column
  }

  #find(offsets: Uint32Array, count: number): number {
    let hash = count
    for (let i = 0; i < count; i++) {
      scratchTimes[i] = offsets[i]
      hash = Math.imul(hash ^ offsets[i], 0x9e3779b1) ^ (hash >>> 15)
    }
    hash >>>= 0
    const size = encodeTimestamps(scratchTimes, 0, count, scratchBytes, 0)
    const table = this.#table
    const mask = table.length - 1
    let place = hash & mask
    for (; table[place] !== NONE; place = (place + 1) & mask) {
      const column = table[place]
      if (this.#hashes[column] === hash && this.#equals(column, size)) return column
    }
    const column = this.#count++
    if (column === this.#positions.length) this.#grow(column)
    this.#positions[column] = this.#bytes.append(scratchBytes, 0, size)
    this.#sizes[column] = size
    this.counts[column] = count
    this.firsts[column] = offsets[0]
    this.lasts[column] = offsets[count - 1]
    this.#steps[column] = stepOf(offsets, count)
    this.#hashes[column] = hash
    if (this.#count * 2 > table.length) this.#rehash(table.length * 2)
    else table[place] = column
    return column
  }

  #equals(column: number, size: number): boolean {
    if (this.#sizes[column] !== size) return false
    const position = this.#positions[column]
    const page = this.#bytes.pageAt(position)
    const at = this.#bytes.offsetAt(position)
    for (let i = 0; i < size; i++) if (page[at + i] !== scratchBytes[i]) return false
    return true
  }

  #grow(column: number): void {
    const length = Math.ceil((column * 3) / 2)
    this.#positions = grownU32(this.#positions, length)
    this.#sizes = grownU16(this.#sizes, length)
    this.counts = grownU8(this.counts, length)
    this.firsts = grownU32(this.firsts, length)
    this.lasts = grownU32(this.lasts, length)
    this.#steps = grownU32(this.#steps, length)
    this.#hashes = grownU32(this.#hashes, length)
  }

  #rehash(length: number): void {
    const table = new Uint32Array(length).fill(NONE)
    const mask = length - 1
    for (let column = 0; column < this.#count; column++) {
      let place = this.#hashes[column] & mask
      while (table[place] !== NONE) place = (place + 1) & mask
      table[place] = column
    }
    this.#table = table
  }
}

/** What all neighbours are apart, or `NONE`. */
function stepOf(offsets: Uint32Array, count: number): number {
  const step = count > 1 ? offsets[1] - offsets[0] : 0
  for (let i = 2; i < count; i++) if (offsets[i] - offsets[i - 1] !== step) return NONE
  return step
}

/** Whether the run of `a` from `aAt` is the first `count` of `b`. */
function sameOffsets(a: Uint32Array, aAt: number, b: Uint32Array, count: number): boolean {
  for (let i = 0; i < count; i++) if (a[aAt + i] !== b[i]) return false
  return true
}
