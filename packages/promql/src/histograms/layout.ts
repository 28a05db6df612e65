/** Changes of a histogram's buckets that lose no observation: without empty ones, or coarser. */
import type { Histogram, Span } from '@varve/tsdb-core/model'
import { coarserIndex, type Side, sideOf, spansOf } from './buckets.js'

/** Without empty buckets; itself, if there were none and no spans to join. */
export function compactHistogram(histogram: Histogram): Histogram {
  const { positiveSpans, positiveBuckets, negativeSpans, negativeBuckets } = histogram
  if (isCompact(positiveSpans, positiveBuckets) && isCompact(negativeSpans, negativeBuckets)) return histogram
  const positive = compactSide(sideOf(positiveSpans, positiveBuckets))
  const negative = compactSide(sideOf(negativeSpans, negativeBuckets))
  return withSides(histogram, positive, negative)
}

function isCompact(spans: readonly Span[], counts: Float64Array): boolean {
  for (const count of counts) if (count === 0) return false
  for (let i = 0; i < spans.length; i++) if (spans[i].length === 0 || (i > 0 && spans[i].offset === 0)) return false
  return true
}

/** A bucket goes if it is empty and rounding has lost nothing of it. */
export function compactSide(side: Side): Side {
  const { indexes, counts, lost } = side
  const kept: number[] = []
  for (let i = 0; i < counts.length; i++) if (counts[i] !== 0 || (lost !== undefined && lost[i] !== 0)) kept.push(i)
  if (kept.length === counts.length) return side
  return {
    indexes: Int32Array.from(kept, (i) => indexes[i]),
    counts: Float64Array.from(kept, (i) => counts[i]),
    ...(lost && { lost: Float64Array.from(kept, (i) => lost[i]) }),
  }
}

export function withSides(histogram: Histogram, positive: Side, negative: Side): Histogram {
  return {
    ...histogram,
    positiveSpans: spansOf(positive.indexes),
    positiveBuckets: positive.counts,
    negativeSpans: spansOf(negative.indexes),
    negativeBuckets: negative.counts,
  }
}

/** The histogram in a coarser (smaller) exponential schema. */
export function reduceResolution(histogram: Histogram, schema: number): Histogram {
  if (schema >= histogram.schema) return histogram
  const positive = coarserSide(sideOf(histogram.positiveSpans, histogram.positiveBuckets), histogram.schema, schema)
  const negative = coarserSide(sideOf(histogram.negativeSpans, histogram.negativeBuckets), histogram.schema, schema)
  return withSides({ ...histogram, schema }, positive, negative)
}

export function coarserSide(side: Side, schema: number, coarser: number): Side {
  if (schema === coarser || side.counts.length === 0) return side
  const { indexes, counts, lost } = side
  const newIndexes = new Int32Array(indexes.length)
  const newCounts = new Float64Array(indexes.length)
  const newLost = lost && new Float64Array(indexes.length)
  let last = -1
  for (let i = 0; i < indexes.length; i++) {
    const index = coarserIndex(indexes[i], schema, coarser)
    if (last < 0 || newIndexes[last] !== index) newIndexes[++last] = index
    addCount(newCounts, newLost, last, counts[i])
    if (lost) addCount(newCounts, newLost, last, lost[i])
  }
  return {
    indexes: newIndexes.slice(0, last + 1),
    counts: newCounts.slice(0, last + 1),
    ...(newLost && { lost: newLost.slice(0, last + 1) }),
  }
}

/** Adds to one count, and what rounding loses to `lost` (Neumaier); an infinite count has lost nothing. */
export function addCount(counts: Float64Array, lost: Float64Array | undefined, at: number, value: number): void {
  const count = counts[at]
  const total = count + value
  counts[at] = total
  if (lost === undefined) return
  if (Math.abs(total) === Number.POSITIVE_INFINITY) lost[at] = 0
  else lost[at] += Math.abs(count) >= Math.abs(value) ? count - total + value : value - total + count
}
