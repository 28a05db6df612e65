/** Whether a native histogram is one, with Prometheus' rules and wording. */
import { CUSTOM_BUCKETS_SCHEMA, type Histogram, type Span } from '@varve/tsdb-core/model'
import { formatFloatG } from '../parser/go-text.js'

const SCHEMA_MIN = -4
const SCHEMA_MAX = 8

/** What is wrong, or undefined. Counts of integer histograms must also add up. */
export function histogramProblem(histogram: Histogram): string | undefined {
  const { schema, positiveSpans, negativeSpans, positiveBuckets, negativeBuckets, customValues } = histogram
  if (schema === CUSTOM_BUCKETS_SCHEMA) {
    const problem = boundsProblem(customValues, positiveSpans, positiveBuckets.length)
    if (problem) return `custom buckets: ${problem}`
    if (histogram.zeroCount !== 0) return 'custom buckets: must have zero count of 0'
    if (histogram.zeroThreshold !== 0) return 'custom buckets: must have zero threshold of 0'
    if (negativeSpans.length > 0) return 'custom buckets: must not have negative spans'
    if (negativeBuckets.length > 0) return 'custom buckets: must not have negative buckets'
  } else if (schema >= SCHEMA_MIN && schema <= SCHEMA_MAX) {
    const positive = spansProblem(positiveSpans, positiveBuckets.length)
    if (positive) return `positive side: ${positive}`
    const negative = spansProblem(negativeSpans, negativeBuckets.length) ?? countsProblem(negativeBuckets)
    if (negative) return `negative side: ${negative}`
    if (histogram.zeroCount < 0) {
      return `zero bucket has observation count of ${formatFloatG(histogram.zeroCount)}: ${NEGATIVE_BUCKET}`
    }
    if (customValues.length > 0) return 'histogram with exponential schema must not have custom bounds'
  } else {
    return `histogram has an invalid schema, which must be between ${SCHEMA_MIN} and ${SCHEMA_MAX} for exponential buckets, or ${CUSTOM_BUCKETS_SCHEMA} for custom buckets, got schema ${schema}`
  }
  if (histogram.count < 0) {
    return `observation count is ${formatFloatG(histogram.count)}: histogram's observation count is negative`
  }
  const positive = countsProblem(positiveBuckets)
  if (positive) return `positive side: ${positive}`
  return histogram.integer ? totalProblem(histogram) : undefined
}

const NEGATIVE_BUCKET = 'histogram has a bucket whose observation count is negative'

function totalProblem({ zeroCount, count, sum, positiveBuckets, negativeBuckets }: Histogram): string | undefined {
  let bucketed = zeroCount
  for (const bucket of positiveBuckets) bucketed += bucket
  for (const bucket of negativeBuckets) bucketed += bucket
  if (Number.isNaN(sum)) {
    if (bucketed <= count) return undefined
    return `${bucketed} observations found in buckets, but the Count field is ${count}: histogram's observation count should be at least the number of observations found in the buckets`
  }
  if (bucketed === count) return undefined
  return `${bucketed} observations found in buckets, but the Count field is ${count}: histogram's observation count should equal the number of observations found in the buckets (in absence of NaN)`
}

function spansProblem(spans: readonly Span[], bucketCount: number): string | undefined {
  let described = 0
  for (let i = 0; i < spans.length; i++) {
    if (i > 0 && spans[i].offset < 0) {
      return `span number ${i + 1} with offset ${spans[i].offset}: histogram has a span whose offset is negative`
    }
    described += spans[i].length
  }
  if (described === bucketCount) return undefined
  return `spans need ${described} buckets, have ${bucketCount} buckets: histogram spans specify different number of buckets than provided`
}

function countsProblem(counts: Float64Array): string | undefined {
  const at = counts.findIndex((count) => count < 0)
  if (at < 0) return undefined
  return `bucket number ${at + 1} has observation count of ${formatFloatG(counts[at])}: ${NEGATIVE_BUCKET}`
}

function boundsProblem(bounds: Float64Array, spans: readonly Span[], bucketCount: number): string | undefined {
  let previous = Number.NEGATIVE_INFINITY
  for (let i = 0; i < bounds.length; i++) {
    const bound = bounds[i]
    if (Number.isNaN(bound)) return 'histogram custom bounds must not be NaN'
    if (i > 0 && bound <= previous) {
      return `previous bound is ${formatFloatG(previous)} and current is ${formatFloatG(bound)}: histogram custom bounds must be in strictly increasing order`
    }
    if (!Number.isFinite(bound)) {
      return bound > 0
        ? 'last +Inf bound must not be explicitly defined: histogram custom bounds must be finite'
        : 'histogram custom bounds must be finite'
    }
    previous = bound
  }
  let reached = 0
  for (let i = 0; i < spans.length; i++) {
    if (spans[i].offset < 0) {
      return `span number ${i + 1} with offset ${spans[i].offset}: histogram has a span whose offset is negative`
    }
    reached += spans[i].offset + spans[i].length
  }
  if (reached > bounds.length + 1) {
    return `only ${bounds.length} custom bounds defined which is insufficient to cover total span length of ${reached}: histogram custom bounds are too few`
  }
  return spansProblem(spans, bucketCount)
}
