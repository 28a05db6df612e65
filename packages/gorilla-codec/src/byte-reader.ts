/**
 * Reads the fields of a chunk's header, one after the other, and never past its end.
 *
 *     unsigned varint   7 bits a byte, lowest first, the top bit says that more follow; at most 8 bytes, at most 2^53
 *     signed varint     the same, but bit 0 of the first byte is the sign and its magnitude follows: at most 9 bytes
 *
 * Rust twin: native/codec/src/byte_reader.rs.
 */
import { CodecError } from './errors.js'
import { INTEGER_EXACT_MAX } from './limits.js'

const FLOAT = new Float64Array(1)
const FLOAT_BYTES = new Uint8Array(FLOAT.buffer)
const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

export class ByteReader {
  readonly bytes: Uint8Array
  /** The next byte to read. */
  at: number
  readonly end: number

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.bytes = bytes
    this.at = at
    this.end = end
  }

  /** Moves over `size` bytes and returns where they begin. */
  skip(size: number): number {
    if (size > this.end - this.at) throw truncated(this.at, size, this.end)
    const start = this.at
    this.at += size
    return start
  }

  byte(): number {
    if (this.at >= this.end) throw truncated(this.at, 1, this.end)
    return this.bytes[this.at++]
  }

  varint(): number {
    const start = this.at
    return this.varintRest(start, 0, 1)
  }

  signedVarint(): number {
    const start = this.at
    const first = this.byte()
    let magnitude = (first >>> 1) & 63
    if (first & 128) magnitude = this.varintRest(start, magnitude, 64)
    return first & 1 && magnitude !== 0 ? -magnitude : magnitude
  }

  float(): number {
    const start = this.skip(8)
    for (let index = 0; index < 8; index++) FLOAT_BYTES[LITTLE_ENDIAN ? index : 7 - index] = this.bytes[start + index]
    return FLOAT[0]
  }

  private varintRest(start: number, magnitude: number, unit: number): number {
    for (let count = 0; count < 8; count++) {
      const byte = this.byte()
      const part = (byte & 127) * unit
      // Asked before it is added, since a sum of 2^53 + 1 would round down to 2^53.
      const fits = part <= INTEGER_EXACT_MAX - magnitude
      magnitude += part
      if (!fits) magnitude = Number.POSITIVE_INFINITY
      if (byte < 128) {
        if (magnitude > INTEGER_EXACT_MAX) break
        return magnitude
      }
      unit *= 128
    }
    throw corrupt(start, 'a varint of at most 2^53')
  }
}

export function truncated(at: number, size: number, end: number): CodecError {
  return new CodecError('TRUNCATED', `the chunk ends at byte ${end}, wanted ${size} bytes at byte ${at}`, at * 8)
}

export function corrupt(at: number, wanted: string): CodecError {
  return new CodecError('CORRUPT_CHUNK', `byte ${at} of the chunk: expected ${wanted}`, at * 8)
}
