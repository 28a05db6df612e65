/** A cursor over bytes of a Prometheus block: every read is checked against the end, and an error names file and offset. */
import { crc32c } from '@varve/gorilla-codec'
import { ImportError } from './import-error.js'

export class Cursor {
  readonly #file: string
  readonly bytes: Uint8Array
  readonly #view: DataView
  offset: number
  readonly end: number

  constructor(file: string, bytes: Uint8Array, offset = 0, end = bytes.length) {
    this.#file = file
    this.bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.offset = offset
    this.end = end
    if (offset < 0 || offset > end || end > bytes.length) {
      throw new ImportError('CORRUPT', `${file}: bytes ${offset} to ${end} were wanted, but it has ${bytes.length}`)
    }
  }

  u8(): number {
    return this.bytes[this.#advance(1)]
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4))
  }

  /** An offset or id: it must fit a double exactly. */
  u64(): number {
    const at = this.#advance(8)
    return this.#exact(BigInt.asUintN(64, this.#view.getBigUint64(at)), at)
  }

  uvarint(): number {
    const at = this.offset
    return this.#exact(this.uvarint64(), at)
  }

  uvarint64(): bigint {
    const at = this.offset
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.u8()
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) {
        if (value >= 1n << 64n) break
        return value
      }
    }
    throw this.corrupt('a varint is longer than 64 bits', at)
  }

  /** Zig-zag. */
  varint(): number {
    const at = this.offset
    return this.#exact(this.varint64(), at)
  }

  varint64(): bigint {
    const raw = this.uvarint64()
    return (raw >> 1n) ^ -(raw & 1n)
  }

  /** Moves past `size` bytes and returns where they start. */
  skip(size: number): number {
    return this.#advance(size)
  }

  text(): string {
    const size = this.uvarint()
    const at = this.#advance(size)
    return TEXT.decode(this.bytes.subarray(at, at + size))
  }

  /** Reads the CRC32C that stands here and compares it with that of the bytes from `start` on. */
  expectChecksum(start: number): void {
    const end = this.offset
    const wanted = this.u32()
    const got = crc32c(this.bytes, start, end)
    if (got !== wanted) {
      throw this.corrupt(`checksum of bytes ${start} to ${end} is ${hex(got)}, expected ${hex(wanted)}`, end)
    }
  }

  corrupt(what: string, at = this.offset): ImportError {
    return new ImportError('CORRUPT', `${this.#file} at byte ${at}: ${what}`)
  }

  #advance(size: number): number {
    const at = this.offset
    if (size < 0 || at + size > this.end) throw this.corrupt(`${size} bytes were wanted, ${this.end - at} are left`, at)
    this.offset = at + size
    return at
  }

  #exact(value: bigint, at: number): number {
    const number = Number(value)
    if (!Number.isSafeInteger(number)) throw this.corrupt(`the number ${value} is beyond 2^53`, at)
    return number
  }
}

const TEXT = new TextDecoder()

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`
}
