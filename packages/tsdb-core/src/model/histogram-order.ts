/** A total order over histograms, so that a merge of two for one timestamp does not depend on which came first. */

import type { CounterResetHint, Histogram, Span } from './histogram.js'
import { halvesOf } from './sample.js'
import { compareValueBits } from './sample-order.js'

const HINTS: readonly CounterResetHint[] = ['unknown', 'reset', 'notReset', 'gauge']

/** 0 when both are equal in every field; a staleness marker is the smallest. */
export function compareHistograms(a: Histogram, b: Histogram): number {
  if (a === b) return 0
  return (
    Number(b.stale) - Number(a.stale) ||
    compareColumns(numbersOf(a), numbersOf(b)) ||
    compareSpans(a.positiveSpans, b.positiveSpans) ||
    compareSpans(a.negativeSpans, b.negativeSpans) ||
    compareColumns(a.positiveBuckets, b.positiveBuckets) ||
    compareColumns(a.negativeBuckets, b.negativeBuckets) ||
    compareColumns(a.customValues, b.customValues)
  )
}

function numbersOf(histogram: Histogram): Float64Array {
  return Float64Array.of(
    histogram.count,
    histogram.stale ? 0 : histogram.sum,
    histogram.schema,
    histogram.zeroThreshold,
    histogram.zeroCount,
    Number(histogram.integer),
    HINTS.indexOf(histogram.counterResetHint),
  )
}

/** By length, then by the bits of each number. */
export function compareColumns(a: Float64Array, b: Float64Array): number {
  if (a === b) return 0
  if (a.length !== b.length || a.length === 0) return a.length - b.length
  const left = halvesOf(a)
  const right = halvesOf(b)
  for (let i = 0; i < a.length; i++) {
    const order = compareValueBits(left, i, right, i)
    if (order !== 0) return order
  }
  return 0
}

export function compareSpans(a: readonly Span[], b: readonly Span[]): number {
  if (a.length !== b.length) return a.length - b.length
  for (let i = 0; i < a.length; i++) {
    const order = a[i].offset - b[i].offset || a[i].length - b[i].length
    if (order !== 0) return order
  }
  return 0
}
