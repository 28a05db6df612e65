/**
 * Segments of the forward queue: remote-write requests that wait to be sent on. Drawing: docs/formats/forward-queue.md.
 *
 *     header   8 bytes  magic "VRVQ", u32 version
 *     record   u32 length | u32 CRC32C of the payload | u32 samples in it | payload: the snappy block to send
 *
 * All numbers are little-endian. A segment whose end does not check was being written when the process ended: what stands
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

/** Records up to the first that does not check. An unknown header has none. */
export function decodeQueueSegment(bytes: Uint8Array): QueueRecord[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const records: QueueRecord[] = []
  if (bytes.length < QUEUE_HEADER_SIZE) return records
  if (view.getUint32(0, true) !== QUEUE_MAGIC || view.getUint32(4, true) !== QUEUE_VERSION) return records
  let at = QUEUE_HEADER_SIZE
  while (at + RECORD_HEADER_SIZE <= bytes.length) {
    const length = view.getUint32(at, true)
    const start = at + RECORD_HEADER_SIZE
    if (start + length > bytes.length) break
    if (crc32c(bytes, start, start + length) !== view.getUint32(at + 4, true)) break
    records.push({ payload: bytes.subarray(start, start + length), sampleCount: view.getUint32(at + 8, true) })
    at = start + length
  }
  return records
}
