/**
 * Whole numbers in a few bits, with steps chosen for the second differences of bucket counts.
 *
 *     0                     0
 *     10       +  3 bits    [-3, 4]          unsigned: below 2^3
 *     110      +  6 bits    [-31, 32]                  below 2^6
 *     1110     +  9 bits    [-255, 256]                below 2^9
 *     11110    + 12 bits    [-2047, 2048]              below 2^12
 *     111110   + 18 bits    [-131071, 131072]          below 2^18
 *     1111110  + 25 bits    [-2^24 + 1, 2^24]          below 2^25
 *     11111110 + 56 bits    [-2^55 + 1, 2^55]          below 2^56
 *     11111111 + 64 bits    any other
 *
 * The signed ranges hold one more positive number than two's complement would: a decoder subtracts 2^n only from what is
 * greater than 2^(n-1). Source: Prometheus, tsdb/docs/format/chunks.md (varbit_int, varbit_uint).
 */
import { type BitReader, type BitWriter, writeBits } from '@varve/gorilla-codec'

const WIDTHS = [0, 3, 6, 9, 12, 18, 25, 56, 64] as const
const TWO_32 = 0x100000000

export function writeVarbitInt(out: BitWriter, value: number): void {
  const step = WIDTHS.findIndex((width) => {
    if (width === 0) return value === 0
    const half = 2 ** (width - 1)
    return width === 64 || (value >= 1 - half && value <= half)
  })
  writeStep(out, step, value)
}

/** `value` is not negative. */
export function writeVarbitUint(out: BitWriter, value: number): void {
  const step = WIDTHS.findIndex((width) => (width === 0 ? value === 0 : width === 64 || value < 2 ** width))
  writeStep(out, step, value)
}

export function readVarbitInt(from: BitReader): number {
  const width = readWidth(from)
  if (width === 0) return 0
  if (width <= 32) {
    const value = from.bits(width)
    return value > 2 ** (width - 1) ? value - 2 ** width : value
  }
  const high = from.bits(width - 32)
  const low = from.bits(32)
  // The sign is taken off the high half: so a small negative number stays exact.
  const highWidth = width - 32
  const negative = high > 2 ** (highWidth - 1) || (high === 2 ** (highWidth - 1) && (low > 0 || width === 64))
  return (negative ? high - 2 ** highWidth : high) * TWO_32 + low
}

export function readVarbitUint(from: BitReader): number {
  const width = readWidth(from)
  return width === 0 ? 0 : readUnsigned(from, width)
}

function writeStep(out: BitWriter, step: number, value: number): void {
  if (step === 8) writeBits(out, 0xff, 8)
  else writeBits(out, 2 ** (step + 1) - 2, step + 1)
  // Two's complement halves of a number within ±2^53.
  const width = WIDTHS[step]
  if (width > 32) writeBits(out, lowBits(Math.floor(value / TWO_32), width - 32), width - 32)
  if (width > 0) writeBits(out, lowBits(value, Math.min(width, 32)), Math.min(width, 32))
}

function lowBits(value: number, count: number): number {
  return count === 32 ? value >>> 0 : (value & ((1 << count) - 1)) >>> 0
}

function readWidth(from: BitReader): number {
  return WIDTHS[from.ones(8)]
}

function readUnsigned(from: BitReader, width: number): number {
  if (width <= 32) return from.bits(width)
  return from.bits(width - 32) * TWO_32 + from.bits(32)
}
