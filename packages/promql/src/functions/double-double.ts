/**
 * Running sums in two doubles each (some 106 bits), so that the sum of any window is the difference of two of them.
 *
 * Functions leave their result in `high` and `low`, since a pair of numbers cannot be returned without making an object.
 * Source: Dekker, "A floating-point technique for extending the available precision" (1971); Knuth's two-sum.
 */
import { twoSumError } from './kahan.js'

export const result = { high: 0, low: 0 }

const SPLITTER = 2 ** 27 + 1

/** Exactly `a · b - product` for `product = a · b`, if nothing overflows. */
export function twoProductError(a: number, b: number, product: number): number {
  const scaledA = a * SPLITTER
  const highA = scaledA - (scaledA - a)
  const lowA = a - highA
  const scaledB = b * SPLITTER
  const highB = scaledB - (scaledB - b)
  const lowB = b - highB
  return lowA * lowB - (product - highA * highB - lowA * highB - highA * lowB)
}

/** The sum of two pairs. */
export function addPairs(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
  const total = aHigh + bHigh
  const rest = twoSumError(aHigh, bHigh, total) + (aLow + bLow)
  result.high = total + rest
  result.low = total - result.high + rest
}

/** The product of two pairs. */
export function multiplyPairs(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
  const product = aHigh * bHigh
  const rest = twoProductError(aHigh, bHigh, product) + (aHigh * bLow + aLow * bHigh)
  result.high = product + rest
  result.low = product - result.high + rest
}

/** Sums of the first i terms, for i from 0 to the number of terms. */
export class RunningSums {
  high = new Float64Array(0)
  low = new Float64Array(0)
  #count = 0

  /** Begins anew, with room for so many terms. */
  begin(terms: number): void {
    if (this.high.length <= terms) {
      this.high = new Float64Array(terms * 2 + 1)
      this.low = new Float64Array(terms * 2 + 1)
    }
    this.high[0] = this.low[0] = 0
    this.#count = 0
  }

  /** Adds a term, and what it was rounded by. */
  add(term: number, error: number): void {
    const i = this.#count++
    const sum = this.high[i]
    const total = sum + term
    const rest = this.low[i] + (twoSumError(sum, term, total) + error)
    const high = total + rest
    this.high[i + 1] = high
    this.low[i + 1] = total - high + rest
  }

  /** The sum of terms `from` to `to`, left in `result`. */
  between(from: number, to: number): void {
    addPairs(this.high[to], this.low[to], -this.high[from], -this.low[from])
  }
}

/** Windows are walked one by one while together they hold at most so many times the column's samples. */
const OVERLAP_MIN = 4
/** A difference of large sums is trusted while it is at least this part of what it may be wrong by. */
export const TRUSTED_PART = 2 ** -50

/** Whether windows overlap so much that running sums pay. */
export function overlapMuch(first: Int32Array, end: Int32Array, count: number): boolean {
  let windowSamples = 0
  for (let s = 0; s < first.length; s++) windowSamples += end[s] - first[s]
  return windowSamples > count * OVERLAP_MIN
}

let equalSince = new Int32Array(0)
let magnitudeMax = 0

/** By sample, since which one all values are equal; undefined if a value is not finite. Good until the next call. */
export function findEqualRuns(values: Float64Array, offset: number, count: number): Int32Array | undefined {
  if (equalSince.length < count) equalSince = new Int32Array(count * 2)
  magnitudeMax = 0
  for (let i = 0; i < count; i++) {
    const value = values[offset + i]
    if (value - value !== 0) return undefined
    equalSince[i] = i > 0 && values[offset + i - 1] === value ? equalSince[i - 1] : i
    magnitudeMax = Math.max(magnitudeMax, Math.abs(value))
  }
  // Products that are split must not overflow.
  return magnitudeMax < 1e100 ? equalSince : undefined
}

/** The greatest magnitude of the values last given to `findEqualRuns`. */
export function greatestMagnitude(): number {
  return magnitudeMax
}
