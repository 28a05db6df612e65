/**
 * Segments of the forward queue: remote-write requests that wait to be sent on. Drawing: docs/formats/forward-queue.md.
 *
 *     header   8 bytes  magic "VRVQ", u32 version
 *     record   u32 length | u32 CRC32C of the payload | u32 samples in it | payload: the snappy block to send
 *
 * All numbers are little-endian. A segment that ends within a record was being written when the process ended: what stands
 * before is sent, the rest is left out and made again from the store.
 */
import { crc32c } from '@varve/gorilla-codec'

export const QUEUE_MAGIC = 0x51565256
export const QUEUE_VERSION = 1
export const QUEUE_HEADER_SIZE = 8
export const RECORD_HEADER_SIZE = 12

export interface QueueRecord {
  readonly payload: Uint8Array
  readonly sampleCount: number
}

export interface QueueSegment {
  readonly records: QueueRecord[]
  /** What could not be read, and where; with as many samples as its header says. */
  readonly damages: { readonly message: string; readonly sampleCount: number }[]
  /** Why none of it was read: another program, or a newer one, may be able to. */
  readonly foreign: string | null
}

export function encodeQueueHeader(): Uint8Array {
  const header = new Uint8Array(QUEUE_HEADER_SIZE)
  const view = new DataView(header.buffer)
  view.setUint32(0, QUEUE_MAGIC, true)
  view.setUint32(4, QUEUE_VERSION, true)
  return header
}

export function encodeQueueRecord({ payload, sampleCount }: QueueRecord): Uint8Array {
  const record = new Uint8Array(RECORD_HEADER_SIZE + payload.length)
  const view = new DataView(record.buffer)
  view.setUint32(0, payload.length, true)
  view.setUint32(4, crc32c(payload, 0, payload.length), true)
  view.setUint32(8, sampleCount, true)
  record.set(payload, RECORD_HEADER_SIZE)
  return record
}

/**
 * All records whose bytes check. Behind one that does not the next is looked for where its length says: each is checked for
 * itself, so nothing wrong is sent, and one bad block of a disk does not cost all that stands behind it.
 */
export function decodeQueueSegment(bytes: Uint8Array): QueueSegment {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const segment: QueueSegment = { records: [], damages: [], foreign: null }
  if (bytes.length < QUEUE_HEADER_SIZE) return segment
  if (view.getUint32(0, true) !== QUEUE_MAGIC) return { ...segment, foreign: 'it does not begin as a forward queue' }
  const version = view.getUint32(4, true)
  if (version !== QUEUE_VERSION) return { ...segment, foreign: `version ${version}, wanted ${QUEUE_VERSION}` }
  let at = QUEUE_HEADER_SIZE
  while (at + RECORD_HEADER_SIZE <= bytes.length) {
    const length = view.getUint32(at, true)
    const start = at + RECORD_HEADER_SIZE
    // A payload is never empty: zeros are room that a file system gave and nobody wrote to.
    if (length === 0 || start + length > bytes.length) break
    const sampleCount = view.getUint32(at + 8, true)
    const got = crc32c(bytes, start, start + length)
    const wanted = view.getUint32(at + 4, true)
    if (got === wanted) segment.records.push({ payload: bytes.subarray(start, start + length), sampleCount })
    else segment.damages.push({ message: `at byte ${at}: checksum is ${hex(got)}, wanted ${hex(wanted)}`, sampleCount })
    at = start + length
  }
  return segment
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}
