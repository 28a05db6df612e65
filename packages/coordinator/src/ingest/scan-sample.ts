/**
 * One sample message: 1 value (double), 2 timestamp (int64 ms) and, in remote write 2.0, 3 start timestamp (int64 ms).
 *
 * Absent fields are zero; of a repeated one the last counts. The value's bits are copied in halves, so that a staleness
 * marker stays one. Rust twin: native/ingest/src/sample.rs.
 */
import { FAULT } from '../wire-error.js'
import { type FieldBudget, skipField, varintInt64, varintNumber, varintSize } from './protobuf-field.js'
import { STATUS, type WriteColumns } from './write-columns.js'

const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1
const LOW = LITTLE_ENDIAN ? 0 : 1
const HIGH = 1 - LOW

/** A value, a timestamp, a start timestamp: what comes more often repeats one of them. */
const FIELD_COUNT_USEFUL = 3

/** Fills row `row` from `[at, end)`. Returns the fault; its offset then stands in `columns.status`. */
export function scanSample(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  end: number,
  columns: WriteColumns,
  row: number,
  withStart: boolean,
  budget: FieldBudget,
): number {
  const { timestampsMs, valueHalves } = columns
  // The form that senders write: 09, eight bytes, 10, a positive varint of at most 7 bytes, and nothing more.
  const timestampSize = end - at - 10
  if (
    timestampSize > 3 &&
    timestampSize <= 7 &&
    bytes[at] === 0x09 &&
    bytes[at + 9] === 0x10 &&
    bytes[end - 1] < 0x80
  ) {
    const from = at + 10
    const b0 = bytes[from]
    const b1 = bytes[from + 1]
    const b2 = bytes[from + 2]
    const b3 = bytes[from + 3]
    if ((b0 & b1 & b2 & 0x80) !== 0 && (timestampSize === 4 || b3 >= 0x80)) {
      let high = 0
      let complete = true
      for (let i = timestampSize - 1; i > 3; i--) {
        const byte = bytes[from + i]
        if (byte < 0x80 && i !== timestampSize - 1) complete = false
        high = (high << 7) | (byte & 0x7f)
      }
      if (complete) {
        const low = (b0 & 0x7f) | ((b1 & 0x7f) << 7) | ((b2 & 0x7f) << 14) | ((b3 & 0x7f) << 21)
        timestampsMs[row] = high * 0x1000_0000 + low
        valueHalves[2 * row + LOW] = view.getUint32(at + 1, true)
        valueHalves[2 * row + HIGH] = view.getUint32(at + 5, true)
        return FAULT.NONE
      }
    }
  }
  timestampsMs[row] = 0
  valueHalves[2 * row] = 0
  valueHalves[2 * row + 1] = 0
  let known = 0
  while (at < end) {
    const fieldAt = at
    const tagSize = varintSize(bytes, at, end)
    if (tagSize === 0) return fail(columns, FAULT.VARINT, fieldAt)
    const tag = varintNumber(bytes, at, tagSize)
    if (tag < 8 || tag > 0xffff_ffff) return fail(columns, FAULT.TAG, fieldAt)
    at += tagSize
    const field = tag >>> 3
    if (field === 1 || field === 2 || (field === 3 && withStart)) {
      if (++known > FIELD_COUNT_USEFUL && --budget.idleLeft < 0) {
        return fail(columns, FAULT.TOO_MANY_IDLE_FIELDS, fieldAt)
      }
    }
    if (field === 1) {
      if ((tag & 7) !== 1) return fail(columns, FAULT.WIRE_TYPE, fieldAt)
      if (at + 8 > end) return fail(columns, FAULT.FIELD_TOO_LONG, fieldAt)
      valueHalves[2 * row + LOW] = view.getUint32(at, true)
      valueHalves[2 * row + HIGH] = view.getUint32(at + 4, true)
      at += 8
    } else if (field === 2 || (field === 3 && withStart)) {
      if ((tag & 7) !== 0) return fail(columns, FAULT.WIRE_TYPE, fieldAt)
      const size = varintSize(bytes, at, end)
      if (size === 0) return fail(columns, FAULT.VARINT, fieldAt)
      const value = varintInt64(bytes, at, size)
      if (field === 2) timestampsMs[row] = value
      else columns.startTimestampsMs[row] = value
      at += size
    } else {
      at = skipField(bytes, at, end, tag, budget)
      if (at < 0) return fail(columns, skipFault(tag, budget), fieldAt)
    }
  }
  return FAULT.NONE
}

/** The fault behind `skipField` returning -1. */
export function skipFault(tag: number, budget: FieldBudget | null = null): number {
  if (budget !== null && budget.idleLeft < 0) return FAULT.TOO_MANY_IDLE_FIELDS
  const wireType = tag & 7
  if (wireType === 4 || wireType > 5) return FAULT.NO_WIRE_TYPE
  return wireType === 3 ? FAULT.GROUP : wireType === 0 ? FAULT.VARINT : FAULT.FIELD_TOO_LONG
}

function fail(columns: WriteColumns, fault: number, offset: number): number {
  columns.status[STATUS.FAULT_OFFSET] = offset
  return fault
}
