/**
 * Sealed value columns: the values of one chunk, in the smallest of five lossless encodings.
 *
 *     encoding byte   0 constant, 1 constant decimal, 2 decimals, 3 xor, 4 raw
 *     count           varint, 1..65535
 *     header, body    by encoding, below
 *     checksum        CRC32C of all bytes before it, 4 bytes, lowest first
 *
 *     constant           value 8 bytes
 *     constant decimal   scale byte, signed varint n: the value is n / 10^scale
 *     decimals           scale byte (bits 0-4; 5 bounds are raw; 6 exceptions; 7 divisor), [divisor varint],
 *                        first n signed varint, bounds, sum 8 bytes, packed integers,
 *                        [exception count varint, positions packed list, 8 bytes each]
 *                        bounds: two varints, first n - least n and greatest n - first n; or min and max, 8 bytes each
 *     xor                min, max, sum 8 bytes each; packed xor
 *     raw                min, max, sum 8 bytes each; 8 bytes each value
 *
 * Bytes: docs/formats/chunk.md. Rust twin: native/codec/src/sealed_values.rs.
 */
import { bitWidth } from './bit-width.js'
import { ByteReader, corrupt } from './byte-reader.js'
import { writeFloat, writeSignedVarint, writeUint32, writeVarint } from './byte-writer.js'
import { crc32c } from './crc32c.js'
import { type ScaledValues, scaleValues } from './decimal-scale.js'
import { CodecError } from './errors.js'
import { HIGH, halvesOf, LOW } from './float-halves.js'
import { POWERS_OF_TEN, SAMPLES_PER_CHUNK_MAX, SCALE_MAX, SCALED_MAX } from './limits.js'
import { DIFFERENCE_MAX, type Effort, packPrepared, prepareIntegers, unpackIntegers } from './packed-integers.js'
import { packXor, prepareXor, unpackXor } from './packed-xor.js'
import { readPositions, writePositions } from './positions.js'
import { scratchNumbers, scratchWords } from './scratch.js'

/** The encodings, by the number in the first byte. */
export const ENCODING_CONSTANT = 0
export const ENCODING_CONSTANT_DECIMAL = 1
export const ENCODING_DECIMALS = 2
export const ENCODING_XOR = 3
export const ENCODING_RAW = 4

const BOUNDS_RAW = 1 << 5
const WITH_EXCEPTIONS = 1 << 6
const WITH_DIVISOR = 1 << 7
const CHECKSUM_SIZE = 4
/** Encoding, longest count, min, max, sum, checksum. */
const RAW_HEADER_SIZE = 1 + 3 + 24 + CHECKSUM_SIZE
/** Fields of a decimals column around its packed integers: encoding, count, scale, divisor, first n, bounds, sum, checksum. */
const DECIMALS_HEADER_SIZE_MAX = 1 + 3 + 1 + 8 + 9 + 16 + 8 + CHECKSUM_SIZE

/** What a value column says about its values without being decoded. */
export interface SealedValuesHeader {
  /** Which of the five encodings it is. */
  encoding: number
  count: number
  /** The least value that is no NaN, with -0 as 0; NaN if there is none. */
  min: number
  /** The greatest value that is no NaN, with -0 as 0; NaN if there is none. */
  max: number
  /** The sum of the values that are no NaN, added in order; of a constant, count × value. */
  sum: number
}

/** How many bytes a sealed column of `count` values takes at most. */
export function sealedValuesSizeMax(count: number): number {
  return 8 * count + 128
}

const BOUNDS = { min: 0, max: 0, sum: 0 }

/**
 * Encodes `values[from, to)` into `out` at `offset` and returns the offset behind the column.
 *
 * Every bit pattern comes back as it was: -0, infinities and every NaN. Equal values give equal bytes.
 * @throws {CodecError} `INVALID_ARGUMENT` for an empty, too long or outlying range; `OUTPUT_TOO_SMALL` if `out` has not
 *   `sealedValuesSizeMax(to - from)` bytes from `offset` on. Nothing is written then.
 */
export function encodeSealedValues(
  values: Float64Array,
  from: number,
  to: number,
  out: Uint8Array,
  offset: number,
): number {
  checkEncodeArguments(values.length, from, to, out.length, offset, sealedValuesSizeMax(to - from))
  return sealColumn(out, offset, writeBody(values, from, to, out, offset, 'full'))
}

/** The same with a light plan (integer-plan.ts): some larger bytes for a fraction of the work. */
export function encodeSealedValuesLightly(
  values: Float64Array,
  from: number,
  to: number,
  out: Uint8Array,
  offset: number,
): number {
  checkEncodeArguments(values.length, from, to, out.length, offset, sealedValuesSizeMax(to - from))
  return sealColumn(out, offset, writeBody(values, from, to, out, offset, 'light'))
}

/** Refuses a range or an output that an encoder cannot take. */
export function checkEncodeArguments(
  length: number,
  from: number,
  to: number,
  outLength: number,
  offset: number,
  sizeMax: number,
): void {
  const count = to - from
  if (!(Number.isInteger(from) && Number.isInteger(to) && from >= 0 && to <= length)) {
    throw new CodecError('INVALID_ARGUMENT', `samples [${from}, ${to}): the column has ${length}`)
  }
  if (!(count >= 1 && count <= SAMPLES_PER_CHUNK_MAX)) {
    throw new CodecError('INVALID_ARGUMENT', `${count} samples: a chunk holds 1 to ${SAMPLES_PER_CHUNK_MAX}`)
  }
  if (!(Number.isInteger(offset) && offset >= 0 && outLength - offset >= sizeMax)) {
    throw new CodecError(
      'OUTPUT_TOO_SMALL',
      `${outLength} bytes from offset ${offset}: ${count} samples may take ${sizeMax}`,
    )
  }
}

/** Puts the checksum behind a column and returns the offset behind it. */
export function sealColumn(out: Uint8Array, offset: number, bodyEnd: number): number {
  return writeUint32(out, bodyEnd, crc32c(out, offset, bodyEnd))
}

function writeBody(
  values: Float64Array,
  from: number,
  to: number,
  out: Uint8Array,
  offset: number,
  effort: Effort,
): number {
  const count = to - from
  if (isConstant(values, from, to)) return writeConstant(values, from, count, out, offset)
  summarize(values, from, to)
  const rawSize = RAW_HEADER_SIZE + 8 * count
  const integers = scratchNumbers(0)
  const exceptions = scratchWords(0)
  const scaled = scaleValues(values, from, to, integers, exceptions)
  let decimalsSize = Number.POSITIVE_INFINITY
  const first = integers[0]
  let divisor = 1
  if (scaled !== undefined) {
    const prepared = prepareIntegers(integers, count, effort)
    divisor = prepared.divisor
    decimalsSize = DECIMALS_HEADER_SIZE_MAX + prepared.sizeBytes
    decimalsSize += Math.ceil((scaled.exceptionCount * (64 + bitWidth(count - 1)) + 24) / 8)
    if (scaled.exceptionCount === 0) {
      // What it really takes counts here: of a short column the estimate's headers would be most.
      const end = writeDecimals(values, from, count, out, offset, scaled, first, divisor)
      if (end - offset + CHECKSUM_SIZE < rawSize) return end
      decimalsSize = Number.POSITIVE_INFINITY
    }
  }
  // The xor plan takes the word column 0, so the positions of exceptions move out of its way.
  const kept = scratchWords(2)
  if (scaled !== undefined) kept.set(exceptions.subarray(0, scaled.exceptionCount))
  const xorSize = RAW_HEADER_SIZE + prepareXor(values, from, to)
  if (scaled !== undefined && decimalsSize <= xorSize && decimalsSize < rawSize) {
    exceptions.set(kept.subarray(0, scaled.exceptionCount))
    return writeDecimals(values, from, count, out, offset, scaled, first, divisor)
  }
  let at = writeStart(out, offset, xorSize < rawSize ? ENCODING_XOR : ENCODING_RAW, count)
  at = writeFloat(out, at, BOUNDS.min)
  at = writeFloat(out, at, BOUNDS.max)
  at = writeFloat(out, at, BOUNDS.sum)
  if (xorSize < rawSize) return packXor(values, from, out, at)
  const halves = halvesOf(values)
  for (let index = from; index < to; index++) at = writeHalves(out, at, halves, index)
  return at
}

function writeStart(out: Uint8Array, at: number, encoding: number, count: number): number {
  out[at] = encoding
  return writeVarint(out, at + 1, count)
}

function isConstant(values: Float64Array, from: number, to: number): boolean {
  const halves = halvesOf(values)
  const low = halves[2 * from + LOW]
  const high = halves[2 * from + HIGH]
  for (let index = from + 1; index < to; index++) {
    if (halves[2 * index + LOW] !== low || halves[2 * index + HIGH] !== high) return false
  }
  return true
}

function writeConstant(values: Float64Array, from: number, count: number, out: Uint8Array, offset: number): number {
  const integers = scratchNumbers(0)
  const scaled = scaleValues(values, from, from + 1, integers, scratchWords(0))
  if (scaled === undefined) {
    return writeHalves(out, writeStart(out, offset, ENCODING_CONSTANT, count), halvesOf(values), from)
  }
  const at = writeStart(out, offset, ENCODING_CONSTANT_DECIMAL, count)
  out[at] = scaled.scale
  return writeSignedVarint(out, at + 1, integers[0])
}

function writeDecimals(
  values: Float64Array,
  from: number,
  count: number,
  out: Uint8Array,
  offset: number,
  scaled: ScaledValues,
  first: number,
  divisor: number,
): number {
  const { scale, exceptionCount } = scaled
  const exceptions = scratchWords(0)
  const halves = halvesOf(values)
  let boundsRaw = 0
  for (let index = 0; index < exceptionCount; index++) {
    if (!Number.isNaN(values[from + exceptions[index]])) boundsRaw = BOUNDS_RAW
  }
  let at = writeStart(out, offset, ENCODING_DECIMALS, count)
  out[at++] = scale | boundsRaw | (exceptionCount > 0 ? WITH_EXCEPTIONS : 0) | (divisor !== 1 ? WITH_DIVISOR : 0)
  if (divisor !== 1) at = writeVarint(out, at, divisor)
  at = writeSignedVarint(out, at, first)
  if (boundsRaw) {
    at = writeFloat(out, at, BOUNDS.min)
    at = writeFloat(out, at, BOUNDS.max)
  } else {
    const integers = scratchNumbers(0)
    let least = 0
    let greatest = 0
    for (let index = 0; index < count; index++) {
      if (integers[index] < least) least = integers[index]
      if (integers[index] > greatest) greatest = integers[index]
    }
    at = writeVarint(out, at, -least)
    at = writeVarint(out, at, greatest)
  }
  at = writeFloat(out, at, BOUNDS.sum)
  at = packPrepared(out, at)
  if (exceptionCount === 0) return at
  at = writeVarint(out, at, exceptionCount)
  const positions = scratchNumbers(3)
  for (let index = 0; index < exceptionCount; index++) positions[index] = exceptions[index]
  at = writePositions(positions, exceptionCount, count, false, out, at)
  for (let index = 0; index < exceptionCount; index++) at = writeHalves(out, at, halves, from + exceptions[index])
  return at
}

function writeHalves(out: Uint8Array, at: number, halves: Uint32Array, index: number): number {
  return writeUint32(out, writeUint32(out, at, halves[2 * index + LOW]), halves[2 * index + HIGH])
}

/** Fills `BOUNDS` with what the header says. A NaN sum (infinities of both signs) has the standard quiet bits. */
function summarize(values: Float64Array, from: number, to: number): void {
  let min = Number.POSITIVE_INFINITY
  let max = Number.NEGATIVE_INFINITY
  let sum = 0
  let numbers = 0
  for (let index = from; index < to; index++) {
    const value = values[index]
    if (Number.isNaN(value)) continue
    numbers++
    if (value < min) min = value
    if (value > max) max = value
    sum += value
  }
  BOUNDS.min = numbers > 0 ? min + 0 : Number.NaN
  BOUNDS.max = numbers > 0 ? max + 0 : Number.NaN
  BOUNDS.sum = Number.isNaN(sum) ? Number.NaN : sum
}

/**
 * Reads a value column's header; touches a few bytes, whatever the count.
 *
 * @throws {CodecError} `TRUNCATED`, `CORRUPT_CHUNK` or `UNSUPPORTED_ENCODING`, as decoding would, for the fields it reads.
 */
export function readSealedValuesHeader(
  bytes: Uint8Array,
  offset: number,
  endOffset: number,
  into: SealedValuesHeader = { encoding: 0, count: 0, min: 0, max: 0, sum: 0 },
): SealedValuesHeader {
  const reader = openColumn(bytes, offset, endOffset)
  into.encoding = readEncoding(reader, ENCODING_RAW)
  into.count = readCount(reader)
  if (into.encoding === ENCODING_CONSTANT || into.encoding === ENCODING_CONSTANT_DECIMAL) {
    const value = into.encoding === ENCODING_CONSTANT ? reader.float() : readConstantDecimal(reader)
    into.min = into.max = Number.isNaN(value) ? Number.NaN : value + 0
    into.sum = Number.isNaN(value) ? 0 : value * into.count
    return into
  }
  if (into.encoding === ENCODING_DECIMALS) {
    readDecimalsStart(reader)
    into.min = DECIMALS.min
    into.max = DECIMALS.max
  } else {
    into.min = reader.float()
    into.max = reader.float()
  }
  into.sum = reader.float()
  return into
}

/**
 * Decodes the column `bytes[offset, endOffset)` into `out` from `outOffset` on and returns how many values it held.
 *
 * The checksum is not looked at (`verifySealedColumn` does that): bytes that are damaged decode to other values or throw,
 * never more than that.
 * Memory: the column is the caller's; what stands behind the decoded values is left alone.
 * @throws {CodecError} `TRUNCATED`, `CORRUPT_CHUNK` or `UNSUPPORTED_ENCODING` with the bit offset of the wrong field,
 *   `OUTPUT_TOO_SMALL`, `INVALID_ARGUMENT`. The decoded part of the column is then undefined.
 */
export function decodeSealedValues(
  bytes: Uint8Array,
  offset: number,
  endOffset: number,
  out: Float64Array,
  outOffset: number,
): number {
  const reader = openColumn(bytes, offset, endOffset)
  const encoding = readEncoding(reader, ENCODING_RAW)
  const count = readCount(reader)
  checkRoom(out.length, outOffset, count)
  decodeColumn(reader, encoding, count, 0, count, out, outOffset)
  return count
}

/**
 * Decodes values `[from, to)` of the column `bytes[offset, endOffset)`, which is known to hold `count`, into `out` from
 * `outOffset` on, where the caller has made sure of the room. What stands before them is added up at most, what stands
 * behind them left alone; errors are those of the whole column.
 *
 * @throws {CodecError} as `decodeSealedValues`, and `CORRUPT_CHUNK` at the column's start where it holds another number.
 */
export function decodeSealedPart(
  bytes: Uint8Array,
  offset: number,
  endOffset: number,
  count: number,
  from: number,
  to: number,
  out: Float64Array,
  outOffset: number,
): void {
  const reader = openColumn(bytes, offset, endOffset)
  const encoding = readEncoding(reader, ENCODING_RAW)
  if (readCount(reader) !== count) throw corrupt(offset, `a column of ${count} values`)
  decodeColumn(reader, encoding, count, from, to, out, outOffset)
}

function decodeColumn(
  reader: ByteReader,
  encoding: number,
  count: number,
  from: number,
  to: number,
  out: Float64Array,
  outOffset: number,
): void {
  const { bytes } = reader
  if (encoding === ENCODING_DECIMALS) decodeDecimals(reader, count, from, to, out, outOffset)
  else if (encoding === ENCODING_CONSTANT_DECIMAL) {
    out.fill(readConstantDecimal(reader), outOffset, outOffset + to - from)
  } else if (encoding === ENCODING_CONSTANT) {
    fillBits(bytes, reader.skip(8), to - from, out, outOffset)
  } else {
    reader.skip(24)
    if (encoding === ENCODING_RAW) copyBits(bytes, reader.skip(8 * count) + 8 * from, to - from, out, outOffset)
    else if (to - from === count) unpackXor(reader, count, out, outOffset)
    else {
      const whole = scratchNumbers(0)
      unpackXor(reader, count, whole, 0)
      out.set(whole.subarray(from, to), outOffset)
    }
  }
  if (reader.at !== reader.end) throw corrupt(reader.at, 'the checksum')
}

/**
 * Whether the column is known to hold numbers only, no NaN of any bits, by its first bytes alone; false where that takes
 * decoding. Says nothing of whether the rest is sound.
 */
export function sealedValuesAreNumbers(bytes: Uint8Array, offset: number, endOffset: number): boolean {
  const encoding = bytes[offset]
  if (encoding === ENCODING_CONSTANT_DECIMAL) return true
  if (encoding !== ENCODING_DECIMALS) return false
  // The flags stand behind the count, a varint.
  let at = offset + 1
  while (at < endOffset && bytes[at] >= 128) at++
  return at + 1 < endOffset && (bytes[at + 1] & WITH_EXCEPTIONS) === 0
}

/** Refuses a column that the output has no room for. */
export function checkRoom(outLength: number, outOffset: number, count: number): void {
  if (!(Number.isInteger(outOffset) && outOffset >= 0 && outLength - outOffset >= count)) {
    throw new CodecError('OUTPUT_TOO_SMALL', `${outLength} slots from ${outOffset}: the column holds ${count} samples`)
  }
}

/** A reader over the column without its checksum. */
export function openColumn(bytes: Uint8Array, offset: number, endOffset: number): ByteReader {
  if (
    !(Number.isInteger(offset) && Number.isInteger(endOffset)) ||
    !(offset >= 0 && offset <= endOffset && endOffset <= bytes.length)
  ) {
    throw new CodecError('INVALID_ARGUMENT', `column [${offset}, ${endOffset}): there are ${bytes.length} bytes`)
  }
  if (endOffset - offset < CHECKSUM_SIZE) {
    throw new CodecError('TRUNCATED', `${endOffset - offset} bytes at byte ${offset} are no column`, offset * 8)
  }
  return new ByteReader(bytes, offset, endOffset - CHECKSUM_SIZE)
}

/** Reads the first byte, which must be one of the encodings up to `encodingMax`. */
export function readEncoding(reader: ByteReader, encodingMax: number): number {
  const start = reader.at
  const encoding = reader.byte()
  if (encoding > encodingMax) {
    throw new CodecError('UNSUPPORTED_ENCODING', `byte ${start} of the chunk: encoding ${encoding}`, start * 8)
  }
  return encoding
}

/** Reads the sample count. */
export function readCount(reader: ByteReader): number {
  const start = reader.at
  const count = reader.varint()
  if (count < 1 || count > SAMPLES_PER_CHUNK_MAX) throw corrupt(start, `a count in [1, ${SAMPLES_PER_CHUNK_MAX}]`)
  return count
}

function readConstantDecimal(reader: ByteReader): number {
  const start = reader.at
  const scale = reader.byte()
  if (scale > SCALE_MAX) throw corrupt(start, `a scale of at most ${SCALE_MAX}`)
  return readScaled(reader) / POWERS_OF_TEN[scale]
}

function readScaled(reader: ByteReader): number {
  const start = reader.at
  const integer = reader.signedVarint()
  if (Math.abs(integer) > SCALED_MAX) throw corrupt(start, 'a scaled value within ±2^50')
  return integer
}

const DECIMALS = { scale: 0, exceptions: false, divisor: 1, first: 0, min: 0, max: 0 }

/** Reads what stands before the sum. */
function readDecimalsStart(reader: ByteReader): void {
  let start = reader.at
  const flags = reader.byte()
  const scale = flags & 31
  if (scale > SCALE_MAX) throw corrupt(start, `a scale of at most ${SCALE_MAX}`)
  start = reader.at
  const divisor = flags & WITH_DIVISOR ? reader.varint() : 1
  if (divisor < 1 || divisor > DIFFERENCE_MAX) throw corrupt(start, 'a divisor in [1, 2^52]')
  const first = readScaled(reader)
  DECIMALS.scale = scale
  DECIMALS.exceptions = (flags & WITH_EXCEPTIONS) !== 0
  DECIMALS.divisor = divisor
  DECIMALS.first = first
  if (flags & BOUNDS_RAW) {
    DECIMALS.min = reader.float()
    DECIMALS.max = reader.float()
    return
  }
  start = reader.at
  const least = first - divisor * reader.varint()
  const greatest = first + divisor * reader.varint()
  if (least < -SCALED_MAX || greatest > SCALED_MAX) throw corrupt(start, 'bounds within ±2^50')
  DECIMALS.min = least / POWERS_OF_TEN[scale]
  DECIMALS.max = greatest / POWERS_OF_TEN[scale]
}

function decodeDecimals(
  reader: ByteReader,
  count: number,
  from: number,
  to: number,
  out: Float64Array,
  outOffset: number,
): void {
  readDecimalsStart(reader)
  const { scale, exceptions, divisor, first } = DECIMALS
  reader.skip(8)
  unpackIntegers(reader, first, divisor, POWERS_OF_TEN[scale], count, out, outOffset, from, to)
  if (!exceptions) return
  const start = reader.at
  const exceptionCount = reader.varint()
  if (exceptionCount < 1 || exceptionCount > count) throw corrupt(start, 'an exception count in [1, samples]')
  const positions = readPositions(reader, exceptionCount, count, false)
  let at = reader.skip(8 * exceptionCount)
  for (let index = 0; index < exceptionCount; index++, at += 8) {
    const position = positions[index]
    if (position >= from && position < to) fillBits(reader.bytes, at, 1, out, outOffset + position - from)
  }
}

/** Writes the 8 bytes at `at` to `count` slots, bit by bit as they are. */
function fillBits(bytes: Uint8Array, at: number, count: number, out: Float64Array, outOffset: number): void {
  const halves = halvesOf(out)
  const low = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
  const high = bytes[at + 4] | (bytes[at + 5] << 8) | (bytes[at + 6] << 16) | (bytes[at + 7] << 24)
  for (let index = outOffset; index < outOffset + count; index++) {
    halves[2 * index + LOW] = low
    halves[2 * index + HIGH] = high
  }
}

function copyBits(bytes: Uint8Array, at: number, count: number, out: Float64Array, outOffset: number): void {
  for (let index = 0; index < count; index++) fillBits(bytes, at + 8 * index, 1, out, outOffset + index)
}

/**
 * Checks a sealed column (values or timestamps) against its checksum.
 *
 * @throws {CodecError} `CHECKSUM_MISMATCH` with the checksum's bit offset; `TRUNCATED`, `INVALID_ARGUMENT`.
 */
export function verifySealedColumn(bytes: Uint8Array, offset: number, endOffset: number): void {
  const { end } = openColumn(bytes, offset, endOffset)
  const stored = (bytes[end] | (bytes[end + 1] << 8) | (bytes[end + 2] << 16) | (bytes[end + 3] << 24)) >>> 0
  const computed = crc32c(bytes, offset, end)
  if (stored !== computed) {
    const message = `checksum at byte ${end} is ${stored.toString(16)}, the bytes have ${computed.toString(16)}`
    throw new CodecError('CHECKSUM_MISMATCH', message, end * 8)
  }
}
