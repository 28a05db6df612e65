/** Whether a counter histogram started anew between two samples. */
import type { CounterResetHint, Histogram } from '@varve/tsdb-core/model'
import { sharedBounds, widenZeroBucket } from './arithmetic.js'
import { boundsEqual, exponentialBound, type Side, sideOf, upperBound, usesCustomBuckets } from './buckets.js'
import { coarserSide } from './layout.js'

/**
 * True if something shrank: a count, the resolution's fineness or the zero bucket's width, which only grow while a
 * process lives, or if a populated bucket is gone. The hint of the later histogram decides without looking.
 *
 * Source: Prometheus 3.14, FloatHistogram.DetectReset.
 */
export function detectReset(current: Histogram, previous: Histogram): boolean {
  if (current.counterResetHint === 'reset') return true
  if (current.counterResetHint === 'notReset') return false
  if (current.count < previous.count) return true
  if (usesCustomBuckets(current)) {
    if (!usesCustomBuckets(previous)) return true
    if (!boundsEqual(current.customValues, previous.customValues)) return shrankInSharedBounds(current, previous)
  }
  if (current.schema > previous.schema || current.zeroThreshold < previous.zeroThreshold) return true
  // Custom bounds against exponential ones: nothing can be compared.
  if (usesCustomBuckets(current) !== usesCustomBuckets(previous)) return true
  let positive = sideOf(previous.positiveSpans, previous.positiveBuckets)
  let negative = sideOf(previous.negativeSpans, previous.negativeBuckets)
  if (current.zeroThreshold > previous.zeroThreshold) {
    const { schema, zeroCount } = previous
    const widened = widenZeroBucket(schema, zeroCount, current.zeroThreshold, positive, negative)
    if (widened.threshold !== current.zeroThreshold || current.zeroCount < widened.count) return true
  } else if (current.zeroCount < previous.zeroCount) {
    return true
  }
  if (!usesCustomBuckets(current)) {
    positive = coarserSide(positive, previous.schema, current.schema)
    negative = coarserSide(negative, previous.schema, current.schema)
  }
  return (
    shrank(sideOf(current.positiveSpans, current.positiveBuckets), positive, current) ||
    shrank(sideOf(current.negativeSpans, current.negativeBuckets), negative, current)
  )
}

/**
 * What a store says of a counter histogram when it is read, from the sample before it in the series (undefined: none, a
 * float, or a staleness marker): that it goes on from there, or nothing. Prometheus' store never says that there was a reset,
 * since the sample before may be deleted, or another come between; the reader finds out.
 */
export function storedResetHint(histogram: Histogram, previous: Histogram | undefined): CounterResetHint {
  const { counterResetHint } = histogram
  if (counterResetHint === 'gauge') return 'gauge'
  if (counterResetHint === 'reset' || !previous || previous.counterResetHint === 'gauge') return 'unknown'
  return detectReset({ ...histogram, counterResetHint: 'unknown' }, previous) ? 'unknown' : 'notReset'
}

function shrank(current: Side, previous: Side, { schema, zeroThreshold }: Histogram): boolean {
  const inZeroBucket = (index: number) => zeroThreshold > 0 && exponentialBound(index, schema) <= zeroThreshold
  for (let i = 0, j = 0; j < previous.indexes.length; j++) {
    const index = previous.indexes[j]
    if (inZeroBucket(index)) continue
    while (i < current.indexes.length && current.indexes[i] < index) i++
    const there = i < current.indexes.length && current.indexes[i] === index
    if (there ? current.counts[i] < previous.counts[j] : previous.counts[j] !== 0) return true
  }
  return false
}

function shrankInSharedBounds(current: Histogram, previous: Histogram): boolean {
  const bounds = sharedBounds(current.customValues, previous.customValues)
  const now = countsUpTo(current, bounds)
  const before = countsUpTo(previous, bounds)
  return now.some((count, i) => count < before[i])
}

/** Observations between neighbouring bounds; the last number is of those above all. */
function countsUpTo(histogram: Histogram, bounds: Float64Array): Float64Array {
  const { indexes, counts } = sideOf(histogram.positiveSpans, histogram.positiveBuckets)
  const sums = new Float64Array(bounds.length + 1)
  let at = 0
  for (let i = 0; i < indexes.length; i++) {
    const bound = upperBound(indexes[i], histogram.schema, histogram.customValues)
    while (at < bounds.length && bounds[at] < bound) at++
    sums[at] += counts[i]
  }
  return sums
}
