import { expect, test } from 'vitest'
import { expectSameBits } from './testing/expect-bits.js'
import { SeededRandom } from './testing/random.js'
import { TIMESTAMP_KINDS, VALUE_KINDS } from './testing/sample-columns.js'
import { decodeXorChunk, encodeXorChunk, xorChunkSizeMax } from './xor-chunk.js'

function encode(timestamps: number[], values: number[]): Uint8Array {
  const out = new Uint8Array(xorChunkSizeMax(values.length))
  return out.subarray(
    0,
    encodeXorChunk(Float64Array.from(timestamps), Float64Array.from(values), 0, values.length, out, 0),
  )
}

const bits = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')

test('writes the layout of Prometheus, field by field', () => {
  const chunk = bits(encode([1000, 1000 + 300, 1000 + 600, 1000 + 1000], [1, 1, 1, 2]))
  const expected = [
    '0000000000000100', // count
    '11010000' + '00001111', // 1000 zigzag is 2000, as a varint
    '00111111111100000000000000000000'.padEnd(64, '0'), // 1
    '10101100' + '00000010', // delta 300
    '0', // the same value
    '0', // delta-of-delta 0
    '0',
    '10' + '00000001100100', // delta-of-delta 100
    '11' + '00001' + '001011' + '11111111111', // 1 xor 2: one leading zero, 11 bits
  ].join('')
  expect(chunk).toBe(expected.padEnd(Math.ceil(expected.length / 8) * 8, '0'))
})

test.each([
  [8192, 16],
  [-8191, 16],
  [8193, 20],
  [-8192, 20],
  [65536, 20],
  [-65535, 20],
  [65537, 24],
  [524288, 24],
  [-524287, 24],
  [524289, 68],
  [-524288, 68],
])('a delta-of-delta of %i takes %i bits and comes back', (dod, size) => {
  const timestamps = [0, 1e6, 2e6 + dod]
  const chunk = encode(timestamps, [1, 1, 1])
  // Count, t0, v0, a three-byte delta, `0`, then the delta-of-delta and `0`.
  expect(chunk.length).toBe(Math.ceil((16 + 8 + 64 + 24 + 1 + size + 1) / 8))
  const decoded = new Float64Array(3)
  expect(decodeXorChunk(chunk, 0, chunk.length, decoded, new Float64Array(3), 0)).toBe(3)
  expect([...decoded]).toEqual(timestamps)
})

test.each(Object.keys(VALUE_KINDS))('gives back every bit of %s', (kind) => {
  for (const [timeKind, fillTimestamps] of Object.entries(TIMESTAMP_KINDS)) {
    if (timeKind === 'huge and negative') continue
    const random = new SeededRandom(5)
    const values = new Float64Array(120)
    const timestamps = new Float64Array(120)
    VALUE_KINDS[kind](random, values)
    fillTimestamps(random, timestamps)
    const out = new Uint8Array(3 + xorChunkSizeMax(120))
    const end = encodeXorChunk(timestamps, values, 0, 120, out, 3)
    const decodedTimestamps = new Float64Array(120)
    const decoded = new Float64Array(120)
    expect(decodeXorChunk(out, 3, end, decodedTimestamps, decoded, 0)).toBe(120)
    expectSameBits(decoded, values, `${kind}, ${timeKind}`)
    expect(decodedTimestamps).toEqual(timestamps)
  }
})

test('a chunk cut anywhere is truncated, and an empty one holds nothing', () => {
  const chunk = encode([5, 17, 900000, 900001], [0.1, 0.2, 0.2, -5])
  const column = new Float64Array(4)
  for (let size = 0; size < chunk.length; size++) {
    expect(() => decodeXorChunk(chunk, 0, size, column, new Float64Array(4), 0)).toThrow(
      expect.objectContaining({ code: 'TRUNCATED' }),
    )
  }
  expect(decodeXorChunk(new Uint8Array(2), 0, 2, column, column, 0)).toBe(0)
})
