import { expect, test } from 'vitest'
import { decodeGorilla, GorillaEncoder } from './gorilla.js'

test('a regular series of one value costs two bits a sample behind the first', () => {
  const encoder = new GorillaEncoder()
  for (let index = 0; index < 10; index++) encoder.append(1000 + 1000 * index, 7)
  // Count, first sample, then `1110` + 12 bits for the first step, `0` for its value, and eight times `00`.
  expect(encoder.sizeBytes).toBe(2 + 16 + Math.ceil((16 + 1 + 8 * 2) / 8))
  expect([...encoder.finish().subarray(18)]).toEqual([0b11100011, 0b11101000, 0, 0, 0])
})

test('refuses timestamps that fall, are no integers or too large, and keeps what it has', () => {
  const encoder = new GorillaEncoder()
  encoder.append(10, 1)
  for (const timestampMs of [9, 10.5, Number.NaN, 2 ** 53 + 2, Number.POSITIVE_INFINITY]) {
    expect(() => encoder.append(timestampMs, 2)).toThrow(expect.objectContaining({ code: 'TIMESTAMP_OUT_OF_RANGE' }))
  }
  encoder.append(10, 3)
  const chunk = encoder.finish()
  const timestamps = new Float64Array(2)
  const values = new Float64Array(2)
  expect(decodeGorilla(chunk, 0, chunk.length, timestamps, values, 0)).toBe(2)
  expect([...timestamps, ...values]).toEqual([10, 10, 1, 3])
})

test('is full at 65535 samples', () => {
  const encoder = new GorillaEncoder()
  const column = new Float64Array(65536)
  expect(() => encoder.appendColumns(column, column, 0, 65536)).toThrow(expect.objectContaining({ code: 'CHUNK_FULL' }))
  expect(encoder.count).toBe(65535)
  const chunk = encoder.finish()
  expect(decodeGorilla(chunk, 0, chunk.length, column, new Float64Array(65536), 0)).toBe(65535)
})

test('a chunk cut anywhere is truncated, at the field that misses bits', () => {
  const encoder = new GorillaEncoder()
  for (let index = 0; index < 40; index++) encoder.append(index * index * 100, Math.sqrt(index))
  const chunk = encoder.finish()
  const column = new Float64Array(40)
  for (let size = 0; size < chunk.length; size++) {
    expect(() => decodeGorilla(chunk, 0, size, column, new Float64Array(40), 0)).toThrow(
      expect.objectContaining({ code: 'TRUNCATED' }),
    )
  }
})

test('refuses a window that is wider than 64 bits', () => {
  const encoder = new GorillaEncoder()
  encoder.append(0, 0)
  encoder.append(0, 1)
  const chunk = encoder.finish().slice()
  // Behind count and first sample: `0` delta-of-delta, `11`, then leading zeros; all ones make 31 + 63.
  chunk[18] |= 0b00011111
  chunk[19] = 0xff
  expect(() => decodeGorilla(chunk, 0, chunk.length, new Float64Array(2), new Float64Array(2), 0)).toThrow(
    expect.objectContaining({ code: 'CORRUPT_CHUNK', bitOffset: 18 * 8 + 3 }),
  )
})

test.each([
  [2n ** 53n, undefined],
  [2n ** 53n + 1n, { code: 'CORRUPT_CHUNK', bitOffset: 16 }],
  [-(2n ** 53n), undefined],
  [-(2n ** 53n) - 1n, { code: 'CORRUPT_CHUNK', bitOffset: 16 }],
])('takes a first timestamp of %i only within 2^53, which a float64 would round to', (timestamp, error) => {
  const encoder = new GorillaEncoder()
  encoder.append(0, 1)
  const chunk = encoder.finish().slice()
  new DataView(chunk.buffer).setBigInt64(2, timestamp)
  const decode = () => decodeGorilla(chunk, 0, chunk.length, new Float64Array(1), new Float64Array(1), 0)
  if (error === undefined) expect(decode()).toBe(1)
  else expect(decode).toThrow(expect.objectContaining(error))
})
