/**
 * Numbers of one width, side by side, lowest bit first: number i takes bits [i * width, (i + 1) * width) of the run, and
 * bit b of the run is bit b mod 8 of byte b div 8. The last byte is filled up with zeros.
 *
 * Bytes: docs/formats/chunk.md, "Packed run". Rust twin: native/codec/src/bit_packing.rs.
 */
import { UNPACK } from './generated/unpack.js'
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

/** The widest numbers that `unpackNarrow` takes. */
export const NARROW_WIDTH_MAX = 24

/** Unpacks `count` numbers of up to 24 bits into `out[0, count)`; up to 7 slots behind them may be overwritten. */
export function unpackNarrow(bytes: Uint8Array, at: number, count: number, width: number, out: Int32Array): void {
  if (width === 0) {
    out.fill(0, 0, count)
    return
  }
  const groups = count >>> 3
  UNPACK[width](bytes, at, groups, out)
  at += groups * width
  const mask = (1 << width) - 1
  let held = 0
  let heldBits = 0
  for (let index = groups << 3; index < count; index++) {
    while (heldBits < width) {
      held |= bytes[at++] << heldBits
      heldBits += 8
    }
    out[index] = held & mask
    held >>>= width
    heldBits -= width
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
  if (width === 0) {
    low.fill(0, 0, count)
    high.fill(0, 0, count)
    return
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const lowMask = width < 32 ? (1 << width) - 1 : -1
  const highMask = width <= 32 ? 0 : width < 64 ? (1 << (width - 32)) - 1 : -1
  // A number is cut out of 9 bytes; near the end of the buffer they are put together one by one.
  const wholeMax = bytes.length - 9
  for (let index = 0, bit = 0; index < count; index++, bit += width) {
    const start = at + (bit >>> 3)
    const shift = bit & 7
    let lower: number
    let upper: number
    let above: number
    if (start <= wholeMax) {
      lower = view.getInt32(start, true)
      upper = view.getInt32(start + 4, true)
      above = bytes[start + 8]
    } else {
      lower = wordNearEnd(bytes, start)
      upper = wordNearEnd(bytes, start + 4)
      above = start + 8 < bytes.length ? bytes[start + 8] : 0
    }
    if (shift !== 0) {
      lower = (lower >>> shift) | (upper << (32 - shift))
      upper = (upper >>> shift) | (above << (32 - shift))
    }
    low[index] = lower & lowMask
    high[index] = upper & highMask
  }
}

/** Four bytes, lowest first; those beyond the end are zero. */
function wordNearEnd(bytes: Uint8Array, at: number): number {
  let word = 0
  for (let index = 0; index < 4 && at + index < bytes.length; index++) word |= bytes[at + index] << (8 * index)
  return word
}
