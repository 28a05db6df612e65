import { describe, expect, it } from 'vitest'
import {
  checkCanonicalLabels,
  decodeCanonicalLabels,
  encodeCanonicalLabels,
  hashBytes,
  LABEL_SIZE_BYTES_MAX,
} from './canonical-labels.js'
import { Labels } from './labels.js'

describe('canonical labels', () => {
  it('come back as they went in, odd names and long values included', () => {
    for (const pairs of [
      [],
      [['__name__', 'up']],
      [
        ['__proto__', 'ü'],
        ['b', 'x'.repeat(300)],
        ['\u{1f600}', 'y'.repeat(20_000)],
      ],
    ] as [string, string][][]) {
      const labels = Labels.from(pairs)
      expect(decodeCanonicalLabels(encodeCanonicalLabels(labels)).flat).toEqual(labels.flat)
    }
  })

  it('are laid out as documented', () => {
    expect([...encodeCanonicalLabels(Labels.from([['a', 'bc']]))]).toEqual([1, 97, 2, 98, 99])
  })

  it('have the bytes of each text behind their length, whatever its characters are', () => {
    const texts = [
      'a',
      'é',
      'abcé',
      '\ud800',
      'x\u{1f600}y',
      'z'.repeat(127),
      'ü'.repeat(64),
      'q'.repeat(70_000),
      '\u0000',
      '€',
    ]
    for (const text of [...texts, ...texts]) {
      const labels = Labels.fromSorted(['n', `${text}`, 'o', 'plain', 'p', `${text}${text}`])
      const want: number[] = []
      for (const each of labels.flat) {
        const bytes = new TextEncoder().encode(each)
        for (let rest = bytes.length; ; rest >>>= 7) {
          want.push(rest < 0x80 ? rest : (rest & 0x7f) | 0x80)
          if (rest < 0x80) break
        }
        for (const byte of bytes) want.push(byte)
      }
      expect(Buffer.from(want).equals(encodeCanonicalLabels(labels))).toBe(true)
    }
  })

  it('of a text that is too long are refused, with its length in bytes', () => {
    const of = (text: string) => () => encodeCanonicalLabels(Labels.fromSorted(['a', text]))
    expect(of('x'.repeat(LABEL_SIZE_BYTES_MAX))().length).toBe(LABEL_SIZE_BYTES_MAX + 5)
    expect(of('x'.repeat(LABEL_SIZE_BYTES_MAX + 1))).toThrow('a label of 2097152 bytes')
    expect(of('é'.repeat(1_100_000))).toThrow('a label of 2200000 bytes')
  })

  it.each([
    ['names out of order', [1, 98, 1, 120, 1, 97, 1, 120]],
    ['a name twice', [1, 97, 1, 120, 1, 97, 1, 121]],
    ['an empty value', [1, 97, 0]],
    ['an empty name', [0, 1, 97]],
    ['a value that is missing', [1, 97]],
    ['a length past the end', [1, 97, 5, 98]],
    ['a length with needless bytes', [0x81, 0x00, 97, 1, 98]],
    ['text that is not UTF-8', [1, 97, 1, 0xff]],
  ])('with %s are refused', (_what, bytes) => {
    expect(() => checkCanonicalLabels(Uint8Array.from(bytes), 0, bytes.length)).toThrow(/canonical labels at byte/)
  })

  it('hash by content alone, wherever the bytes stand', () => {
    const bytes = encodeCanonicalLabels(Labels.from({ __name__: 'up', job: 'node' }))
    const shifted = new Uint8Array(bytes.length + 3)
    shifted.set(bytes, 3)
    expect(hashBytes(shifted, 3, shifted.length)).toBe(hashBytes(bytes, 0, bytes.length))
    bytes[2] ^= 1
    expect(hashBytes(shifted, 3, shifted.length)).not.toBe(hashBytes(bytes, 0, bytes.length))
  })
})
