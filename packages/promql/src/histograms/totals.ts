/**
 * Sums and averages of many histograms, as `sum`, `avg` and their kin over time make them.
 *
 * Source: Prometheus 3.14, promql/engine.go and functions.go. Rounding errors are carried along; an average goes on with the
 * mean so far where the sum would overflow.
 */
import type { CounterResetHint, Histogram } from '@varve/tsdb-core/model'
import { combinedHint, HistogramTotal } from './arithmetic.js'
import { usesCustomBuckets } from './buckets.js'
import { DenseTotal } from './dense-total.js'

/** What users are told of a total. */
class TotalNotes {
  hint: CounterResetHint
  /** Custom bounds differed among the histograms. */
  boundsReconciled = false
  #resetSeen = false
  #noResetSeen = false

  constructor(first: Histogram) {
    this.hint = first.counterResetHint
    this.see(first.counterResetHint)
  }

  add(hint: CounterResetHint): void {
    this.hint = combinedHint(this.hint, hint).hint
    this.see(hint)
  }

  see(hint: CounterResetHint): void {
    if (hint === 'reset') this.#resetSeen = true
    if (hint === 'notReset') this.#noResetSeen = true
  }

  get collision(): boolean {
    return this.#resetSeen && this.#noResetSeen
  }
}

export class HistogramSummer {
  readonly #first: Histogram
  readonly #notes: TotalNotes
  /** While all have one layout; then `#total`. Neither while there is only the first. */
  #dense: DenseTotal | undefined
  #total: HistogramTotal | undefined

  constructor(first: Histogram) {
    this.#first = first
    this.#notes = new TotalNotes(first)
  }

  /** @returns false if one is exponential and the other has custom buckets: there is no sum then. */
  add(histogram: Histogram): boolean {
    if (usesCustomBuckets(histogram) !== usesCustomBuckets(this.#first)) return false
    this.#notes.add(histogram.counterResetHint)
    if (this.#total === undefined) {
      this.#dense ??= DenseTotal.of(this.#first)
      if (this.#dense?.add(histogram)) return true
      this.#total = new HistogramTotal(this.#dense?.histogram('unknown') ?? this.#first, true)
      this.#dense = undefined
    }
    if (this.#total.add(histogram)) this.#notes.boundsReconciled = true
    return true
  }

  get counterResetCollision(): boolean {
    return this.#notes.collision
  }

  get boundsReconciled(): boolean {
    return this.#notes.boundsReconciled
  }

  result(): Histogram {
    return (this.#total ?? this.#dense)?.histogram(this.#notes.hint) ?? this.#first
  }
}

export class HistogramAverage {
  readonly #first: Histogram
  readonly #notes: TotalNotes
  /** While all have one layout and no sum comes near the largest number; then `#total`. Neither while there is only the first. */
  #dense: DenseTotal | undefined
  #total: HistogramTotal | undefined
  /** No sum in `#dense` is larger, whatever its sign. */
  #sizeMax = 0
  #count = 1
  /** The total is the mean so far. */
  #incremental = false

  constructor(first: Histogram) {
    this.#first = first
    this.#notes = new TotalNotes(first)
  }

  /** @returns false if one is exponential and the other has custom buckets: there is no average then. */
  add(histogram: Histogram): boolean {
    if (usesCustomBuckets(histogram) !== usesCustomBuckets(this.#first)) return false
    this.#notes.add(histogram.counterResetHint)
    const count = ++this.#count
    if (this.#total === undefined) {
      if (this.#addDense(histogram)) return true
      this.#total = new HistogramTotal(this.#dense?.histogram('unknown') ?? this.#first, true)
      this.#dense = undefined
    }
    const total = this.#total
    if (!this.#incremental && total.wouldOverflow(histogram)) {
      this.#incremental = true
      total.scale((number) => number / (count - 1))
    }
    let reconciled: boolean
    if (this.#incremental) {
      const weight = (count - 1) / count
      total.scale((number) => number * weight)
      reconciled = total.add(scaledDown(histogram, count))
    } else {
      reconciled = total.add(histogram)
    }
    if (reconciled) this.#notes.boundsReconciled = true
    return true
  }

  get counterResetCollision(): boolean {
    return this.#notes.collision
  }

  get boundsReconciled(): boolean {
    return this.#notes.boundsReconciled
  }

  /** Ends the average: nothing can be added afterwards. */
  result(): Histogram {
    if (this.#dense !== undefined) return this.#dense.histogram(this.#notes.hint, this.#count)
    if (this.#total === undefined) return this.#first
    if (!this.#incremental) this.#total.scale((number) => number / this.#count)
    return this.#total.histogram(this.#notes.hint)
  }

  /** False, with nothing added, where the columns of one layout do not serve. */
  #addDense(histogram: Histogram): boolean {
    if (this.#dense === undefined) {
      this.#sizeMax = largestSize(this.#first)
      if (!Number.isFinite(this.#sizeMax)) return false
      this.#dense = DenseTotal.of(this.#first)
    }
    // NaN and infinities go the other way too: it knows what becomes of each number.
    const sizeMax = this.#sizeMax + largestSize(histogram)
    if (!Number.isFinite(sizeMax) || this.#dense?.add(histogram) !== true) return false
    this.#sizeMax = sizeMax
    return true
  }
}

/** The largest of all numbers of a histogram, whatever its sign; NaN if one is. */
function largestSize({ zeroCount, count, sum, positiveBuckets, negativeBuckets }: Histogram): number {
  let size = Math.max(Math.abs(zeroCount), Math.abs(count), Math.abs(sum))
  for (let i = 0; i < positiveBuckets.length; i++) size = Math.max(size, Math.abs(positiveBuckets[i]))
  for (let i = 0; i < negativeBuckets.length; i++) size = Math.max(size, Math.abs(negativeBuckets[i]))
  return size
}

function scaledDown(histogram: Histogram, divisor: number): Histogram {
  const down = (number: number) => number / divisor
  return {
    ...histogram,
    zeroCount: down(histogram.zeroCount),
    count: down(histogram.count),
    sum: down(histogram.sum),
    positiveBuckets: histogram.positiveBuckets.map(down),
    negativeBuckets: histogram.negativeBuckets.map(down),
  }
}
