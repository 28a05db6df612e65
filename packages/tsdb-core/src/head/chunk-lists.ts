/**
 * Full rows, encoded: the chunks of a slot are a list, newest first. A chunk names its time column and has its values' bytes.
 *
 *     record c    previous   the chunk before in the list of its slot, or `NONE`
 *                 column     its time column
 *                 position   of its bytes
 *                 sizes      of the values, 16 bits; above them that of the start timestamps behind these, 0 where there are none
 *
 * Chunks of one series were made hours apart and lie far from each other, so what is known of one lies together: a list costs a
 * cache line a chunk and not one for each number.
 */
import { grownU32 } from '../index/growable.js'
import { type ByteArena, PAGE_BITS, PAGE_SIZE_BYTES } from './byte-arena.js'
import { decodeValues, valuesAreNumbers } from './row-codec.js'

const NONE = 0xffffffff
const RECORD_SIZE = 4
const COLUMN = 1
const POSITION = 2
const SIZES = 3
const VALUES_SIZE_MASK = 0xffff
const STARTS_SIZE_SHIFT = 16

export class ChunkLists {
  count = 0
  /** By slot: the newest chunk, or `NONE`. */
  lasts: Uint32Array = new Uint32Array(64).fill(NONE)
  #records: Uint32Array = new Uint32Array(64 * RECORD_SIZE)
  readonly #bytes: ByteArena

  constructor(bytes: ByteArena) {
    this.#bytes = bytes
  }

  get sizeBytes(): number {
    return this.#records.byteLength + this.lasts.byteLength
  }

  /** Makes room for the slot. */
  reserve(slot: number): void {
    const used = this.lasts.length
    this.lasts = grownU32(this.lasts, slot + 1)
    if (this.lasts.length > used) this.lasts.fill(NONE, used)
  }

  /** The slot's newest chunk, or `NONE`. */
  last(slot: number): number {
    return this.lasts[slot]
  }

  /** The chunk before in the list of its slot, or `NONE`. */
  previous(chunk: number): number {
    return this.#records[chunk * RECORD_SIZE]
  }

  columnOf(chunk: number): number {
    return this.#records[chunk * RECORD_SIZE + COLUMN]
  }

  /** Page and offset of the chunk's values in the bytes of the block, and how many bytes they take. */
  pageOf(chunk: number): number {
    return this.#positionOf(chunk) >>> PAGE_BITS
  }

  offsetOf(chunk: number): number {
    return this.#positionOf(chunk) & (PAGE_SIZE_BYTES - 1)
  }

  valuesSizeOf(chunk: number): number {
    return this.#records[chunk * RECORD_SIZE + SIZES] & VALUES_SIZE_MASK
  }

  /** Adds a chunk: values in `bytes[start, valuesEnd)`, start timestamps behind them. */
  add(slot: number, column: number, bytes: Uint8Array, start: number, valuesEnd: number, startsEnd: number): void {
    const position = this.#bytes.append(bytes, start, startsEnd)
    const chunk = this.addAt(slot, column, position, valuesEnd - start)
    this.#records[chunk * RECORD_SIZE + SIZES] |= (startsEnd - valuesEnd) << STARTS_SIZE_SHIFT
  }

  /** Adds a chunk without start timestamps whose values stand in the block's bytes already; returns its number. */
  addAt(slot: number, column: number, position: number, valuesSize: number): number {
    const chunk = this.count++
    const at = chunk * RECORD_SIZE
    this.#records = grownU32(this.#records, at + RECORD_SIZE)
    const records = this.#records
    records[at] = this.lasts[slot]
    records[at + COLUMN] = column
    records[at + POSITION] = position
    records[at + SIZES] = valuesSize
    this.lasts[slot] = chunk
    return chunk
  }

  /** Forgets the slot's chunks. */
  clear(slot: number): void {
    this.lasts[slot] = NONE
  }

  readValues(chunk: number, out: Float64Array, outAt: number): number {
    const at = this.offsetOf(chunk)
    return decodeValues(this.#bytes.page(this.pageOf(chunk)), at, at + this.valuesSizeOf(chunk), out, outAt)
  }

  /** Whether no value of the chunk is NaN, as far as its header tells. */
  holdsNumbers(chunk: number): boolean {
    const at = this.offsetOf(chunk)
    return valuesAreNumbers(this.#bytes.page(this.pageOf(chunk)), at, at + this.valuesSizeOf(chunk))
  }

  /** Start timestamps of a chunk's samples; false when none has one. */
  readStarts(chunk: number, out: Float64Array, outAt: number): boolean {
    const sizeBytes = this.#records[chunk * RECORD_SIZE + SIZES] >>> STARTS_SIZE_SHIFT
    if (sizeBytes === 0) return false
    const at = this.offsetOf(chunk) + this.valuesSizeOf(chunk)
    decodeValues(this.#bytes.page(this.pageOf(chunk)), at, at + sizeBytes, out, outAt)
    return true
  }

  #positionOf(chunk: number): number {
    return this.#records[chunk * RECORD_SIZE + POSITION]
  }
}
