/** Deleted intervals of a Prometheus block: samples in them are still in the chunks, but are no longer there. */
import { Cursor } from './bytes.js'
import { TOMBSTONES_MAGIC, TOMBSTONES_VERSION } from './format.js'
import { ImportError } from './import-error.js'

/** Both ends belong to it. */
export interface DeletedInterval {
  readonly firstMs: number
  readonly lastMs: number
}

/** By series id of the index. @throws {ImportError} `CORRUPT` with the offset, `UNSUPPORTED` for another version. */
export function readTombstones(file: string, bytes: Uint8Array): Map<number, DeletedInterval[]> {
  const head = new Cursor(file, bytes)
  const magic = head.u32()
  if (magic !== TOMBSTONES_MAGIC)
    throw head.corrupt(`this is no tombstones file: it starts with 0x${magic.toString(16)}`, 0)
  const version = head.u8()
  if (version !== TOMBSTONES_VERSION) {
    throw new ImportError('UNSUPPORTED', `${file}: tombstones version ${version}; known is ${TOMBSTONES_VERSION}`)
  }
  const start = head.offset
  const end = bytes.length - 4
  const cursor = new Cursor(file, bytes, start, end)
  const deleted = new Map<number, DeletedInterval[]>()
  while (cursor.offset < end) {
    const id = cursor.uvarint()
    const interval = { firstMs: cursor.varint(), lastMs: cursor.varint() }
    const intervals = deleted.get(id)
    if (intervals === undefined) deleted.set(id, [interval])
    else intervals.push(interval)
  }
  new Cursor(file, bytes, end).expectChecksum(start)
  return deleted
}
