import { expect, test } from 'vitest'
import { ByteReader } from './byte-reader.js'
import { writeSignedVarint, writeVarint } from './byte-writer.js'

const NUMBERS = [0, 1, 63, 64, 127, 128, 8191, 8192, 2 ** 32, 2 ** 49, 2 ** 53 - 1, 2 ** 53]

test('varints come back up to 2^53, of either sign', () => {
  const bytes = new Uint8Array(16)
  for (const number of NUMBERS) {
    const end = writeVarint(bytes, 0, number)
    expect(new ByteReader(bytes, 0, end).varint()).toBe(number)
    for (const signed of [number, 0 - number]) {
      expect(new ByteReader(bytes, 0, writeSignedVarint(bytes, 0, signed)).signedVarint()).toBe(signed)
    }
  }
})

test('a varint of 2^53 + 1 is refused, though a float64 rounds it to 2^53', () => {
  const unsigned = Uint8Array.of(0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10)
  const signed = Uint8Array.of(0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20)
  const refused = expect.objectContaining({ code: 'CORRUPT_CHUNK', bitOffset: 0 })
  expect(() => new ByteReader(unsigned, 0, 8).varint()).toThrow(refused)
  expect(() => new ByteReader(signed, 0, 8).signedVarint()).toThrow(refused)
})
