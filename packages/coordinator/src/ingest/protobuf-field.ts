/**
 * Protobuf on the wire, read strictly by offset: varints, tags and the skipping of what is not known.
 *
 * A varint has at most 10 bytes; bits over 64 are dropped, as Go's generated code does. Sizes of 0 mean a fault.
 * Rust twin: native/ingest/src/protobuf.rs.
 */
const GROUP_DEPTH_MAX = 100

/** How many bytes the varint at `at` has, or 0 if it is cut short by `end` or too long. */
export function varintSize(bytes: Uint8Array, at: number, end: number): number {
  for (let size = 1; size <= 10 && at + size <= end; size++) if (bytes[at + size - 1] < 0x80) return size
  return 0
}

/** The varint's value as an unsigned number; over 2^53 it is rounded, once. */
export function varintNumber(bytes: Uint8Array, at: number, size: number): number {
  if (size > 7) return varintHigh(bytes, at, size) * 2 ** 32 + varintLow(bytes, at)
  let value = 0
  let scale = 1
  for (let i = 0; i < size; i++) {
    value += (bytes[at + i] & 0x7f) * scale
    scale *= 128
  }
  return value
}

/** The varint's value as an int64; outside ±2^53 it is rounded. */
export function varintInt64(bytes: Uint8Array, at: number, size: number): number {
  if (size < 10) return varintNumber(bytes, at, size) // At most 63 bits: it cannot be negative.
  return (varintHigh(bytes, at, size) | 0) * 2 ** 32 + varintLow(bytes, at)
}

/** Bits 0 to 31 of a varint of at least five bytes. */
function varintLow(bytes: Uint8Array, at: number): number {
  let low = 0
  for (let i = 0; i < 4; i++) low += (bytes[at + i] & 0x7f) * 2 ** (7 * i)
  return low + (bytes[at + 4] & 0x0f) * 2 ** 28
}

/** Bits 32 to 63 of a varint of at least five bytes. */
function varintHigh(bytes: Uint8Array, at: number, size: number): number {
  let high = (bytes[at + 4] & 0x7f) >>> 4
  for (let i = 5; i < size && i < 9; i++) high += (bytes[at + i] & 0x7f) * 2 ** (7 * i - 32)
  return size === 10 ? high + (bytes[at + 9] & 1) * 2 ** 31 : high
}

/** The low 32 bits of the varint's value, exactly, as a uint32 or the zigzag form of a sint32 has them. */
export function varintUint32(bytes: Uint8Array, at: number, size: number): number {
  let value = 0
  for (let i = 0; i < size && i < 5; i++) value |= (bytes[at + i] & 0x7f) << (7 * i)
  return value >>> 0
}

/** The varint's value as 64 bits. */
export function varintBigInt(bytes: Uint8Array, at: number, size: number): bigint {
  let value = 0n
  for (let i = size - 1; i >= 0; i--) value = (value << 7n) | BigInt(bytes[at + i] & 0x7f)
  return BigInt.asUintN(64, value)
}

/**
 * What a scan may still meet of fields that cost time and bring nothing: two bytes each, they are 16 million in a body of
 * 32 MiB. Below zero: it has met one more.
 */
export class FieldBudget {
  idleLeft: number
  labelsLeft: number

  constructor(idleFieldCountMax: number, labelCountMax: number) {
    this.idleLeft = idleFieldCountMax
    this.labelsLeft = labelCountMax
  }
}

/**
 * Where the field that begins behind its tag ends, or -1: it is cut short, or its group is broken, or the budget is spent.
 * It counts against `budget`, if that is given, as does each field inside of a group.
 */
export function skipField(
  bytes: Uint8Array,
  at: number,
  end: number,
  tag: number,
  budget: FieldBudget | null = null,
  depth = 0,
): number {
  if (budget !== null && --budget.idleLeft < 0) return -1
  switch (tag & 7) {
    case 0: {
      const size = varintSize(bytes, at, end)
      return size === 0 ? -1 : at + size
    }
    case 1:
      return at + 8 <= end ? at + 8 : -1
    case 2: {
      const size = varintSize(bytes, at, end)
      if (size === 0) return -1
      const to = at + size + varintNumber(bytes, at, size)
      return to <= end ? to : -1
    }
    case 3:
      return skipGroup(bytes, at, end, tag >>> 3, budget, depth + 1)
    case 5:
      return at + 4 <= end ? at + 4 : -1
    default:
      return -1
  }
}

function skipGroup(
  bytes: Uint8Array,
  at: number,
  end: number,
  field: number,
  budget: FieldBudget | null,
  depth: number,
): number {
  if (depth > GROUP_DEPTH_MAX) return -1
  while (at < end) {
    const size = varintSize(bytes, at, end)
    if (size === 0) return -1
    const tag = varintNumber(bytes, at, size)
    if (tag > 0xffff_ffff || tag < 8) return -1
    at += size
    if ((tag & 7) === 4) return tag >>> 3 === field ? at : -1
    at = skipField(bytes, at, end, tag, budget, depth)
    if (at < 0) return -1
  }
  return -1
}
