/**
 * Quantiles and fractions of classic histograms: cumulative counts by upper bound.
 * Source: Prometheus, promql/quantile.go, BucketQuantile and BucketFraction.
 */

/** Bounds rise and are unique; `counts` are cumulative and belong to the caller, who lets them be repaired. */
export interface ClassicBuckets {
  readonly bounds: number[]
  readonly counts: number[]
}

/** What had to be raised so that counts rise with their bounds. */
export interface MonotonicityRepair {
  bucketMin: number
  bucketMax: number
  differenceMax: number
}

/** Relative differences up to this are rounding, not data. */
const SMALL_DELTA = 1e-12
const SMALLEST_NORMAL = 2 ** -1022

/** Adds up counts of equal bounds. Bounds must not fall. */
export function coalesce(buckets: ClassicBuckets): void {
  const { bounds, counts } = buckets
  let kept = 0
  for (let i = 1; i < bounds.length; i++) {
    if (bounds[i] === bounds[kept]) counts[kept] += counts[i]
    else {
      kept++
      bounds[kept] = bounds[i]
      counts[kept] = counts[i]
    }
  }
  bounds.length = counts.length = Math.min(bounds.length, kept + 1)
}

/** `repaired` is called if counts fell; they are then as they should be. */
export function bucketQuantile(
  quantile: number,
  buckets: ClassicBuckets,
  repaired: (repair: MonotonicityRepair) => void,
): number {
  const { bounds, counts } = buckets
  if (Number.isNaN(quantile)) return Number.NaN
  if (quantile < 0) return Number.NEGATIVE_INFINITY
  if (quantile > 1) return Number.POSITIVE_INFINITY
  if (bounds[bounds.length - 1] !== Number.POSITIVE_INFINITY) return Number.NaN
  coalesce(buckets)
  makeMonotonic(buckets, repaired)
  const last = bounds.length - 1
  if (last < 1) return Number.NaN
  const observations = counts[last]
  if (observations === 0) return Number.NaN
  let rank = quantile * observations
  let bucket = 0
  // Written so that it also ends where the counts are NaN.
  while (bucket < last && !(counts[bucket] >= rank)) bucket++
  if (bucket === last) return bounds[last - 1]
  if (bucket === 0 && bounds[0] <= 0) return bounds[0]
  let start = 0
  let count = counts[bucket]
  if (bucket > 0) {
    start = bounds[bucket - 1]
    count -= counts[bucket - 1]
    rank -= counts[bucket - 1]
  }
  return start + (bounds[bucket] - start) * (rank / count)
}

export function bucketFraction(lower: number, upper: number, buckets: ClassicBuckets): number {
  const { bounds, counts } = buckets
  if (bounds[bounds.length - 1] !== Number.POSITIVE_INFINITY) return Number.NaN
  coalesce(buckets)
  const count = counts[counts.length - 1]
  if (count === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return Number.NaN
  if (lower >= upper) return 0
  const rankOf = (value: number) => Math.min(count, cumulativeCount(value, bounds, counts) ?? count)
  return (rankOf(upper) - rankOf(lower)) / count
}

/** Observations up to a value, taking them as spread evenly in a bucket; undefined beyond the last bound. */
function cumulativeCount(value: number, bounds: readonly number[], counts: readonly number[]): number | undefined {
  // Buckets of positive bounds alone are taken to start at 0.
  let start = bounds[0] <= 0 ? Number.NEGATIVE_INFINITY : 0
  let rank = 0
  for (let i = 0; i < bounds.length; i++) {
    if (start >= value) return rank
    if (bounds[i] > value) {
      if (start === Number.NEGATIVE_INFINITY) return counts[i]
      return rank + ((counts[i] - rank) * (value - start)) / (bounds[i] - start)
    }
    rank = counts[i]
    start = bounds[i]
  }
  return undefined
}

function makeMonotonic(buckets: ClassicBuckets, repaired: (repair: MonotonicityRepair) => void): void {
  const { bounds, counts } = buckets
  let repair: MonotonicityRepair | undefined
  let previous = counts[0]
  for (let i = 1; i < counts.length; i++) {
    const count = counts[i]
    if (count === previous) continue
    if (almostEqual(previous, count)) counts[i] = previous
    else if (count < previous) {
      counts[i] = previous
      repair ??= {
        bucketMin: Number.POSITIVE_INFINITY,
        bucketMax: Number.NEGATIVE_INFINITY,
        differenceMax: 0,
      }
      repair.bucketMin = Math.min(repair.bucketMin, bounds[i])
      repair.bucketMax = Math.max(repair.bucketMax, bounds[i])
      repair.differenceMax = Math.max(repair.differenceMax, previous - count)
    } else previous = count
  }
  if (repair !== undefined) repaired(repair)
}

function almostEqual(a: number, b: number): boolean {
  if (Number.isNaN(a) && Number.isNaN(b)) return true
  if (a === b) return true
  const difference = Math.abs(a - b)
  const sum = Math.abs(a) + Math.abs(b)
  if (a === 0 || b === 0 || sum < SMALLEST_NORMAL) return difference < SMALL_DELTA * SMALLEST_NORMAL
  return difference / Math.min(sum, Number.MAX_VALUE) < SMALL_DELTA
}
