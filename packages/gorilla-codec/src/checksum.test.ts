import { expect, test } from 'vitest'
import { crc32c } from './checksum.js'
import { crc32c as crc32cOfTables } from './crc32c.js'

test('is the checksum of the tables, for every length around the step to the native module, start and seed', () => {
  const bytes = Uint8Array.from({ length: 2000 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24)
  for (const length of [0, 1, 7, 8, 255, 256, 257, 263, 1024, 1999]) {
    for (const start of [0, 1]) {
      for (const seed of [0, 1, 0x8000_0000, 0xffff_ffff]) {
        expect(crc32c(bytes, start, start + length, seed)).toBe(crc32cOfTables(bytes, start, start + length, seed))
      }
    }
  }
  expect(crc32c(bytes)).toBe(crc32cOfTables(bytes))
})

test.each([
  [0, 3000],
  [-1, 1000],
  [1500, 1000],
  [Number.NaN, 1000],
])('a range that is not inside the bytes is refused: [%s, %s)', (start, end) => {
  expect(() => crc32c(new Uint8Array(2000), start, end)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
})
