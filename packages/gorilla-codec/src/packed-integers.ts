/**
 * A run of integers n[0..count), as sealed columns store them: n[0] is the column's business, the rest is
 * `n[i] = n[0] + divisor * m[i]`. The divisor is the column's business too; m is packed by the plan of integer-plan.ts.
 *
 *     flags byte       bits 0-1 transform, 2-3 form of the patch positions, 4 patches are signed
 *     width byte       bits of a low, 0..52
 *     base             signed varint
 *     first delta      signed varint, with transform 2 alone
 *     patch count      varint  \
 *     patch width      byte     } if there are patches
 *     lows             packed run
 *     patch positions  packed run (list, as wide as the last position), or one bit for each low (bitmap)
 *     patches          packed run
 *
 * Bytes: docs/formats/chunk.md, "Packed integers". Rust twin: native/codec/src/packed_integers.rs.
 */
import { NARROW_WIDTH_MAX, packedSize, packNumbers, unpackNarrow, unpackNumbers } from './bit-packing.js'
import { bitWidth } from './bit-width.js'
import { type ByteReader, corrupt } from './byte-reader.js'
import { writeSignedVarint, writeVarint } from './byte-writer.js'
import {
  type IntegerPlan,
  newIntegerPlan,
  PATCHES_BITMAP,
  PATCHES_NONE,
  planIntegers,
  planIntegersLightly,
  TRANSFORM_DELTA,
  TRANSFORM_DELTA2,
} from './integer-plan.js'
import { invariant } from './invariant.js'
import { POWERS_OF_TWO, SCALED_MAX } from './limits.js'
import { readPositions, writePositions } from './positions.js'
import { scratchNarrow, scratchNumbers } from './scratch.js'

/** The header's fields at their longest: flags, widths, base, first delta, patch count. */
export const PACKED_INTEGERS_HEADER_SIZE_MAX = 3 + 9 + 9 + 3

const SIGNED_PATCHES = 1 << 4
const WIDTH_MAX = 52
const PATCH_WIDTH_MAX = 53
/** Divisor, width and patch width together, in bits: products of a hostile header then stay below 2^62. */
const PRODUCT_BITS_MAX = 60
/** Sums that stay below this fit into signed 32 bits. */
const NARROW_REACH = 2 ** 31
/** Differences of scaled values stay below this, and so does their greatest common divisor. */
export const DIFFERENCE_MAX = 2 ** 52

const PLAN: IntegerPlan = newIntegerPlan()

/** How long the encoder searches for small bytes. All of them are read alike. */
export type Effort = 'full' | 'light'

/** The size that `packIntegers` will take, within a few bytes; integers[0, count) are left as multiples of `divisor`. */
export interface PreparedIntegers {
  divisor: number
  firstDelta: number
  /** How many residuals stand in the residual column. */
  length: number
  sizeBytes: number
}

const PREPARED: PreparedIntegers = { divisor: 1, firstDelta: 0, length: 0, sizeBytes: 0 }

/**
 * Plans `integers[0, count)`, which it turns into m; `packPrepared` then writes what was planned. Two steps, so that a
 * column can compare sizes before anything is written. Uses the scratch number columns 1 and 2.
 */
export function prepareIntegers(integers: Float64Array, count: number, effort: Effort = 'full'): PreparedIntegers {
  if (effort === 'light' && count >= 2 && planIntegersLightly(integers, count, scratchNumbers(1), PLAN)) {
    PREPARED.divisor = 1
    PREPARED.firstDelta = 0
    PREPARED.length = count - 1
    PREPARED.sizeBytes = PACKED_INTEGERS_HEADER_SIZE_MAX + Math.ceil(PLAN.costBits / 8)
    return PREPARED
  }
  const divisor = divideOut(integers, count)
  PREPARED.divisor = divisor
  if (count < 2 || divisor === 0) {
    PREPARED.divisor = 1
    PREPARED.length = 0
    PREPARED.firstDelta = 0
    PREPARED.sizeBytes = 3
    PLAN.transform = 0
    PLAN.width = 0
    PLAN.base = 0
    PLAN.patchForm = PATCHES_NONE
    PLAN.patchesSigned = false
    PLAN.patchCount = 0
    // All equal: the lows take no bits, but there are as many.
    if (count > 1) {
      scratchNumbers(1).fill(0, 0, count - 1)
      PREPARED.length = count - 1
    }
    return PREPARED
  }
  PREPARED.length = planIntegers(integers, count, scratchNumbers(1), scratchNumbers(2), PLAN)
  PREPARED.firstDelta = PLAN.transform === TRANSFORM_DELTA2 ? integers[1] : 0
  PREPARED.sizeBytes = PACKED_INTEGERS_HEADER_SIZE_MAX + Math.ceil(PLAN.costBits / 8)
  return PREPARED
}

/** Writes what `prepareIntegers` planned last; returns the next offset. */
export function packPrepared(out: Uint8Array, at: number): number {
  const { transform, base, width, patchForm, patchesSigned, patchWidth, patchCount } = PLAN
  const { length } = PREPARED
  out[at++] = transform | (patchForm << 2) | (patchesSigned ? SIGNED_PATCHES : 0)
  out[at++] = width
  at = writeSignedVarint(out, at, base)
  if (transform === TRANSFORM_DELTA2) at = writeSignedVarint(out, at, PREPARED.firstDelta)
  const residuals = scratchNumbers(1)
  if (patchForm === PATCHES_NONE) {
    for (let index = 0; index < length; index++) residuals[index] -= base
    return packNumbers(residuals, length, width, out, at)
  }
  at = writeVarint(out, at, patchCount)
  out[at++] = patchWidth
  const patches = scratchNumbers(2)
  const positions = scratchNumbers(3)
  const unit = POWERS_OF_TWO[width]
  let found = 0
  for (let index = 0; index < length; index++) {
    const distance = residuals[index] - base
    if (distance >= 0 && distance < unit) {
      residuals[index] = distance
      continue
    }
    const above = Math.floor(distance / unit)
    residuals[index] = distance - above * unit
    positions[found] = index
    patches[found++] = patchesSigned ? (above > 0 ? 2 * above - 1 : -2 * above - 2) : above - 1
  }
  invariant(found === patchCount, 'the plan counted the patches', found, patchCount)
  at = packNumbers(residuals, length, width, out, at)
  at = writePositions(positions, patchCount, length, patchForm === PATCHES_BITMAP, out, at)
  return packNumbers(patches, patchCount, patchWidth, out, at)
}

/**
 * Reads a run of `count` integers that begins with `first`, divides them by `power` and writes them to
 * `out[outOffset, outOffset + count)`; with `from` and `to` only those, to `out[outOffset, outOffset + to - from)`.
 *
 * The caller has checked that `divisor` is in [1, 2^52]; `power` is a power of ten. Uses the scratch number column 0 where a
 * part is wanted.
 *
 * @throws {CodecError} `TRUNCATED` or `CORRUPT_CHUNK`, at the field that is wrong; the column is then undefined.
 */
export function unpackIntegers(
  reader: ByteReader,
  first: number,
  divisor: number,
  power: number,
  count: number,
  out: Float64Array,
  outOffset: number,
  from = 0,
  to = count,
): void {
  const start = reader.at
  const flags = reader.byte()
  const transform = flags & 3
  const patchForm = (flags >>> 2) & 3
  if (flags >= 32 || transform > TRANSFORM_DELTA2 || patchForm > PATCHES_BITMAP) {
    throw corrupt(start, 'flags of packed integers')
  }
  if (patchForm === PATCHES_NONE && flags & SIGNED_PATCHES) throw corrupt(start, 'flags of packed integers')
  const length = transform === TRANSFORM_DELTA2 ? count - 2 : count - 1
  if (length < 0) throw corrupt(start, 'a transform that suits the count')
  const width = reader.byte()
  if (width > WIDTH_MAX) throw corrupt(start + 1, 'a width of at most 52 bits')
  const divisorBits = bitWidth(divisor)
  let at = reader.at
  const base = reader.signedVarint()
  if (divisorBits + bitWidth(Math.abs(base)) > PRODUCT_BITS_MAX || Math.abs(base) > DIFFERENCE_MAX) {
    throw corrupt(at, 'a base within ±2^52')
  }
  at = reader.at
  const firstDelta = transform === TRANSFORM_DELTA2 ? reader.signedVarint() : 0
  if (divisorBits + bitWidth(Math.abs(firstDelta)) > PRODUCT_BITS_MAX || Math.abs(firstDelta) > DIFFERENCE_MAX) {
    throw corrupt(at, 'a first delta within ±2^52')
  }
  let patchCount = 0
  let patchWidth = 0
  if (patchForm !== PATCHES_NONE) {
    at = reader.at
    patchCount = reader.varint()
    if (patchCount < 1 || patchCount > length) throw corrupt(at, 'a patch count in [1, numbers]')
    at = reader.at
    patchWidth = reader.byte()
    if (patchWidth > PATCH_WIDTH_MAX) throw corrupt(at, 'a patch width of at most 53 bits')
  }
  if (divisorBits + width + patchWidth > PRODUCT_BITS_MAX) throw corrupt(start + 1, 'widths that fit into 60 bits')

  const lowsAt = reader.skip(packedSize(length, width))
  const { bytes } = reader
  // A patch is at most 2^patchWidth, and a low comes on top of it.
  const step =
    Math.abs(base) + POWERS_OF_TWO[width + patchWidth] + (patchForm === PATCHES_NONE ? 0 : POWERS_OF_TWO[width])
  const reach = transform === TRANSFORM_DELTA2 ? (Math.abs(firstDelta) + step * length) * count : step * count
  const isNarrow = reach < NARROW_REACH && Math.abs(first) + divisor * reach <= SCALED_MAX
  const isExact = step < NARROW_REACH && Math.abs(first) + divisor * reach <= SCALED_MAX
  if (width <= NARROW_WIDTH_MAX && (isNarrow || isExact)) {
    // No number can leave the range, so none is checked, and where all sums fit into 32 bits they are sums of integers.
    const lows = scratchNarrow()
    // Numbers behind those wanted are not looked at; patches of them go to where nobody reads.
    unpackNarrow(bytes, lowsAt, to < length ? to : length, width, lows)
    if (patchForm !== PATCHES_NONE) {
      const positions = readPositions(reader, patchCount, length, patchForm === PATCHES_BITMAP)
      const patchesAt = reader.skip(packedSize(patchCount, patchWidth))
      patchNarrow(bytes, patchesAt, patchCount, patchWidth, flags, width, positions, lows)
    }
    if (from === to) return
    if (transform === TRANSFORM_DELTA2) {
      const sum = isNarrow ? narrowDeltas2 : exactDeltas2
      sum(lows, base, first, firstDelta, divisor, power, out, outOffset, from, to)
    } else if (transform === TRANSFORM_DELTA) {
      const sum = isNarrow ? narrowDeltas : exactDeltas
      sum(lows, base, first, divisor, power, out, outOffset, from, to)
    } else narrowBase(lows, base, first, divisor, power, out, outOffset, from, to)
    return
  }
  if (to - from < count) {
    // Wide numbers are rare: all of them, and then those that are wanted.
    const whole = scratchNumbers(0)
    reader.at = start
    unpackIntegers(reader, first, divisor, power, count, whole, 0)
    out.set(whole.subarray(from, to), outOffset)
    return
  }
  const lowsOffset = outOffset + count - length
  unpackNumbers(bytes, lowsAt, length, width, out, lowsOffset)
  if (patchForm !== PATCHES_NONE) {
    const positions = readPositions(reader, patchCount, length, patchForm === PATCHES_BITMAP)
    const patchesAt = reader.skip(packedSize(patchCount, patchWidth))
    applyPatches(bytes, patchesAt, patchCount, patchWidth, flags, width, positions, out, lowsOffset)
  }
  out[outOffset] = first
  if (transform === TRANSFORM_DELTA2) out[outOffset + 1] = first + divisor * firstDelta
  if (transform === TRANSFORM_DELTA) sumDeltas(out, outOffset, length, base, divisor)
  else if (transform === TRANSFORM_DELTA2) sumDeltas2(out, outOffset, length, base, divisor, divisor * firstDelta)
  else addBase(out, outOffset, length, base, divisor)
  checkRange(out, outOffset, count, start)
  if (power !== 1) for (let index = outOffset; index < outOffset + count; index++) out[index] /= power
}

function patchNarrow(
  bytes: Uint8Array,
  at: number,
  count: number,
  patchWidth: number,
  flags: number,
  width: number,
  positions: Float64Array,
  lows: Int32Array,
): void {
  const patches = scratchNumbers(2)
  unpackNumbers(bytes, at, count, patchWidth, patches, 0)
  if (flags & SIGNED_PATCHES) {
    for (let index = 0; index < count; index++) {
      const stored = patches[index] | 0
      const above = stored & 1 ? (stored + 1) >> 1 : -(stored >> 1) - 1
      lows[positions[index]] += above << width
    }
  } else for (let index = 0; index < count; index++) lows[positions[index]] += (patches[index] + 1) << width
}

function narrowBase(
  lows: Int32Array,
  base: number,
  first: number,
  divisor: number,
  power: number,
  out: Float64Array,
  outOffset: number,
  from: number,
  to: number,
): void {
  let at = outOffset
  let index = from
  if (index === 0) {
    out[at++] = first / power
    index = 1
  }
  if (divisor === 1 && power === 1) {
    const offset = first + base
    for (; index < to; index++) out[at++] = offset + lows[index - 1]
    return
  }
  for (; index < to; index++) out[at++] = (first + divisor * (base + lows[index - 1])) / power
}

function narrowDeltas(
  lows: Int32Array,
  base: number,
  first: number,
  divisor: number,
  power: number,
  out: Float64Array,
  outOffset: number,
  from: number,
  to: number,
): void {
  let at = outOffset
  let number = 0
  let index = 1
  if (from === 0) out[at++] = first / power
  else {
    number = (sumOf(lows, from - 1) + Math.imul(base, from - 1)) | 0
    index = from
  }
  if (divisor === 1 && power === 1) {
    for (; index < to; index++) {
      number = (number + base + lows[index - 1]) | 0
      out[at++] = first + number
    }
    return
  }
  for (; index < to; index++) {
    number = (number + base + lows[index - 1]) | 0
    out[at++] = (first + divisor * number) / power
  }
}

function narrowDeltas2(
  lows: Int32Array,
  base: number,
  first: number,
  firstDelta: number,
  divisor: number,
  power: number,
  out: Float64Array,
  outOffset: number,
  from: number,
  to: number,
): void {
  let at = outOffset
  let delta = firstDelta | 0
  let number = delta
  if (from === 0) out[at++] = first / power
  if (from <= 1 && to > 1) out[at++] = (first + divisor * firstDelta) / power
  let index = 2
  if (from > 2) {
    // Each low counts once for each delta from its own on.
    const count = from - 2
    number =
      (number + Math.imul(delta, count) + Math.imul(base, (count * (count + 1)) / 2) + fallingSumOf(lows, count)) | 0
    delta = (delta + Math.imul(base, count) + sumOf(lows, count)) | 0
    index = from
  }
  for (; index < to; index++) {
    delta = (delta + base + lows[index - 2]) | 0
    number = (number + delta) | 0
    out[at++] = (first + divisor * number) / power
  }
}

/** The sum of the first `count` lows, modulo 2^32: four at a time, since each addition else waits for the one before it. */
function sumOf(lows: Int32Array, count: number): number {
  let a = 0
  let b = 0
  let c = 0
  let d = 0
  let index = 0
  for (; index + 3 < count; index += 4) {
    a = (a + lows[index]) | 0
    b = (b + lows[index + 1]) | 0
    c = (c + lows[index + 2]) | 0
    d = (d + lows[index + 3]) | 0
  }
  for (; index < count; index++) a = (a + lows[index]) | 0
  return (a + b + c + d) | 0
}

/** `count` times the first low, one less times the second and so on, modulo 2^32. */
function fallingSumOf(lows: Int32Array, count: number): number {
  let a = 0
  let b = 0
  let c = 0
  let d = 0
  let index = 0
  for (; index + 3 < count; index += 4) {
    const weight = count - index
    a = (a + Math.imul(lows[index], weight)) | 0
    b = (b + Math.imul(lows[index + 1], weight - 1)) | 0
    c = (c + Math.imul(lows[index + 2], weight - 2)) | 0
    d = (d + Math.imul(lows[index + 3], weight - 3)) | 0
  }
  for (; index < count; index++) a = (a + Math.imul(lows[index], count - index)) | 0
  return (a + b + c + d) | 0
}

/** `narrowDeltas` for sums beyond 32 bits: they are whole numbers below 2^50, which doubles hold. */
function exactDeltas(
  lows: Int32Array,
  base: number,
  first: number,
  divisor: number,
  power: number,
  out: Float64Array,
  outOffset: number,
  from: number,
  to: number,
): void {
  let at = outOffset
  let number = 0
  let index = 1
  if (from === 0) out[at++] = first / power
  else for (; index < from; index++) number += base + lows[index - 1]
  for (; index < to; index++) {
    number += base + lows[index - 1]
    out[at++] = (first + divisor * number) / power
  }
}

function exactDeltas2(
  lows: Int32Array,
  base: number,
  first: number,
  firstDelta: number,
  divisor: number,
  power: number,
  out: Float64Array,
  outOffset: number,
  from: number,
  to: number,
): void {
  let at = outOffset
  let delta = firstDelta
  let number = delta
  if (from === 0) out[at++] = first / power
  if (from <= 1 && to > 1) out[at++] = (first + divisor * firstDelta) / power
  let index = 2
  for (; index < from; index++) {
    delta += base + lows[index - 2]
    number += delta
  }
  for (; index < to; index++) {
    delta += base + lows[index - 2]
    number += delta
    out[at++] = (first + divisor * number) / power
  }
}

function applyPatches(
  bytes: Uint8Array,
  at: number,
  count: number,
  patchWidth: number,
  flags: number,
  width: number,
  positions: Float64Array,
  out: Float64Array,
  outOffset: number,
): void {
  const patches = scratchNumbers(2)
  unpackNumbers(bytes, at, count, patchWidth, patches, 0)
  const unit = POWERS_OF_TWO[width]
  if (flags & SIGNED_PATCHES) {
    for (let index = 0; index < count; index++) {
      const stored = patches[index]
      const half = Math.floor(stored / 2)
      const above = stored === 2 * half ? -half - 1 : half + 1
      out[outOffset + positions[index]] += above * unit
    }
  } else {
    for (let index = 0; index < count; index++) out[outOffset + positions[index]] += (patches[index] + 1) * unit
  }
}

function addBase(out: Float64Array, outOffset: number, length: number, base: number, divisor: number): void {
  const end = outOffset + 1 + length
  const first = out[outOffset]
  // Base and low are added first: that sum is exact for every number that passes the range check.
  for (let index = outOffset + 1; index < end; index++) out[index] = first + divisor * (base + out[index])
}

function sumDeltas(out: Float64Array, outOffset: number, length: number, base: number, divisor: number): void {
  const end = outOffset + 1 + length
  let number = out[outOffset]
  for (let index = outOffset + 1; index < end; index++) {
    number += divisor * (base + out[index])
    out[index] = number
  }
}

function sumDeltas2(
  out: Float64Array,
  outOffset: number,
  length: number,
  base: number,
  divisor: number,
  firstDelta: number,
): void {
  const end = outOffset + 2 + length
  let delta = firstDelta
  let number = out[outOffset + 1]
  for (let index = outOffset + 2; index < end; index++) {
    delta += divisor * (base + out[index])
    number += delta
    out[index] = number
  }
}

/** Refuses numbers that no encoder scales: beyond ±2^50 the two languages would round differently. */
function checkRange(out: Float64Array, outOffset: number, count: number, start: number): void {
  const end = outOffset + count
  for (let index = outOffset; index < end; index++) {
    const number = out[index]
    if (!(number >= -SCALED_MAX && number <= SCALED_MAX)) throw corrupt(start, 'numbers within ±2^50')
  }
}

/** Subtracts the first number, divides by the greatest common divisor of the rest and returns it; 0 if all are equal. */
function divideOut(integers: Float64Array, count: number): number {
  const first = integers[0]
  let divisor = 0
  for (let index = 1; index < count; index++) {
    const distance = Math.abs(integers[index] - integers[index - 1])
    if (distance === 0 || divisor === 1) continue
    if (divisor === 0) divisor = distance
    // A multiple is the usual case, and a division finds it faster than a remainder: both are exact below 2^53.
    else if (Math.floor(distance / divisor) * divisor !== distance) divisor = greatestCommonDivisor(divisor, distance)
  }
  if (divisor > 1) for (let index = 0; index < count; index++) integers[index] = (integers[index] - first) / divisor
  else for (let index = 0; index < count; index++) integers[index] -= first
  return divisor
}

function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) {
    const rest = a % b
    a = b
    b = rest
  }
  return a
}
