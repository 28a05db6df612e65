/**
 * Sealed timestamp columns. The series of one scrape target share one, so it is encoded once and decoded once for all.
 *
 *     encoding byte   0 regular, 1 packed, 2 raw
 *     count           varint, 1..65535
 *     first           signed varint, ms
 *     last            varint last - first; in raw a signed varint, last itself
 *     body            by encoding, below
 *     checksum        CRC32C of all bytes before it, 4 bytes, lowest first
 *
 *     regular         none: t[i] = first + i * (last - first) / (count - 1)
 *     packed          step varint, divisor varint, packed integers n: t[i] = first + i * step + n[i], n[0] = 0
 *     raw             t[i] as float64, 8 bytes each
 *
 * A scrape that is late and a scrape that shifts all later ones look different: the first is a residual of the grid
 * (transform 0), the second of the step (transform 1); the packed integers choose.
 *
 * Bytes: docs/formats/chunk.md. Rust twin: native/codec/src/sealed_timestamps.rs.
 */
import { type ByteReader, corrupt } from './byte-reader.js'
import { writeFloat, writeSignedVarint, writeVarint } from './byte-writer.js'
import { CodecError } from './errors.js'
import { INTEGER_EXACT_MAX } from './limits.js'
import {
  DIFFERENCE_MAX,
  PACKED_INTEGERS_HEADER_SIZE_MAX,
  packPrepared,
  prepareIntegers,
  unpackIntegers,
} from './packed-integers.js'
import { scratchNumbers } from './scratch.js'
import { checkEncodeArguments, checkRoom, openColumn, readCount, readEncoding, sealColumn } from './sealed-values.js'

const ENCODING_REGULAR = 0
const ENCODING_PACKED = 1
const ENCODING_RAW = 2

/** A longer span is stored raw: grid, step and residual then stay far below 2^50. */
const SPAN_MAX = 2 ** 48

/** What a timestamp column says without being decoded. */
export interface SealedTimestampsHeader {
  count: number
  firstMs: number
  lastMs: number
}

/** How many bytes a sealed column of `count` timestamps takes at most. */
export function sealedTimestampsSizeMax(count: number): number {
  return 8 * count + 128
}

/**
 * Encodes `timestampsMs[from, to)` into `out` at `offset` and returns the offset behind the column.
 *
 * Shape: integers within ±2^53 that never fall; equal neighbours are allowed.
 * @throws {CodecError} `TIMESTAMP_OUT_OF_RANGE` for any other; `INVALID_ARGUMENT` for an empty, too long or outlying range;
 *   `OUTPUT_TOO_SMALL` if `out` has not `sealedTimestampsSizeMax(to - from)` bytes from `offset` on. Nothing is written then.
 */
export function encodeSealedTimestamps(
  timestampsMs: Float64Array,
  from: number,
  to: number,
  out: Uint8Array,
  offset: number,
): number {
  checkEncodeArguments(timestampsMs.length, from, to, out.length, offset, sealedTimestampsSizeMax(to - from))
  checkTimestamps(timestampsMs, from, to)
  const count = to - from
  const first = timestampsMs[from]
  const last = timestampsMs[to - 1]
  const span = last - first
  if (isRegular(timestampsMs, from, to)) {
    const at = writeStart(out, offset, ENCODING_REGULAR, count, first)
    return sealColumn(out, offset, writeVarint(out, at, span))
  }
  if (span <= SPAN_MAX) {
    const step = stepOf(timestampsMs, from, to)
    const integers = scratchNumbers(0)
    for (let index = 0; index < count; index++) integers[index] = timestampsMs[from + index] - first - index * step
    const prepared = prepareIntegers(integers, count)
    if (prepared.sizeBytes + 16 < 8 * count + PACKED_INTEGERS_HEADER_SIZE_MAX) {
      let at = writeStart(out, offset, ENCODING_PACKED, count, first)
      at = writeVarint(out, at, span)
      at = writeVarint(out, at, step)
      at = writeVarint(out, at, prepared.divisor)
      return sealColumn(out, offset, packPrepared(out, at))
    }
  }
  let at = writeStart(out, offset, ENCODING_RAW, count, first)
  at = writeSignedVarint(out, at, last)
  for (let index = from; index < to; index++) at = writeFloat(out, at, timestampsMs[index])
  return sealColumn(out, offset, at)
}

function writeStart(out: Uint8Array, at: number, encoding: number, count: number, first: number): number {
  out[at] = encoding
  return writeSignedVarint(out, writeVarint(out, at + 1, count), first)
}

function checkTimestamps(timestampsMs: Float64Array, from: number, to: number): void {
  let before = -INTEGER_EXACT_MAX
  for (let index = from; index < to; index++) {
    const timestampMs = timestampsMs[index]
    // A NaN fails the comparison, a fraction the rounding.
    if (!(timestampMs >= before && timestampMs <= INTEGER_EXACT_MAX && Math.floor(timestampMs) === timestampMs)) {
      const wanted = `an integer in [${before}, 2^53]`
      throw new CodecError('TIMESTAMP_OUT_OF_RANGE', `timestamp ${index} is ${timestampMs}, wanted ${wanted}`)
    }
    before = timestampMs
  }
}

function isRegular(timestampsMs: Float64Array, from: number, to: number): boolean {
  const first = timestampsMs[from]
  const span = timestampsMs[to - 1] - first
  if (span > INTEGER_EXACT_MAX) return false
  if (to - from < 2) return true
  const step = timestampsMs[from + 1] - first
  if (step * (to - from - 1) !== span) return false
  for (let index = 1; index < to - from; index++) if (timestampsMs[from + index] !== first + index * step) return false
  return true
}

const SAMPLES = new Float64Array(15)

/** The median of 15 evenly spaced steps; 0 if a grid of it would reach too far. */
function stepOf(timestampsMs: Float64Array, from: number, to: number): number {
  const steps = to - from - 1
  const count = steps < 15 ? steps : 15
  for (let sample = 0; sample < count; sample++) {
    const index = from + Math.floor((sample * steps) / count)
    const step = timestampsMs[index + 1] - timestampsMs[index]
    let slot = sample
    for (; slot > 0 && SAMPLES[slot - 1] > step; slot--) SAMPLES[slot] = SAMPLES[slot - 1]
    SAMPLES[slot] = step
  }
  const step = SAMPLES[count >> 1]
  return step * steps <= SPAN_MAX ? step : 0
}

const LAST_WANTED = 'a last timestamp in [first, 2^53]'
const HEADER = { encoding: 0, count: 0, firstMs: 0, lastMs: 0 }

function readHeader(reader: ByteReader): void {
  HEADER.encoding = readEncoding(reader, ENCODING_RAW)
  HEADER.count = readCount(reader)
  HEADER.firstMs = reader.signedVarint()
  const start = reader.at
  if (HEADER.encoding === ENCODING_RAW) HEADER.lastMs = reader.signedVarint()
  else {
    const span = reader.varint()
    // Subtracted, since a sum beyond 2^53 may round down to it.
    if (HEADER.firstMs > 0 && span > INTEGER_EXACT_MAX - HEADER.firstMs) throw corrupt(start, LAST_WANTED)
    HEADER.lastMs = HEADER.firstMs + span
  }
  if (HEADER.lastMs < HEADER.firstMs) throw corrupt(start, LAST_WANTED)
  if (HEADER.encoding === ENCODING_PACKED && HEADER.lastMs - HEADER.firstMs > SPAN_MAX) {
    throw corrupt(start, 'a span of at most 2^48 ms')
  }
}

/**
 * Reads a timestamp column's header; touches a few bytes, whatever the count.
 *
 * @throws {CodecError} `TRUNCATED`, `CORRUPT_CHUNK` or `UNSUPPORTED_ENCODING`, as decoding would, for the fields it reads.
 */
export function readSealedTimestampsHeader(
  bytes: Uint8Array,
  offset: number,
  endOffset: number,
  into: SealedTimestampsHeader = { count: 0, firstMs: 0, lastMs: 0 },
): SealedTimestampsHeader {
  readHeader(openColumn(bytes, offset, endOffset))
  into.count = HEADER.count
  into.firstMs = HEADER.firstMs
  into.lastMs = HEADER.lastMs
  return into
}

/**
 * Decodes the column `bytes[offset, endOffset)` into `out` from `outOffset` on and returns how many timestamps it held.
 *
 * What is returned never falls, begins with the header's first timestamp and ends with its last, whatever the bytes. The
 * checksum is not looked at: `verifySealedColumn` does that.
 * Memory: the column is the caller's; what stands behind the decoded timestamps is left alone.
 * @throws {CodecError} `TRUNCATED`, `CORRUPT_CHUNK` or `UNSUPPORTED_ENCODING` with the bit offset of the wrong field,
 *   `OUTPUT_TOO_SMALL`, `INVALID_ARGUMENT`. The decoded part of the column is then undefined.
 */
export function decodeSealedTimestamps(
  bytes: Uint8Array,
  offset: number,
  endOffset: number,
  out: Float64Array,
  outOffset: number,
): number {
  const reader = openColumn(bytes, offset, endOffset)
  readHeader(reader)
  const { encoding, count, firstMs, lastMs } = HEADER
  checkRoom(out.length, outOffset, count)
  const start = reader.at
  if (encoding === ENCODING_REGULAR) {
    const span = lastMs - firstMs
    // A remainder, since a quotient may round to an integer that it is not.
    if (count > 1 ? span % (count - 1) !== 0 : span !== 0) throw corrupt(start, 'a span of whole steps')
    const step = count > 1 ? span / (count - 1) : 0
    for (let index = 0; index < count; index++) out[outOffset + index] = firstMs + index * step
  } else {
    if (encoding === ENCODING_PACKED) decodePacked(reader, count, firstMs, out, outOffset)
    else for (let index = 0; index < count; index++) out[outOffset + index] = reader.float()
    checkDecoded(out, outOffset, count, firstMs, lastMs, start)
  }
  if (reader.at !== reader.end) throw corrupt(reader.at, 'the checksum')
  return count
}

function decodePacked(reader: ByteReader, count: number, first: number, out: Float64Array, outOffset: number): void {
  let start = reader.at
  const step = reader.varint()
  if (step * (count - 1) > SPAN_MAX) throw corrupt(start, 'a grid of at most 2^48 ms')
  start = reader.at
  const divisor = reader.varint()
  if (divisor < 1 || divisor > DIFFERENCE_MAX) throw corrupt(start, 'a divisor in [1, 2^52]')
  unpackIntegers(reader, 0, divisor, 1, count, out, outOffset)
  for (let index = 0; index < count; index++) out[outOffset + index] += first + index * step
}

/** Refuses a column that its header contradicts, or that a binary search could not trust. */
function checkDecoded(
  out: Float64Array,
  outOffset: number,
  count: number,
  first: number,
  last: number,
  start: number,
): void {
  let before = first
  let ordered = out[outOffset] === first && out[outOffset + count - 1] === last
  for (let index = outOffset; index < outOffset + count; index++) {
    const timestampMs = out[index]
    if (!(timestampMs >= before) || Math.floor(timestampMs) !== timestampMs) ordered = false
    before = timestampMs
  }
  if (!ordered) throw corrupt(start, 'timestamps that never fall, from the first to the last')
}
