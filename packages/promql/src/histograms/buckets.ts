/**
 * The buckets of a native histogram: their bounds, and their order.
 *
 * Bucket i of an exponential schema s covers (base^(i-1), base^i] with base 2^(2^-s), bucket i of custom bounds
 * (bounds[i-1], bounds[i]]; negative buckets mirror the positive ones.
 * Source: Prometheus, model/histogram/generic.go.
 */
import { CUSTOM_BUCKETS_SCHEMA, type Histogram, type Span } from '@varve/tsdb-core/model'

export function usesCustomBuckets(histogram: Histogram): boolean {
  return histogram.schema === CUSTOM_BUCKETS_SCHEMA
}

/** One sign's buckets, by rising distance from zero. `lost` is what rounding took from each count, if that is kept. */
export interface Side {
  readonly indexes: Int32Array
  readonly counts: Float64Array
  readonly lost?: Float64Array
}

export const NO_BUCKETS: Side = { indexes: new Int32Array(0), counts: new Float64Array(0) }

/** Reads spans; buckets beyond them, or spans beyond the buckets, of a damaged histogram are left out. */
export function sideOf(spans: readonly Span[], counts: Float64Array): Side {
  if (counts.length === 0) return NO_BUCKETS
  const indexes = new Int32Array(counts.length)
  let count = 0
  let index = 0
  for (const span of spans) {
    index += span.offset
    for (let i = 0; i < span.length && count < counts.length; i++) indexes[count++] = index++
  }
  return count === counts.length
    ? { indexes, counts }
    : { indexes: indexes.slice(0, count), counts: counts.slice(0, count) }
}

/** The spans of rising indexes. */
export function spansOf(indexes: Int32Array): Span[] {
  const spans: { offset: number; length: number }[] = []
  let next = 0
  for (let i = 0; i < indexes.length; i++) {
    const offset = indexes[i] - next
    if (i > 0 && offset === 0) spans[spans.length - 1].length++
    else spans.push({ offset, length: 1 })
    next = indexes[i] + 1
  }
  return spans
}

export function spansEqual(a: readonly Span[], b: readonly Span[]): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i].offset !== b[i].offset || a[i].length !== b[i].length) return false
  return true
}

export function boundsEqual(a: Float64Array, b: Float64Array): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

const SCHEMA_MAX = 8
/**
 * 2^(i/256), the bounds between 1 and 2 of the finest schema, which has those of all others: products of the roots of 2.
 *
 * The first root is one unit in the last place below the nearest number to it. So the bounds have the very bits of those that
 * Prometheus and its client libraries keep in a table, and an answer has the same digits.
 */
const ROOTS = [Math.SQRT2 - Number.EPSILON, ...Array.from({ length: SCHEMA_MAX - 1 }, (_, k) => 2 ** (1 / (4 << k)))]
const FRACTIONS = Float64Array.from({ length: 1 << SCHEMA_MAX }, (_, i) =>
  ROOTS.reduce((product, root, k) => ((i >> (SCHEMA_MAX - 1 - k)) & 1 ? product * root : product), 1),
)

/**
 * The upper bound of a positive bucket.
 *
 * The largest finite numbers share a bucket that would end at infinity; since infinite observations have a bucket of
 * their own, it ends at the largest number.
 */
export function upperBound(index: number, schema: number, customValues: Float64Array): number {
  if (schema === CUSTOM_BUCKETS_SCHEMA) {
    if (index < 0) return Number.NEGATIVE_INFINITY
    return index < customValues.length ? customValues[index] : Number.POSITIVE_INFINITY
  }
  return exponentialBound(index, schema)
}

export function exponentialBound(index: number, schema: number): number {
  if (schema <= 0) {
    const exponent = index * 2 ** -schema
    return exponent === 1024 ? Number.MAX_VALUE : 2 ** exponent
  }
  if (schema > SCHEMA_MAX) return index === 1024 * 2 ** schema ? Number.MAX_VALUE : 2 ** (index / 2 ** schema)
  const exponent = index >> schema
  const fraction = (index & ((1 << schema) - 1)) << (SCHEMA_MAX - schema)
  if (exponent === 1024 && fraction === 0) return Number.MAX_VALUE
  return FRACTIONS[fraction] * 2 ** exponent
}

/** The least index of a bucket that does not reach into the zero bucket. */
export function indexOutsideZero({ schema, zeroThreshold }: Histogram): number {
  if (schema === CUSTOM_BUCKETS_SCHEMA || !(zeroThreshold > 0)) return Number.NEGATIVE_INFINITY
  let index = Math.floor(Math.log2(zeroThreshold) * 2 ** schema) - 1
  while (exponentialBound(index - 1, schema) < zeroThreshold) index++
  return index
}

/** The bucket of a coarser schema that holds a bucket of a finer one. */
export function coarserIndex(index: number, schema: number, coarser: number): number {
  // A shift of 32 and more would be one of its remainder.
  return ((index - 1) >> Math.min(31, schema - coarser)) + 1
}

export interface Bucket {
  lower: number
  upper: number
  lowerInclusive: boolean
  upperInclusive: boolean
  count: number
}

/**
 * All buckets, empty ones too, from the lowest to the highest values; the zero bucket only if it is populated. Where one
 * overlaps the zero bucket, it ends at the zero threshold. `visit` gets the same object each time, and goes on by
 * returning true.
 */
export function forEachBucket(histogram: Histogram, visit: (bucket: Bucket) => boolean): void {
  walk(histogram, visit, false)
}

/** The same from the highest to the lowest values. */
export function forEachBucketReversed(histogram: Histogram, visit: (bucket: Bucket) => boolean): void {
  walk(histogram, visit, true)
}

function walk(histogram: Histogram, visit: (bucket: Bucket) => boolean, reversed: boolean): void {
  const bucket: Bucket = { lower: 0, upper: 0, lowerInclusive: false, upperInclusive: false, count: 0 }
  const { zeroThreshold, zeroCount } = histogram
  const positive = sideOf(histogram.positiveSpans, histogram.positiveBuckets)
  const negative = sideOf(histogram.negativeSpans, histogram.negativeBuckets)
  const side = (buckets: Side, sign: 1 | -1, rising: boolean): boolean => {
    const { indexes, counts } = buckets
    for (let n = 0; n < indexes.length; n++) {
      const i = rising ? n : indexes.length - 1 - n
      fill(bucket, histogram, indexes[i], sign)
      bucket.count = counts[i]
      if (bucket.upper < 0 && bucket.upper > -zeroThreshold) bucket.upper = -zeroThreshold
      else if (bucket.lower > 0 && bucket.lower < zeroThreshold) bucket.lower = zeroThreshold
      if (visit(bucket) === false) return false
    }
    return true
  }
  const zero = (): boolean => {
    if (!(zeroCount > 0)) return true
    bucket.lower = -zeroThreshold
    bucket.upper = zeroThreshold
    bucket.lowerInclusive = true
    bucket.upperInclusive = true
    bucket.count = zeroCount
    return visit(bucket) !== false
  }
  if (reversed) void (side(positive, 1, false) && zero() && side(negative, -1, true))
  else void (side(negative, -1, false) && zero() && side(positive, 1, true))
}

/** Bounds of one bucket, which the zero bucket does not cut. */
export function fill(bucket: Bucket, histogram: Histogram, index: number, sign: 1 | -1): void {
  const { schema, customValues } = histogram
  const far = upperBound(index, schema, customValues)
  const near = upperBound(index - 1, schema, customValues)
  bucket.lower = sign > 0 ? near : -far
  bucket.upper = sign > 0 ? far : -near
  if (schema === CUSTOM_BUCKETS_SCHEMA) {
    bucket.lowerInclusive = index === 0
    bucket.upperInclusive = true
  } else {
    bucket.lowerInclusive = bucket.lower < 0
    bucket.upperInclusive = bucket.upper > 0
  }
}
