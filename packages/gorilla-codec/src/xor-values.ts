/**
 * Float64 values as the paper and Prometheus write them: each xor-ed with the one before.
 *
 *     0                                        the same bits
 *     10 + bits                                the meaningful bits of the window before, which stays
 *     11 + 5 bits leading zeros + 6 bits length + bits    a new window; leading zeros stop at 31, length 64 is written 0
 *
 * Source: Pelkonen et al., "Gorilla" (VLDB 2015), section 4.1.2; Prometheus' tsdb/docs/format/chunks.md.
 * Rust twin: native/codec/src/xor_values.rs.
 */
import type { BitReader } from './bit-reader.js'
import { type BitWriter, writeBits } from './bit-writer.js'
import { CodecError } from './errors.js'

/** What encoder and decoder remember between two values. */
export interface XorState {
  low: number
  high: number
  leading: number
  trailing: number
}

/** A leading count that no window has: the first difference always opens one. */
const NO_WINDOW = 65

export const newXorEncoderState = (): XorState => ({ low: 0, high: 0, leading: NO_WINDOW, trailing: 0 })
/** A decoder that is told to reuse a window before there is one takes all 64 bits, as Prometheus' does. */
export const newXorDecoderState = (): XorState => ({ low: 0, high: 0, leading: 0, trailing: 0 })

/**
 * Appends `zeros` zero bits (a delta-of-delta of 0 is one) and then the value with these halves; moves `state` on. At most 77
 * bits behind the zeros. Most samples need nothing else, so that they are one write or two.
 */
export function appendXorValue(writer: BitWriter, state: XorState, zeros: number, low: number, high: number): void {
  const xorLow = low ^ state.low
  const xorHigh = high ^ state.high
  if ((xorLow | xorHigh) === 0) {
    writeBits(writer, 0, zeros + 1)
    return
  }
  state.low = low
  state.high = high
  let leading = xorHigh !== 0 ? Math.clz32(xorHigh) : 32
  if (leading > 31) leading = 31
  const trailing = xorLow !== 0 ? 31 - Math.clz32(xorLow & -xorLow) : 63 - Math.clz32(xorHigh & -xorHigh)
  if (leading >= state.leading && trailing >= state.trailing) {
    writeBits(writer, 2, zeros + 2)
    writeWindow(writer, xorLow, xorHigh, state.trailing, 64 - state.leading - state.trailing)
    return
  }
  state.leading = leading
  state.trailing = trailing
  const length = 64 - leading - trailing
  writeBits(writer, (3 << 11) | (leading << 6) | (length & 63), zeros + 13)
  writeWindow(writer, xorLow, xorHigh, trailing, length)
}

function writeWindow(writer: BitWriter, low: number, high: number, trailing: number, length: number): void {
  let lower: number
  let upper: number
  if (trailing >= 32) {
    lower = high >>> (trailing - 32)
    upper = 0
  } else {
    lower = trailing === 0 ? low : (low >>> trailing) | (high << (32 - trailing))
    upper = high >>> trailing
  }
  if (length > 32) {
    writeBits(writer, upper, length - 32)
    writeBits(writer, lower, 32)
  } else writeBits(writer, lower, length)
}

/** Reads the next value into `state.low` and `state.high`. */
export function readXorValue(reader: BitReader, state: XorState): void {
  if (reader.bit() === 0) return
  if (reader.bit() === 1) {
    const start = reader.position
    const window = reader.bits(11)
    const length = (window & 63) === 0 ? 64 : window & 63
    state.leading = window >>> 6
    state.trailing = 64 - state.leading - length
    if (state.trailing < 0) {
      const message = `bit ${start} of the chunk: a window of ${length} bits behind ${state.leading} zeros, wanted 64 in all`
      throw new CodecError('CORRUPT_CHUNK', message, start)
    }
  }
  const length = 64 - state.leading - state.trailing
  const upper = length > 32 ? reader.bits(length - 32) : 0
  const lower = reader.bits(length > 32 ? 32 : length)
  const { trailing } = state
  if (trailing >= 32) state.high ^= lower << (trailing - 32)
  else if (trailing === 0) {
    state.low ^= lower
    state.high ^= upper
  } else {
    state.low ^= lower << trailing
    state.high ^= (upper << trailing) | (lower >>> (32 - trailing))
  }
}
