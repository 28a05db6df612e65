/**
 * Prometheus' XOR chunk (encoding 1), bit for bit: remote read streams it, and its blocks hold it.
 *
 *     count     16 bits
 *     first     the timestamp as a zigzag varint, lowest 7 bits first; its value, 64 bits
 *     second    the delta as an unsigned varint; its value, as in xor-values.ts
 *     then for each further sample its delta-of-delta
 *         0                  0
 *         10   + 14 bits     in [-8191, 8192]
 *         110  + 17 bits     in [-65535, 65536]
 *         1110 + 20 bits     in [-524287, 524288]
 *         1111 + 64 bits     any other, two's complement
 *     and its value
 *
 * The buckets reach one further up than down: n bits above 2^(n-1) are negative, 2^(n-1) itself is not. Nothing is aligned
 * but the end. Source: Prometheus' tsdb/docs/format/chunks.md and tsdb/chunkenc/xor.go.
 * Rust twin: native/codec/src/xor_chunk.rs.
 */
import { type BitReader, openBits } from './bit-reader.js'
import { type BitWriter, finishBits, newBitWriter, writeBits } from './bit-writer.js'
import { CodecError } from './errors.js'
import { HIGH, halvesOf, LOW } from './float-halves.js'
import { INTEGER_EXACT_MAX } from './limits.js'
import { checkEncodeArguments, checkRoom } from './sealed-values.js'
import { appendXorValue, newXorDecoderState, newXorEncoderState, readXorValue } from './xor-values.js'

/** How many bits a delta-of-delta has behind that many ones. */
const DOD_BITS = Uint8Array.of(0, 14, 17, 20)

/** How many bytes an XOR chunk of `count` samples takes at most. */
export function xorChunkSizeMax(count: number): number {
  return 20 * count + 16
}

/**
 * Encodes the samples [from, to) as one XOR chunk at `offset` of `out` and returns the offset behind it. Prometheus cuts its
 * chunks at about 120 samples; 65535 are the most that one can hold.
 *
 * @throws {CodecError} `TIMESTAMP_OUT_OF_RANGE` for a timestamp that is no integer inside ±2^53 or falls, or a gap of 2^53;
 *   `INVALID_ARGUMENT`; `OUTPUT_TOO_SMALL` if `out` has not `xorChunkSizeMax(to - from)` bytes from `offset` on.
 */
export function encodeXorChunk(
  timestampsMs: Float64Array,
  values: Float64Array,
  from: number,
  to: number,
  out: Uint8Array,
  offset: number,
): number {
  const length = Math.min(timestampsMs.length, values.length)
  checkEncodeArguments(length, from, to, out.length, offset, xorChunkSizeMax(to - from))
  const writer = newBitWriter(out, offset)
  writeBits(writer, to - from, 16)
  const halves = halvesOf(values)
  const xor = newXorEncoderState()
  let previous = 1 - INTEGER_EXACT_MAX
  let delta = 0
  for (let index = from; index < to; index++) {
    const timestamp = timestampsMs[index]
    const next = timestamp - previous
    if (!(next >= 0 && timestamp < INTEGER_EXACT_MAX && Math.floor(timestamp) === timestamp)) {
      const message = `timestamp ${index} is ${timestamp}, wanted an integer in [${previous}, 2^53)`
      throw new CodecError('TIMESTAMP_OUT_OF_RANGE', message)
    }
    const low = halves[2 * index + LOW]
    const high = halves[2 * index + HIGH]
    if (index === from) {
      writeZigzagVarint(writer, timestamp)
      writeBits(writer, high, 32)
      writeBits(writer, low, 32)
      xor.low = low
      xor.high = high
    } else {
      if (next >= INTEGER_EXACT_MAX) {
        const message = `timestamp ${index} is ${next} ms after the one before, wanted less than 2^53`
        throw new CodecError('TIMESTAMP_OUT_OF_RANGE', message)
      }
      if (index === from + 1) writeVarint(writer, next)
      else writeDeltaOfDelta(writer, next - delta)
      delta = next
      appendXorValue(writer, xor, 0, low, high)
    }
    previous = timestamp
  }
  return finishBits(writer)
}

/** By sign and magnitude, since twice a timestamp may have more bits than a float64 holds. */
function writeZigzagVarint(writer: BitWriter, value: number): void {
  const magnitude = value < 0 ? -value - 1 : value
  const lowest = ((magnitude % 64) << 1) | (value < 0 ? 1 : 0)
  if (magnitude < 64) writeBits(writer, lowest, 8)
  else {
    writeBits(writer, lowest | 128, 8)
    writeVarint(writer, Math.floor(magnitude / 64))
  }
}

function writeVarint(writer: BitWriter, value: number): void {
  while (value >= 128) {
    writeBits(writer, (value % 128) | 128, 8)
    value = Math.floor(value / 128)
  }
  writeBits(writer, value, 8)
}

function writeDeltaOfDelta(writer: BitWriter, dod: number): void {
  if (dod === 0) writeBits(writer, 0, 1)
  else if (dod >= -8191 && dod <= 8192) writeBits(writer, (0b10 << 14) | (dod & 0x3fff), 16)
  else if (dod >= -65535 && dod <= 65536) writeBits(writer, (0b110 << 17) | (dod & 0x1ffff), 20)
  else if (dod >= -524287 && dod <= 524288) writeBits(writer, (0b1110 << 20) | (dod & 0xfffff), 24)
  else {
    writeBits(writer, 0b1111, 4)
    writeBits(writer, Math.floor(dod / 4294967296) >>> 0, 32)
    writeBits(writer, dod >>> 0, 32)
  }
}

/**
 * Decodes the XOR chunk `bytes[offset, endOffset)` into two columns from `outOffset` on and returns the sample count.
 *
 * Timestamps come as they are, ordered or not, but must be integers inside ±2^53, and so their gaps. Bytes behind the last sample are not
 * looked at, as in Prometheus.
 * @throws {CodecError} `TRUNCATED` or `CORRUPT_CHUNK` with the bit offset of the wrong field, `OUTPUT_TOO_SMALL`,
 *   `INVALID_ARGUMENT`. The decoded part of the columns is then undefined.
 */
export function decodeXorChunk(
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
  const xor = newXorDecoderState()
  const halves = halvesOf(values)
  let timestamp = 0
  let delta = 0
  for (let index = 0; index < count; index++) {
    const start = reader.position
    if (index === 0) {
      readVarint(reader)
      const half = varintHigh * 134217728 + (varintLow >>> 1)
      timestamp = varintLow & 1 ? -half - 1 : half
    } else {
      if (index === 1) {
        readVarint(reader)
        delta = varintHigh * 268435456 + varintLow
      } else delta += readDeltaOfDelta(reader)
      timestamp += delta
    }
    // Inside, not within: what lies beyond may round to 2^53 itself, but not below it.
    if (!(Math.abs(delta) < INTEGER_EXACT_MAX && Math.abs(timestamp) < INTEGER_EXACT_MAX)) throw outOfRange(start)
    if (index === 0) {
      xor.high = reader.bits(32)
      xor.low = reader.bits(32)
    } else readXorValue(reader, xor)
    timestampsMs[outOffset + index] = timestamp
    halves[2 * (outOffset + index) + LOW] = xor.low
    halves[2 * (outOffset + index) + HIGH] = xor.high
  }
  return count
}

/** The upper and the lower 28 bits of the varint that was read last: it may have more bits than a float64 holds. */
let varintHigh = 0
let varintLow = 0

/** Reads a varint of at most 8 bytes. */
function readVarint(reader: BitReader): void {
  const start = reader.position
  varintHigh = 0
  varintLow = 0
  for (let index = 0; index < 8; index++) {
    const byte = reader.bits(8)
    if (index < 4) varintLow |= (byte & 127) << (7 * index)
    else varintHigh |= (byte & 127) << (7 * (index - 4))
    if (byte < 128) return
  }
  throw outOfRange(start)
}

function readDeltaOfDelta(reader: BitReader): number {
  const start = reader.position
  const ones = reader.ones(4)
  if (ones === 0) return 0
  if (ones < 4) {
    const width = DOD_BITS[ones]
    const bits = reader.bits(width)
    return bits > 1 << (width - 1) ? bits - (1 << width) : bits
  }
  const high = reader.bits(32) | 0
  const low = reader.bits(32)
  // The second difference of rising timestamps is no larger than they are.
  if (high >= 1 << 21 || high < -(1 << 21)) throw outOfRange(start)
  return high * 4294967296 + low
}

function outOfRange(start: number): CodecError {
  const message = `bit ${start} of the chunk: expected a timestamp inside ±2^53`
  return new CodecError('CORRUPT_CHUNK', message, start)
}
