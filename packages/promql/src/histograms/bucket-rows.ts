/**
 * One side's buckets of many histograms of the same bounds, each as places in one row of all bucket indexes that any has.
 *
 * Layouts grow while a process lives: a bucket that a histogram does not name has counted nothing yet.
 */
import type { Histogram, Span } from '@varve/tsdb-core/model'
import { spansEqual } from './buckets.js'

/** Wider rows would be mostly empty. */
const INDEXES_MAX = 4096

type SideName = 'positive' | 'negative'

export class BucketRows {
  readonly #counts: readonly Float64Array[]
  /** For each histogram, where its buckets stand; the same array for the same layout. */
  readonly #places: readonly Int32Array[]
  /** Bucket index of the first place. */
  readonly #origin: number
  readonly #row: Float64Array
  #lastSpans: readonly Span[] = []

  private constructor(counts: readonly Float64Array[], places: readonly Int32Array[], origin: number, width: number) {
    this.#counts = counts
    this.#places = places
    this.#origin = origin
    this.#row = new Float64Array(width)
  }

  /** Undefined if spans overlap, do not fit their buckets, reach below `indexMin`, or are too far apart. */
  static of(histograms: readonly Histogram[], side: SideName, indexMin: number): BucketRows | undefined {
    const counts = histograms.map(side === 'positive' ? positiveCounts : negativeCounts)
    const spans = histograms.map(side === 'positive' ? positiveSpans : negativeSpans)
    let low = Number.POSITIVE_INFINITY
    let end = Number.NEGATIVE_INFINITY
    for (let i = 0; i < spans.length; i++) {
      if (i > 0 && spans[i] === spans[i - 1] && counts[i].length === counts[i - 1].length) continue
      const extent = extentOf(spans[i])
      if (extent === undefined || extent.count !== counts[i].length) return undefined
      if (extent.count === 0) continue
      low = Math.min(low, extent.low)
      end = Math.max(end, extent.end)
    }
    if (low === Number.POSITIVE_INFINITY) return new BucketRows(counts, new Array(counts.length).fill(NONE), 0, 0)
    if (low < indexMin || end - low > INDEXES_MAX) return undefined
    const places: Int32Array[] = []
    for (let i = 0; i < spans.length; i++) {
      places.push(i > 0 && spansEqual(spans[i], spans[i - 1]) ? places[i - 1] : placesOf(spans[i], low))
    }
    return new BucketRows(counts, places, low, end - low)
  }

  /** Whether histogram `i` has less in some bucket than the one before it. */
  shrank(i: number): boolean {
    const now = this.#counts[i]
    const before = this.#counts[i - 1]
    if (this.#places[i] === this.#places[i - 1]) {
      for (let k = 0; k < now.length; k++) if (now[k] < before[k]) return true
      return false
    }
    const row = this.#row.fill(0)
    put(row, this.#places[i], now)
    const places = this.#places[i - 1]
    for (let k = 0; k < before.length; k++) if (row[places[k]] < before[k]) return true
    return false
  }

  /** Last less first (none for -1) and more all those lost, times a factor; without empty buckets. */
  growth(
    first: number,
    last: number,
    lost: readonly number[],
    factor: number,
  ): { spans: readonly Span[]; counts: Float64Array } {
    const row = this.#row.fill(0)
    put(row, this.#places[last], this.#counts[last])
    if (first >= 0) take(row, this.#places[first], this.#counts[first])
    for (const i of lost) give(row, this.#places[i], this.#counts[i])
    let count = 0
    for (let k = 0; k < row.length; k++) {
      row[k] *= factor
      if (row[k] !== 0) count++
    }
    const counts = new Float64Array(count)
    const spans: { offset: number; length: number }[] = []
    let next = 0
    let open: { offset: number; length: number } | undefined
    for (let k = 0, to = 0; k < row.length; k++) {
      if (row[k] === 0) {
        open = undefined
        continue
      }
      counts[to++] = row[k]
      if (open === undefined) spans.push((open = { offset: this.#origin + k - next, length: 0 }))
      open.length++
      next = this.#origin + k + 1
    }
    // Steps that follow each other mostly have the same buckets: whoever reads them may compare the arrays.
    if (!spansEqual(spans, this.#lastSpans)) this.#lastSpans = spans
    return { spans: this.#lastSpans, counts }
  }
}

const NONE = new Int32Array(0)
const positiveCounts = ({ positiveBuckets }: Histogram) => positiveBuckets
const negativeCounts = ({ negativeBuckets }: Histogram) => negativeBuckets
const positiveSpans = ({ positiveSpans: spans }: Histogram) => spans
const negativeSpans = ({ negativeSpans: spans }: Histogram) => spans

/** Undefined for spans that go back. */
function extentOf(spans: readonly Span[]): { low: number; end: number; count: number } | undefined {
  let low = 0
  let end = 0
  let count = 0
  for (let i = 0; i < spans.length; i++) {
    if (i > 0 && spans[i].offset < 0) return undefined
    end += spans[i].offset
    if (count === 0) low = end
    end += spans[i].length
    count += spans[i].length
  }
  return { low, end, count }
}

function placesOf(spans: readonly Span[], origin: number): Int32Array {
  const { count } = extentOf(spans)!
  const places = new Int32Array(count)
  let place = -origin
  let to = 0
  for (const { offset, length } of spans) {
    place += offset
    for (let i = 0; i < length; i++) places[to++] = place++
  }
  return places
}

function put(row: Float64Array, places: Int32Array, counts: Float64Array): void {
  for (let i = 0; i < places.length; i++) row[places[i]] = counts[i]
}

function take(row: Float64Array, places: Int32Array, counts: Float64Array): void {
  for (let i = 0; i < places.length; i++) row[places[i]] -= counts[i]
}

function give(row: Float64Array, places: Int32Array, counts: Float64Array): void {
  for (let i = 0; i < places.length; i++) row[places[i]] += counts[i]
}
