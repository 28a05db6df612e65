/**
 * Merges runs of samples that overlap in time: each timestamp comes out once (DESIGN D5).
 *
 * The slow way, for out-of-order data, late generations, histograms and deleted ranges; runs that follow each other are
 * copied by the batch builder.
 */

import { grownF64 } from '../index/growable.js'
import { isAbsent } from '../model/columns.js'
import type { Histogram } from '../model/histogram.js'
import { compareHistograms } from '../model/histogram-order.js'
import { halvesOf } from '../model/sample.js'
import { compareValueBits } from '../model/sample-order.js'

/** Samples of one series in the order in which they were added, later ones are newer; then, after `settle`, sorted. */
export class SampleMerge {
  count = 0
  times: Float64Array = new Float64Array(0)
  values: Float64Array = new Float64Array(0)
  starts: Float64Array = new Float64Array(0)
  /** By place; most series have none. */
  histograms: (Histogram | undefined)[] = []
  hasHistograms = false
  hasStarts = false
  /** Values that another one of the same timestamp won over, in the last `settle` without `replaces`. */
  conflictCount = 0

  clear(): void {
    this.count = 0
    this.histograms = []
    this.hasHistograms = false
    this.hasStarts = false
    this.conflictCount = 0
  }

  /** Makes room for `count` more samples and returns where they begin; `starts` is zero there. */
  reserve(count: number): number {
    const needed = this.count + count
    this.times = grownF64(this.times, needed)
    this.values = grownF64(this.values, needed)
    this.starts = grownF64(this.starts, needed)
    this.starts.fill(0, this.count, needed)
    return this.count
  }

  addHistogram(timestampMs: number, startTimestampMs: number, histogram: Histogram): void {
    const at = this.reserve(1)
    this.times[at] = timestampMs
    this.values[at] = 0
    this.starts[at] = startTimestampMs
    if (startTimestampMs !== 0) this.hasStarts = true
    this.histograms[at] = histogram
    this.hasHistograms = true
    this.count++
  }

  /** Sorts by time and leaves one sample a timestamp: the larger in the total order, or with `replaces` the newest. */
  settle(replaces: boolean, keepsAbsent: boolean): void {
    if (this.#isSettled(replaces && !keepsAbsent)) return
    const { times, values, starts, histograms, count } = this
    const order = new Uint32Array(count)
    for (let i = 0; i < count; i++) order[i] = i
    order.sort((a, b) => times[a] - times[b] || a - b)
    const halves = halvesOf(values)
    const outTimes = new Float64Array(times.length)
    const outValues = new Float64Array(times.length)
    const outStarts = new Float64Array(times.length)
    const outHalves = halvesOf(outValues)
    const outHistograms: (Histogram | undefined)[] = []
    let kept = 0
    for (let i = 0; i < count; ) {
      let winner = order[i]
      const time = times[winner]
      for (i++; i < count && times[order[i]] === time; i++) {
        if (replaces) winner = order[i]
        else {
          const compared = this.#compare(halves, winner, order[i])
          if (compared !== 0) this.conflictCount++
          // The same value with a start timestamp beats the one without, so that this too does not depend on the order.
          if (compared < 0 || (compared === 0 && starts[winner] < starts[order[i]])) winner = order[i]
        }
      }
      if (replaces && !keepsAbsent && isAbsent(halves, winner)) continue
      outTimes[kept] = time
      outHalves[kept * 2] = halves[winner * 2]
      outHalves[kept * 2 + 1] = halves[winner * 2 + 1]
      outStarts[kept] = starts[winner]
      if (histograms[winner] !== undefined) outHistograms[kept] = histograms[winner]
      kept++
    }
    this.times = outTimes
    this.values = outValues
    this.starts = outStarts
    this.histograms = outHistograms
    this.count = kept
  }

  #isSettled(dropsAbsent: boolean): boolean {
    for (let i = 1; i < this.count; i++) if (this.times[i] <= this.times[i - 1]) return false
    return !dropsAbsent || !hasAbsent(this.values, 0, this.count)
  }

  /** By the total order of values; a histogram is larger than any number. */
  #compare(halves: Uint32Array, a: number, b: number): number {
    const left = this.histograms[a]
    const right = this.histograms[b]
    if (left !== undefined && right !== undefined) return compareHistograms(left, right)
    if (left !== undefined) return 1
    return right !== undefined ? -1 : compareValueBits(halves, a, halves, b)
  }
}

export function hasAbsent(values: Float64Array, from: number, to: number): boolean {
  const halves = halvesOf(values)
  for (let i = from; i < to; i++) if (isAbsent(halves, i)) return true
  return false
}
