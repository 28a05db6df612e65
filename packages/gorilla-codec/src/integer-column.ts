/**
 * A bare column of integers: packed as in a sealed value column, without what a column needs that stands alone (count,
 * bounds, sum, checksum). For parts of a larger unit that has all these, such as the buckets of native histograms.
 *
 *     first       signed varint
 *     divisor     varint, 1..2^52
 *     packed integers (packed-integers.ts)
 *
 * Bytes: docs/formats/chunk.md, "Packed integers".
 */
import { ByteReader, corrupt } from './byte-reader.js'
import { writeSignedVarint, writeVarint } from './byte-writer.js'
import { CodecError } from './errors.js'
import { SCALED_MAX } from './limits.js'
import {
  DIFFERENCE_MAX,
  PACKED_INTEGERS_HEADER_SIZE_MAX,
  packPrepared,
  prepareIntegers,
  unpackIntegers,
} from './packed-integers.js'
import { scratchNumbers } from './scratch.js'

/** How many bytes an integer column of `count` values takes at most. */
export function integerColumnSizeMax(count: number): number {
  return 9 * count + PACKED_INTEGERS_HEADER_SIZE_MAX + 32
}

/** Whether all of `values[from, to)` are integers within ±2^50, and none is -0: what an integer column can hold. */
export function isIntegerColumn(values: Float64Array, from: number, to: number): boolean {
  for (let index = from; index < to; index++) {
    const value = values[index]
    if (!(Math.abs(value) <= SCALED_MAX) || Math.trunc(value) !== value || Object.is(value, -0)) return false
  }
  return true
}

/**
 * Encodes `values[from, to)`, which `isIntegerColumn`, into `out` at `offset` and returns the offset behind it.
 *
 * `out` needs `integerColumnSizeMax(to - from)` bytes from there.
 * @throws {CodecError} `INVALID_ARGUMENT` for an empty range or too little room.
 */
export function encodeIntegerColumn(
  values: Float64Array,
  from: number,
  to: number,
  out: Uint8Array,
  offset: number,
): number {
  const count = to - from
  if (count < 1 || offset + integerColumnSizeMax(count) > out.length) {
    throw new CodecError('INVALID_ARGUMENT', `integer column of ${count} values at ${offset} of ${out.length} bytes`)
  }
  const integers = scratchNumbers(0)
  for (let index = 0; index < count; index++) integers[index] = values[from + index]
  const first = integers[0]
  const { divisor } = prepareIntegers(integers, count)
  let at = writeSignedVarint(out, offset, first)
  at = writeVarint(out, at, divisor)
  return count === 1 ? at : packPrepared(out, at)
}

/**
 * Decodes `count` integers from `bytes[offset, end)` into `out` at `outOffset`, and returns the offset behind the column.
 *
 * @throws {CodecError} `TRUNCATED` or `CORRUPT_CHUNK` with the offset; the column is then undefined.
 */
export function decodeIntegerColumn(
  bytes: Uint8Array,
  offset: number,
  end: number,
  count: number,
  out: Float64Array,
  outOffset: number,
): number {
  const reader = new ByteReader(bytes, offset, end)
  const first = reader.signedVarint()
  const divisorAt = reader.at
  const divisor = reader.varint()
  if (divisor < 1 || divisor > DIFFERENCE_MAX) throw corrupt(divisorAt, 'a divisor in [1, 2^52]')
  if (count === 1) out[outOffset] = first
  else unpackIntegers(reader, first, divisor, 1, count, out, outOffset)
  return reader.at
}
