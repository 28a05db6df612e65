/**
 * Gorilla, the encoding of a chunk that still grows: a sample at a time, in one pass, readable at any moment.
 *
 *     count     16 bits
 *     first     64 bits: the timestamp in ms, two's complement
 *     value     64 bits
 *     then for each further sample its timestamp
 *         0                  delta-of-delta 0
 *         10   +  7 bits     in [-64, 63]
 *         110  +  9 bits     in [-256, 255]
 *         1110 + 12 bits     in [-2048, 2047]
 *         1111 + 64 bits     any other: the timestamp itself
 *     and its value, as in xor-values.ts
 *
 * All numbers stand highest bit first; the last byte is filled up with zeros. The escape holds the timestamp and not its
 * second difference, so that no difference of extreme timestamps overflows.
 *
 * Source: Pelkonen et al., "Gorilla" (VLDB 2015), with two's-complement buckets as in M3TSZ; lossless, unlike that.
 * Bytes: docs/formats/chunk.md. Rust twin: native/codec/src/gorilla.rs.
 */
import { type BitReader, openBits } from './bit-reader.js'
import { type BitWriter, finishBits, newBitWriter, reserveBits, writeBits } from './bit-writer.js'
import { CodecError } from './errors.js'
import { HIGH, halvesOf, LOW } from './float-halves.js'
import { INTEGER_EXACT_MAX, SAMPLES_PER_CHUNK_MAX } from './limits.js'
import { checkRoom } from './sealed-values.js'
import { appendXorValue, newXorDecoderState, newXorEncoderState, readXorValue, type XorState } from './xor-values.js'

/** The longest sample: an escaped timestamp of 68 bits and a value of 77. */
const SAMPLE_SIZE_MAX = 20
const COUNT_SIZE = 2
/** The upper half of 2^53. */
const TIMESTAMP_HIGH_MAX = 2 ** 21

/** Appends samples to a chunk in memory of its own, which grows as it must. */
export class GorillaEncoder {
  private readonly writer: BitWriter
  private readonly xor: XorState = newXorEncoderState()
  private previousMs = 0
  private deltaMs = 0
  private samples = 0
  private readonly one = new Float64Array(1)
  private readonly oneHalves = halvesOf(this.one)

  constructor(capacityBytes = 256) {
    this.writer = newBitWriter(new Uint8Array(Math.max(capacityBytes, 4 * SAMPLE_SIZE_MAX)), COUNT_SIZE)
  }

  /** How many samples the chunk holds. */
  get count(): number {
    return this.samples
  }

  /** How many bytes `finish` would return now. */
  get sizeBytes(): number {
    return this.writer.at + ((this.writer.heldBits + 7) >>> 3)
  }

  /**
   * Appends one sample. A staleness marker may lose its bits on the way through a number: append it from a column.
   *
   * @throws {CodecError} as `appendColumns`.
   */
  append(timestampMs: number, value: number): void {
    this.one[0] = value
    this.push(timestampMs, this.oneHalves[LOW], this.oneHalves[HIGH])
  }

  /**
   * Appends the samples [from, to) of two columns.
   *
   * @throws {CodecError} `TIMESTAMP_OUT_OF_RANGE` for a timestamp that is no integer within ±2^53 or falls, `CHUNK_FULL`
   *   beyond 65535 samples; the samples before it are in the chunk, nothing of it is.
   */
  appendColumns(timestampsMs: Float64Array, values: Float64Array, from: number, to: number): void {
    if (!(from >= 0 && from <= to && to <= timestampsMs.length && to <= values.length)) {
      const lengths = `${timestampsMs.length} timestamps and ${values.length} values`
      throw new CodecError('INVALID_ARGUMENT', `samples [${from}, ${to}): the columns have ${lengths}`)
    }
    const halves = halvesOf(values)
    for (let index = from; index < to; index++) {
      this.push(timestampsMs[index], halves[2 * index + LOW], halves[2 * index + HIGH])
    }
  }

  /** The chunk so far: a view of the encoder's memory, valid until the next append. */
  finish(): Uint8Array {
    const { bytes } = this.writer
    bytes[0] = this.samples >>> 8
    bytes[1] = this.samples
    return bytes.subarray(0, finishBits(this.writer))
  }

  private push(timestampMs: number, low: number, high: number): void {
    const { writer } = this
    const delta = timestampMs - this.previousMs
    reserveBits(writer, SAMPLE_SIZE_MAX)
    // Nearly every sample of a scraped series takes the first way: the delta is known to be exact and not negative.
    const usual = delta === this.deltaMs && this.samples > 0 && this.samples < SAMPLES_PER_CHUNK_MAX
    if (usual && timestampMs <= INTEGER_EXACT_MAX && Math.floor(timestampMs) === timestampMs) {
      this.previousMs = timestampMs
      this.samples++
      appendXorValue(writer, this.xor, 1, low, high)
      return
    }
    this.pushTimestamp(timestampMs)
    this.previousMs = timestampMs
    if (this.samples++ > 0) {
      appendXorValue(writer, this.xor, 0, low, high)
      return
    }
    this.xor.low = low
    this.xor.high = high
    writeBits(writer, high, 32)
    writeBits(writer, low, 32)
  }

  private pushTimestamp(timestampMs: number): void {
    const { writer, samples } = this
    const least = samples === 0 ? -INTEGER_EXACT_MAX : this.previousMs
    if (!(timestampMs >= least && timestampMs <= INTEGER_EXACT_MAX && Math.floor(timestampMs) === timestampMs)) {
      const message = `sample ${samples} is at ${timestampMs}, wanted an integer in [${least}, 2^53]`
      throw new CodecError('TIMESTAMP_OUT_OF_RANGE', message)
    }
    if (samples === SAMPLES_PER_CHUNK_MAX) {
      throw new CodecError('CHUNK_FULL', `the chunk holds ${samples} samples, the most there can be`)
    }
    if (samples === 0) {
      writeTimestamp(writer, timestampMs)
      return
    }
    const delta = timestampMs - this.previousMs
    const dod = delta - this.deltaMs
    this.deltaMs = deltaAfterEscape(delta)
    if (delta >= INTEGER_EXACT_MAX) writeEscape(writer, timestampMs)
    else if (dod === 0) writeBits(writer, 0, 1)
    else if (dod >= -64 && dod <= 63) writeBits(writer, (0b10 << 7) | (dod & 127), 9)
    else if (dod >= -256 && dod <= 255) writeBits(writer, (0b110 << 9) | (dod & 511), 12)
    else if (dod >= -2048 && dod <= 2047) writeBits(writer, (0b1110 << 12) | (dod & 4095), 16)
    else writeEscape(writer, timestampMs)
  }
}

/** A delta too large to be exact is forgotten, on both sides. */
function deltaAfterEscape(delta: number): number {
  return delta < INTEGER_EXACT_MAX ? delta : 0
}

function writeEscape(writer: BitWriter, timestampMs: number): void {
  writeBits(writer, 0b1111, 4)
  writeTimestamp(writer, timestampMs)
}

function writeTimestamp(writer: BitWriter, timestampMs: number): void {
  writeBits(writer, Math.floor(timestampMs / 4294967296) >>> 0, 32)
  writeBits(writer, timestampMs >>> 0, 32)
}

/**
 * Decodes the Gorilla chunk `bytes[offset, endOffset)` into two columns from `outOffset` on and returns the sample count.
 *
 * Timestamps never fall and are integers within ±2^53, whatever the bytes. Bytes behind the last sample are not looked at.
 * @throws {CodecError} `TRUNCATED` or `CORRUPT_CHUNK` with the bit offset of the wrong field, `OUTPUT_TOO_SMALL`,
 *   `INVALID_ARGUMENT`. The decoded part of the columns is then undefined.
 */
export function decodeGorilla(
  bytes: Uint8Array,
  offset: number,
  endOffset: number,
  timestampsMs: Float64Array,
  values: Float64Array,
  outOffset: number,
): number {
  const reader = openBits(bytes, offset, endOffset)
  const count = reader.bits(16)
  checkRoom(Math.min(timestampsMs.length, values.length), outOffset, count)
  if (count === 0) return 0
  const xor = newXorDecoderState()
  const halves = halvesOf(values)
  let timestamp = readTimestamp(reader, -INTEGER_EXACT_MAX)
  let delta = 0
  xor.high = reader.bits(32)
  xor.low = reader.bits(32)
  timestampsMs[outOffset] = timestamp
  halves[2 * outOffset + LOW] = xor.low
  halves[2 * outOffset + HIGH] = xor.high
  for (let index = outOffset + 1; index < outOffset + count; index++) {
    const start = reader.position
    const ones = reader.ones(4)
    if (ones > 0) {
      if (ones < 4) delta += signed(reader, DOD_BITS[ones])
      else {
        const next = readTimestamp(reader, timestamp)
        delta = deltaAfterEscape(next - timestamp)
        timestamp = next - delta
      }
      if (delta < 0 || delta >= INTEGER_EXACT_MAX) throw misplaced(start)
    }
    // Subtracted, since a sum beyond 2^53 may round down to it.
    if (timestamp > 0 && delta > INTEGER_EXACT_MAX - timestamp) throw misplaced(start)
    timestamp += delta
    readXorValue(reader, xor)
    timestampsMs[index] = timestamp
    halves[2 * index + LOW] = xor.low
    halves[2 * index + HIGH] = xor.high
  }
  return count
}

/** How many bits a delta-of-delta has behind that many ones. */
const DOD_BITS = Uint8Array.of(0, 7, 9, 12)

function signed(reader: BitReader, count: number): number {
  return (reader.bits(count) << (32 - count)) >> (32 - count)
}

function readTimestamp(reader: BitReader, least: number): number {
  const start = reader.position
  const high = reader.bits(32) | 0
  const low = reader.bits(32)
  // Asked by halves: as one float64, 2^53 + 1 would be 2^53.
  if (high < -TIMESTAMP_HIGH_MAX || high > TIMESTAMP_HIGH_MAX || (high === TIMESTAMP_HIGH_MAX && low > 0)) {
    throw misplaced(start)
  }
  const timestamp = high * 4294967296 + low
  if (timestamp < least) throw misplaced(start)
  return timestamp
}

function misplaced(start: number): CodecError {
  const wanted = 'a timestamp that never falls, within ±2^53'
  return new CodecError('CORRUPT_CHUNK', `bit ${start} of the chunk: expected ${wanted}`, start)
}
