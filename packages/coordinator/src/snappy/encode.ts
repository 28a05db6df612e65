/**
 * Snappy's block format, encoded: one hash probe a position, greedy, in windows of 64 KiB as the reference does.
 *
 * Any decoder reads the result; the bytes need not equal those of another encoder. Format: see decode.ts.
 */
const WINDOW_SIZE = 65_536
/** So much is encoded in one turn of the event loop, 2 to 4 ms: whole windows. */
const PART_SIZE = 16 * WINDOW_SIZE
const TABLE_BITS = 14
const MATCH_SIZE_MIN = 4
/** Behind this distance from the end no match is looked for, so that four bytes can always be read. */
const TAIL_SIZE = 15

/** The size that `encodeSnappy` may need at most. */
export function snappySizeMax(inputSize: number): number {
  return 32 + inputSize + Math.floor(inputSize / 6)
}

/** Encodes `input` as one block. Memory: the result is the caller's. */
export function encodeSnappy(input: Uint8Array): Uint8Array {
  const output = new Uint8Array(snappySizeMax(input.length))
  return output.slice(0, encodePart(input, 0, input.length, output, writeLength(output, input.length)))
}

/** The same, and lets the event loop turn between parts. Memory: the result has the room behind it that was not needed. */
export async function encodeSnappyInTurns(input: Uint8Array, pause: () => Promise<void>): Promise<Uint8Array> {
  const output = new Uint8Array(snappySizeMax(input.length))
  let out = writeLength(output, input.length)
  for (let start = 0; start < input.length; start += PART_SIZE) {
    if (start > 0) await pause()
    out = encodePart(input, start, Math.min(input.length, start + PART_SIZE), output, out)
  }
  return output.subarray(0, out)
}

function encodePart(input: Uint8Array, from: number, to: number, output: Uint8Array, out: number): number {
  const table = new Uint16Array(1 << TABLE_BITS)
  for (let start = from; start < to; start += WINDOW_SIZE) {
    const end = Math.min(to, start + WINDOW_SIZE)
    out = encodeWindow({ input, start, end, output, out, table })
  }
  return out
}

interface Window {
  input: Uint8Array
  start: number
  end: number
  output: Uint8Array
  out: number
  table: Uint16Array
}

function encodeWindow(window: Window): number {
  const { input, start, end, output, table } = window
  let out = window.out
  let literal = start
  table.fill(0)
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength)
  const limit = end - TAIL_SIZE
  let at = start + 1
  let misses = 32
  while (at < limit) {
    const word = view.getInt32(at, true)
    const slot = Math.imul(word, 0x1e35a7bd) >>> (32 - TABLE_BITS)
    const candidate = start + table[slot]
    table[slot] = at - start
    if (candidate >= at || view.getInt32(candidate, true) !== word) {
      // Text that does not repeat is stepped over faster and faster.
      at += misses++ >>> 5
      continue
    }
    misses = 32
    out = writeLiteral(input, literal, at, output, out)
    let matched = MATCH_SIZE_MIN
    while (at + matched < end && input[candidate + matched] === input[at + matched]) matched++
    out = writeCopy(output, out, at - candidate, matched)
    at += matched
    literal = at
  }
  return writeLiteral(input, literal, end, output, out)
}

function writeLength(output: Uint8Array, size: number): number {
  let out = 0
  while (size > 0x7f) {
    output[out++] = (size & 0x7f) | 0x80
    size >>>= 7
  }
  output[out++] = size
  return out
}

function writeLiteral(input: Uint8Array, from: number, to: number, output: Uint8Array, out: number): number {
  const size = to - from
  if (size === 0) return out
  const code = size - 1
  if (code < 60) output[out++] = code << 2
  else if (code < 256) {
    output[out++] = 60 << 2
    output[out++] = code
  } else {
    output[out++] = 61 << 2
    output[out++] = code & 0xff
    output[out++] = code >>> 8
  }
  output.set(input.subarray(from, to), out)
  return out + size
}

function writeCopy(output: Uint8Array, out: number, back: number, size: number): number {
  // No copy may be shorter than what remains to be useful: 68 and more leave at least 4 bytes for the last one.
  while (size >= 68) {
    out = writeLongCopy(output, out, back, 64)
    size -= 64
  }
  if (size > 64) {
    out = writeLongCopy(output, out, back, 60)
    size -= 60
  }
  if (size >= 12 || back >= 2048 || size < 4) return writeLongCopy(output, out, back, size)
  output[out++] = ((back >>> 8) << 5) | ((size - 4) << 2) | 1
  output[out++] = back & 0xff
  return out
}

function writeLongCopy(output: Uint8Array, out: number, back: number, size: number): number {
  output[out++] = ((size - 1) << 2) | 2
  output[out++] = back & 0xff
  output[out++] = back >>> 8
  return out
}
