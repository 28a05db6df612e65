import { expect, test } from 'vitest'
import {
  decodeSealedValues,
  encodeSealedValues,
  readSealedValuesHeader,
  sealedValuesAreNumbers,
  sealedValuesSizeMax,
  verifySealedColumn,
} from './sealed-values.js'
import { expectSameBits } from './testing/expect-bits.js'
import { SeededRandom } from './testing/random.js'
import { chunkLength, VALUE_KINDS } from './testing/sample-columns.js'

const RUNS = 60

test.each(Object.keys(VALUE_KINDS))('gives back every bit of %s, and a header that agrees', (kind) => {
  for (let seed = 1; seed <= RUNS; seed++) {
    const random = new SeededRandom(seed)
    const before = random.below(5)
    const count = chunkLength(random)
    const values = new Float64Array(before + count + random.below(3))
    VALUE_KINDS[kind](random, values)
    const offset = random.below(9)
    const bytes = new Uint8Array(offset + sealedValuesSizeMax(count)).fill(0xaa)
    const end = encodeSealedValues(values, before, before + count, bytes, offset)
    expect(end - offset).toBeLessThanOrEqual(sealedValuesSizeMax(count))
    verifySealedColumn(bytes, offset, end)

    const decoded = new Float64Array(count + 8).fill(7)
    expect(decodeSealedValues(bytes, offset, end, decoded, 4), `${kind}, seed ${seed}`).toBe(count)
    expectSameBits(decoded.subarray(4, 4 + count), values.subarray(before, before + count), `${kind}, seed ${seed}`)
    expect([...decoded.subarray(0, 4), ...decoded.subarray(4 + count)]).toEqual([7, 7, 7, 7, 7, 7, 7, 7])

    const header = readSealedValuesHeader(bytes, offset, end)
    const numbers = values.subarray(before, before + count).filter((value) => !Number.isNaN(value))
    expect(header.count).toBe(count)
    // It may not know, but it never says so of a column with a NaN.
    if (sealedValuesAreNumbers(bytes, offset, end)) expect(numbers.length).toBe(count)
    expect(header.min).toBe(numbers.length ? numbers.reduce((a, b) => Math.min(a, b)) + 0 : Number.NaN)
    expect(header.max).toBe(numbers.length ? numbers.reduce((a, b) => Math.max(a, b)) + 0 : Number.NaN)
    const sum = numbers.reduce((a, b) => a + b, 0)
    if (header.encoding > 1) expect(header.sum).toBe(sum)
    else if (Number.isFinite(sum))
      expect(Math.abs(header.sum - sum)).toBeLessThanOrEqual(Math.abs(sum) * count * 2 ** -52)
  }
})
