/**
 * A growing buffer that a record's payload is written into, and its counterpart for reading.
 *
 * Numbers are little-endian; a varint is LEB128 of an unsigned 32-bit number; a text is its size as a varint, then UTF-8.
 */
import { StorageError } from '../errors.js'

const TEXT_ENCODER = new TextEncoder()
const TEXT_DECODER = new TextDecoder('utf-8', { fatal: true })
const VARINT_SIZE_BYTES_MAX = 5

export class ByteWriter {
  bytes: Uint8Array
  length = 0
  #view: DataView

  constructor(sizeBytes = 4096) {
    this.bytes = new Uint8Array(sizeBytes)
    this.#view = new DataView(this.bytes.buffer)
  }

  /** Makes room for `sizeBytes` more, so that a loop may write into `bytes` directly and then set `length`. */
  reserve(sizeBytes: number): void {
    const needed = this.length + sizeBytes
    if (needed <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
    this.#view = new DataView(grown.buffer)
  }

  u8(value: number): void {
    this.reserve(1)
    this.bytes[this.length++] = value
  }

  varint(value: number): void {
    this.reserve(VARINT_SIZE_BYTES_MAX)
    this.length = writeVarint(this.bytes, this.length, value)
  }

  f64(value: number): void {
    this.reserve(8)
    this.#view.setFloat64(this.length, value, true)
    this.length += 8
  }

  blob(bytes: Uint8Array): void {
    this.varint(bytes.length)
    this.raw(bytes)
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.bytes.set(bytes, this.length)
    this.length += bytes.length
  }

  text(value: string): void {
    this.blob(TEXT_ENCODER.encode(value))
  }

  /** What was written since the start. Valid until the next write. */
  view(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }
}

/** Reads what `ByteWriter` wrote; every bound is checked, since a payload may come from a program with a bug. */
export class ByteReader {
  offset = 0
  readonly bytes: Uint8Array
  readonly #view: DataView
  readonly #what: string

  /** `what` names the payload in errors. */
  constructor(bytes: Uint8Array, what: string) {
    this.bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#what = what
  }

  get remaining(): number {
    return this.bytes.length - this.offset
  }

  u8(): number {
    this.need(1)
    return this.bytes[this.offset++]
  }

  varint(): number {
    let value = 0
    for (let shift = 0; shift < 7 * VARINT_SIZE_BYTES_MAX; shift += 7) {
      const byte = this.u8()
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) {
        if (value > 0xffff_ffff) break
        return value
      }
    }
    throw this.error('a number of more than 32 bits')
  }

  /** A count of things of at least `sizeBytesMin` each: one that cannot fit into the rest is refused before it is used. */
  count(sizeBytesMin: number): number {
    const count = this.varint()
    if (count * sizeBytesMin > this.remaining) throw this.error(`a count of ${count}, which the payload cannot hold`)
    return count
  }

  f64(): number {
    this.need(8)
    const value = this.#view.getFloat64(this.offset, true)
    this.offset += 8
    return value
  }

  raw(sizeBytes: number): Uint8Array {
    this.need(sizeBytes)
    this.offset += sizeBytes
    return this.bytes.subarray(this.offset - sizeBytes, this.offset)
  }

  blob(): Uint8Array {
    return this.raw(this.varint())
  }

  text(): string {
    const bytes = this.blob()
    try {
      return TEXT_DECODER.decode(bytes)
    } catch {
      throw this.error('a text that is not UTF-8')
    }
  }

  /** States that nothing follows. */
  end(): void {
    if (this.remaining > 0) throw this.error(`${this.remaining} bytes after the end`)
  }

  need(sizeBytes: number): void {
    if (sizeBytes > this.remaining) {
      throw this.error(`${sizeBytes} bytes are wanted, ${this.remaining} are left`)
    }
  }

  error(problem: string): StorageError {
    return new StorageError('CORRUPT', `${this.#what}, byte ${this.offset}: ${problem}`)
  }
}

/** Writes an unsigned 32-bit number and returns the offset after it. There must be room for five bytes. */
export function writeVarint(out: Uint8Array, offset: number, value: number): number {
  value >>>= 0
  while (value >= 0x80) {
    out[offset++] = (value & 0x7f) | 0x80
    value >>>= 7
  }
  out[offset++] = value
  return offset
}

/** Signed to unsigned, small magnitudes to small numbers. */
export function zigzag(value: number): number {
  return ((value << 1) ^ (value >> 31)) >>> 0
}

export function unzigzag(value: number): number {
  return (value >>> 1) ^ -(value & 1)
}
