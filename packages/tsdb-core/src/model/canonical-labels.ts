/**
 * A series' identity as bytes: what references, hashes and the commit log are made from.
 *
 *     name length (LEB128) · name (UTF-8) · value length (LEB128) · value (UTF-8)     for each label, sorted by name's bytes
 *
 * Names are unique, names and values are not empty. Equal label sets have equal bytes and the other way round.
 */
import { StorageError } from '../errors.js'
import { Labels } from './labels.js'

/** One name or value is at most this long, so that one length is at most three bytes. */
export const LABEL_SIZE_BYTES_MAX = 0x1fffff
/** Of a longer text too, which is refused once its length is known: 2^32 and more have five. */
const LENGTH_SIZE_MAX = 5
const SCRATCH_SIZE_BYTES_MAX = 64 << 10

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Of the last call, so that labels that are made known by the thousand leave one array each. */
let scratch = new Uint8Array(1024)

/** @throws {StorageError} `INVALID_ARGUMENT` for a name or a value that is too long. */
export function encodeCanonicalLabels(labels: Labels): Uint8Array {
  let at = 0
  for (const text of labels.flat) {
    const start = at
    reserve(at, LENGTH_SIZE_MAX + text.length)
    at = writeLength(scratch, at, text.length)
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      if (unit >= 0x80) {
        at = -1
        break
      }
      scratch[at++] = unit
    }
    // Not of one byte a character: its length is known once it is encoded.
    if (at < 0) at = writeBytes(start, encoder.encode(text))
    else if (text.length > LABEL_SIZE_BYTES_MAX) throw tooLong(text.length)
  }
  const out = scratch.slice(0, at)
  if (scratch.length > SCRATCH_SIZE_BYTES_MAX) scratch = new Uint8Array(1024)
  return out
}

function writeBytes(at: number, bytes: Uint8Array): number {
  if (bytes.length > LABEL_SIZE_BYTES_MAX) throw tooLong(bytes.length)
  reserve(at, LENGTH_SIZE_MAX + bytes.length)
  at = writeLength(scratch, at, bytes.length)
  scratch.set(bytes, at)
  return at + bytes.length
}

function reserve(at: number, sizeBytes: number): void {
  if (at + sizeBytes <= scratch.length) return
  const larger = new Uint8Array(Math.max(scratch.length * 2, at + sizeBytes))
  larger.set(scratch.subarray(0, at))
  scratch = larger
}

function tooLong(sizeBytes: number): StorageError {
  return new StorageError('INVALID_ARGUMENT', `a label of ${sizeBytes} bytes, wanted at most ${LABEL_SIZE_BYTES_MAX}`)
}

/** @throws {StorageError} `INVALID_ARGUMENT` when the bytes are not canonical. */
export function decodeCanonicalLabels(bytes: Uint8Array, start = 0, end = bytes.length): Labels {
  checkCanonicalLabels(bytes, start, end)
  const flat: string[] = []
  for (let at = start; at < end; ) {
    const length = readLength(bytes, at)
    at += lengthSize(length)
    flat.push(decoder.decode(bytes.subarray(at, at + length)))
    at += length
  }
  return Labels.fromSorted(flat)
}

/**
 * Checks lengths, order, uniqueness, empty values and UTF-8.
 *
 * @throws {StorageError} `INVALID_ARGUMENT` with the offset.
 */
export function checkCanonicalLabels(bytes: Uint8Array, start: number, end: number): void {
  let nameStart = -1
  let nameEnd = -1
  let at = start
  while (at < end) {
    const [name, afterName] = checkedText(bytes, at, end)
    const [value, afterValue] = checkedText(bytes, afterName, end)
    if (name === afterName) throw invalid('an empty label name', name)
    if (value === afterValue) throw invalid('an empty label value', value)
    if (nameStart >= 0 && compareRanges(bytes, nameStart, nameEnd, name, afterName) >= 0) {
      throw invalid('label names that do not rise', name)
    }
    nameStart = name
    nameEnd = afterName
    at = afterValue
  }
}

/** A 32-bit hash of canonical label bytes: the same in the head, in blocks and for the choice of a shard. */
export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = (0x9e3779b1 ^ (end - start)) | 0
  let at = start
  for (; at + 4 <= end; at += 4) {
    const word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
    hash = Math.imul(hash ^ Math.imul(word, 0xcc9e2d51), 0x1b873593)
    hash = (hash << 13) | (hash >>> 19)
  }
  for (; at < end; at++) hash = Math.imul(hash ^ bytes[at], 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Bytes that a LEB128 length takes. */
export function lengthSize(length: number): number {
  return length < 0x80 ? 1 : length < 0x4000 ? 2 : 3
}

export function writeLength(out: Uint8Array, at: number, length: number): number {
  while (length >= 0x80) {
    out[at++] = (length & 0x7f) | 0x80
    length >>>= 7
  }
  out[at++] = length
  return at
}

/** Reads a length that was checked before. */
export function readLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]
  if (first < 0x80) return first
  const second = bytes[at + 1]
  if (second < 0x80) return (first & 0x7f) | (second << 7)
  return (first & 0x7f) | ((second & 0x7f) << 7) | (bytes[at + 2] << 14)
}

function checkedText(bytes: Uint8Array, at: number, end: number): [start: number, end: number] {
  let length = 0
  let shift = 0
  for (;;) {
    if (at >= end) throw invalid('labels that end inside a length', at)
    const byte = bytes[at++]
    length |= (byte & 0x7f) << shift
    if (byte < 0x80) {
      if (byte === 0 && shift > 0) throw invalid('a length with needless bytes', at - 1)
      break
    }
    shift += 7
    if (shift > 14) throw invalid(`a label longer than ${LABEL_SIZE_BYTES_MAX} bytes`, at - 1)
  }
  if (length > end - at) throw invalid(`a label of ${length} bytes with ${end - at} left`, at)
  if (!isUtf8(bytes, at, at + length)) throw invalid('a label that is not UTF-8', at)
  return [at, at + length]
}

function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    if (bytes[i] < 0x80) continue
    try {
      decoder.decode(bytes.subarray(start, end))
      return true
    } catch {
      return false // TextDecoder throws a TypeError for malformed UTF-8 and nothing else.
    }
  }
  return true
}

function compareRanges(bytes: Uint8Array, aStart: number, aEnd: number, bStart: number, bEnd: number): number {
  const shared = Math.min(aEnd - aStart, bEnd - bStart)
  for (let i = 0; i < shared; i++) {
    const difference = bytes[aStart + i] - bytes[bStart + i]
    if (difference !== 0) return difference
  }
  return aEnd - aStart - (bEnd - bStart)
}

function invalid(what: string, at: number): StorageError {
  return new StorageError('INVALID_ARGUMENT', `canonical labels at byte ${at}: ${what}`)
}
