/**
 * Many sealed columns in one call, so that a call's fixed cost is paid once for a query or a flush.
 *
 * Ranges are pairs in one array: `ranges[2 * i]` is where column i begins, `ranges[2 * i + 1]` where it ends.
 */
import { CodecError } from './errors.js'
import { decodeSealedTimestamps, encodeSealedTimestamps } from './sealed-timestamps.js'
import { decodeSealedValues, encodeSealedValues } from './sealed-values.js'

type Encode = (column: Float64Array, from: number, to: number, out: Uint8Array, offset: number) => number
type Decode = (bytes: Uint8Array, offset: number, end: number, out: Float64Array, outOffset: number) => number

/**
 * Encodes the value columns `values[ranges[2i], ranges[2i + 1])` one behind the other and returns the offset behind the last.
 *
 * Shape: fills `ends[i]` with the offset behind column i; column i + 1 begins there.
 * @throws {CodecError} as `encodeSealedValues`; the columns before the bad one are written, with their ends.
 */
export function encodeSealedValuesBatch(
  values: Float64Array,
  ranges: Uint32Array,
  out: Uint8Array,
  offset: number,
  ends: Uint32Array,
): number {
  return encodeBatch(encodeSealedValues, values, ranges, out, offset, ends)
}

/** The same for timestamp columns, with `encodeSealedTimestamps`. */
export function encodeSealedTimestampsBatch(
  timestampsMs: Float64Array,
  ranges: Uint32Array,
  out: Uint8Array,
  offset: number,
  ends: Uint32Array,
): number {
  return encodeBatch(encodeSealedTimestamps, timestampsMs, ranges, out, offset, ends)
}

/**
 * Decodes the value columns `bytes[ranges[2i], ranges[2i + 1])` one behind the other into `out` from `outOffset` on, and
 * returns the offset behind the last value.
 *
 * Shape: fills `counts[i]` with the number of values of column i.
 * @throws {CodecError} as `decodeSealedValues`, for the first bad column; the columns before it are decoded and counted.
 */
export function decodeSealedValuesBatch(
  bytes: Uint8Array,
  ranges: Uint32Array,
  out: Float64Array,
  outOffset: number,
  counts: Uint32Array,
): number {
  return decodeBatch(decodeSealedValues, bytes, ranges, out, outOffset, counts)
}

/** The same for timestamp columns, with `decodeSealedTimestamps`. */
export function decodeSealedTimestampsBatch(
  bytes: Uint8Array,
  ranges: Uint32Array,
  out: Float64Array,
  outOffset: number,
  counts: Uint32Array,
): number {
  return decodeBatch(decodeSealedTimestamps, bytes, ranges, out, outOffset, counts)
}

function encodeBatch(
  encode: Encode,
  column: Float64Array,
  ranges: Uint32Array,
  out: Uint8Array,
  offset: number,
  ends: Uint32Array,
): number {
  const count = checkRanges(ranges, ends.length)
  for (let index = 0; index < count; index++) {
    offset = encode(column, ranges[2 * index], ranges[2 * index + 1], out, offset)
    ends[index] = offset
  }
  return offset
}

function decodeBatch(
  decode: Decode,
  bytes: Uint8Array,
  ranges: Uint32Array,
  out: Float64Array,
  outOffset: number,
  counts: Uint32Array,
): number {
  const count = checkRanges(ranges, counts.length)
  for (let index = 0; index < count; index++) {
    const decoded = decode(bytes, ranges[2 * index], ranges[2 * index + 1], out, outOffset)
    counts[index] = decoded
    outOffset += decoded
  }
  return outOffset
}

/** How many columns the pairs name; the result array must have a slot for each. */
function checkRanges(ranges: Uint32Array, slots: number): number {
  if (ranges.length % 2 !== 0 || slots < ranges.length / 2) {
    throw new CodecError('INVALID_ARGUMENT', `${ranges.length} range bounds and ${slots} result slots: wanted pairs`)
  }
  return ranges.length / 2
}
