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
  readonly #total: HistogramTotal
  readonly #notes: TotalNotes
  #count = 1
  /** The total is the mean so far. */
  #incremental = false

  constructor(first: Histogram) {
    this.#total = new HistogramTotal(first, true)
    this.#notes = new TotalNotes(first)
  }

  /** @returns false if one is exponential and the other has custom buckets: there is no average then. */
  add(histogram: Histogram): boolean {
    if (usesCustomBuckets(histogram) !== this.#total.usesCustomBuckets) return false
    this.#notes.add(histogram.counterResetHint)
    const count = ++this.#count
    if (!this.#incremental && this.#total.wouldOverflow(histogram)) {
      this.#incremental = true
      this.#total.scale((number) => number / (count - 1))
    }
    let reconciled: boolean
    if (this.#incremental) {
      const weight = (count - 1) / count
      this.#total.scale((number) => number * weight)
      reconciled = this.#total.add(scaledDown(histogram, count))
    } else {
      reconciled = this.#total.add(histogram)
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
    if (!this.#incremental) this.#total.scale((number) => number / this.#count)
    return this.#total.histogram(this.#notes.hint)
  }
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
