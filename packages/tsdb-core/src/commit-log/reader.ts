/**
 * Reads one segment, record by record, in bounded memory, and says where it is damaged.
 *
 * A record whose header does not check is searched past, byte by byte, to the next one whose header does; a record whose
 * payload alone does not check is stepped over. What a damaged place means is for replay.ts to say.
 */
import { crc32c } from '@varve/gorilla-codec'
import type { File } from '../env/file-system.js'
import { StorageError } from '../errors.js'
import {
  isRecordType,
  mayBeRecordHeader,
  payloadCrcSeed,
  RECORD_HEADER_SIZE_BYTES,
  RECORD_PAYLOAD_SIZE_BYTES_MAX,
  type RecordHeader,
  type RecordType,
  readRecordHeader,
  readSegmentHeader,
  SEGMENT_HEADER_COPY_SIZE_BYTES,
  SEGMENT_HEADER_SIZE_BYTES,
  type SegmentHeader,
} from './format.js'

const WINDOW_SIZE_BYTES = 1024 * 1024

/** One place of a segment, in the order of offsets. `payload` is valid until the next step. */
export type SegmentPiece =
  | {
      readonly kind: 'record'
      readonly offset: number
      readonly sizeBytes: number
      readonly type: RecordType
      readonly sequence: number
      /** All records before this sequence were durable when this one was written. */
      readonly durableSequence: number
      readonly payload: Uint8Array
    }
  | { readonly kind: 'damage'; readonly offset: number; readonly sizeBytes: number; readonly message: string }

/** A window over the file that moves on with the reader; larger than usual only while a large record is in it. */
export class SegmentReader {
  readonly sizeBytes: number
  readonly header: SegmentHeader
  readonly #file: File
  readonly #path: string
  #offset: number
  #window = new Uint8Array(WINDOW_SIZE_BYTES)
  #windowOffset = 0
  #windowSizeBytes = 0

  constructor(source: { file: File; path: string; sizeBytes: number; header: SegmentHeader; offset?: number }) {
    this.#file = source.file
    this.#path = source.path
    this.sizeBytes = source.sizeBytes
    this.header = source.header
    this.#offset = source.offset ?? SEGMENT_HEADER_SIZE_BYTES
  }

  /** The next piece; null at the end. Resolved without a wait while the window holds the record: see `nextInWindow`. */
  async next(): Promise<SegmentPiece | null> {
    const offset = this.#offset
    if (offset >= this.sizeBytes) return null
    if (this.sizeBytes - offset < RECORD_HEADER_SIZE_BYTES) return this.#damageTo(this.sizeBytes, 'a cut record header')
    await this.#hold(offset, RECORD_HEADER_SIZE_BYTES)
    const header = readRecordHeader(this.#window, offset - this.#windowOffset, this.header.salt)
    if (header === null) return this.#searchOn(offset)
    const end = offset + RECORD_HEADER_SIZE_BYTES + header.payloadSizeBytes
    if (header.payloadSizeBytes > RECORD_PAYLOAD_SIZE_BYTES_MAX || end > this.sizeBytes) {
      const problem = `a record of ${header.payloadSizeBytes} bytes, of which ${this.sizeBytes - offset} are there`
      return this.#damageTo(this.sizeBytes, problem)
    }
    await this.#hold(offset, end - offset)
    return this.#nextFrom(header, end)
  }

  /** The next piece if it is a record that lies in the window, without a promise; null when `next` must be asked. */
  nextInWindow(): SegmentPiece | null {
    const at = this.#offset - this.#windowOffset
    if (at < 0 || at + RECORD_HEADER_SIZE_BYTES > this.#windowSizeBytes) return null
    const header = readRecordHeader(this.#window, at, this.header.salt)
    if (header === null) return null
    if (at + RECORD_HEADER_SIZE_BYTES + header.payloadSizeBytes > this.#windowSizeBytes) return null
    return this.#nextFrom(header, this.#offset + RECORD_HEADER_SIZE_BYTES + header.payloadSizeBytes)
  }

  #nextFrom(header: RecordHeader, end: number): SegmentPiece {
    const offset = this.#offset
    const payloadStart = offset + RECORD_HEADER_SIZE_BYTES - this.#windowOffset
    const payloadEnd = end - this.#windowOffset
    const crc = crc32c(this.#window, payloadStart, payloadEnd, payloadCrcSeed(this.header.salt))
    if (crc !== header.payloadCrc) {
      const problem = `payload of record ${header.sequence}: checksum is ${hex(crc)}, expected ${hex(header.payloadCrc)}`
      return this.#damageTo(end, problem)
    }
    if (!isRecordType(header.type)) {
      throw new StorageError(
        'CORRUPT',
        `${this.#path} at byte ${offset}: record of type ${header.type}, which this version does not know; ` +
          'a newer one wrote it',
      )
    }
    this.#offset = end
    return {
      kind: 'record',
      offset,
      sizeBytes: end - offset,
      type: header.type,
      sequence: header.sequence,
      durableSequence: header.sequence - header.unsyncedCount,
      payload: this.#window.subarray(payloadStart, payloadEnd),
    }
  }

  /** Looks for the next header that checks, and gives what lies before it as damaged. */
  async #searchOn(start: number): Promise<SegmentPiece> {
    for (let offset = start + 1; offset + RECORD_HEADER_SIZE_BYTES <= this.sizeBytes; ) {
      await this.#hold(offset, RECORD_HEADER_SIZE_BYTES)
      const end = this.#windowOffset + this.#windowSizeBytes - RECORD_HEADER_SIZE_BYTES
      for (; offset <= end; offset++) {
        const at = offset - this.#windowOffset
        if (mayBeRecordHeader(this.#window, at) && readRecordHeader(this.#window, at, this.header.salt) !== null) {
          return this.#damageTo(offset, 'record header: its checksum does not hold')
        }
      }
    }
    return this.#damageTo(this.sizeBytes, 'record header: its checksum does not hold, and no record follows')
  }

  #damageTo(end: number, message: string): SegmentPiece {
    const offset = this.#offset
    this.#offset = end
    return { kind: 'damage', offset, sizeBytes: end - offset, message }
  }

  /** Sees to it that the window holds these bytes, which lie inside the file. */
  async #hold(offset: number, sizeBytes: number): Promise<void> {
    const windowEnd = this.#windowOffset + this.#windowSizeBytes
    if (offset >= this.#windowOffset && offset + sizeBytes <= windowEnd) return
    const wanted = Math.max(WINDOW_SIZE_BYTES, sizeBytes)
    const kept = offset >= this.#windowOffset && offset < windowEnd ? windowEnd - offset : 0
    const next = wanted === this.#window.length ? this.#window : new Uint8Array(wanted)
    if (kept > 0) next.set(this.#window.subarray(offset - this.#windowOffset, offset - this.#windowOffset + kept))
    this.#window = next
    this.#windowOffset = offset
    this.#windowSizeBytes = kept + (await this.#file.read(next.subarray(kept), offset + kept))
    if (this.#windowSizeBytes < sizeBytes) {
      throw new StorageError(
        'UNAVAILABLE',
        `${this.#path} at byte ${offset}: ${sizeBytes} bytes are wanted, ${this.#windowSizeBytes} could be read`,
      )
    }
  }
}

/**
 * The header of a segment, from whichever copy of it is intact.
 *
 * @throws {StorageError} `CORRUPT` when a newer version wrote the segment: it must not be touched.
 */
export async function readHeaderOf(
  file: File,
  path: string,
  sizeBytes: number,
): Promise<{ header: SegmentHeader | null; damages: { offset: number; sizeBytes: number; message: string }[] }> {
  const bytes = new Uint8Array(Math.min(sizeBytes, SEGMENT_HEADER_SIZE_BYTES))
  const count = await file.read(bytes, 0)
  const damages: { offset: number; sizeBytes: number; message: string }[] = []
  let header: SegmentHeader | null = null
  for (const offset of [0, SEGMENT_HEADER_COPY_SIZE_BYTES]) {
    const found = readSegmentHeader(bytes.subarray(0, count), offset)
    if (found === 'version') {
      const version = new DataView(bytes.buffer).getUint32(offset + 8, true)
      throw new StorageError('CORRUPT', `${path}: commit log of version ${version}; this program reads version 1`)
    }
    if (typeof found === 'string') {
      const problem = found === 'short' ? 'is cut short' : `has a wrong ${found}`
      damages.push({
        offset,
        sizeBytes: Math.min(SEGMENT_HEADER_COPY_SIZE_BYTES, Math.max(0, count - offset)),
        message: `segment header ${problem}`,
      })
    } else header ??= found
  }
  return { header, damages }
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`
}
