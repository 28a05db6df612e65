/**
 * What a native histogram says of its observations: quantiles, fractions, average and variance.
 *
 * Inside a bucket, observations are taken to be spread evenly on the bucket's own scale: logarithmic for exponential
 * buckets, linear for custom ones and in the zero bucket. A zero bucket with buckets on one side only lies on that side.
 * Source: Prometheus 3.14, promql/quantile.go and promql/functions.go.
 */
import type { Histogram } from '@varve/tsdb-core/model'
import { type Bucket, forEachBucket, forEachBucketReversed, usesCustomBuckets } from './buckets.js'

export interface QuantileAnswer {
  readonly value: number
  /** NaN observations, which lie above all buckets, made the answer NaN, or too large: an info for the user. */
  readonly nan: 'result' | 'skew' | undefined
}

/** NaN for an empty histogram; -Inf and +Inf for a quantile below 0 and above 1. */
export function histogramQuantile(quantile: number, histogram: Histogram): QuantileAnswer {
  const answer = (value: number, nan?: 'result' | 'skew'): QuantileAnswer => ({ value, nan })
  if (quantile < 0) return answer(Number.NEGATIVE_INFINITY)
  if (quantile > 1) return answer(Number.POSITIVE_INFINITY)
  if (histogram.count === 0 || Number.isNaN(quantile)) return answer(Number.NaN)
  const custom = usesCustomBuckets(histogram)
  const hasNaN = Number.isNaN(histogram.sum)
  // From the nearer end, unless NaN observations stand, uncounted, at the upper one.
  const forward = hasNaN || quantile < 0.5
  let rank = (forward ? quantile : 1 - quantile) * histogram.count
  let count = 0
  let lower = 0
  let upper = 0
  let bucketCount = 0
  const walk = forward ? forEachBucket : forEachBucketReversed
  walk(histogram, (bucket) => {
    if (bucket.count === 0) return true
    count += bucket.count
    lower = bucket.lower
    upper = bucket.upper
    bucketCount = bucket.count
    return count < rank
  })
  if (custom) {
    if (lower === Number.NEGATIVE_INFINITY) {
      if (upper <= 0) return answer(upper, hasNaN ? 'skew' : undefined)
      lower = 0
    } else if (upper === Number.POSITIVE_INFINITY) {
      return answer(lower, hasNaN ? 'skew' : undefined)
    }
  } else if (lower < 0 && upper > 0) {
    if (onlyPositive(histogram)) lower = 0
    else if (onlyNegative(histogram)) upper = 0
  }
  // Rounding may have made more of the buckets than of the count.
  count = Math.min(count, histogram.count)
  if (count < rank) return hasNaN ? answer(Number.NaN, 'result') : answer(upper)
  rank = forward ? rank - (count - bucketCount) : count - rank
  const fraction = rank / bucketCount
  const nan = hasNaN ? 'skew' : undefined
  if (custom || (lower <= 0 && upper >= 0)) return answer(lower + (upper - lower) * fraction, nan)
  const logLower = Math.log2(Math.abs(lower))
  const logUpper = Math.log2(Math.abs(upper))
  if (lower > 0) return answer(2 ** (logLower + (logUpper - logLower) * fraction), nan)
  return answer(-(2 ** (logUpper + (logLower - logUpper) * (1 - fraction))), nan)
}

export interface FractionAnswer {
  readonly value: number
  /** NaN observations are in no fraction: an info for the user. */
  readonly hasNaN: boolean
}

/** The part of all observations between two values; NaN for an empty histogram. */
export function histogramFraction(lower: number, upper: number, histogram: Histogram): FractionAnswer {
  if (histogram.count === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return { value: Number.NaN, hasNaN: false }
  if (lower >= upper) return { value: 0, hasNaN: false }
  const custom = usesCustomBuckets(histogram)
  let rank = 0
  let lowerRank: number | undefined
  let upperRank: number | undefined
  let bucketed = 0
  forEachBucket(histogram, (bucket) => {
    bucketed += bucket.count
    if (lowerRank !== undefined && upperRank !== undefined) return true
    const inZero = bucket.lower <= 0 && bucket.upper >= 0
    if (inZero) {
      if (onlyPositive(histogram)) bucket.lower = 0
      else if (onlyNegative(histogram)) bucket.upper = 0
    }
    lowerRank ??= rankIn(bucket, lower, rank, custom || inZero)
    upperRank ??= rankIn(bucket, upper, rank, custom || inZero)
    rank += bucket.count
    return true
  })
  const hasNaN = Number.isNaN(histogram.sum)
  // NaN observations are in the count and in no bucket.
  const total = hasNaN ? bucketed : histogram.count
  lowerRank = lowerRank === undefined || lowerRank > total ? total : lowerRank
  upperRank = upperRank === undefined || upperRank > total ? total : upperRank
  return { value: (upperRank - lowerRank) / histogram.count, hasNaN: hasNaN && bucketed < histogram.count }
}

/** How many observations lie below a value that is not above this bucket; undefined if it is. */
function rankIn({ lower, upper, count }: Bucket, value: number, rank: number, linear: boolean): number | undefined {
  if (lower >= value) return rank
  if (upper <= value) return undefined
  if (linear) {
    // Observations of a first bucket without a bound are all taken to lie below.
    if (lower === Number.NEGATIVE_INFINITY) return count
    return rank + (count * (value - lower)) / (upper - lower)
  }
  const logLower = Math.log2(Math.abs(lower))
  const logUpper = Math.log2(Math.abs(upper))
  const logValue = Math.log2(Math.abs(value))
  const fraction =
    value > 0 ? (logValue - logLower) / (logUpper - logLower) : 1 - (logValue - logUpper) / (logLower - logUpper)
  return rank + count * fraction
}

export function histogramAverage(histogram: Histogram): number {
  return histogram.sum / histogram.count
}

/** Each bucket stands for its middle, which is the geometric one for exponential buckets. */
export function histogramVariance(histogram: Histogram): number {
  const mean = histogramAverage(histogram)
  const custom = usesCustomBuckets(histogram)
  let variance = 0
  let lost = 0
  forEachBucket(histogram, ({ lower, upper, count }) => {
    if (count === 0) return true
    let value: number
    if (custom) value = (upper + lower) / 2
    else if (lower <= 0 && upper >= 0) value = 0
    else value = upper < 0 ? -Math.sqrt(upper * lower) : Math.sqrt(upper * lower)
    const part = count * (value - mean) * (value - mean)
    const total = variance + part
    if (Math.abs(total) === Number.POSITIVE_INFINITY) lost = 0
    else lost += Math.abs(variance) >= Math.abs(part) ? variance - total + part : part - total + variance
    variance = total
    return true
  })
  return (variance + lost) / histogram.count
}

function onlyPositive({ negativeBuckets, positiveBuckets }: Histogram): boolean {
  return negativeBuckets.length === 0 && positiveBuckets.length > 0
}

function onlyNegative({ negativeBuckets, positiveBuckets }: Histogram): boolean {
  return positiveBuckets.length === 0 && negativeBuckets.length > 0
}
