import { expect, test } from 'vitest'
import { goNumber } from './go-json.js'
import { NUMBER_SIZE_MAX, writeGoNumber } from './shortest-decimal.js'

const OUT = Buffer.alloc(NUMBER_SIZE_MAX + 8)

function written(value: number): string {
  OUT.fill(0x23)
  const end = writeGoNumber(value, OUT, 3)
  expect(end - 3).toBeLessThanOrEqual(NUMBER_SIZE_MAX)
  return OUT.toString('latin1', 3, end)
}

test('chosen numbers read as Go writes them', () => {
  const cases: [number, string][] = [
    [0, '0'],
    [-0, '-0'],
    [1, '1'],
    [-12.5, '-12.5'],
    [1234567.089, '1234567.089'],
    [0.1 + 0.2, '0.30000000000000004'],
    [1 / 3, '0.3333333333333333'],
    [-2 / 3, '-0.6666666666666666'],
    [9.999999999999998, '9.999999999999998'],
    [99999999.99999999, '99999999.99999999'],
    [1e-6, '0.000001'],
    [1.25e-5, '0.0000125'],
    [9.999e-7, '9.999e-07'],
    [5e-324, '5e-324'],
    [4503599627370495.5, '4503599627370495.5'],
    [9007199254740991, '9007199254740991'],
    [1e15, '1000000000000000'],
    [1e16, '10000000000000000'],
    [1e21, '1e+21'],
    [Number.NaN, 'NaN'],
    [Infinity, '+Inf'],
    [-Infinity, '-Inf'],
  ]
  for (const [value, text] of cases) expect(written(value)).toBe(text)
})

test('numbers of all sizes, and next to powers of two and ten, have the text of JavaScript', () => {
  let seed = Number(process.env.SEED ?? 1)
  const random = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    // The low bits of this generator are regular.
    return ((seed >>> 16) | (Math.imul(seed, 40503) << 16)) >>> 0
  }
  const double = new Float64Array(1)
  const words = new Uint32Array(double.buffer)
  const high = new Uint8Array(Uint16Array.of(1).buffer)[0]
  const ofWords = (above: number, below: number) => {
    words[high] = above
    words[1 - high] = below
    return double[0]
  }
  const plainExponent = () => (1003 + (random() % 73)) << 20
  const kinds = [
    () => ofWords(random(), random()),
    () => ofWords(plainExponent() | (random() & 0xfffff), random()),
    () => ofWords(plainExponent() | [0, 1, 0xfffff, 0x80000][random() % 4], [0, 1, 2 ** 32 - 1, 2 ** 31][random() % 4]),
    () => random() / 10 ** (random() % 15),
    () => (random() % 10_000) / 2 ** (random() % 40),
    () => (random() * 2 ** 21) / 10 ** (random() % 17),
    () => 10 ** ((random() % 22) - 6) * (1 + ((random() % 5) - 2) * 2 ** -52),
    () => -Math.fround(random() / 2 ** (random() % 40)),
  ]
  const wrong: number[] = []
  for (let i = 0; i < 80_000; i++) {
    const value = kinds[i % kinds.length]()
    const end = writeGoNumber(value, OUT, 0)
    if (OUT.toString('latin1', 0, end) !== goNumber(value)) wrong.push(value)
  }
  expect(wrong.slice(0, 5)).toEqual([])
})
