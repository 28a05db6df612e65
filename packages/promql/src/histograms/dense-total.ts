/**
 * The sum of histograms of one layout: same schema, same zero bucket, same custom bounds.
 *
 * Nearly all sums are of such. Counts stand in a column addressed by the bucket's index, so adding a histogram is a loop over
 * its buckets; what rounding loses is kept beside them. Which buckets a histogram names does not matter: at the end the empty
 * ones are left out.
 */
import { type CounterResetHint, CUSTOM_BUCKETS_SCHEMA, type Histogram, type Span } from '@varve/tsdb-core/model'
import { boundsEqual, indexOutsideZero, spansOf } from './buckets.js'

/** Wider histograms are added up bucket by bucket: a column of all indexes between would be mostly empty. */
const INDEXES_MAX = 4096

export class DenseTotal {
  readonly #first: Histogram
  /** Buckets below lie inside the zero bucket, where counts do not simply add up. */
  readonly #indexMin: number
  /** Zero count, count, sum; then what rounding took from each. */
  readonly #numbers = new Float64Array(6)
  readonly #positive = new DenseSide()
  readonly #negative = new DenseSide()

  private constructor(first: Histogram) {
    this.#first = first
    this.#indexMin = indexOutsideZero(first)
  }

  /** Undefined if the histogram itself does not fit a column. */
  static of(first: Histogram): DenseTotal | undefined {
    const total = new DenseTotal(first)
    return total.add(first) ? total : undefined
  }

  /** False if the histogram has another layout: then nothing was added. */
  add(histogram: Histogram): boolean {
    const { schema, zeroThreshold, customValues } = this.#first
    if (histogram.schema !== schema || histogram.zeroThreshold !== zeroThreshold) return false
    if (schema === CUSTOM_BUCKETS_SCHEMA && !boundsEqual(histogram.customValues, customValues)) return false
    const { positiveSpans, positiveBuckets, negativeSpans, negativeBuckets } = histogram
    if (!this.#positive.reach(positiveSpans, positiveBuckets.length, this.#indexMin)) return false
    if (!this.#negative.reach(negativeSpans, negativeBuckets.length, this.#indexMin)) return false
    addTo(this.#numbers, 0, histogram.zeroCount)
    addTo(this.#numbers, 1, histogram.count)
    addTo(this.#numbers, 2, histogram.sum)
    this.#positive.add(positiveSpans, positiveBuckets)
    this.#negative.add(negativeSpans, negativeBuckets)
    return true
  }

  /** The sum, or a part of it, without empty buckets. */
  histogram(counterResetHint: CounterResetHint, divisor = 1): Histogram {
    const positive = this.#positive.read(divisor)
    const negative = this.#negative.read(divisor)
    const number = (at: number) => restored(this.#numbers[at] / divisor, this.#numbers[at + 3] / divisor)
    const { schema, zeroThreshold, customValues } = this.#first
    return {
      schema,
      zeroThreshold,
      zeroCount: number(0),
      count: number(1),
      sum: number(2),
      counterResetHint,
      positiveSpans: positive.spans,
      negativeSpans: negative.spans,
      positiveBuckets: positive.counts,
      negativeBuckets: negative.counts,
      customValues,
      stale: false,
      integer: false,
    }
  }
}

class DenseSide {
  /** Index of the first column entry. */
  #start = 0
  #sums = NONE
  #lost = NONE

  /** Makes room for the buckets; false if they are damaged, too far apart or inside the zero bucket. */
  reach(spans: readonly Span[], bucketCount: number, indexMin: number): boolean {
    if (bucketCount === 0) return true
    let named = 0
    let end = 0
    for (const { offset, length } of spans) {
      end += offset + length
      named += length
    }
    const start = spans.length === 0 ? 0 : spans[0].offset
    if (named !== bucketCount || start < indexMin || end - start > INDEXES_MAX) return false
    const from = this.#sums.length === 0 ? start : Math.min(start, this.#start)
    const to = Math.max(end, this.#start + this.#sums.length)
    if (to - from > INDEXES_MAX) return false
    if (from < this.#start || to > this.#start + this.#sums.length || this.#sums.length === 0) this.#grow(from, to)
    return true
  }

  add(spans: readonly Span[], counts: Float64Array): void {
    let at = -this.#start
    let from = 0
    for (let i = 0; i < spans.length; i++) {
      at += spans[i].offset
      const { length } = spans[i]
      addRun(this.#sums, this.#lost, at, counts, from, length)
      at += length
      from += length
    }
  }

  read(divisor: number): { spans: Span[]; counts: Float64Array } {
    const sums = this.#sums
    let count = 0
    for (let i = 0; i < sums.length; i++) if (sums[i] !== 0 || this.#lost[i] !== 0) count++
    const indexes = new Int32Array(count)
    const counts = new Float64Array(count)
    let to = 0
    for (let i = 0; i < sums.length; i++) {
      if (sums[i] === 0 && this.#lost[i] === 0) continue
      indexes[to] = this.#start + i
      counts[to++] = restored(sums[i] / divisor, this.#lost[i] / divisor)
    }
    return { spans: spansOf(indexes), counts }
  }

  #grow(from: number, to: number): void {
    const sums = new Float64Array(to - from)
    const lost = new Float64Array(to - from)
    if (this.#sums.length > 0) {
      sums.set(this.#sums, this.#start - from)
      lost.set(this.#lost, this.#start - from)
    }
    this.#start = from
    this.#sums = sums
    this.#lost = lost
  }
}

const NONE = new Float64Array(0)

/** Compensated sums of one span. The hot loop of all sums of histograms. */
function addRun(
  sums: Float64Array,
  lost: Float64Array,
  at: number,
  counts: Float64Array,
  from: number,
  length: number,
): void {
  for (let i = 0; i < length; i++) {
    const sum = sums[at + i]
    const value = counts[from + i]
    const total = sum + value
    const part = total - sum
    const error = sum - (total - part) + (value - part)
    if (error !== 0) lost[at + i] = Number.isNaN(error) ? 0 : lost[at + i] + error
    sums[at + i] = total
  }
}

function addTo(numbers: Float64Array, at: number, value: number): void {
  const sum = numbers[at]
  const total = sum + value
  const part = total - sum
  const error = sum - (total - part) + (value - part)
  numbers[at + 3] = Number.isNaN(error) ? 0 : numbers[at + 3] + error
  numbers[at] = total
}

function restored(value: number, lost: number): number {
  return Number.isFinite(value) ? value + lost : value
}
