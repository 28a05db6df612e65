import { expect, test } from 'vitest'
import {
  decodeSealedTimestampsBatch,
  decodeSealedValuesAsync,
  decodeSealedValuesBatch,
  encodeSealedTimestampsBatch,
  encodeSealedValuesAsync,
  encodeSealedValuesBatch,
} from './batch.js'
import { encodeSealedValues, sealedValuesSizeMax } from './sealed-values.js'

const VALUES = Float64Array.of(1, 2, 4, 8, 8, 8, 0.5, Number.NaN, -0)
const RANGES = Uint32Array.of(0, 4, 4, 6, 6, 9)

test('columns of a batch equal columns encoded alone, and come back one behind the other', () => {
  const out = new Uint8Array(2000)
  const ends = new Uint32Array(3)
  const end = encodeSealedValuesBatch(VALUES, RANGES, out, 10, ends)
  expect(ends[2]).toBe(end)
  const alone = new Uint8Array(sealedValuesSizeMax(4))
  expect(out.subarray(10, ends[0])).toEqual(alone.subarray(0, encodeSealedValues(VALUES, 0, 4, alone, 0)))

  const decoded = new Float64Array(11)
  const counts = new Uint32Array(3)
  const ranges = Uint32Array.of(10, ends[0], ends[0], ends[1], ends[1], ends[2])
  expect(decodeSealedValuesBatch(out, ranges, decoded, 2, counts)).toBe(11)
  expect([...counts]).toEqual([4, 2, 3])
  expect(decoded.subarray(2)).toEqual(VALUES)
})

test('timestamps take the same way', () => {
  const timestamps = Float64Array.of(10, 20, 30, 5, 6, 8)
  const out = new Uint8Array(1000)
  const ends = new Uint32Array(2)
  encodeSealedTimestampsBatch(timestamps, Uint32Array.of(0, 3, 3, 6), out, 0, ends)
  const decoded = new Float64Array(6)
  const counts = new Uint32Array(2)
  expect(decodeSealedTimestampsBatch(out, Uint32Array.of(0, ends[0], ends[0], ends[1]), decoded, 0, counts)).toBe(6)
  expect(decoded).toEqual(timestamps)
})

test('a bad column stops the batch behind the good ones, with its own offset', () => {
  const out = new Uint8Array(2000)
  const ends = new Uint32Array(3)
  encodeSealedValuesBatch(VALUES, RANGES, out, 0, ends)
  out[ends[0]] = 99
  const counts = new Uint32Array(3)
  const ranges = Uint32Array.of(0, ends[0], ends[0], ends[1], ends[1], ends[2])
  expect(() => decodeSealedValuesBatch(out, ranges, new Float64Array(9), 0, counts)).toThrow(
    expect.objectContaining({ code: 'UNSUPPORTED_ENCODING', bitOffset: ends[0] * 8 }),
  )
  expect([...counts]).toEqual([4, 0, 0])
})

test('refuses ranges that are no pairs, and too few result slots', () => {
  const out = new Uint8Array(2000)
  for (const [ranges, ends] of [
    [Uint32Array.of(0), new Uint32Array(1)],
    [RANGES, new Uint32Array(2)],
  ]) {
    expect(() => encodeSealedValuesBatch(VALUES, ranges, out, 0, ends)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    )
  }
})

test('off the main thread, columns become the same bytes and come back', async () => {
  const expected = new Uint8Array(2000)
  const expectedEnds = new Uint32Array(3)
  const expectedEnd = encodeSealedValuesBatch(VALUES, RANGES, expected, 10, expectedEnds)
  const out = new Uint8Array(2000)
  const ends = new Uint32Array(3)
  expect(await encodeSealedValuesAsync(VALUES, RANGES, out, 10, ends)).toBe(expectedEnd)
  expect(ends).toEqual(expectedEnds)
  expect(out.subarray(10, expectedEnd)).toEqual(expected.subarray(10, expectedEnd))

  const decoded = new Float64Array(11)
  const counts = new Uint32Array(3)
  const ranges = Uint32Array.of(10, ends[0], ends[0], ends[1], ends[1], ends[2])
  expect(await decodeSealedValuesAsync(out, ranges, decoded, 2, counts)).toBe(11)
  expect([...counts]).toEqual([4, 2, 3])
  expect(decoded.subarray(2)).toEqual(VALUES)
})

test('off the main thread, bad bytes and too little room fail as they do on it', async () => {
  const out = new Uint8Array(2000)
  const ends = new Uint32Array(3)
  encodeSealedValuesBatch(VALUES, RANGES, out, 0, ends)
  const ranges = Uint32Array.of(0, ends[0], ends[0], ends[1], ends[1], ends[2])
  const counts = new Uint32Array(3)
  await expect(decodeSealedValuesAsync(out, ranges, new Float64Array(5), 0, counts)).rejects.toMatchObject({
    code: 'OUTPUT_TOO_SMALL',
  })
  out[ends[0]] = 99
  await expect(decodeSealedValuesAsync(out, ranges, new Float64Array(9), 0, counts)).rejects.toMatchObject({
    code: 'UNSUPPORTED_ENCODING',
    bitOffset: ends[0] * 8,
  })
  await expect(encodeSealedValuesAsync(VALUES, Uint32Array.of(3, 3), out, 0, ends)).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
})
