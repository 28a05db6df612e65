/**
 * Numbers of one width, side by side, lowest bit first: number i takes bits [i * width, (i + 1) * width) of the run, and
 * bit b of the run is bit b mod 8 of byte b div 8. The last byte is filled up with zeros.
 *
 * Bytes: docs/formats/chunk.md, "Packed run". Rust twin: native/codec/src/bit_packing.rs.
 */
import { POWERS_OF_TWO } from './limits.js'

/** How many bytes `count` numbers of `width` bits take. */
export function packedSize(count: number, width: number): number {
  return Math.ceil((count * width) / 8)
}

/** Packs `numbers[0, count)`, integers in [0, 2^width) with width at most 53, and returns the next offset. */
export function packNumbers(numbers: Float64Array, count: number, width: number, out: Uint8Array, at: number): number {
  let held = 0
  let heldBits = 0
  if (width <= 24) {
    for (let index = 0; index < count; index++) {
      held |= numbers[index] << heldBits
      heldBits += width
      while (heldBits >= 8) {
        out[at++] = held
        held >>>= 8
        heldBits -= 8
      }
    }
  } else {
    for (let index = 0; index < count; index++) {
      let rest = numbers[index]
      for (let left = width; left > 0; left -= 24) {
        // 24 bits at a time: with the at most 7 bits held they fit into 31.
        const above = Math.floor(rest / 16777216)
        held |= (rest - above * 16777216) << heldBits
        heldBits += left < 24 ? left : 24
        rest = above
        while (heldBits >= 8) {
          out[at++] = held
          held >>>= 8
          heldBits -= 8
        }
      }
    }
  }
  if (heldBits > 0) out[at++] = held
  return at
}

/** Packs the low `width` bits of 64-bit numbers given as halves. */
export function packHalves(
  low: Uint32Array,
  high: Uint32Array,
  count: number,
  width: number,
  out: Uint8Array,
  at: number,
): number {
  let held = 0
  let heldBits = 0
  for (let index = 0; index < count; index++) {
    let left = width
    for (let half = 0; left > 0; half++) {
      const word = half === 0 ? low[index] : high[index]
      const wordBits = left < 32 ? left : 32
      for (let from = 0; from < wordBits; from += 16) {
        const partBits = wordBits - from < 16 ? wordBits - from : 16
        held |= ((word >>> from) & ((1 << partBits) - 1)) << heldBits
        heldBits += partBits
        while (heldBits >= 8) {
          out[at++] = held
          held >>>= 8
          heldBits -= 8
        }
      }
      left -= wordBits
    }
  }
  if (heldBits > 0) out[at++] = held
  return at
}

/**
 * Unpacks `count` numbers of up to 53 bits into `out[outOffset, outOffset + count)`.
 *
 * Bounds: the caller has checked that the run lies inside the bytes; nothing beyond it is read.
 */
export function unpackNumbers(
  bytes: Uint8Array,
  at: number,
  count: number,
  width: number,
  out: Float64Array,
  outOffset: number,
): void {
  const outEnd = outOffset + count
  if (width === 0) {
    out.fill(0, outOffset, outEnd)
    return
  }
  let held = 0
  let heldBits = 0
  if (width <= 24) {
    const mask = (1 << width) - 1
    for (let index = outOffset; index < outEnd; index++) {
      while (heldBits < width) {
        held |= bytes[at++] << heldBits
        heldBits += 8
      }
      out[index] = held & mask
      held >>>= width
      heldBits -= width
    }
    return
  }
  for (let index = outOffset; index < outEnd; index++) {
    let number = 0
    for (let have = 0; have < width; have += 24) {
      const want = width - have < 24 ? width - have : 24
      while (heldBits < want) {
        held |= bytes[at++] << heldBits
        heldBits += 8
      }
      number += (held & ((1 << want) - 1)) * POWERS_OF_TWO[have]
      held >>>= want
      heldBits -= want
    }
    out[index] = number
  }
}

/** Unpacks 64-bit numbers into halves, `low[0, count)` and `high[0, count)`. */
export function unpackHalves(
  bytes: Uint8Array,
  at: number,
  count: number,
  width: number,
  low: Uint32Array,
  high: Uint32Array,
): void {
  let held = 0
  let heldBits = 0
  for (let index = 0; index < count; index++) {
    low[index] = 0
    high[index] = 0
    for (let have = 0; have < width; have += 16) {
      const want = width - have < 16 ? width - have : 16
      while (heldBits < want) {
        held |= bytes[at++] << heldBits
        heldBits += 8
      }
      const part = held & ((1 << want) - 1)
      if (have < 32) low[index] |= part << have
      else high[index] |= part << (have - 32)
      held >>>= want
      heldBits -= want
    }
  }
}
