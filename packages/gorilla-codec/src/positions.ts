/**
 * Ascending positions in a run of `length` numbers: a packed list as wide as the last possible position, or one bit for
 * each number, lowest bit first.
 *
 * Rust twin: native/codec/src/positions.rs.
 */
import { packedSize, packNumbers, unpackNumbers } from './bit-packing.js'
import { bitWidth } from './bit-width.js'
import { type ByteReader, corrupt } from './byte-reader.js'
import { scratchNumbers } from './scratch.js'

export function writePositions(
  positions: Float64Array,
  count: number,
  length: number,
  asBitmap: boolean,
  out: Uint8Array,
  at: number,
): number {
  if (!asBitmap) return packNumbers(positions, count, bitWidth(length - 1), out, at)
  const size = packedSize(length, 1)
  out.fill(0, at, at + size)
  for (let index = 0; index < count; index++) out[at + (positions[index] >>> 3)] |= 1 << (positions[index] & 7)
  return at + size
}

/**
 * Reads `count` positions into the scratch number column 3.
 *
 * @throws {CodecError} `TRUNCATED`, or `CORRUPT_CHUNK` where they do not ascend below `length` or are not `count`.
 */
export function readPositions(reader: ByteReader, count: number, length: number, asBitmap: boolean): Float64Array {
  const positions = scratchNumbers(3)
  if (!asBitmap) {
    const width = bitWidth(length - 1)
    const start = reader.skip(packedSize(count, width))
    unpackNumbers(reader.bytes, start, count, width, positions, 0)
    let before = -1
    for (let index = 0; index < count; index++) {
      const position = positions[index]
      if (position <= before || position >= length) throw corrupt(start, 'positions that ascend inside the run')
      before = position
    }
    return positions
  }
  const size = packedSize(length, 1)
  const start = reader.skip(size)
  let found = 0
  for (let index = 0; index < size; index++) {
    let bits = reader.bytes[start + index]
    while (bits !== 0) {
      const bit = 31 - Math.clz32(bits & -bits)
      const position = index * 8 + bit
      if (found === count || position >= length) throw corrupt(start, 'a bitmap with as many bits as there are patches')
      positions[found++] = position
      bits &= bits - 1
    }
  }
  if (found !== count) throw corrupt(start, 'a bitmap with as many bits as there are patches')
  return positions
}
