/** Reads bits as bit-writer.ts writes them, and never past the end. Rust twin: native/codec/src/bit_reader.rs. */
import { CodecError } from './errors.js'

export class BitReader {
  private readonly bytes: Uint8Array
  private readonly end: number
  /** The next byte to fetch. */
  private at: number
  /** Bits that are fetched and not yet read, from bit 31 down; below them zeros. */
  private held = 0
  private heldBits = 0

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.bytes = bytes
    this.at = at
    this.end = end
  }

  /** The bit to be read next, from the start of the buffer. */
  get position(): number {
    return this.at * 8 - this.heldBits
  }

  bit(): number {
    if (this.heldBits === 0) this.fetch(1)
    const bit = this.held >>> 31
    this.held <<= 1
    this.heldBits--
    return bit
  }

  /** Reads ones up to the first zero, which it reads too, or up to `max` of them; returns how many. */
  ones(max: number): number {
    let count = 0
    while (count < max && this.bit() === 1) count++
    return count
  }

  /** Reads 1 to 32 bits, as an unsigned number. */
  bits(count: number): number {
    if (count > 24 && count > this.heldBits) {
      // A fetch brings at most 24 bits and what is held: take the upper part first.
      this.need(count)
      const upper = this.bits(count - 16)
      return ((upper << 16) | this.bits(16)) >>> 0
    }
    if (this.heldBits < count) this.fetch(count)
    const bits = this.held >>> (32 - count)
    this.held = count === 32 ? 0 : this.held << count
    this.heldBits -= count
    return bits
  }

  private fetch(count: number): void {
    while (this.heldBits <= 24 && this.at < this.end) {
      this.held |= this.bytes[this.at++] << (24 - this.heldBits)
      this.heldBits += 8
    }
    if (this.heldBits < count) this.need(count)
  }

  /** Refuses to read more than there is, at the field that would need it. */
  private need(count: number): void {
    if ((this.end - this.at) * 8 + this.heldBits >= count) return
    throw new CodecError(
      'TRUNCATED',
      `the chunk ends at byte ${this.end}, wanted ${count} bits at bit ${this.position}`,
      this.position,
    )
  }
}

/** A bit reader over a chunk that lies inside the bytes. */
export function openBits(bytes: Uint8Array, offset: number, endOffset: number): BitReader {
  const whole = Number.isInteger(offset) && Number.isInteger(endOffset)
  if (!(whole && offset >= 0 && offset <= endOffset && endOffset <= bytes.length)) {
    throw new CodecError('INVALID_ARGUMENT', `chunk [${offset}, ${endOffset}): there are ${bytes.length} bytes`)
  }
  return new BitReader(bytes, offset, endOffset)
}
