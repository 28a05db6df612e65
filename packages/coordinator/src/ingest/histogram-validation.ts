/**
 * Whether a native histogram makes sense, by Prometheus' rules and in its words.
 *
 * What Prometheus' own storage takes is taken as it is: a float histogram's count may differ from the sum of its buckets,
 * an integer one's may be larger when the sum of observations is NaN.
 * Source: Prometheus, model/histogram (histogram.go, float_histogram.go, generic.go), version 3.
 */
import { CUSTOM_BUCKETS_SCHEMA, type Histogram, type Span } from '@varve/tsdb-core/model'

const SCHEMA_MIN = -4
const SCHEMA_MAX = 8
/** Finer schemas than ours are legal on the wire up to here, and are reduced to 8. */
const SCHEMA_REDUCIBLE_MAX = 52

/** Returns what is wrong with it, or null. */
export function histogramFault(histogram: Histogram): string | null {
  const { schema } = histogram
  if (schema === CUSTOM_BUCKETS_SCHEMA) {
    const fault = customBoundsFault(histogram)
    if (fault !== null) return `custom buckets: ${fault}`
  } else if (schema >= SCHEMA_MIN && schema <= SCHEMA_MAX) {
    if (histogram.customValues.length > 0) return 'histogram with exponential schema must not have custom bounds'
    const fault = spansFault(histogram.negativeSpans, histogram.negativeBuckets.length)
    if (fault !== null) return `negative side: ${fault}`
  } else {
    return `schema ${schema}: histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom buckets`
  }
  const spans = spansFault(histogram.positiveSpans, histogram.positiveBuckets.length)
  if (spans !== null) return `positive side: ${spans}`
  const negative = bucketsFault(histogram.negativeBuckets)
  if (negative !== null) return `negative side: ${negative}`
  const positive = bucketsFault(histogram.positiveBuckets)
  if (positive !== null) return `positive side: ${positive}`
  return histogram.integer ? countFault(histogram) : null
}

/** Lowers a schema of 9 to 52 to 8 by merging neighbouring buckets; others are returned as they are. */
export function reduceSchema(histogram: Histogram): Histogram {
  if (histogram.schema <= SCHEMA_MAX || histogram.schema > SCHEMA_REDUCIBLE_MAX) return histogram
  const shift = histogram.schema - SCHEMA_MAX
  const positive = mergeBuckets(histogram.positiveSpans, histogram.positiveBuckets, shift)
  const negative = mergeBuckets(histogram.negativeSpans, histogram.negativeBuckets, shift)
  if (positive === null || negative === null) return histogram
  return {
    ...histogram,
    schema: SCHEMA_MAX,
    positiveSpans: positive.spans,
    positiveBuckets: positive.buckets,
    negativeSpans: negative.spans,
    negativeBuckets: negative.buckets,
  }
}

function customBoundsFault(histogram: Histogram): string | null {
  const bounds = histogram.customValues
  for (let i = 0; i < bounds.length; i++) {
    if (i > 0 && !(bounds[i] > bounds[i - 1])) {
      return `previous bound is ${bounds[i - 1]} and current is ${bounds[i]}: histogram custom bounds must be in strictly increasing order`
    }
    if (!Number.isFinite(bounds[i])) return `bound ${bounds[i]}: histogram custom bounds must be finite`
  }
  let reach = 0
  for (const span of histogram.positiveSpans) reach += span.offset + span.length
  if (reach > bounds.length + 1) {
    return `only ${bounds.length} custom bounds defined which is insufficient to cover total span length of ${reach}: histogram custom bounds are too few`
  }
  if (histogram.zeroCount !== 0) return 'custom buckets: must have zero count of 0'
  if (histogram.zeroThreshold !== 0) return 'custom buckets: must have zero threshold of 0'
  if (histogram.negativeSpans.length > 0) return 'custom buckets: must not have negative spans'
  if (histogram.negativeBuckets.length > 0) return 'custom buckets: must not have negative buckets'
  return null
}

function spansFault(spans: readonly Span[], bucketCount: number): string | null {
  let needed = 0
  for (let i = 0; i < spans.length; i++) {
    if (i > 0 && spans[i].offset < 0) {
      return `span number ${i + 1} with offset ${spans[i].offset}: histogram has a span whose offset is negative`
    }
    needed += spans[i].length
  }
  if (needed === bucketCount) return null
  return `spans need ${needed} buckets, have ${bucketCount} buckets: histogram spans specify different number of buckets than provided`
}

function bucketsFault(buckets: Float64Array): string | null {
  for (let i = 0; i < buckets.length; i++) {
    if (buckets[i] < 0) {
      return `bucket number ${i + 1} has observation count of ${buckets[i]}: histogram has a bucket whose observation count is negative`
    }
  }
  return null
}

function countFault(histogram: Histogram): string | null {
  let observed = histogram.zeroCount
  for (const count of histogram.negativeBuckets) observed += count
  for (const count of histogram.positiveBuckets) observed += count
  const found = `${observed} observations found in buckets, but the Count field is ${histogram.count}`
  // Observed NaNs are counted and in no bucket.
  if (Number.isNaN(histogram.sum)) {
    if (observed <= histogram.count) return null
    return `${found}: histogram's observation count should be at least the number of observations found in the buckets`
  }
  if (observed === histogram.count) return null
  return `${found}: histogram's observation count should equal the number of observations found in the buckets (in absence of NaN)`
}

function mergeBuckets(
  spans: readonly Span[],
  buckets: Float64Array,
  shift: number,
): { spans: Span[]; buckets: Float64Array } | null {
  // Histograms whose spans do not fit are left for `histogramFault` to name.
  if (spansFault(spans, buckets.length) !== null) return null
  const merged: { index: number; count: number }[] = []
  let index = 0
  let bucket = 0
  for (const span of spans) {
    index += span.offset
    for (let i = 0; i < span.length; i++, index++) {
      const target = Math.floor((index - 1) / 2 ** shift) + 1
      const last = merged[merged.length - 1]
      if (last?.index === target) last.count += buckets[bucket++]
      else merged.push({ index: target, count: buckets[bucket++] })
    }
  }
  const out: { offset: number; length: number }[] = []
  let next = 0
  for (const { index: at } of merged) {
    const span = out[out.length - 1]
    if (span !== undefined && at === next) span.length++
    else out.push({ offset: at - (out.length === 0 ? 0 : next), length: 1 })
    next = at + 1
  }
  return { spans: out, buckets: Float64Array.from(merged, ({ count }) => count) }
}
