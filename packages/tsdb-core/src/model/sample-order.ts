/**
 * The one total order over value bits that settles two values of one timestamp (DESIGN D5).
 *
 *     staleness marker  <  other NaN, by their bits  <  numbers by size, −0 below +0  <  a histogram
 *
 * The larger wins, so that a merge is commutative, associative and idempotent.
 */
import { HIGH_HALF, LOW_HALF } from './columns.js'
import { STALE_HIGH, STALE_LOW } from './sample.js'

/** Negative when value `i` of `a` loses against value `j` of `b`, 0 when their bits are equal. The arrays are `halvesOf` columns. */
export function compareValueBits(a: Uint32Array, i: number, b: Uint32Array, j: number): number {
  const aHigh = a[2 * i + HIGH_HALF]
  const aLow = a[2 * i + LOW_HALF]
  const bHigh = b[2 * j + HIGH_HALF]
  const bLow = b[2 * j + LOW_HALF]
  if (aHigh === bHigh && aLow === bLow) return 0
  const aRank = rank(aHigh, aLow)
  const bRank = rank(bHigh, bLow)
  if (aRank !== bRank) return aRank - bRank
  if (aRank === 2) {
    // Negative numbers have the sign bit set and order the other way round.
    const aNegative = aHigh >>> 31 === 1
    if (aNegative !== bHigh >>> 31 > 0) return aNegative ? -1 : 1
    const byBits = aHigh !== bHigh ? aHigh - bHigh : aLow - bLow
    return aNegative ? -byBits : byBits
  }
  return aHigh !== bHigh ? aHigh - bHigh : aLow - bLow
}

function rank(high: number, low: number): number {
  const magnitude = high & 0x7fffffff
  if (magnitude < 0x7ff00000 || (magnitude === 0x7ff00000 && low === 0)) return 2
  return high === STALE_HIGH && low === STALE_LOW ? 0 : 1
}
