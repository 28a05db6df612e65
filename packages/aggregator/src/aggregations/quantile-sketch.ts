/**
 * Quantiles of many values in little memory: a DDSketch with a relative error of at most 1 %.
 *
 * Values are counted in buckets whose bounds grow by a fixed factor, so counts add up: two sketches merge into the sketch of
 * all values, in whatever order they came. That is why it is not a t-digest, whose answer depends on the order, and so would
 * differ between two computations of one window. As long as there are few values they are kept, and the answer is exact.
 *
 * Source: Masson, Rim, Lee: "DDSketch" (VLDB 2019).
 */

/** At most this much off, as a share of the true value. */
export const QUANTILE_ERROR_MAX = 0.01
const FACTOR = (1 + QUANTILE_ERROR_MAX) / (1 - QUANTILE_ERROR_MAX)
const LOG_FACTOR = Math.log(FACTOR)
/** So many values are kept as they are. */
export const EXACT_VALUES_MAX = 512

export class QuantileSketch {
  #exact: number[] | null = []
  #positive = new Map<number, number>()
  #negative = new Map<number, number>()
  #zeroCount = 0
  #nanCount = 0
  #infiniteCounts = { negative: 0, positive: 0 }
  #count = 0

  get count(): number {
    return this.#count
  }

  add(value: number, times = 1): void {
    this.#count += times
    if (this.#exact && this.#count <= EXACT_VALUES_MAX) {
      for (let i = 0; i < times; i++) this.#exact.push(value)
      return
    }
    if (this.#exact) {
      const kept = this.#exact
      this.#exact = null
      for (const each of kept) this.#bucket(each, 1)
    }
    this.#bucket(value, times)
  }

  merge(other: QuantileSketch): void {
    if (other.#exact) {
      for (const value of other.#exact) this.add(value)
      return
    }
    if (this.#exact) {
      const kept = this.#exact
      this.#exact = null
      for (const value of kept) this.#bucket(value, 1)
    }
    this.#count += other.#count
    for (const [index, times] of other.#positive) increment(this.#positive, index, times)
    for (const [index, times] of other.#negative) increment(this.#negative, index, times)
    this.#zeroCount += other.#zeroCount
    this.#nanCount += other.#nanCount
    this.#infiniteCounts.negative += other.#infiniteCounts.negative
    this.#infiniteCounts.positive += other.#infiniteCounts.positive
  }

  /** As PromQL's `quantile`: linear between the two nearest ranks. NaN when there are no values. */
  quantile(q: number): number {
    if (this.#count === 0 || Number.isNaN(q)) return Number.NaN
    const rank = q * (this.#count - 1)
    const lower = Math.floor(rank)
    const low = this.#atRank(lower)
    if (rank === lower) return low
    const high = this.#atRank(Math.min(lower + 1, this.#count - 1))
    return low + (high - low) * (rank - lower)
  }

  #bucket(value: number, times: number): void {
    if (Number.isNaN(value)) this.#nanCount += times
    else if (value === Infinity) this.#infiniteCounts.positive += times
    else if (value === -Infinity) this.#infiniteCounts.negative += times
    else if (value === 0) this.#zeroCount += times
    else
      increment(value > 0 ? this.#positive : this.#negative, Math.ceil(Math.log(Math.abs(value)) / LOG_FACTOR), times)
  }

  /** The value with `rank` smaller ones before it; NaN stands before all, as PromQL sorts it. */
  #atRank(rank: number): number {
    if (this.#exact) return this.#exact.sort(compareValues)[rank]
    let left = rank - this.#nanCount
    if (left < 0) return Number.NaN
    left -= this.#infiniteCounts.negative
    if (left < 0) return -Infinity
    for (const [index, times] of [...this.#negative].sort((a, b) => b[0] - a[0])) {
      left -= times
      if (left < 0) return -middleOf(index)
    }
    left -= this.#zeroCount
    if (left < 0) return 0
    for (const [index, times] of [...this.#positive].sort((a, b) => a[0] - b[0])) {
      left -= times
      if (left < 0) return middleOf(index)
    }
    return Infinity
  }
}

/** The value in `(FACTOR^(index-1), FACTOR^index]` that is at most the error away from both ends. */
function middleOf(index: number): number {
  return (2 * FACTOR ** index) / (FACTOR + 1)
}

function increment(counts: Map<number, number>, index: number, times: number): void {
  counts.set(index, (counts.get(index) ?? 0) + times)
}

function compareValues(a: number, b: number): number {
  if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : -1
  return Number.isNaN(b) ? 1 : a - b
}
