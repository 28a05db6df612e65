/** Float64 bits in two halves: a staleness marker would not survive as a plain number. */
import { type BitReader, type BitWriter, writeBits } from '@varve/gorilla-codec'
import { STALE_HIGH, STALE_LOW } from '@varve/tsdb-core/model'

/** Either half may come as a negative number of the same 32 bits. */
export interface FloatBits {
  readonly high: number
  readonly low: number
}

export const STALE_BITS: FloatBits = { high: STALE_HIGH, low: STALE_LOW }

export function isStale(bits: FloatBits): boolean {
  return bits.high >>> 0 === STALE_HIGH && bits.low >>> 0 === STALE_LOW
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

export function writeFloatBits(out: BitWriter, { high, low }: FloatBits): void {
  writeBits(out, high, 32)
  writeBits(out, low, 32)
}

export function readFloatBits(from: BitReader): FloatBits {
  const high = from.bits(32)
  return { high, low: from.bits(32) }
}
