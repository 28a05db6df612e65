/**
 * Columns of numbers inside a record: cheap to write, since they stand on the path of every write.
 *
 * Each column starts with a byte that says how it is kept.
 *
 *     references   0 rising by one: varint first      1 deltas: varint first, then zigzag varints (modulo 2^32)
 *     times        0 all equal: f64                   1 deltas: f64 first, then zigzag varints      2 raw: f64 each
 *     values       0 raw: f64 each, bit for bit
 *
 * The samples of one scrape target have references in a row and one timestamp, so that their first two columns take a few
 * bytes together, and what remains is a copy of the values.
 */
import type { ByteReader, ByteWriter } from '../bytes/byte-writer.js'
import { unzigzag, writeVarint, zigzag } from '../bytes/byte-writer.js'

const REFERENCES_RISING = 0
const REFERENCES_DELTA = 1
const TIMES_EQUAL = 0
const TIMES_DELTA = 1
const TIMES_RAW = 2
const VALUES_RAW = 0
const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

export function writeReferences(out: ByteWriter, refs: Uint32Array, count: number): void {
  if (isRising(refs, count)) {
    out.u8(REFERENCES_RISING)
    out.varint(count > 0 ? refs[0] : 0)
    return
  }
  out.u8(REFERENCES_DELTA)
  out.varint(refs[0])
  out.reserve((count - 1) * 5)
  const bytes = out.bytes
  let at = out.length
  for (let i = 1; i < count; i++) {
    const delta = (refs[i] - refs[i - 1]) | 0
    const coded = ((delta << 1) ^ (delta >> 31)) >>> 0
    if (coded < 0x80) bytes[at++] = coded
    else at = writeVarint(bytes, at, coded)
  }
  out.length = at
}

export function readReferences(from: ByteReader, count: number): Uint32Array {
  const kind = from.u8()
  if (kind === REFERENCES_RISING) {
    const first = from.varint()
    const refs = new Uint32Array(count)
    for (let i = 0; i < count; i++) refs[i] = first + i
    return refs
  }
  if (kind !== REFERENCES_DELTA) throw from.error(`reference column of unknown kind ${kind}`)
  from.need(count)
  const refs = new Uint32Array(count)
  refs[0] = from.varint()
  for (let i = 1; i < count; i++) refs[i] = refs[i - 1] + unzigzag(from.varint())
  return refs
}

export function writeTimes(out: ByteWriter, timesMs: Float64Array, count: number): void {
  if (count === 0 || isEqual(timesMs, count)) {
    out.u8(TIMES_EQUAL)
    out.f64(count > 0 ? timesMs[0] : 0)
    return
  }
  const start = out.length
  out.u8(TIMES_DELTA)
  out.f64(timesMs[0])
  out.reserve((count - 1) * 5)
  const bytes = out.bytes
  let at = out.length
  for (let i = 1; i < count; i++) {
    const delta = timesMs[i] - timesMs[i - 1]
    const whole = delta | 0
    if (whole !== delta || !Number.isInteger(timesMs[i])) {
      // Far apart or not whole: rare enough that the whole column is kept as it is.
      out.length = start
      out.u8(TIMES_RAW)
      writeRaw(out, timesMs, count)
      return
    }
    const coded = ((whole << 1) ^ (whole >> 31)) >>> 0
    if (coded < 0x80) bytes[at++] = coded
    else at = writeVarint(bytes, at, coded)
  }
  out.length = at
}

export function readTimes(from: ByteReader, count: number): Float64Array {
  const kind = from.u8()
  if (kind === TIMES_EQUAL) return new Float64Array(count).fill(from.f64())
  if (kind === TIMES_RAW) return readRaw(from, count)
  if (kind !== TIMES_DELTA) throw from.error(`time column of unknown kind ${kind}`)
  from.need(count)
  const timesMs = new Float64Array(count)
  timesMs[0] = from.f64()
  for (let i = 1; i < count; i++) timesMs[i] = timesMs[i - 1] + unzigzag(from.varint())
  return timesMs
}

export function writeValues(out: ByteWriter, values: Float64Array, count: number): void {
  out.u8(VALUES_RAW)
  writeRaw(out, values, count)
}

export function readValues(from: ByteReader, count: number): Float64Array {
  const kind = from.u8()
  if (kind !== VALUES_RAW) throw from.error(`value column of unknown kind ${kind}`)
  return readRaw(from, count)
}

export function writeSignedVarint(out: ByteWriter, value: number): void {
  out.varint(zigzag(value))
}

export function readSignedVarint(from: ByteReader): number {
  return unzigzag(from.varint())
}

/** Copies bits, never numbers: a staleness marker would not survive a read as a number. */
function writeRaw(out: ByteWriter, values: Float64Array, count: number): void {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, count * 8)
  const start = out.length
  out.raw(bytes)
  if (!LITTLE_ENDIAN) swapEights(out.bytes, start, out.length)
}

function readRaw(from: ByteReader, count: number): Float64Array {
  const bytes = from.raw(count * 8).slice()
  if (!LITTLE_ENDIAN) swapEights(bytes, 0, bytes.length)
  return new Float64Array(bytes.buffer, 0, count)
}

function swapEights(bytes: Uint8Array, start: number, end: number): void {
  for (let at = start; at < end; at += 8) bytes.subarray(at, at + 8).reverse()
}

function isRising(refs: Uint32Array, count: number): boolean {
  for (let i = 1; i < count; i++) if (refs[i] !== refs[i - 1] + 1) return false
  return true
}

function isEqual(timesMs: Float64Array, count: number): boolean {
  const first = timesMs[0]
  for (let i = 1; i < count; i++) if (timesMs[i] !== first) return false
  return !Number.isNaN(first)
}
