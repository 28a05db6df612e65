/**
 * Posting lists in a block: the smaller of gaps, runs and a bitset.
 *
 *     list   form byte · count (varint) · body
 *     0 gaps     varint for each: distance to the one before, less one (the first: itself)
 *     1 runs     varint pairs: gap as above, then length of the run less one
 *     2 bits     first (varint) · length in bytes (varint) · bits, lowest first, from `first` on
 *
 * Series are sorted by labels, so lists are often few runs, or patterns that LZ4 shortens.
 */
import type { ByteCursor, ByteSink } from './byte-cursor.js'

const GAPS = 0
const RUNS = 1
const BITS = 2

export function writePostings(out: ByteSink, list: Uint32Array, count: number): void {
  let runs = 0
  for (let i = 0; i < count; i++) if (i === 0 || list[i] !== list[i - 1] + 1) runs++
  const span = count === 0 ? 0 : list[count - 1] - list[0] + 1
  const bitBytes = Math.ceil(span / 8)
  if (runs * 2 <= count && runs * 2 <= bitBytes) writeRuns(out, list, count)
  else if (bitBytes + 8 < count) writeBits(out, list, count, bitBytes)
  else writeGaps(out, list, count)
}

export function readPostings(from: ByteCursor, seriesCount: number): Uint32Array {
  const form = from.u8()
  const count = from.varint()
  if (count > seriesCount) throw from.corrupt(`a list of ${count} of ${seriesCount} series`)
  const list = new Uint32Array(count)
  let next = 0
  const add = (i: number, series: number) => {
    if (series >= seriesCount) throw from.corrupt(`series ${series} of ${seriesCount}`)
    list[i] = series
  }
  if (form === GAPS) {
    for (let i = 0; i < count; i++) {
      next += from.varint()
      add(i, next++)
    }
  } else if (form === RUNS) {
    for (let i = 0; i < count; ) {
      next += from.varint()
      const length = from.varint() + 1
      if (length > count - i) throw from.corrupt(`a run of ${length} with ${count - i} left`)
      add(i + length - 1, next + length - 1)
      for (const end = i + length; i < end; ) list[i++] = next++
    }
  } else if (form === BITS) readBits(from, list, count, add)
  else throw from.corrupt(`posting list form ${form}`)
  return list
}

function writeGaps(out: ByteSink, list: Uint32Array, count: number): void {
  out.u8(GAPS)
  out.varint(count)
  let next = 0
  for (let i = 0; i < count; i++) {
    out.varint(list[i] - next)
    next = list[i] + 1
  }
}

function writeRuns(out: ByteSink, list: Uint32Array, count: number): void {
  out.u8(RUNS)
  out.varint(count)
  let next = 0
  for (let i = 0; i < count; ) {
    const first = i
    while (i + 1 < count && list[i + 1] === list[i] + 1) i++
    out.varint(list[first] - next)
    out.varint(i - first)
    next = list[i] + 1
    i++
  }
}

function writeBits(out: ByteSink, list: Uint32Array, count: number, bitBytes: number): void {
  out.u8(BITS)
  out.varint(count)
  out.varint(list[0])
  out.varint(bitBytes)
  const bits = new Uint8Array(bitBytes)
  for (let i = 0; i < count; i++) bits[(list[i] - list[0]) >>> 3] |= 1 << ((list[i] - list[0]) & 7)
  out.raw(bits)
}

function readBits(from: ByteCursor, list: Uint32Array, count: number, add: (i: number, series: number) => void): void {
  const first = from.varint()
  const bits = from.take(from.varint())
  let found = 0
  for (let byte = 0; byte < bits.length; byte++) {
    for (let rest = bits[byte]; rest !== 0; rest &= rest - 1) {
      if (found === list.length) throw from.corrupt(`more bits than the ${count} series of the list`)
      add(found++, first + byte * 8 + (31 - Math.clz32(rest & -rest)))
    }
  }
  if (found !== count) throw from.corrupt(`${found} bits for ${count} series`)
}
