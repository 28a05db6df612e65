/** Writes protobuf fields into memory that grows: for answers that are made from columns, without an object a sample. */
const INITIAL_SIZE = 4096

export class ProtobufWriter {
  #bytes = new Uint8Array(INITIAL_SIZE)
  #view = new DataView(this.#bytes.buffer)
  #at = 0

  get size(): number {
    return this.#at
  }

  /** What was written since the last `reset`, as a copy. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#at)
  }

  /** The same without a copy, valid until the next write. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#at)
  }

  reset(): void {
    this.#at = 0
  }

  /** Field numbers below 16 and up to 2047. */
  tag(field: number, wireType: number): void {
    this.#reserve(2)
    this.#varint(field * 8 + wireType)
  }

  /** The varint 0, after a tag: for members of a oneof. */
  zero(): void {
    this.#reserve(1)
    this.#bytes[this.#at++] = 0
  }

  /** A whole number from 0 to 2^53; 0 is left out, as proto3 has it. */
  uint(field: number, value: number): void {
    if (value === 0) return
    this.tag(field, 0)
    this.#reserve(10)
    this.#varint(value)
  }

  /** An integer within ±2^53, in two's complement when negative; 0 is left out. */
  int64(field: number, value: number): void {
    if (value >= 0) {
      this.uint(field, value)
      return
    }
    this.tag(field, 0)
    this.#reserve(10)
    let bits = BigInt.asUintN(64, BigInt(value))
    for (; bits >= 0x80n; bits >>= 7n) this.#bytes[this.#at++] = Number(bits & 0x7fn) | 0x80
    this.#bytes[this.#at++] = Number(bits)
  }

  sint(field: number, value: number): void {
    this.uint(field, zigzag(value))
  }

  /** Eight bytes of a column, so that a NaN keeps its payload. Zero is left out unless `always`. */
  doubleOf(field: number, halves: Uint32Array, index: number, always = false): void {
    const low = halves[2 * index + LOW]
    const high = halves[2 * index + HIGH]
    if (low === 0 && high === 0 && !always) return
    this.tag(field, 1)
    this.#reserve(8)
    this.#view.setUint32(this.#at, low, true)
    this.#view.setUint32(this.#at + 4, high, true)
    this.#at += 8
  }

  double(field: number, value: number, always = false): void {
    if (Object.is(value, 0) && !always) return
    this.tag(field, 1)
    this.#reserve(8)
    this.#view.setFloat64(this.#at, value, true)
    this.#at += 8
  }

  text(field: number, value: string): void {
    this.bytes(field, encoder.encode(value))
  }

  bytes(field: number, value: Uint8Array): void {
    this.tag(field, 2)
    this.#reserve(10 + value.length)
    this.#varint(value.length)
    this.#bytes.set(value, this.#at)
    this.#at += value.length
  }

  packedDoubles(field: number, values: ArrayLike<number>): void {
    if (values.length === 0) return
    this.message(field, () => {
      this.#reserve(values.length * 8)
      for (let i = 0; i < values.length; i++, this.#at += 8) this.#view.setFloat64(this.#at, values[i], true)
    })
  }

  packedSints(field: number, values: ArrayLike<number>): void {
    if (values.length === 0) return
    this.message(field, () => {
      this.#reserve(values.length * 10)
      for (let i = 0; i < values.length; i++) this.#varint(zigzag(values[i]))
    })
  }

  /** A nested message: what `write` writes, with its length before it. */
  message(field: number, write: () => void): void {
    this.tag(field, 2)
    this.#reserve(1)
    const lengthAt = this.#at++
    write()
    const length = this.#at - lengthAt - 1
    if (length < 0x80) {
      this.#bytes[lengthAt] = length
      return
    }
    // The length needs more than the one byte that was left for it: the content moves up.
    const extra = varintSizeOf(length) - 1
    this.#reserve(extra)
    this.#bytes.copyWithin(lengthAt + 1 + extra, lengthAt + 1, this.#at)
    const end = this.#at + extra
    this.#at = lengthAt
    this.#varint(length)
    this.#at = end
  }

  #varint(value: number): void {
    while (value >= 0x80) {
      this.#bytes[this.#at++] = (value % 128) | 0x80
      value = Math.floor(value / 128)
    }
    this.#bytes[this.#at++] = value
  }

  #reserve(size: number): void {
    if (this.#at + size <= this.#bytes.length) return
    const wider = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + size))
    wider.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = wider
    this.#view = new DataView(wider.buffer)
  }
}

export function varintSizeOf(value: number): number {
  let size = 1
  while (value >= 0x80) {
    value = Math.floor(value / 128)
    size++
  }
  return size
}

function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1
}

const encoder = new TextEncoder()
const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1
const LOW = LITTLE_ENDIAN ? 0 : 1
const HIGH = 1 - LOW
