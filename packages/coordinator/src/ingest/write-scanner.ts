/**
 * From a compressed write request to columns, in one call: TypeScript here, Rust in the native module, with the same
 * columns, faults and offsets.
 */
import { decodeSnappyInto, type SnappyResult } from '../snappy/index.js'
import { FAULT, WireError } from '../wire-error.js'
import type { LabelCache } from './label-cache.js'
import { scanWriteV1 } from './scan-write-v1.js'
import { scanWriteV2 } from './scan-write-v2.js'
import { STATUS, type WriteColumns, type WriteLimits } from './write-columns.js'

/** Remote write 1.0 or 2.0. */
export type WriteVersion = 1 | 2

export interface ScanRequest {
  readonly version: WriteVersion
  /** A snappy block. */
  readonly body: Uint8Array
  /** So many bytes stand in the scratch memory, decoded from the block before. Absent: the block is decoded into it now. */
  readonly decodedSize?: number | undefined
  readonly scratch: Scratch
  readonly cache: LabelCache
  readonly columns: WriteColumns
  readonly limits: WriteLimits
}

export interface WriteScanner {
  readonly name: 'typescript' | 'native'
  /** Fills `columns`; what it found, or the fault, stands in `columns.status`. */
  scan(request: ScanRequest): void
}

/**
 * Memory for one decoded body and for label bytes that are put together behind it, kept from request to request.
 *
 * It is as long as the limits allow; what no request ever touches is never backed by pages.
 */
export class Scratch {
  readonly bytes: Uint8Array
  readonly view: DataView

  constructor(limits: WriteLimits) {
    this.bytes = new Uint8Array(limits.decodedSizeBytesMax * 2)
    this.view = new DataView(this.bytes.buffer)
  }
}

const snappy: SnappyResult = { fault: 0, offset: 0, size: 0 }

export const typescriptScanner: WriteScanner = {
  name: 'typescript',
  scan({ version, body, decodedSize, scratch, cache, columns, limits }) {
    const { status } = columns
    let size = decodedSize
    if (size === undefined) {
      decodeSnappyInto(body, scratch.bytes, snappy, limits.decodedSizeBytesMax)
      if (snappy.fault !== FAULT.NONE) {
        status.fill(0)
        status[STATUS.FAULT] = snappy.fault
        status[STATUS.FAULT_OFFSET] = snappy.offset
        return
      }
      size = snappy.size
    }
    const scan = version === 1 ? scanWriteV1 : scanWriteV2
    scan(scratch.bytes, scratch.view, size, cache, columns, limits)
    status[STATUS.BODY_SIZE] = size
  },
}

/** @throws {WireError} for the fault in `columns.status`, naming the limit where it is one. */
export function throwFault(columns: WriteColumns, limits: WriteLimits): void {
  const fault = columns.status[STATUS.FAULT]
  if (fault === FAULT.NONE) return
  throw WireError.of(fault, columns.status[STATUS.FAULT_OFFSET], limitOf(fault, limits))
}

function limitOf(fault: number, limits: WriteLimits): number | undefined {
  switch (fault) {
    case FAULT.SNAPPY_TOO_LARGE:
    case FAULT.LABELS_TOO_LONG:
    case FAULT.SCATTERED_LABELS:
      return limits.decodedSizeBytesMax
    case FAULT.TOO_MANY_SERIES:
      return limits.seriesCountMax
    case FAULT.TOO_MANY_SAMPLES:
      return limits.sampleCountMax
    case FAULT.TOO_MANY_SYMBOLS:
      return limits.symbolCountMax
    case FAULT.TOO_MANY_EXTRAS:
      return limits.extraCountMax
    case FAULT.TOO_MANY_IDLE_FIELDS:
      return limits.idleFieldCountMax
    case FAULT.TOO_MANY_LABELS:
      return limits.labelTotalMax
    default:
      return undefined
  }
}
