/**
 * The buckets of a native histogram with their bounds, from the lowest to the highest.
 *
 * Source: Prometheus, model/histogram: bucket i of schema s ends at 2^(i · 2^-s); custom bounds are listed.
 */
import { CUSTOM_BUCKETS_SCHEMA, type Histogram, type Span } from '@varve/tsdb-core/model'

export interface Bucket {
  readonly lower: number
  readonly upper: number
  readonly lowerInclusive: boolean
  readonly upperInclusive: boolean
  readonly count: number
}

export function* bucketsOf(histogram: Histogram): Generator<Bucket> {
  const { schema, zeroThreshold, zeroCount } = histogram
  if (schema !== CUSTOM_BUCKETS_SCHEMA) {
    for (const { index, count } of indexed(histogram.negativeSpans, histogram.negativeBuckets).reverse()) {
      const lower = -boundOf(index, schema)
      const upper = Math.min(-boundOf(index - 1, schema), -zeroThreshold || 0)
      yield { lower, upper, lowerInclusive: true, upperInclusive: false, count }
    }
    if (zeroCount > 0) {
      const lower = zeroThreshold === 0 ? -0 : -zeroThreshold
      yield { lower, upper: zeroThreshold, lowerInclusive: true, upperInclusive: true, count: zeroCount }
    }
  }
  for (const { index, count } of indexed(histogram.positiveSpans, histogram.positiveBuckets)) {
    if (schema === CUSTOM_BUCKETS_SCHEMA) {
      const bounds = histogram.customValues
      const lower = index === 0 ? -Infinity : bounds[index - 1]
      const upper = index < bounds.length ? bounds[index] : Infinity
      yield { lower, upper, lowerInclusive: index === 0, upperInclusive: true, count }
    } else {
      const lower = Math.max(boundOf(index - 1, schema), zeroThreshold)
      yield { lower, upper: boundOf(index, schema), lowerInclusive: false, upperInclusive: true, count }
    }
  }
}

function indexed(spans: readonly Span[], counts: Float64Array): { index: number; count: number }[] {
  const buckets: { index: number; count: number }[] = []
  let index = 0
  let position = 0
  for (const span of spans) {
    index += span.offset
    for (let i = 0; i < span.length; i++) buckets.push({ index: index++, count: counts[position++] })
  }
  return buckets
}

function boundOf(index: number, schema: number): number {
  if (schema <= 0) {
    const exponent = index * 2 ** -schema
    return exponent === 1024 ? Number.MAX_VALUE : 2 ** exponent
  }
  const perDoubling = 2 ** schema
  const whole = Math.floor(index / perDoubling)
  const part = index - whole * perDoubling
  // The last bucket of finite values ends at the largest double, the one after it at infinity.
  if (whole === 1024 && part === 0) return Number.MAX_VALUE
  return 2 ** (part / perDoubling) * 2 ** whole
}
