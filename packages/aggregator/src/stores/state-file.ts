/**
 * Small documents of ours on disk: a msgpackr map, after a magic number and a version and before a checksum.
 *
 * Layout: docs/formats/rule-state.md.
 */
import { crc32 } from 'node:zlib'
import { Packr } from 'msgpackr'
import { AggregatorError, messageOf } from '../errors.js'

export interface StateFormat {
  /** Four bytes. */
  readonly magic: readonly number[]
  readonly version: number
}

const HEADER_SIZE = 5
const CHECKSUM_SIZE = 4

const packr = new Packr({ useRecords: false, mapsAsObjects: false, variableMapSize: true })

export function encodeStateFile(format: StateFormat, body: Map<string, unknown>): Uint8Array {
  const packed = packr.pack(body)
  const bytes = new Uint8Array(HEADER_SIZE + packed.length + CHECKSUM_SIZE)
  bytes.set(format.magic)
  bytes[4] = format.version
  bytes.set(packed, HEADER_SIZE)
  const end = HEADER_SIZE + packed.length
  new DataView(bytes.buffer).setUint32(end, crc32(bytes.subarray(0, end)), true)
  return bytes
}

/** @throws {AggregatorError} `CORRUPT` when the bytes are no such file; `where` names it. */
export function decodeStateFile(format: StateFormat, bytes: Uint8Array, where: string): Map<string, unknown> {
  const end = bytes.length - CHECKSUM_SIZE
  if (end < HEADER_SIZE || format.magic.some((byte, index) => bytes[index] !== byte)) {
    throw new AggregatorError('CORRUPT', `${where}: ${bytes.length} bytes that do not begin as such a file does`)
  }
  if (bytes[4] !== format.version) {
    throw new AggregatorError('CORRUPT', `${where}: version ${bytes[4]}, this program reads ${format.version}`)
  }
  const wanted = new DataView(bytes.buffer, bytes.byteOffset).getUint32(end, true)
  const got = crc32(bytes.subarray(0, end))
  if (got !== wanted) {
    throw new AggregatorError('CORRUPT', `${where}: checksum is ${got.toString(16)}, expected ${wanted.toString(16)}`)
  }
  let body: unknown
  try {
    body = packr.unpack(bytes.subarray(HEADER_SIZE, end))
  } catch (cause) {
    throw new AggregatorError('CORRUPT', `${where}: ${messageOf(cause)}`, { cause })
  }
  if (!(body instanceof Map)) throw new AggregatorError('CORRUPT', `${where}: the body is no map`)
  return body
}
