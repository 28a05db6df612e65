import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32c } from './crc32c.js'

const bytesOf = (...parts: (string | number[])[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === 'string' ? [...Buffer.from(part, 'latin1')] : part)))

test('gives the check values of RFC 3720 and of the CRC catalogue', () => {
  expect(crc32c(bytesOf('123456789'))).toBe(0xe3069283)
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43)
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, index) => index))).toBe(0x46dd794e)
  expect(crc32c(new Uint8Array(0))).toBe(0)
})

test('equals the bit-at-a-time definition on any range', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(), fc.nat(), (bytes, a, b) => {
      const start = a % (bytes.length + 1)
      const end = start + (b % (bytes.length - start + 1))
      expect(crc32c(bytes, start, end)).toBe(bitAtATime(bytes.subarray(start, end)))
    }),
  )
})

test('chains: the checksum of the second part, seeded with the first, is that of the whole', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.uint8Array({ maxLength: 100 }), (left, right) => {
      const whole = crc32c(bytesOf([...left], [...right]))
      expect(crc32c(right, 0, right.length, crc32c(left))).toBe(whole)
    }),
  )
})

test('refuses a range outside the bytes', () => {
  for (const [start, end] of [
    [-1, 2],
    [0, 5],
    [3, 2],
    [Number.NaN, 4],
  ]) {
    expect(() => crc32c(new Uint8Array(4), start, end)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  }
})

function bitAtATime(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return ~crc >>> 0
}
