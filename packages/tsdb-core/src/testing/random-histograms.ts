/** Native histograms of every kind that Prometheus' rules allow, from one seed: for tests of what carries them. */
import { type CounterResetHint, CUSTOM_BUCKETS_SCHEMA, type Histogram, type Span } from '../model/histogram.js'

export interface RandomHistogram {
  readonly histogram: Histogram
  readonly startTimestampMs: number
}

/** One series: its layout stays for a while, and its counts mostly rise. `u32` draws whole numbers in [0, 2^32). */
export class RandomHistogramSeries {
  readonly #u32: () => number
  readonly #hints: readonly CounterResetHint[]
  #current: Histogram | undefined

  /** `hints` are those that a histogram may have. */
  constructor(u32: () => number, hints: readonly CounterResetHint[]) {
    this.#u32 = u32
    this.#hints = hints
  }

  next(): RandomHistogram {
    const startTimestampMs = this.#below(10) === 0 ? 1_600_000_000_000 + this.#below(1e9) : 0
    if (this.#below(40) === 0) return { histogram: this.#stale(), startTimestampMs }
    const current = this.#current === undefined || this.#below(12) === 0 ? this.#layout() : this.#current
    this.#current = this.#grown(current)
    return { histogram: this.#current, startTimestampMs }
  }

  #stale(): Histogram {
    const layout = { ...this.#layout(), schema: 0, zeroThreshold: 0, customValues: NONE }
    const noBuckets = { positiveSpans: [], negativeSpans: [], positiveBuckets: NONE, negativeBuckets: NONE }
    return { ...layout, ...noBuckets, sum: Number.NaN, stale: true }
  }

  /** Empty, with as many buckets as a histogram of some kind has. */
  #layout(): Histogram {
    const custom = this.#below(4) === 0
    const wide = this.#below(8) === 0
    const side = (): Span[] =>
      Array.from({ length: this.#below(4) }, (_, i) => ({
        offset: i > 0 || custom ? this.#below(wide ? 300 : 6) : this.#below(4000) - 2000,
        length: this.#below(10) === 0 ? 0 : this.#below(wide ? 80 : 16),
      }))
    const positiveSpans = side()
    const negativeSpans = custom || this.#below(2) === 0 ? [] : side()
    const reach = positiveSpans.reduce((sum, { offset, length }) => sum + offset + length, 0)
    const bound = this.#below(2) === 0 ? 0.25 : 1 / 3
    return {
      schema: custom ? CUSTOM_BUCKETS_SCHEMA : this.#below(13) - 4,
      zeroThreshold: custom ? 0 : this.#pick([0, 2 ** -128, 0.001, 1e-5 + this.#below(1000) / 1e9, 5e-324]),
      zeroCount: 0,
      count: 0,
      sum: 0,
      counterResetHint: this.#pick(this.#hints),
      positiveSpans,
      negativeSpans,
      positiveBuckets: new Float64Array(sizeOf(positiveSpans)),
      negativeBuckets: new Float64Array(sizeOf(negativeSpans)),
      customValues: custom ? Float64Array.from({ length: reach + this.#below(3) }, (_, i) => (i - 3) * bound) : NONE,
      stale: false,
      integer: this.#below(2) === 0,
    }
  }

  #grown(from: Histogram): Histogram {
    const { integer, schema } = from
    const scale = this.#pick([1, 1, 3, 1000, 2 ** 30])
    const more = () => (this.#below(3) === 0 ? 0 : integer ? this.#below(scale * 4) : this.#float(scale))
    const grow = (counts: Float64Array) => counts.map((count) => (count < 2 ** 44 ? count + more() : count / 2 ** 30))
    const whole = (counts: Float64Array) => (integer ? counts.map(Math.floor) : counts)
    const positiveBuckets = whole(grow(from.positiveBuckets))
    const negativeBuckets = whole(grow(from.negativeBuckets))
    const zeroCount = schema === CUSTOM_BUCKETS_SCHEMA ? 0 : whole(grow(Float64Array.of(from.zeroCount)))[0]
    const hasNaN = this.#below(30) === 0
    let count = zeroCount + (hasNaN ? this.#below(9) : 0)
    for (const bucket of positiveBuckets) count += bucket
    for (const bucket of negativeBuckets) count += bucket
    // A float histogram need not add up.
    if (!integer && this.#below(20) === 0) count += 0.1
    return { ...from, positiveBuckets, negativeBuckets, zeroCount, count, sum: this.#sum(hasNaN, from.sum) }
  }

  #sum(hasNaN: boolean, before: number): number {
    if (hasNaN) return Number.NaN
    const next = (Number.isFinite(before) ? before : 0) + this.#below(1e6) / 997
    return this.#pick([next, next, next, next, -next, -0, Number.POSITIVE_INFINITY, Number.MAX_VALUE, 5e-324])
  }

  #float(scale: number): number {
    return this.#pick([this.#u32() / 7919, this.#below(8) / 4, this.#u32() * scale, 5e-324, 1e300])
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#below(choices.length)]
  }

  #below(limit: number): number {
    return Math.floor((this.#u32() / 2 ** 32) * limit)
  }
}

const NONE = new Float64Array(0)

function sizeOf(spans: readonly Span[]): number {
  return spans.reduce((size, { length }) => size + length, 0)
}
