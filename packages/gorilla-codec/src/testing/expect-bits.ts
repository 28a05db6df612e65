import { expect } from 'vitest'

/** Compares two columns bit by bit, so that NaN payloads and -0 count. */
export function expectSameBits(actual: Float64Array, expected: Float64Array, hint: string): void {
  const a = new BigUint64Array(actual.slice().buffer)
  const b = new BigUint64Array(expected.slice().buffer)
  expect(a.length, hint).toBe(b.length)
  for (let index = 0; index < b.length; index++) {
    if (a[index] !== b[index]) {
      expect(`${index}: ${a[index].toString(16)}`, hint).toBe(`${index}: ${b[index].toString(16)}`)
    }
  }
}
