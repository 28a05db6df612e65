/**
 * A run of float64 bit patterns b[0..count) as differences x[i] = b[i] xor b[i-1], for values that are no decimals.
 *
 * Neighbours share sign, exponent and the first bits of the mantissa, so x has leading zeros; all x together may share
 * trailing ones' absence, which is shifted out once. What is left is packed at one width, the wider ones patched.
 *
 *     first            8 bytes, lowest first
 *     shift byte       zeros that every x ends with, 0..63
 *     width byte       bits of a low, 0..64
 *     form byte        form of the patch positions, as in packed-integers.ts
 *     patch count      varint  \
 *     patch width      byte     } if there are patches
 *     lows             packed run, for i from 1
 *     patch positions  list or bitmap
 *     patches          packed run: the bits of x above shift + width
 *
 * Rust twin: native/codec/src/packed_xor.rs.
 */
import { packedSize, packHalves, unpackHalves } from './bit-packing.js'
import { bitWidth } from './bit-width.js'
import { type ByteReader, corrupt } from './byte-reader.js'
import { writeUint32, writeVarint } from './byte-writer.js'
import { HIGH, halvesOf, LOW } from './float-halves.js'
import { PATCHES_BITMAP, PATCHES_LIST, PATCHES_NONE } from './integer-plan.js'
import { readPositions, writePositions } from './positions.js'
import { scratchNumbers, scratchWords } from './scratch.js'

const HISTOGRAM = new Uint32Array(65)

/** What `prepareXor` chose, for `packXor`. */
const PLAN = { count: 0, shift: 0, width: 0, patchForm: PATCHES_NONE, patchCount: 0, patchWidth: 0 }

/** Plans `values[from, to)` and returns the size that `packXor` will take, at most 8 bytes too much. Uses word columns 0 and 1. */
export function prepareXor(values: Float64Array, from: number, to: number): number {
  const low = scratchWords(0)
  const high = scratchWords(1)
  const halves = halvesOf(values)
  const length = to - from - 1
  let anyLow = 0
  let anyHigh = 0
  HISTOGRAM.fill(0)
  for (let index = 0; index < length; index++) {
    const at = 2 * (from + index)
    const xorLow = (halves[at + LOW] ^ halves[at + 2 + LOW]) >>> 0
    const xorHigh = (halves[at + HIGH] ^ halves[at + 2 + HIGH]) >>> 0
    low[index] = xorLow
    high[index] = xorHigh
    anyLow |= xorLow
    anyHigh |= xorHigh
    HISTOGRAM[widthOf(xorLow, xorHigh)]++
  }
  const widest = widthOf(anyLow, anyHigh)
  PLAN.count = to - from
  PLAN.shift = widest === 0 ? 0 : anyLow !== 0 ? trailingZeros(anyLow) : 32 + trailingZeros(anyHigh)
  choose(widest - PLAN.shift, length)
  shiftRight(low, high, length, PLAN.shift)
  return 8 + 3 + 4 + packedSize(length, PLAN.width) + patchesSize(length) + packedSize(PLAN.patchCount, PLAN.patchWidth)
}

/** Writes what `prepareXor` planned last, for the same values. Overwrites word columns 0 to 3. */
export function packXor(values: Float64Array, from: number, out: Uint8Array, at: number): number {
  const { count, shift, width, patchForm, patchCount, patchWidth } = PLAN
  const halves = halvesOf(values)
  const length = count - 1
  at = writeUint32(out, at, halves[2 * from + LOW])
  at = writeUint32(out, at, halves[2 * from + HIGH])
  out[at++] = shift
  out[at++] = width
  out[at++] = patchForm
  const low = scratchWords(0)
  const high = scratchWords(1)
  if (patchForm === PATCHES_NONE) return packHalves(low, high, length, width, out, at)
  at = writeVarint(out, at, patchCount)
  out[at++] = patchWidth
  at = packHalves(low, high, length, width, out, at)
  const positions = scratchNumbers(3)
  const patchLow = scratchWords(2)
  const patchHigh = scratchWords(3)
  let found = 0
  for (let index = 0; index < length; index++) {
    if (widthOf(low[index], high[index]) <= width) continue
    positions[found] = index
    patchLow[found] = low[index]
    patchHigh[found++] = high[index]
  }
  shiftRight(patchLow, patchHigh, found, width)
  at = writePositions(positions, found, length, patchForm === PATCHES_BITMAP, out, at)
  return packHalves(patchLow, patchHigh, found, patchWidth, out, at)
}

/**
 * Reads `count` values into `out`; bits arrive as they were written, NaN payloads included.
 *
 * @throws {CodecError} `TRUNCATED` or `CORRUPT_CHUNK`, at the field that is wrong; the column is then undefined.
 */
export function unpackXor(reader: ByteReader, count: number, out: Float64Array, outOffset: number): void {
  const firstAt = reader.skip(8)
  const { bytes } = reader
  let start = reader.at
  const shift = reader.byte()
  if (shift > 63) throw corrupt(start, 'a shift of at most 63 bits')
  start = reader.at
  const width = reader.byte()
  if (shift + width > 64) throw corrupt(start, 'shift and width within 64 bits')
  start = reader.at
  const patchForm = reader.byte()
  if (patchForm > PATCHES_BITMAP) throw corrupt(start, 'a form of patch positions')
  const length = count - 1
  let patchCount = 0
  let patchWidth = 0
  if (patchForm !== PATCHES_NONE) {
    start = reader.at
    patchCount = reader.varint()
    if (patchCount < 1 || patchCount > length) throw corrupt(start, 'a patch count in [1, numbers]')
    start = reader.at
    patchWidth = reader.byte()
    if (shift + width + patchWidth > 64) throw corrupt(start, 'shift and widths within 64 bits')
  }
  const lowsAt = reader.skip(packedSize(length, width))
  const low = scratchWords(0)
  const high = scratchWords(1)
  unpackHalves(bytes, lowsAt, length, width, low, high)
  if (patchForm !== PATCHES_NONE) {
    const positions = readPositions(reader, patchCount, length, patchForm === PATCHES_BITMAP)
    const patchesAt = reader.skip(packedSize(patchCount, patchWidth))
    const patchLow = scratchWords(2)
    const patchHigh = scratchWords(3)
    unpackHalves(bytes, patchesAt, patchCount, patchWidth, patchLow, patchHigh)
    shiftLeft(patchLow, patchHigh, patchCount, width)
    for (let index = 0; index < patchCount; index++) {
      low[positions[index]] |= patchLow[index]
      high[positions[index]] |= patchHigh[index]
    }
  }
  shiftLeft(low, high, length, shift)
  const halves = halvesOf(out)
  let previousLow = word(bytes, firstAt)
  let previousHigh = word(bytes, firstAt + 4)
  halves[2 * outOffset + LOW] = previousLow
  halves[2 * outOffset + HIGH] = previousHigh
  for (let index = 0; index < length; index++) {
    const at = 2 * (outOffset + 1 + index)
    previousLow ^= low[index]
    previousHigh ^= high[index]
    halves[at + LOW] = previousLow
    halves[at + HIGH] = previousHigh
  }
}

/** Chooses width and patches for differences of at most `widest` bits, whose histogram is still unshifted. */
function choose(widest: number, length: number): void {
  const positionBits = length > 0 ? bitWidth(length - 1) : 0
  let best = Number.POSITIVE_INFINITY
  let inside = HISTOGRAM[0]
  for (let width = 0; width <= widest; width++) {
    if (width > 0) inside += HISTOGRAM[width + PLAN.shift]
    const patchCount = length - inside
    let costBits = length * width
    if (patchCount > 0) costBits += 24 + Math.min(patchCount * positionBits, length) + patchCount * (widest - width)
    if (costBits >= best) continue
    best = costBits
    PLAN.width = width
    PLAN.patchCount = patchCount
    PLAN.patchWidth = patchCount > 0 ? widest - width : 0
    PLAN.patchForm =
      patchCount === 0 ? PATCHES_NONE : patchCount * positionBits <= length ? PATCHES_LIST : PATCHES_BITMAP
  }
}

function patchesSize(length: number): number {
  if (PLAN.patchForm === PATCHES_NONE) return 0
  return PLAN.patchForm === PATCHES_BITMAP ? packedSize(length, 1) : packedSize(PLAN.patchCount, bitWidth(length - 1))
}

function widthOf(low: number, high: number): number {
  return high !== 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(low)
}

function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word)
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
}

function shiftRight(low: Uint32Array, high: Uint32Array, count: number, bits: number): void {
  if (bits === 0) return
  for (let index = 0; index < count; index++) {
    if (bits < 32) {
      low[index] = (low[index] >>> bits) | (high[index] << (32 - bits))
      high[index] >>>= bits
    } else {
      low[index] = bits < 64 ? high[index] >>> (bits - 32) : 0
      high[index] = 0
    }
  }
}

function shiftLeft(low: Uint32Array, high: Uint32Array, count: number, bits: number): void {
  if (bits === 0) return
  for (let index = 0; index < count; index++) {
    if (bits < 32) {
      high[index] = (high[index] << bits) | (low[index] >>> (32 - bits))
      low[index] <<= bits
    } else {
      high[index] = bits < 64 ? low[index] << (bits - 32) : 0
      low[index] = 0
    }
  }
}
