/**
 * Snappy's block format, decoded strictly into memory that is kept.
 *
 *     block     varint32 length of the output, then elements
 *     xxxxxx00  literal   x < 60: x + 1 bytes; 60..63: the length - 1 stands in the next 1..4 bytes
 *     oooxxx01  copy      4 + xxx bytes, offset ooo:next byte (11 bits)
 *     xxxxxx10  copy      1 + x bytes, offset in the next 2 bytes
 *     xxxxxx11  copy      1 + x bytes, offset in the next 4 bytes
 *
 * The declared length is read and judged before anything is allocated: a 6-byte body can claim 4 GiB.
 * Source: google/snappy, format_description.txt. Rust twin: native/ingest/src/snappy.rs.
 */
import { FAULT, WireError } from '../wire-error.js'

/** A fault and where it was found; without one, how much of the input was read, and the length of the output. */
export interface SnappyResult {
  fault: number
  offset: number
  size: number
}

/**
 * Reads the declared length of the output.
 *
 * Returns its size, or -1 for a length that is cut short or over 32 bits.
 */
export function snappyDecodedSize(input: Uint8Array): number {
  let value = 0
  for (let i = 0; i < 5 && i < input.length; i++) {
    const byte = input[i]
    if (i === 4 && byte > 0x0f) return -1
    value += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return value
  }
  return -1
}

/**
 * Decodes one block into the front of `output`.
 *
 * Bounds: a declared length over `sizeBytesMax` or over the length of `output` is refused before anything is written. Up to
 * three bytes behind the declared length may be overwritten, where `output` has them.
 * Never throws: the fault is returned and stands in `result` with its offset; the output is then undefined.
 */
export function decodeSnappyInto(
  input: Uint8Array,
  output: Uint8Array,
  result: SnappyResult,
  sizeBytesMax = output.length,
): number {
  return beginSnappy(input, output, result, sizeBytesMax) || decodeSnappyPart(input, output, result)
}

/** Reads the declared length, so that `decodeSnappyPart` can follow. Bounds and faults are those of `decodeSnappyInto`. */
export function beginSnappy(
  input: Uint8Array,
  output: Uint8Array,
  result: SnappyResult,
  sizeBytesMax = output.length,
): number {
  const declared = snappyDecodedSize(input)
  if (declared < 0) return fail(result, FAULT.SNAPPY_LENGTH, 0)
  if (declared > sizeBytesMax || declared > output.length) return fail(result, FAULT.SNAPPY_TOO_LARGE, 0)
  let at = 0
  while (input[at++] >= 0x80);
  result.fault = FAULT.NONE
  result.offset = at
  result.size = 0
  return FAULT.NONE
}

/**
 * Goes on with a block from where `result` says, until the output has `stop` bytes and a few: one element goes beyond it.
 * The block is decoded when `result.offset` is the length of the input.
 */
export function decodeSnappyPart(
  input: Uint8Array,
  output: Uint8Array,
  result: SnappyResult,
  stop = Number.POSITIVE_INFINITY,
): number {
  const declared = snappyDecodedSize(input)
  const end = input.length
  const room = output.length
  const source = new DataView(input.buffer, input.byteOffset, end)
  const target = new DataView(output.buffer, output.byteOffset, room)
  let at = result.offset
  let out = result.size
  while (at < end && out < stop) {
    const start = at
    const tag = input[at++]
    const kind = tag & 3
    let length = (tag >>> 2) + 1
    if (kind === 0) {
      if (length > 60) {
        const extra = length - 60
        if (at + extra > end) return fail(result, FAULT.SNAPPY_TRUNCATED, start)
        length = input[at]
        if (extra > 1) length += input[at + 1] << 8
        if (extra > 2) length += input[at + 2] << 16
        if (extra > 3) length += input[at + 3] * 0x1000000
        length += 1
        at += extra
      }
      if (length > declared - out) return fail(result, FAULT.SNAPPY_LITERAL_OVERRUN, start)
      if (length > end - at) return fail(result, FAULT.SNAPPY_TRUNCATED, start)
      if (length < 48) {
        const to = out + length
        if (at + length + 3 <= end && to + 3 <= room) {
          for (; out < to; out += 4, at += 4) target.setInt32(out, source.getInt32(at, true), true)
          at -= out - to
          out = to
        } else while (out < to) output[out++] = input[at++]
      } else {
        output.set(input.subarray(at, at + length), out)
        out += length
        at += length
      }
      continue
    }
    let back: number
    if (kind === 1) {
      if (at + 1 > end) return fail(result, FAULT.SNAPPY_TRUNCATED, start)
      length = 4 + ((tag >>> 2) & 7)
      back = ((tag >>> 5) << 8) | input[at]
      at += 1
    } else if (kind === 2) {
      if (at + 2 > end) return fail(result, FAULT.SNAPPY_TRUNCATED, start)
      back = input[at] | (input[at + 1] << 8)
      at += 2
    } else {
      if (at + 4 > end) return fail(result, FAULT.SNAPPY_TRUNCATED, start)
      back = input[at] + (input[at + 1] << 8) + (input[at + 2] << 16) + input[at + 3] * 0x1000000
      at += 4
    }
    if (back === 0 || back > out) return fail(result, FAULT.SNAPPY_COPY_BEFORE_START, start)
    if (length > declared - out) return fail(result, FAULT.SNAPPY_COPY_OVERRUN, start)
    let from = out - back
    const to = out + length
    if (back >= 4 && to + 3 <= room) {
      // Four at a time; up to three too many are written over by what follows.
      for (; out < to; out += 4, from += 4) target.setInt32(out, target.getInt32(from, true), true)
      out = to
      continue
    }
    // A copy may overlap itself: byte by byte then repeats the pattern, which is what it means.
    while (out < to) output[out++] = output[from++]
  }
  if (at === end && out !== declared) return fail(result, FAULT.SNAPPY_TOO_SHORT, at)
  result.fault = FAULT.NONE
  result.offset = at
  result.size = out
  return FAULT.NONE
}

function fail(result: SnappyResult, fault: number, offset: number): number {
  result.fault = fault
  result.offset = offset
  result.size = 0
  return fault
}

/** So much is decoded in one turn of the event loop: 1 ms, or 6 where each byte is an element of its own. */
const PART_SIZE_BYTES = 1 << 20

/**
 * Decodes one block into the front of `output`, as `decodeSnappyInto`, and lets the event loop turn between parts. Returns the size.
 *
 * @throws {WireError} as `decodeSnappy`.
 */
export async function decodeSnappyInTurns(
  input: Uint8Array,
  output: Uint8Array,
  pause: () => Promise<void>,
  sizeBytesMax = output.length,
): Promise<number> {
  const result: SnappyResult = { fault: 0, offset: 0, size: 0 }
  beginSnappy(input, output, result, sizeBytesMax)
  do {
    if (result.fault === FAULT.NONE) decodeSnappyPart(input, output, result, result.size + PART_SIZE_BYTES)
    if (result.fault !== FAULT.NONE) {
      throw WireError.of(
        result.fault,
        result.offset,
        result.fault === FAULT.SNAPPY_TOO_LARGE ? sizeBytesMax : undefined,
      )
    }
    if (result.offset < input.length) await pause()
  } while (result.offset < input.length)
  return result.size
}

/**
 * Decodes one block into memory of its own. The one way in for all bodies that are not on the hot path.
 *
 * @throws {WireError} `TOO_LARGE` if it declares more than `sizeBytesMax`, before anything is allocated; `INVALID_ARGUMENT`.
 */
export function decodeSnappy(input: Uint8Array, sizeBytesMax: number): Uint8Array {
  const declared = snappyDecodedSize(input)
  if (declared < 0) throw WireError.of(FAULT.SNAPPY_LENGTH, 0)
  if (declared > sizeBytesMax) throw WireError.of(FAULT.SNAPPY_TOO_LARGE, 0, sizeBytesMax)
  const output = new Uint8Array(declared)
  const result: SnappyResult = { fault: 0, offset: 0, size: 0 }
  decodeSnappyInto(input, output, result)
  if (result.fault !== FAULT.NONE) throw WireError.of(result.fault, result.offset)
  return output
}
