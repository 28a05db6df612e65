/**
 * One native histogram sample, in float form: an integer histogram is converted at the door, and remembers that it was one.
 *
 * Buckets are absolute counts, in the order of the spans. Schema -4..8 is exponential with base 2^(2^-schema); schema -53
 * has its upper bounds in `customValues` (the last bucket ends at +Inf) and only positive buckets.
 * Source: Prometheus, model/histogram/float_histogram.go.
 */
export interface Histogram {
  schema: number
  zeroThreshold: number
  zeroCount: number
  count: number
  /** The staleness marker of a histogram series stands here, see `isStaleHistogram`. */
  sum: number
  /** What a sender says of the sample before; a store keeps only that it is a gauge. */
  counterResetHint: CounterResetHint
  positiveSpans: readonly Span[]
  negativeSpans: readonly Span[]
  positiveBuckets: Float64Array
  negativeBuckets: Float64Array
  customValues: Float64Array
  /** The sample is a staleness marker. Kept as a flag, since the marker's bits do not survive in a plain number. */
  stale: boolean
  /** Counts were integers when it came in; the wire formats tell the two apart. */
  integer: boolean
}

/** `length` buckets, the first of them `offset` after the end of the span before (or, for the first, from index 0). */
export interface Span {
  readonly offset: number
  readonly length: number
}

export type CounterResetHint = 'unknown' | 'reset' | 'notReset' | 'gauge'

export const CUSTOM_BUCKETS_SCHEMA = -53
