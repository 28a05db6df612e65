/**
 * Prometheus' hash of a label set: xxHash64 (seed 0) over names and values, sorted by name, each behind its length: one byte, or
 * from 255 bytes on 0xff and three bytes, the lowest first.
 *
 * limit_ratio chooses by it, so the same series must be chosen as Prometheus chooses.
 * Source: Prometheus, model/labels/labels_stringlabels.go, which releases have been built with since 3.5; Collet, "xxHash fast digest algorithm" (specification 0.1.1).
 */
import type { Labels } from '@varve/tsdb-core/model'

const MASK = 0xffffffffffffffffn
const PRIME_1 = 0x9e3779b185ebca87n
const PRIME_2 = 0xc2b2ae3d27d4eb4fn
const PRIME_3 = 0x165667b19e3779f9n
const PRIME_4 = 0x85ebca77c2b2ae63n
const PRIME_5 = 0x27d4eb2f165667c5n

export function labelsHash(labels: Labels): bigint {
  const encoder = new TextEncoder()
  const parts: number[] = []
  for (const text of labels.flat) {
    const bytes = encoder.encode(text)
    const size = bytes.length
    if (size < 255) parts.push(size)
    else parts.push(255, size & 255, (size >> 8) & 255, size >> 16)
    for (const byte of bytes) parts.push(byte)
  }
  return xxHash64(Uint8Array.from(parts))
}

export function xxHash64(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { length } = bytes
  let offset = 0
  let hash: bigint
  if (length >= 32) {
    const lanes = [(PRIME_1 + PRIME_2) & MASK, PRIME_2, 0n, -PRIME_1 & MASK]
    for (; offset + 32 <= length; offset += 32) {
      for (let lane = 0; lane < 4; lane++) lanes[lane] = round(lanes[lane], view.getBigUint64(offset + lane * 8, true))
    }
    hash = (rotate(lanes[0], 1n) + rotate(lanes[1], 7n) + rotate(lanes[2], 12n) + rotate(lanes[3], 18n)) & MASK
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * PRIME_1 + PRIME_4) & MASK
  } else hash = PRIME_5
  hash = (hash + BigInt(length)) & MASK
  for (; offset + 8 <= length; offset += 8) {
    hash = (rotate(hash ^ round(0n, view.getBigUint64(offset, true)), 27n) * PRIME_1 + PRIME_4) & MASK
  }
  if (offset + 4 <= length) {
    hash = (rotate(hash ^ ((BigInt(view.getUint32(offset, true)) * PRIME_1) & MASK), 23n) * PRIME_2 + PRIME_3) & MASK
    offset += 4
  }
  for (; offset < length; offset++) {
    hash = (rotate(hash ^ ((BigInt(bytes[offset]) * PRIME_5) & MASK), 11n) * PRIME_1) & MASK
  }
  hash = ((hash ^ (hash >> 33n)) * PRIME_2) & MASK
  hash = ((hash ^ (hash >> 29n)) * PRIME_3) & MASK
  return hash ^ (hash >> 32n)
}

function round(lane: bigint, input: bigint): bigint {
  return (rotate((lane + input * PRIME_2) & MASK, 31n) * PRIME_1) & MASK
}

function rotate(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & MASK
}
