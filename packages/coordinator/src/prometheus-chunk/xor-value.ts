/**
 * One float64 column of a histogram chunk: each value is stored as its difference, by exclusive or, from the one before.
 *
 *     0                                              the same bits
 *     10 + bits                                      inside the window of the last difference
 *     11 + 5 bits leading zeros + 6 bits length (64 is written as 0) + bits      a new window
 *
 * Source: Prometheus, tsdb/docs/format/chunks.md (varbit_xor).
 */
import { STALE_HIGH, STALE_LOW } from '@varve/tsdb-core/model'
import type { BitReader, BitWriter } from './bit-stream.js'

const LEADING_MAX = 31

/** Float64 bits in two halves: a staleness marker would not survive as a plain number. */
export interface FloatBits {
  readonly high: number
  readonly low: number
}

export class XorValue {
  #high = 0
  #low = 0
  #leading = -1
  #trailing = 0

  /** The first value stands in full. */
  writeFirst(out: BitWriter, value: FloatBits): void {
    this.#high = value.high
    this.#low = value.low
    out.write64(value.high, value.low)
  }

  write(out: BitWriter, value: FloatBits): void {
    const high = (value.high ^ this.#high) >>> 0
    const low = (value.low ^ this.#low) >>> 0
    this.#high = value.high
    this.#low = value.low
    if (high === 0 && low === 0) {
      out.write(0, 1)
      return
    }
    const leading = Math.min(LEADING_MAX, high === 0 ? 32 + Math.clz32(low) : Math.clz32(high))
    const trailing = low === 0 ? 32 + trailingZeros(high) : trailingZeros(low)
    if (this.#leading >= 0 && leading >= this.#leading && trailing >= this.#trailing) {
      out.write(0b10, 2)
    } else {
      this.#leading = leading
      this.#trailing = trailing
      out.write(0b11, 2)
      out.write(leading, 5)
      out.write((64 - leading - trailing) & 63, 6)
    }
    writeShifted(out, high, low, this.#trailing, 64 - this.#leading - this.#trailing)
  }

  readFirst(from: BitReader): FloatBits {
    this.#high = from.read(32)
    this.#low = from.read(32)
    return { high: this.#high, low: this.#low }
  }

  /** @throws {RangeError} for a window that cannot be. */
  read(from: BitReader): FloatBits {
    if (from.read(1) === 1) {
      if (from.read(1) === 1) {
        this.#leading = from.read(5)
        const length = from.read(6) || 64
        this.#trailing = 64 - this.#leading - length
        if (this.#trailing < 0) throw new RangeError(`a difference of ${length} bits after ${this.#leading} zeros`)
      } else if (this.#leading < 0) {
        throw new RangeError('a difference without a window')
      }
      const length = 64 - this.#leading - this.#trailing
      const high = length > 32 ? from.read(length - 32) : 0
      const low = from.read(Math.min(length, 32))
      const [shiftedHigh, shiftedLow] = shiftLeft(high, low, this.#trailing)
      this.#high = (this.#high ^ shiftedHigh) >>> 0
      this.#low = (this.#low ^ shiftedLow) >>> 0
    }
    return { high: this.#high, low: this.#low }
  }
}

export const STALE_BITS: FloatBits = { high: STALE_HIGH, low: STALE_LOW }

export function isStale(bits: FloatBits): boolean {
  return bits.high === STALE_HIGH && bits.low === STALE_LOW
}

const SCRATCH = new DataView(new ArrayBuffer(8))

export function bitsOf(value: number): FloatBits {
  SCRATCH.setFloat64(0, value)
  return { high: SCRATCH.getUint32(0), low: SCRATCH.getUint32(4) }
}

export function numberOf(bits: FloatBits): number {
  SCRATCH.setUint32(0, bits.high)
  SCRATCH.setUint32(4, bits.low)
  return SCRATCH.getFloat64(0)
}

function trailingZeros(value: number): number {
  return 31 - Math.clz32(value & -value)
}

function writeShifted(out: BitWriter, high: number, low: number, shift: number, count: number): void {
  if (shift >= 32) out.write64(0, high >>> (shift - 32), count)
  else if (shift === 0) out.write64(high, low, count)
  else out.write64(high >>> shift, ((low >>> shift) | (high << (32 - shift))) >>> 0, count)
}

function shiftLeft(high: number, low: number, shift: number): [high: number, low: number] {
  if (shift === 0) return [high, low]
  if (shift >= 32) return [(low << (shift - 32)) >>> 0, 0]
  return [((high << shift) | (low >>> (32 - shift))) >>> 0, (low << shift) >>> 0]
}
