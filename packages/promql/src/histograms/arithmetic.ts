/**
 * Sums, differences and multiples of native histograms.
 *
 * Two exponential histograms meet in the coarser schema and in a zero bucket that takes in both zero buckets without
 * cutting a populated bucket; two with custom bounds meet in the bounds that both have. The operands are not changed.
 * Source: Prometheus 3.14, model/histogram/float_histogram.go.
 */
import { type CounterResetHint, CUSTOM_BUCKETS_SCHEMA, type Histogram } from '@varve/tsdb-core/model'
import {
  boundsEqual,
  exponentialBound,
  type Side,
  sideOf,
  spansEqual,
  spansOf,
  upperBound,
  usesCustomBuckets,
} from './buckets.js'
import { addCount, coarserSide, compactSide } from './layout.js'

export interface HistogramSum {
  readonly histogram: Histogram
  /** One side said that its counters were reset, the other that they were not: a warning for the user. */
  readonly counterResetCollision: boolean
  /** Custom bounds differed, and those that only one side had are gone: an info for the user. */
  readonly boundsReconciled: boolean
}

/** Undefined if one histogram has exponential buckets and the other custom ones. */
export function addHistograms(a: Histogram, b: Histogram): HistogramSum | undefined {
  return combine(a, b, 1)
}

/** Like `addHistograms`; whoever offers `-` to users makes a gauge of the result. */
export function subtractHistograms(a: Histogram, b: Histogram): HistogramSum | undefined {
  return combine(a, b, -1)
}

export function scaleHistogram(histogram: Histogram, factor: number): Histogram {
  return scaled(histogram, factor, (count) => count * factor)
}

/** Division by zero leaves no buckets. */
export function divideHistogram(histogram: Histogram, divisor: number): Histogram {
  const result = scaled(histogram, divisor, (count) => count / divisor)
  if (divisor !== 0) return result
  return { ...result, positiveSpans: [], positiveBuckets: NONE, negativeSpans: [], negativeBuckets: NONE }
}

const NONE = new Float64Array(0)

function scaled(histogram: Histogram, factor: number, change: (count: number) => number): Histogram {
  return {
    ...histogram,
    zeroCount: change(histogram.zeroCount),
    count: change(histogram.count),
    sum: change(histogram.sum),
    positiveBuckets: histogram.positiveBuckets.map(change),
    negativeBuckets: histogram.negativeBuckets.map(change),
    // A counter does not fall below zero.
    counterResetHint: factor < 0 ? 'gauge' : histogram.counterResetHint,
    integer: false,
  }
}

function combine(a: Histogram, b: Histogram, sign: 1 | -1): HistogramSum | undefined {
  if (usesCustomBuckets(a) !== usesCustomBuckets(b)) return undefined
  const { hint, collision } = combinedHint(a.counterResetHint, b.counterResetHint)
  const total = new HistogramTotal(a, false)
  const boundsReconciled = total.add(b, sign)
  return { histogram: total.histogram(hint), counterResetCollision: collision, boundsReconciled }
}

/** The hint of a sum: gauges win over counters, and what is not known for one side is not known for both. */
export function combinedHint(a: CounterResetHint, b: CounterResetHint): { hint: CounterResetHint; collision: boolean } {
  if (a === b) return { hint: a, collision: false }
  if (a === 'gauge' || b === 'gauge') return { hint: 'gauge', collision: false }
  return { hint: 'unknown', collision: a !== 'unknown' && b !== 'unknown' }
}

/**
 * A histogram that others are added to. With `compensated`, what rounding loses is kept beside every number, and added
 * when the total is read.
 */
export class HistogramTotal {
  #base: Histogram
  #schema: number
  #zeroThreshold: number
  #customValues: Float64Array
  /** Zero count, count, sum. */
  readonly #numbers: Float64Array
  readonly #numbersLost: Float64Array | undefined
  #positive: Side
  #negative: Side

  constructor(first: Histogram, compensated: boolean) {
    this.#base = first
    this.#schema = first.schema
    this.#zeroThreshold = first.zeroThreshold
    this.#customValues = first.customValues
    this.#numbers = Float64Array.of(first.zeroCount, first.count, first.sum)
    this.#numbersLost = compensated ? new Float64Array(3) : undefined
    this.#positive = ownSide(sideOf(first.positiveSpans, first.positiveBuckets), compensated)
    this.#negative = ownSide(sideOf(first.negativeSpans, first.negativeBuckets), compensated)
  }

  get usesCustomBuckets(): boolean {
    return usesCustomBuckets(this.#base)
  }

  /**
   * Adds a histogram of the same kind (exponential or custom), or takes it away.
   *
   * @returns whether custom bounds differed.
   */
  add(other: Histogram, sign: 1 | -1 = 1): boolean {
    const custom = this.usesCustomBuckets
    let zeroCount = other.zeroCount
    if (!custom) zeroCount = this.#reconcileZeroBuckets(other)
    addCount(this.#numbers, this.#numbersLost, 0, sign * zeroCount)
    addCount(this.#numbers, this.#numbersLost, 1, sign * other.count)
    addCount(this.#numbers, this.#numbersLost, 2, sign * other.sum)
    if (custom && !boundsEqual(this.#customValues, other.customValues)) {
      this.#addWithOtherBounds(other, sign)
      return true
    }
    const schema = custom ? this.#schema : Math.min(this.#schema, other.schema)
    this.#positive = coarserSide(this.#positive, this.#schema, schema)
    this.#negative = coarserSide(this.#negative, this.#schema, schema)
    this.#schema = schema
    const threshold = this.#zeroThreshold
    const add = (to: Side, spans: Histogram['positiveSpans'], counts: Float64Array): Side => {
      if (counts.length === 0) return to
      // What lies in the zero bucket is counted there, and goes before coarser buckets could mix it with the rest.
      const from = outside(sideOf(spans, counts), other.schema, threshold)
      return mergeSides(to, coarserSide(from, other.schema, schema), sign)
    }
    this.#positive = add(this.#positive, other.positiveSpans, other.positiveBuckets)
    this.#negative = add(this.#negative, other.negativeSpans, other.negativeBuckets)
    return false
  }

  /** Multiplies all numbers, those that rounding lost too. */
  scale(change: (number: number) => number): void {
    for (const column of [
      this.#numbers,
      this.#numbersLost,
      ...columnsOf(this.#positive),
      ...columnsOf(this.#negative),
    ]) {
      if (column) for (let i = 0; i < column.length; i++) column[i] = change(column[i])
    }
  }

  /** Whether adding a histogram could take some finite number beyond the largest. */
  wouldOverflow(other: Histogram): boolean {
    const { zeroCount, count, sum, positiveBuckets, negativeBuckets } = other
    const numbers = [zeroCount, count, sum]
    const overflows = (a: number, b: number) => Number.isFinite(a) && Number.isFinite(b) && !Number.isFinite(a + b)
    if (numbers.some((number, i) => overflows(this.#numbers[i], number))) return true
    return (
      overflows(largest(this.#positive.counts), largest(positiveBuckets)) ||
      overflows(largest(this.#negative.counts), largest(negativeBuckets))
    )
  }

  /** The total so far; it is not changed by later additions. */
  histogram(counterResetHint: CounterResetHint): Histogram {
    const number = (i: number) => restored(this.#numbers[i], this.#numbersLost?.[i])
    const counts = ({ counts: values, lost }: Side) => values.map((value, i) => restored(value, lost?.[i]))
    return {
      schema: this.#schema,
      zeroThreshold: this.#zeroThreshold,
      zeroCount: number(0),
      count: number(1),
      sum: number(2),
      counterResetHint,
      positiveSpans: spansOf(this.#positive.indexes),
      negativeSpans: spansOf(this.#negative.indexes),
      positiveBuckets: counts(this.#positive),
      negativeBuckets: counts(this.#negative),
      customValues: this.#customValues,
      stale: false,
      integer: false,
    }
  }

  /** Widens this zero bucket until it fits both; the zero count that the other one then has. */
  #reconcileZeroBuckets(other: Histogram): number {
    let zeroCount = other.zeroCount
    let threshold = other.zeroThreshold
    // Each round widens one of the two, and bounds are finitely many; NaN thresholds never meet.
    while (threshold < this.#zeroThreshold || threshold > this.#zeroThreshold) {
      if (this.#zeroThreshold > threshold) {
        const positive = sideOf(other.positiveSpans, other.positiveBuckets)
        const negative = sideOf(other.negativeSpans, other.negativeBuckets)
        const widened = widenZeroBucket(other.schema, other.zeroCount, this.#zeroThreshold, positive, negative)
        zeroCount = widened.count
        threshold = widened.threshold
      }
      if (threshold > this.#zeroThreshold) this.#widen(threshold)
    }
    return zeroCount
  }

  #widen(target: number): void {
    const { threshold, count, lost } = widenZeroBucket(
      this.#schema,
      this.#numbers[0],
      target,
      this.#positive,
      this.#negative,
      this.#numbersLost?.[0],
    )
    this.#zeroThreshold = threshold
    this.#numbers[0] = count
    if (this.#numbersLost) this.#numbersLost[0] = lost
    this.#positive = compactSide(outside(this.#positive, this.#schema, threshold))
    this.#negative = compactSide(outside(this.#negative, this.#schema, threshold))
  }

  #addWithOtherBounds(other: Histogram, sign: 1 | -1): void {
    const bounds = sharedBounds(this.#customValues, other.customValues)
    const compensated = this.#positive.lost !== undefined
    const counts = new Float64Array(bounds.length + 1)
    const lost = compensated ? new Float64Array(bounds.length + 1) : undefined
    mapToBounds(this.#positive, this.#customValues, bounds, 1, counts, lost)
    mapToBounds(sideOf(other.positiveSpans, other.positiveBuckets), other.customValues, bounds, sign, counts, lost)
    const indexes = Int32Array.from(counts, (_, i) => i)
    this.#positive = compactSide({ indexes, counts, ...(lost && { lost }) })
    this.#customValues = bounds
  }
}

function largest(counts: Float64Array): number {
  let size = 0
  for (const count of counts) size = Math.max(size, Math.abs(count))
  return size
}

function restored(value: number, lost: number | undefined): number {
  return lost === undefined || !Number.isFinite(value) ? value : value + lost
}

function columnsOf(side: Side): (Float64Array | undefined)[] {
  return [side.counts, side.lost]
}

function ownSide(side: Side, compensated: boolean): Side {
  const counts = side.counts.slice()
  return { indexes: side.indexes, counts, ...(compensated && { lost: new Float64Array(counts.length) }) }
}

/** Adds the buckets of one side to another. */
function mergeSides(to: Side, from: Side, sign: 1 | -1): Side {
  const place = placesIn(to.indexes, from.indexes)
  if (place) {
    for (let i = 0; i < from.indexes.length; i++) {
      addCount(to.counts, to.lost, place[i], sign * from.counts[i])
      if (from.lost) addCount(to.counts, to.lost, place[i], sign * from.lost[i])
    }
    return to
  }
  const indexes = new Int32Array(to.indexes.length + from.indexes.length)
  const counts = new Float64Array(indexes.length)
  const lost = to.lost && new Float64Array(indexes.length)
  let length = 0
  for (let i = 0, j = 0; i < to.indexes.length || j < from.indexes.length; length++) {
    const a = i < to.indexes.length ? to.indexes[i] : Number.POSITIVE_INFINITY
    const b = j < from.indexes.length ? from.indexes[j] : Number.POSITIVE_INFINITY
    indexes[length] = Math.min(a, b)
    if (a <= b) {
      counts[length] = to.counts[i]
      if (lost) lost[length] = to.lost![i]
      i++
    }
    if (b <= a) {
      addCount(counts, lost, length, sign * from.counts[j])
      if (from.lost) addCount(counts, lost, length, sign * from.lost[j])
      j++
    }
  }
  return {
    indexes: indexes.slice(0, length),
    counts: counts.slice(0, length),
    ...(lost && { lost: lost.slice(0, length) }),
  }
}

/** Where each index of `from` stands in `to`; undefined if one is not there. */
function placesIn(to: Int32Array, from: Int32Array): Int32Array | undefined {
  const places = new Int32Array(from.length)
  for (let i = 0, j = 0; j < from.length; j++) {
    while (i < to.length && to[i] < from[j]) i++
    if (i === to.length || to[i] !== from[j]) return undefined
    places[j] = i
  }
  return places
}

/**
 * The zero bucket with (at least) a larger threshold: buckets below it are taken in, and it moves up where it would
 * cut a populated bucket.
 */
export function widenZeroBucket(
  schema: number,
  zeroCount: number,
  threshold: number,
  positive: Side,
  negative: Side,
  zeroLost = 0,
): { count: number; lost: number; threshold: number } {
  const count = new Float64Array(1)
  const lost = new Float64Array(1)
  for (;;) {
    count[0] = zeroCount
    lost[0] = zeroLost
    let again = false
    for (const side of [positive, negative]) {
      for (let i = 0; i < side.indexes.length; i++) {
        const near = exponentialBound(side.indexes[i] - 1, schema)
        if (near >= threshold) break
        addCount(count, lost, 0, side.counts[i])
        if (side.lost) addCount(count, lost, 0, side.lost[i])
        const far = exponentialBound(side.indexes[i], schema)
        if (far <= threshold) continue
        if (side.counts[i] !== 0) {
          threshold = far
          again = side === negative // What was found on the positive side no longer holds.
        }
        break
      }
    }
    if (!again) return { count: count[0], lost: lost[0], threshold }
  }
}

/** Without the buckets inside the zero bucket. */
function outside(side: Side, schema: number, threshold: number): Side {
  if (schema === CUSTOM_BUCKETS_SCHEMA) return side
  let start = 0
  while (start < side.indexes.length && exponentialBound(side.indexes[start] - 1, schema) < threshold) start++
  if (start === 0) return side
  return {
    indexes: side.indexes.slice(start),
    counts: side.counts.slice(start),
    ...(side.lost && { lost: side.lost.slice(start) }),
  }
}

/** The custom bounds that two histograms have both. */
export function sharedBounds(a: Float64Array, b: Float64Array): Float64Array {
  const shared: number[] = []
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) {
      shared.push(a[i])
      j++
      i++
    } else if (a[i] < b[j]) i++
    else j++
  }
  return Float64Array.from(shared)
}

function mapToBounds(
  side: Side,
  from: Float64Array,
  to: Float64Array,
  sign: 1 | -1,
  counts: Float64Array,
  lost: Float64Array | undefined,
): void {
  let target = 0
  for (let i = 0; i < side.indexes.length; i++) {
    const bound = upperBound(side.indexes[i], CUSTOM_BUCKETS_SCHEMA, from)
    while (target < to.length && to[target] < bound) target++
    addCount(counts, lost, target, sign * side.counts[i])
    if (side.lost) addCount(counts, lost, target, sign * side.lost[i])
  }
}

/** Equal in layout and in every number, empty buckets included. NaN equals NaN. */
export function histogramsEqual(a: Histogram, b: Histogram): boolean {
  return (
    a.schema === b.schema &&
    Object.is(a.count, b.count) &&
    Object.is(a.sum, b.sum) &&
    a.zeroThreshold === b.zeroThreshold &&
    Object.is(a.zeroCount, b.zeroCount) &&
    (!usesCustomBuckets(a) || boundsEqual(a.customValues, b.customValues)) &&
    sidesEqual(a.positiveSpans, a.positiveBuckets, b.positiveSpans, b.positiveBuckets) &&
    sidesEqual(a.negativeSpans, a.negativeBuckets, b.negativeSpans, b.negativeBuckets)
  )
}

function sidesEqual(
  aSpans: Histogram['positiveSpans'],
  aCounts: Float64Array,
  bSpans: Histogram['positiveSpans'],
  bCounts: Float64Array,
): boolean {
  if (aCounts.length !== bCounts.length) return false
  for (let i = 0; i < aCounts.length; i++) if (!Object.is(aCounts[i], bCounts[i])) return false
  return (
    spansEqual(aSpans, bSpans) ||
    spansEqual(spansOf(sideOf(aSpans, aCounts).indexes), spansOf(sideOf(bSpans, bCounts).indexes))
  )
}
