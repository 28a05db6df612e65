/** Full rows, encoded: the chunks of a slot are a list, newest first. A chunk names its time column and has its values' bytes. */
import { grownU16, grownU32 } from '../index/growable.js'
import type { ByteArena } from './byte-arena.js'
import { decodeValues } from './row-codec.js'

const NONE = 0xffffffff

export class ChunkLists {
  count = 0
  /** By slot: the newest chunk, or `NONE`. */
  lasts: Uint32Array = new Uint32Array(64).fill(NONE)
  #previous: Uint32Array = new Uint32Array(64)
  #columns: Uint32Array = new Uint32Array(64)
  #positions: Uint32Array = new Uint32Array(64)
  /** Bytes of the values, and of the start timestamps behind them (0: none). */
  #valueSizes: Uint16Array = new Uint16Array(64)
  #startSizes: Uint16Array = new Uint16Array(64)
  readonly #bytes: ByteArena

  constructor(bytes: ByteArena) {
    this.#bytes = bytes
  }

  get sizeBytes(): number {
    return this.#positions.length * 16 + this.lasts.byteLength
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
    return this.#previous[chunk]
  }

  columnOf(chunk: number): number {
    return this.#columns[chunk]
  }

  /** Page and offset of the chunk's values in the bytes of the block, and how many bytes they take. */
  pageOf(chunk: number): number {
    return this.#bytes.pageOf(this.#positions[chunk])
  }

  offsetOf(chunk: number): number {
    return this.#bytes.offsetAt(this.#positions[chunk])
  }

  valuesSizeOf(chunk: number): number {
    return this.#valueSizes[chunk]
  }

  /** Adds a chunk: values in `bytes[start, valuesEnd)`, start timestamps behind them. */
  add(slot: number, column: number, bytes: Uint8Array, start: number, valuesEnd: number, startsEnd: number): void {
    const position = this.#bytes.append(bytes, start, startsEnd)
    this.#startSizes[this.addAt(slot, column, position, valuesEnd - start)] = startsEnd - valuesEnd
  }

  /** Adds a chunk without start timestamps whose values stand in the block's bytes already; returns its number. */
  addAt(slot: number, column: number, position: number, valuesSize: number): number {
    const chunk = this.count++
    if (chunk === this.#positions.length) this.#grow(chunk)
    this.#previous[chunk] = this.lasts[slot]
    this.#columns[chunk] = column
    this.#positions[chunk] = position
    this.#valueSizes[chunk] = valuesSize
    this.lasts[slot] = chunk
    return chunk
  }

  /** Forgets the slot's chunks. */
  clear(slot: number): void {
    this.lasts[slot] = NONE
  }

  readValues(chunk: number, out: Float64Array, outAt: number): number {
    const position = this.#positions[chunk]
    const at = this.#bytes.offsetAt(position)
    return decodeValues(this.#bytes.pageAt(position), at, at + this.#valueSizes[chunk], out, outAt)
  }

  /** Start timestamps of a chunk's samples; false when none has one. */
  readStarts(chunk: number, out: Float64Array, outAt: number): boolean {
    const sizeBytes = this.#startSizes[chunk]
    if (sizeBytes === 0) return false
    const position = this.#positions[chunk]
    const at = this.#bytes.offsetAt(position) + this.#valueSizes[chunk]
    decodeValues(this.#bytes.pageAt(position), at, at + sizeBytes, out, outAt)
    return true
  }

  #grow(chunk: number): void {
    const length = Math.ceil((chunk * 3) / 2)
    this.#previous = grownU32(this.#previous, length)
    this.#columns = grownU32(this.#columns, length)
    this.#positions = grownU32(this.#positions, length)
    this.#valueSizes = grownU16(this.#valueSizes, length)
    this.#startSizes = grownU16(this.#startSizes, length)
  }
}
