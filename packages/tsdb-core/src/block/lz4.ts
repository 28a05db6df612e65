/**
 * LZ4 blocks, compressed and decompressed in plain TypeScript.
 *
 *     sequence   token (literal count · 16 + match length − 4) · [more literal count] · literals · offset (2 bytes) · [more length]
 *
 * The last five bytes are literals and the last match begins twelve bytes before the end, as the format demands.
 * Source: lz4_Block_format.md of the LZ4 project.
 */
import { StorageError } from '../errors.js'

const MATCH_MIN = 4
const LAST_LITERALS = 5
const MATCH_LIMIT = 12
const HASH_BITS = 14
const OFFSET_MAX = 65_535

const table = new Int32Array(1 << HASH_BITS)

/** The most bytes that `length` bytes can become. */
export function lz4SizeMax(length: number): number {
  return length + Math.ceil(length / 255) + 16
}

/** Compresses and returns a view of a fresh buffer. Equal input gives equal output. */
export function lz4Compress(input: Uint8Array): Uint8Array {
  const out = new Uint8Array(lz4SizeMax(input.length))
  table.fill(-1)
  const matchEnd = input.length - MATCH_LIMIT
  let outAt = 0
  let anchor = 0
  let at = 0
  let misses = 0
  while (at < matchEnd) {
    const word = input[at] | (input[at + 1] << 8) | (input[at + 2] << 16) | (input[at + 3] << 24)
    const hash = Math.imul(word, 0x9e3779b1) >>> (32 - HASH_BITS)
    const candidate = table[hash]
    table[hash] = at
    if (candidate < 0 || at - candidate > OFFSET_MAX || !sameWord(input, candidate, at)) {
      // Text that does not repeat is stepped over faster and faster.
      at += 1 + (misses++ >>> 6)
      continue
    }
    misses = 0
    let length = MATCH_MIN
    const lengthMax = input.length - LAST_LITERALS - at
    while (length < lengthMax && input[candidate + length] === input[at + length]) length++
    outAt = writeSequence(input, anchor, at, out, outAt, at - candidate, length)
    at += length
    anchor = at
  }
  outAt = writeSequence(input, anchor, input.length, out, outAt, 0, 0)
  return out.subarray(0, outAt)
}

/**
 * Decompresses all of `input` into a buffer of `length` bytes.
 *
 * @throws {StorageError} `CORRUPT` with the offset when the bytes are not a block of that length.
 */
export function lz4Decompress(input: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length)
  let at = 0
  let outAt = 0
  while (at < input.length) {
    const token = input[at++]
    let literals = token >>> 4
    if (literals === 15) {
      let more = 255
      while (more === 255) {
        if (at >= input.length) throw corrupt('a literal count that does not end', at)
        more = input[at++]
        literals += more
      }
    }
    if (literals > input.length - at || literals > length - outAt) throw corrupt(`${literals} literals`, at)
    if (literals < 32) for (let i = 0; i < literals; i++) out[outAt++] = input[at++]
    else {
      out.set(input.subarray(at, at + literals), outAt)
      at += literals
      outAt += literals
    }
    if (at === input.length) break
    if (at + 2 > input.length) throw corrupt('an offset that does not end', at)
    const offset = input[at] | (input[at + 1] << 8)
    at += 2
    if (offset === 0 || offset > outAt) throw corrupt(`an offset of ${offset} after ${outAt} bytes`, at - 2)
    let matchLength = (token & 15) + MATCH_MIN
    if ((token & 15) === 15) {
      let more = 255
      while (more === 255) {
        if (at >= input.length) throw corrupt('a match length that does not end', at)
        more = input[at++]
        matchLength += more
      }
    }
    if (matchLength > length - outAt) throw corrupt(`a match of ${matchLength} bytes`, at)
    if (offset >= matchLength && matchLength > 32) {
      out.copyWithin(outAt, outAt - offset, outAt - offset + matchLength)
      outAt += matchLength
    } else for (const end = outAt + matchLength; outAt < end; outAt++) out[outAt] = out[outAt - offset]
  }
  if (outAt !== length) throw corrupt(`${outAt} bytes, wanted ${length}`, input.length)
  return out
}

function sameWord(input: Uint8Array, a: number, b: number): boolean {
  return (
    input[a] === input[b] &&
    input[a + 1] === input[b + 1] &&
    input[a + 2] === input[b + 2] &&
    input[a + 3] === input[b + 3]
  )
}

/** A match length of 0 ends the block. */
function writeSequence(
  input: Uint8Array,
  from: number,
  to: number,
  out: Uint8Array,
  outAt: number,
  offset: number,
  matchLength: number,
): number {
  const literals = to - from
  const more = matchLength === 0 ? 0 : matchLength - MATCH_MIN
  out[outAt++] = (Math.min(literals, 15) << 4) | Math.min(more, 15)
  if (literals >= 15) outAt = writeMore(out, outAt, literals - 15)
  out.set(input.subarray(from, to), outAt)
  outAt += literals
  if (matchLength === 0) return outAt
  out[outAt++] = offset & 0xff
  out[outAt++] = offset >>> 8
  return more >= 15 ? writeMore(out, outAt, more - 15) : outAt
}

function writeMore(out: Uint8Array, at: number, rest: number): number {
  for (; rest >= 255; rest -= 255) out[at++] = 255
  out[at++] = rest
  return at
}

function corrupt(what: string, at: number): StorageError {
  return new StorageError('CORRUPT', `LZ4 block at byte ${at}: ${what}`)
}
