/**
 * What is wrong with bytes from the network, and where.
 *
 * The kernels (TypeScript and Rust alike) return a fault number and an offset; the text is made here, once for both.
 */

import { CoordinatorError } from './errors.js'

/** Fault numbers are indexes into this table. Rust twin: native/ingest/src/fault.rs. */
export const WIRE_FAULTS = [
  'no fault',
  'snappy: the declared length is cut short or not a 32-bit number',
  'snappy: the declared length is over the limit',
  'snappy: the input ends inside an element',
  'snappy: a literal is longer than the declared length',
  'snappy: a copy starts before the output',
  'snappy: a copy is longer than the declared length',
  'snappy: the output ends before the declared length',
  'protobuf: a varint is cut short or longer than 10 bytes',
  'protobuf: a tag has field number 0 or is over 32 bits',
  'protobuf: a field is longer than its message',
  'protobuf: a known field has the wrong wire type',
  'protobuf: a wire type that does not exist',
  'protobuf: a group does not end, or is nested too deep',
  'too many series in one request',
  'too many samples in one request',
  'the labels of one request, written out, are too long',
  'a symbol reference is out of range',
  'the number of label references is odd',
  'the first symbol is not the empty string',
  'too many symbols in one request',
  'too many metadata or exemplar entries in one request',
  'labels stand behind samples in too many series of one request',
  'protobuf: nothing in the message is known: is it of another type?',
  'too many fields in one request that are unknown or only repeat another',
  'too many labels in one request',
] as const

export const FAULT = {
  NONE: 0,
  SNAPPY_LENGTH: 1,
  SNAPPY_TOO_LARGE: 2,
  SNAPPY_TRUNCATED: 3,
  SNAPPY_LITERAL_OVERRUN: 4,
  SNAPPY_COPY_BEFORE_START: 5,
  SNAPPY_COPY_OVERRUN: 6,
  SNAPPY_TOO_SHORT: 7,
  VARINT: 8,
  TAG: 9,
  FIELD_TOO_LONG: 10,
  WIRE_TYPE: 11,
  NO_WIRE_TYPE: 12,
  GROUP: 13,
  TOO_MANY_SERIES: 14,
  TOO_MANY_SAMPLES: 15,
  LABELS_TOO_LONG: 16,
  SYMBOL_RANGE: 17,
  ODD_LABEL_REFERENCES: 18,
  FIRST_SYMBOL: 19,
  TOO_MANY_SYMBOLS: 20,
  TOO_MANY_EXTRAS: 21,
  SCATTERED_LABELS: 22,
  NOTHING_KNOWN: 23,
  TOO_MANY_IDLE_FIELDS: 24,
  TOO_MANY_LABELS: 25,
} as const

const TOO_LARGE: ReadonlySet<number> = new Set([
  FAULT.SNAPPY_TOO_LARGE,
  FAULT.TOO_MANY_SERIES,
  FAULT.TOO_MANY_SAMPLES,
  FAULT.LABELS_TOO_LONG,
  FAULT.TOO_MANY_SYMBOLS,
  FAULT.TOO_MANY_EXTRAS,
  FAULT.SCATTERED_LABELS,
  FAULT.TOO_MANY_IDLE_FIELDS,
  FAULT.TOO_MANY_LABELS,
])

/** `INVALID_ARGUMENT` is a 400: sending it again cannot help. `TOO_LARGE` is a 413. */
export type WireErrorCode = 'INVALID_ARGUMENT' | 'TOO_LARGE'

export class WireError extends CoordinatorError {
  declare readonly code: WireErrorCode
  /** In bytes: of the compressed body for a snappy fault, else of the decoded one. */
  readonly offset: number
  /** A number of `FAULT`, 0 when it is none of them. */
  readonly fault: number

  constructor(code: WireErrorCode, message: string, offset: number, fault = 0) {
    super(code, message)
    this.name = 'WireError'
    this.offset = offset
    this.fault = fault
  }

  static of(fault: number, offset: number, limit?: number): WireError {
    const at = limit === undefined ? `at byte ${offset}` : `at byte ${offset}: the limit is ${limit}`
    return new WireError(
      TOO_LARGE.has(fault) ? 'TOO_LARGE' : 'INVALID_ARGUMENT',
      `${WIRE_FAULTS[fault]} (${at})`,
      offset,
      fault,
    )
  }
}
