/**
 * The bytes of a commit-log segment: its header, the header of a record, and what may stand in them.
 *
 *     segment   header copy A (32) · header copy B (32) · record · record · …
 *     record    header (24) · payload
 *
 * Every checksum starts from the segment's salt, a number drawn when the segment is made: bytes of another segment, or
 * bytes that a client sent as label text, are therefore never taken for a record of this one.
 *
 * Page: docs/formats/commit-log.md. Writer: writer.ts. Reader: reader.ts.
 */
import { crc32c } from '@varve/gorilla-codec'

/** "VARVELOG", the first eight bytes of a segment. */
export const SEGMENT_MAGIC = Uint8Array.of(0x56, 0x41, 0x52, 0x56, 0x45, 0x4c, 0x4f, 0x47)
export const SEGMENT_VERSION = 1
/** One copy of the segment header; two copies stand at the start, so that one damaged byte does not cost the segment. */
export const SEGMENT_HEADER_COPY_SIZE_BYTES = 32
export const SEGMENT_HEADER_SIZE_BYTES = 64
export const RECORD_HEADER_SIZE_BYTES = 24
/** Larger batches are split by the caller. It also bounds what a reader holds in memory. */
export const RECORD_PAYLOAD_SIZE_BYTES_MAX = 32 * 1024 * 1024
/** Where more records were unsynced, this many are said to have been: nothing is then taken for durable that was not. */
export const UNSYNCED_COUNT_MAX = 0xff_ffff

/** What a record says. A number that is not listed is refused: a newer program wrote it. */
export const RecordType = {
  SeriesDeclarations: 1,
  SampleBatch: 2,
  Tombstones: 3,
  Watermarks: 4,
  NamespaceChange: 5,
  WindowBatch: 6,
} as const
export type RecordType = (typeof RecordType)[keyof typeof RecordType]

export function isRecordType(value: number): value is RecordType {
  return value >= RecordType.SeriesDeclarations && value <= RecordType.WindowBatch
}

export interface SegmentHeader {
  readonly version: number
  readonly segment: number
  /** Records of earlier segments with this sequence or a later one are superseded: they were written again, or refused. */
  readonly sequenceFirst: number
  readonly salt: number
}

export interface RecordHeader {
  readonly type: number
  readonly sequence: number
  /**
   * How many records before this one were not yet durable when it was written: those further back are known to have been.
   * It tells damage from the torn end of a write.
   */
  readonly unsyncedCount: number
  readonly payloadSizeBytes: number
  readonly payloadCrc: number
}

/** Fills `SEGMENT_HEADER_SIZE_BYTES` bytes: both copies. */
export function writeSegmentHeader(out: Uint8Array, header: SegmentHeader): void {
  const view = new DataView(out.buffer, out.byteOffset, SEGMENT_HEADER_SIZE_BYTES)
  out.set(SEGMENT_MAGIC, 0)
  view.setUint32(8, header.version, true)
  view.setUint32(12, header.segment, true)
  writeUint53(view, 16, header.sequenceFirst)
  view.setUint32(24, header.salt, true)
  view.setUint32(28, crc32c(out, 0, 28), true)
  out.copyWithin(SEGMENT_HEADER_COPY_SIZE_BYTES, 0, SEGMENT_HEADER_COPY_SIZE_BYTES)
}

export type SegmentHeaderProblem = 'magic' | 'version' | 'checksum' | 'short'

/** Reads one copy at `offset`, or says what is wrong with it. The place of version and checksum holds for all versions. */
export function readSegmentHeader(bytes: Uint8Array, offset: number): SegmentHeader | SegmentHeaderProblem {
  if (bytes.length < offset + SEGMENT_HEADER_COPY_SIZE_BYTES) return 'short'
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, SEGMENT_HEADER_COPY_SIZE_BYTES)
  for (let i = 0; i < SEGMENT_MAGIC.length; i++) if (view.getUint8(i) !== SEGMENT_MAGIC[i]) return 'magic'
  if (view.getUint32(28, true) !== crc32c(bytes, offset, offset + 28)) return 'checksum'
  const version = view.getUint32(8, true)
  if (version !== SEGMENT_VERSION) return 'version'
  return {
    version,
    segment: view.getUint32(12, true),
    sequenceFirst: readUint53(view, 16),
    salt: view.getUint32(24, true),
  }
}

/**
 * Fills the header that stands before a payload.
 *
 *     0  u32  CRC32C of bytes 4..24, from the salt     16  u8   type
 *     4  u32  payload size in bytes                    17  u24  unsynced count
 *     8  u64  sequence                                 20  u32  CRC32C of the payload, from `payloadCrcSeed`
 */
export function writeRecordHeader(out: Uint8Array, offset: number, salt: number, header: RecordHeader): void {
  const view = new DataView(out.buffer, out.byteOffset + offset, RECORD_HEADER_SIZE_BYTES)
  view.setUint32(4, header.payloadSizeBytes, true)
  writeUint53(view, 8, header.sequence)
  view.setUint32(16, header.type + Math.min(header.unsyncedCount, UNSYNCED_COUNT_MAX) * 0x100, true)
  view.setUint32(20, header.payloadCrc, true)
  view.setUint32(0, crc32c(out, offset + 4, offset + RECORD_HEADER_SIZE_BYTES, salt), true)
}

/** False for nearly all offsets at which no header stands, at the cost of a few comparisons. */
export function mayBeRecordHeader(bytes: Uint8Array, offset: number): boolean {
  // Type 0 is never written, and no log has 2^48 records.
  return bytes[offset + 16] !== 0 && bytes[offset + 14] === 0 && bytes[offset + 15] === 0
}

/** The header at `offset`, or null when its checksum does not hold. The caller sees to it that it lies within `bytes`. */
export function readRecordHeader(bytes: Uint8Array, offset: number, salt: number): RecordHeader | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, RECORD_HEADER_SIZE_BYTES)
  if (view.getUint32(0, true) !== crc32c(bytes, offset + 4, offset + RECORD_HEADER_SIZE_BYTES, salt)) return null
  return {
    type: view.getUint8(16),
    unsyncedCount: view.getUint32(16, true) >>> 8,
    sequence: readUint53(view, 8),
    payloadSizeBytes: view.getUint32(4, true),
    payloadCrc: view.getUint32(20, true),
  }
}

/** The payload's checksum is seeded with the salt too, and tells it apart from a header by one bit. */
export function payloadCrcSeed(salt: number): number {
  return (salt ^ 0x8000_0000) >>> 0
}

export function segmentFileName(segment: number): string {
  return `${String(segment).padStart(6, '0')}.log`
}

/** The segment's number, or null when the name is not a segment's. */
export function segmentOfFileName(name: string): number | null {
  const match = /^(\d{6,10})\.log$/.exec(name)
  return match === null ? null : Number(match[1])
}

function writeUint53(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value % 0x1_0000_0000, true)
  view.setUint32(offset + 4, Math.floor(value / 0x1_0000_0000), true)
}

function readUint53(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 0x1_0000_0000
}
