import { compressSync, uncompressSync } from 'snappy'
import { describe, expect, it } from 'vitest'
import { seeded } from '../testing/seeded.js'
import {
  decodeSnappy,
  decodeSnappyInTurns,
  decodeSnappyInto,
  encodeSnappy,
  encodeSnappyInTurns,
  snappyDecodedSize,
} from './index.js'

const LIMIT = 1 << 20

describe('in turns', () => {
  it('comes to the same bytes, a mebibyte a turn, and to the same faults', async () => {
    const random = seeded(3)
    const plain = new Uint8Array(5_000_000)
    for (let at = 0; at < plain.length; at += 10_000)
      plain.set(repetitive(random, 9_000).subarray(0, plain.length - at), at)
    let turns = 0
    const pause = async () => void turns++
    const block = await encodeSnappyInTurns(plain, pause)
    expect(turns).toBe(4)
    expect(Buffer.compare(block, encodeSnappy(plain))).toBe(0)
    const output = new Uint8Array(plain.length)
    expect(await decodeSnappyInTurns(block, output, pause)).toBe(plain.length)
    expect(turns).toBe(8)
    expect(Buffer.compare(output, plain)).toBe(0)
    for (const size of [block.length - 1, block.length >> 1, 1, 0]) {
      const cut = block.subarray(0, size)
      const wanted = { fault: 0, offset: 0, size: 0 }
      decodeSnappyInto(cut, new Uint8Array(plain.length), wanted)
      const { fault, offset } = wanted
      await expect(decodeSnappyInTurns(cut, output, pause)).rejects.toMatchObject({ fault, offset })
    }
    await expect(decodeSnappyInTurns(block, output, pause, 4_000_000)).rejects.toThrowError(/limit is 4000000/)
    expect(await decodeSnappyInTurns(encodeSnappy(new Uint8Array(0)), output, pause)).toBe(0)
  })
})

describe('decodeSnappy', () => {
  it('reads what the reference implementation writes', () => {
    const random = seeded(1)
    for (let round = 0; round < 300; round++) {
      const plain = repetitive(random, random.below(20_000))
      expect(Buffer.compare(decodeSnappy(compressSync(Buffer.from(plain)), LIMIT), plain)).toBe(0)
    }
  })

  it('repeats a pattern when a copy overlaps itself', () => {
    // length 7; literal "ab"; copy of 5 bytes from 2 back
    expect(Buffer.from(decodeSnappy(Uint8Array.of(7, 0x04, 0x61, 0x62, 0x12, 2, 0), LIMIT)).toString()).toBe('abababa')
  })

  it.each([
    ['nothing at all', [], 'INVALID_ARGUMENT', 0, 'declared length'],
    ['a length of more than 32 bits', [0xff, 0xff, 0xff, 0xff, 0x10], 'INVALID_ARGUMENT', 0, 'declared length'],
    ['a claim of 4 GiB in six bytes', [0xff, 0xff, 0xff, 0xff, 0x0f, 0], 'TOO_LARGE', 0, 'over the limit'],
    ['a literal that is cut', [3, 0x08, 1], 'INVALID_ARGUMENT', 1, 'ends inside'],
    ['a literal length that is cut', [3, 0xf4], 'INVALID_ARGUMENT', 1, 'ends inside'],
    ['a literal over the declared length', [1, 0x04, 1, 2], 'INVALID_ARGUMENT', 1, 'literal is longer'],
    ['a copy from before the start', [4, 0x00, 1, 0x01, 2], 'INVALID_ARGUMENT', 3, 'before the output'],
    ['a copy from nowhere', [5, 0x00, 1, 0x01, 0], 'INVALID_ARGUMENT', 3, 'before the output'],
    ['a copy over the declared length', [3, 0x00, 1, 0x01, 1], 'INVALID_ARGUMENT', 3, 'copy is longer'],
    ['a copy that is cut', [5, 0x00, 1, 0x02, 1], 'INVALID_ARGUMENT', 3, 'ends inside'],
    ['less than was declared', [5, 0x00, 1], 'INVALID_ARGUMENT', 3, 'before the declared'],
  ])('refuses %s', (_, bytes, code, offset, text) => {
    const decode = () => decodeSnappy(Uint8Array.from(bytes), LIMIT)
    expect(decode).toThrowError(expect.objectContaining({ code, offset, message: expect.stringContaining(text) }))
  })

  it('agrees with the reference on mutated blocks', () => {
    const random = seeded(2)
    let accepted = 0
    for (let round = 0; round < 20_000; round++) {
      const block = Uint8Array.from(compressSync(Buffer.from(repetitive(random, random.below(200)))))
      for (let i = random.below(4); i >= 0; i--) block[random.below(block.length)] = random.below(256)
      const input = random.below(4) === 0 ? block.subarray(0, random.below(block.length + 1)) : block
      const declared = snappyDecodedSize(input)
      if (declared > LIMIT) continue // The reference would allocate it.
      const ours = attempt(() => decodeSnappy(input, LIMIT))
      const theirs = attempt(() => uncompressSync(Buffer.from(input), { asBuffer: true }) as Buffer)
      expect(ours === null, Buffer.from(input).toString('hex')).toBe(theirs === null)
      if (ours && theirs) {
        accepted++
        expect(Buffer.compare(ours, theirs)).toBe(0)
      }
    }
    expect(accepted).toBeGreaterThan(100)
  })

  it('never writes behind the output that it was given', () => {
    const plain = repetitive(seeded(3), 5000)
    const output = new Uint8Array(6000).fill(7)
    const result = { fault: 0, offset: 0, size: 0 }
    decodeSnappyInto(compressSync(Buffer.from(plain)), output.subarray(0, 5000), result)
    expect(result).toMatchObject({ fault: 0, size: 5000 })
    expect(output.subarray(5000).every((byte) => byte === 7)).toBe(true)
  })
})

describe('encodeSnappy', () => {
  it('is read by the reference, whatever the text', () => {
    const random = seeded(4)
    for (const size of [0, 1, 2, 14, 15, 16, 59, 60, 61, 255, 256, 257, 65_535, 65_536, 65_537, 200_000]) {
      for (const plain of [repetitive(random, size), random.bytes(size), new Uint8Array(size)]) {
        expect(
          Buffer.compare(uncompressSync(Buffer.from(encodeSnappy(plain)), { asBuffer: true }) as Buffer, plain),
        ).toBe(0)
      }
    }
  })

  it('makes text that repeats much smaller', () => {
    expect(encodeSnappy(new Uint8Array(100_000)).length).toBeLessThan(6000)
  })
})

function repetitive(random: ReturnType<typeof seeded>, size: number): Uint8Array {
  const words = Array.from({ length: 20 }, () => random.bytes(1 + random.below(30)))
  const plain = new Uint8Array(size)
  for (let at = 0; at < size; ) {
    const word = words[random.below(words.length)]
    plain.set(word.subarray(0, size - at), at)
    at += word.length
  }
  return plain
}

function attempt<T>(run: () => T): T | null {
  try {
    return run()
  } catch {
    return null
  }
}
