/**
 * `h </ x` and `h >/ x`: a histogram with only the observations below, or above, a value.
 *
 * A bucket that the value cuts is split where interpolation says; count and sum are estimated anew from what is left,
 * each bucket standing for its middle. Of a bucket that goes on to infinity nothing is known, so that it is kept or
 * dropped whole, but for the first custom bucket, which starts at zero if it ends above it.
 * Source: Prometheus 3.14, FloatHistogram.TrimBuckets.
 */
import type { Histogram } from '@varve/tsdb-core/model'
import { type Bucket, fill, type Side, sideOf, usesCustomBuckets } from './buckets.js'
import { compactHistogram, withSides } from './layout.js'

export type TrimKeeps = 'below' | 'above'

/** The histogram itself, if nothing had to go. */
export function trimHistogram(histogram: Histogram, value: number, keeps: TrimKeeps): Histogram {
  const positive = sideOf(histogram.positiveSpans, histogram.positiveBuckets)
  const negative = sideOf(histogram.negativeSpans, histogram.negativeBuckets)
  const total = { count: 0, sum: 0 }
  const positiveCounts = trimSide(histogram, positive, 1, value, keeps, total)
  const negativeCounts = trimSide(histogram, negative, -1, value, keeps, total)
  let { zeroCount } = histogram
  if (zeroCount > 0) {
    const kept = trimZeroBucket(histogram, value, keeps, isPopulated(negative), isPopulated(positive))
    zeroCount = kept.count
    total.sum += kept.middle * kept.count
    total.count += kept.count
  }
  const changed =
    positiveCounts !== positive.counts || negativeCounts !== negative.counts || zeroCount !== histogram.zeroCount
  if (!changed) return histogram
  return compactHistogram(
    withSides(
      { ...histogram, zeroCount, count: total.count, sum: total.sum, integer: false },
      { indexes: positive.indexes, counts: positiveCounts },
      { indexes: negative.indexes, counts: negativeCounts },
    ),
  )
}

interface Kept {
  readonly count: number
  /** Where the kept observations are taken to be. */
  readonly middle: number
}

function isPopulated(side: Side): boolean {
  return side.counts.some((count) => count !== 0)
}

/** The kept counts; the same array if all were kept. */
function trimSide(
  histogram: Histogram,
  side: Side,
  sign: 1 | -1,
  value: number,
  keeps: TrimKeeps,
  total: { count: number; sum: number },
): Float64Array {
  const linear = usesCustomBuckets(histogram)
  const bucket: Bucket = { lower: 0, upper: 0, lowerInclusive: false, upperInclusive: false, count: 0 }
  const below = keeps === 'below'
  let counts = side.counts
  for (let i = 0; i < side.indexes.length; i++) {
    bucket.count = side.counts[i]
    if (bucket.count === 0) continue
    fill(bucket, histogram, side.indexes[i], sign)
    let kept: Kept
    if (below ? bucket.upper <= value : bucket.lower >= value) {
      kept = { count: bucket.count, middle: middleOf(bucket.lower, bucket.upper, sign, linear) }
    } else if (below ? bucket.lower < value : bucket.upper > value) {
      kept = splitBucket(bucket, value, keeps, sign, linear)
    } else {
      kept = { count: 0, middle: 0 }
    }
    total.count += kept.count
    total.sum += kept.middle * kept.count
    if (kept.count === bucket.count) continue
    if (counts === side.counts) counts = side.counts.slice()
    counts[i] = kept.count
  }
  return counts
}

function splitBucket(bucket: Bucket, value: number, keeps: TrimKeeps, sign: 1 | -1, linear: boolean): Kept {
  const { lower, upper, count } = bucket
  if (lower === Number.NEGATIVE_INFINITY) return splitFirstBucket(bucket, value, keeps)
  if (upper === Number.POSITIVE_INFINITY) {
    return keeps === 'above' && value >= lower ? { count, middle: value } : { count: 0, middle: 0 }
  }
  const under = count * fractionBelow(bucket, value, sign, linear)
  return keeps === 'below'
    ? { count: under, middle: middleOf(lower, value, sign, linear) }
    : { count: count - under, middle: middleOf(value, upper, sign, linear) }
}

/** A custom bucket that comes from minus infinity. */
function splitFirstBucket({ lower, upper, count }: Bucket, value: number, keeps: TrimKeeps): Kept {
  const fromZero = upper > 0 && upper !== Number.POSITIVE_INFINITY
  if (keeps === 'below') {
    if (value >= upper) return { count, middle: 0 }
    if (value > 0 && fromZero) return { count: (count * value) / upper, middle: value / 2 }
    return upper <= 0 ? { count, middle: value } : { count: 0, middle: 0 }
  }
  if (value <= lower) return { count, middle: 0 }
  if (value >= 0 && upper > value && fromZero) {
    return { count: count * (1 - value / upper), middle: (value + upper) / 2 }
  }
  return { count: 0, middle: 0 }
}

/** What part of a bucket lies below a value inside it. */
function fractionBelow({ lower, upper }: Bucket, value: number, sign: 1 | -1, linear: boolean): number {
  if (linear) return (value - lower) / (upper - lower)
  const logLower = Math.log2(Math.abs(lower))
  const logUpper = Math.log2(Math.abs(upper))
  const logValue = Math.log2(Math.abs(value))
  return sign > 0 ? (logValue - logLower) / (logUpper - logLower) : 1 - (logValue - logUpper) / (logLower - logUpper)
}

function trimZeroBucket(
  { zeroThreshold, zeroCount: count }: Histogram,
  value: number,
  keeps: TrimKeeps,
  hasNegative: boolean,
  hasPositive: boolean,
): Kept {
  // With buckets on one side only, the zero bucket is taken to be on that side too.
  const lower = hasPositive && !hasNegative ? 0 : -zeroThreshold
  const upper = hasNegative && !hasPositive ? 0 : zeroThreshold
  const whole = { count, middle: (lower + upper) / 2 }
  const nothing = { count: 0, middle: 0 }
  if (value <= lower) return keeps === 'below' ? nothing : whole
  if (value >= upper) return keeps === 'below' ? whole : nothing
  return keeps === 'below'
    ? { count: (count * (value - lower)) / (upper - lower), middle: (lower + value) / 2 }
    : { count: (count * (upper - value)) / (upper - lower), middle: (value + upper) / 2 }
}

/** Where the observations between two bounds are taken to be: halfway, on the bucket's own scale. */
function middleOf(lower: number, upper: number, sign: 1 | -1, linear: boolean): number {
  if (lower === Number.NEGATIVE_INFINITY) {
    if (upper === Number.POSITIVE_INFINITY) return 0
    return upper > 0 ? upper / 2 : upper
  }
  if (upper === Number.POSITIVE_INFINITY) return lower
  if (linear) return (lower + upper) / 2
  return sign * Math.sqrt(Math.abs(lower * upper))
}
