/**
 * A strict reader of one protobuf message, for what is not on the hot path: fields in turn, errors with their offsets.
 *
 *     while (reader.next()) switch (reader.field) { case 1: value = reader.double(); break; default: reader.skip() }
 */
import { FAULT, WireError } from '../wire-error.js'
import { skipField, varintBigInt, varintInt64, varintNumber, varintSize, varintUint32 } from './protobuf-field.js'
import { skipFault } from './scan-sample.js'

export class ProtobufReader {
  readonly bytes: Uint8Array
  readonly view: DataView
  at: number
  end: number
  field = 0
  #tag = 0
  #tagAt = 0

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.at = at
    this.end = end
  }

  /** Moves to the next field; its value or `skip` must be read before the next call. */
  next(): boolean {
    if (this.at >= this.end) return false
    this.#tagAt = this.at
    const size = varintSize(this.bytes, this.at, this.end)
    if (size === 0) throw this.#fault(FAULT.VARINT)
    const tag = varintNumber(this.bytes, this.at, size)
    if (tag < 8 || tag > 0xffff_ffff) throw this.#fault(FAULT.TAG)
    this.#tag = tag
    this.field = tag >>> 3
    this.at += size
    return true
  }

  /** Whether the field has a length: a message, text, bytes or a packed list. */
  get isSpan(): boolean {
    return (this.#tag & 7) === 2
  }

  skip(): void {
    const to = skipField(this.bytes, this.at, this.end, this.#tag)
    if (to < 0) throw this.#fault(skipFault(this.#tag))
    this.at = to
  }

  double(): number {
    this.#expect(1)
    return this.#take8()
  }

  /** The value's 64 bits, where a NaN's payload matters. */
  doubleBits(): bigint {
    this.#expect(1)
    if (this.at + 8 > this.end) throw this.#fault(FAULT.FIELD_TOO_LONG)
    const bits = this.view.getBigUint64(this.at, true)
    this.at += 8
    return bits
  }

  /** Unsigned; over 2^53 it is rounded. */
  uint(): number {
    this.#expect(0)
    return this.#varint(varintNumber)
  }

  int64(): number {
    this.#expect(0)
    return this.#varint(varintInt64)
  }

  uint32(): number {
    this.#expect(0)
    return this.#varint(varintUint32)
  }

  sint32(): number {
    const value = this.uint32()
    return (value >>> 1) ^ -(value & 1)
  }

  /** `[at, end)` of a message, text or bytes; the reader then stands behind it. */
  span(): { at: number; end: number } {
    this.#expect(2)
    return this.#span()
  }

  bytesCopy(): Uint8Array {
    const { at, end } = this.span()
    return this.bytes.slice(at, end)
  }

  /** Repeated doubles, packed or not: appends to `out`. */
  doubles(out: number[]): void {
    if ((this.#tag & 7) === 1) {
      out.push(this.#take8())
      return
    }
    this.#expect(2)
    const span = this.#span()
    if ((span.end - span.at) % 8 !== 0) throw this.#fault(FAULT.FIELD_TOO_LONG)
    for (let at = span.at; at < span.end; at += 8) out.push(this.view.getFloat64(at, true))
  }

  /** Repeated sint64 or uint32, packed or not: appends to `out`. Over 2^53 they are rounded. */
  varints(out: number[], kind: 'sint64' | 'uint32'): void {
    const read = kind === 'sint64' ? varintSint64 : varintUint32
    if ((this.#tag & 7) === 0) {
      out.push(this.#varint(read))
      return
    }
    this.#expect(2)
    const span = this.#span()
    for (let at = span.at; at < span.end; ) {
      const size = varintSize(this.bytes, at, span.end)
      if (size === 0) throw this.#fault(FAULT.VARINT)
      out.push(read(this.bytes, at, size))
      at += size
    }
  }

  #varint(read: (bytes: Uint8Array, at: number, size: number) => number): number {
    const size = varintSize(this.bytes, this.at, this.end)
    if (size === 0) throw this.#fault(FAULT.VARINT)
    const value = read(this.bytes, this.at, size)
    this.at += size
    return value
  }

  #take8(): number {
    if (this.at + 8 > this.end) throw this.#fault(FAULT.FIELD_TOO_LONG)
    const value = this.view.getFloat64(this.at, true)
    this.at += 8
    return value
  }

  #span(): { at: number; end: number } {
    const size = varintSize(this.bytes, this.at, this.end)
    if (size === 0) throw this.#fault(FAULT.VARINT)
    const at = this.at + size
    const end = at + varintNumber(this.bytes, this.at, size)
    if (end > this.end) throw this.#fault(FAULT.FIELD_TOO_LONG)
    this.at = end
    return { at, end }
  }

  #expect(wireType: number): void {
    if ((this.#tag & 7) !== wireType) throw this.#fault(FAULT.WIRE_TYPE)
  }

  #fault(fault: number): WireError {
    return WireError.of(fault, this.#tagAt)
  }
}

function varintSint64(bytes: Uint8Array, at: number, size: number): number {
  if (size <= 7) {
    const value = varintNumber(bytes, at, size)
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }
  const value = varintBigInt(bytes, at, size)
  return Number((value >> 1n) ^ -(value & 1n))
}
