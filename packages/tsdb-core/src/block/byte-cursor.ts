/** Reads numbers from a section's bytes; anything that does not fit is `CORRUPT`, with the place. */
import { StorageError } from '../errors.js'

export class ByteCursor {
  at = 0
  readonly bytes: Uint8Array
  readonly #where: string

  /** `where` names file and section in errors. */
  constructor(bytes: Uint8Array, where: string) {
    this.bytes = bytes
    this.#where = where
  }

  get left(): number {
    return this.bytes.length - this.at
  }

  /** LEB128, at most 2^53. */
  varint(): number {
    const { bytes } = this
    let value = 0
    let factor = 1
    for (let at = this.at; at < bytes.length; factor *= 128) {
      const byte = bytes[at++]
      value += (byte & 0x7f) * factor
      if (byte < 0x80) {
        this.at = at
        if (value > Number.MAX_SAFE_INTEGER) throw this.corrupt(`a number of ${value}`)
        return value
      }
      if (factor > 2 ** 53) break
    }
    throw this.corrupt('a number that does not end')
  }

  signedVarint(): number {
    const value = this.varint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  /** A count of things of which each takes at least `sizeBytesMin` of the bytes left. */
  count(sizeBytesMin: number): number {
    const count = this.varint()
    if (count * sizeBytesMin > this.left) throw this.corrupt(`a count of ${count} with ${this.left} bytes left`)
    return count
  }

  u8(): number {
    if (this.left < 1) throw this.corrupt('the end')
    return this.bytes[this.at++]
  }

  take(length: number): Uint8Array {
    if (length > this.left) throw this.corrupt(`${length} bytes, with ${this.left} left`)
    const taken = this.bytes.subarray(this.at, this.at + length)
    this.at += length
    return taken
  }

  end(): void {
    if (this.left !== 0) throw this.corrupt(`${this.left} bytes after the end`)
  }

  corrupt(what: string): StorageError {
    return new StorageError('CORRUPT', `${this.#where} at byte ${this.at}: ${what}`)
  }
}

/** Writes numbers into a buffer that grows. */
export class ByteSink {
  bytes: Uint8Array = new Uint8Array(4096)
  length = 0

  reserve(sizeBytes: number): void {
    const needed = this.length + sizeBytes
    if (needed <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(needed, Math.ceil(this.bytes.length * 1.5)))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }

  u8(value: number): void {
    this.reserve(1)
    this.bytes[this.length++] = value
  }

  varint(value: number): void {
    this.reserve(8)
    const { bytes } = this
    while (value >= 0x80) {
      bytes[this.length++] = (value % 128) | 0x80
      value = Math.floor(value / 128)
    }
    bytes[this.length++] = value
  }

  signedVarint(value: number): void {
    this.varint(value >= 0 ? value * 2 : -value * 2 - 1)
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.bytes.set(bytes, this.length)
    this.length += bytes.length
  }

  view(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }
}
