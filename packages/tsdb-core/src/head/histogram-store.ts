/**
 * The native histograms of one open block: for each slot a list sorted by time, beside the float columns.
 *
 * Histogram samples are few against float samples and large, so they are kept as objects until the block is sealed.
 *
 * Whether there was a reset before a histogram is not kept: a sender says so of the sample that it sent before, and another
 * may come between, be refused or be deleted. Readers compare counts, as Prometheus' do. That it is a gauge stays.
 */
import type { Histogram } from '../model/histogram.js'
import { compareColumns, compareHistograms, compareSpans } from '../model/histogram-order.js'

export interface HistogramRun {
  readonly timestampsMs: number[]
  readonly startTimestampsMs: number[]
  readonly histograms: Histogram[]
}

export class HistogramStore {
  readonly #runs = new Map<number, HistogramRun>()
  sizeBytes = 0

  /** `'stored'`, `'same'` when an equal one stands there, or `'conflict'`. */
  append(
    slot: number,
    timestampMs: number,
    startTimestampMs: number,
    histogram: Histogram,
    replaces: boolean,
  ): 'stored' | 'same' | 'conflict' {
    let run = this.#runs.get(slot)
    if (run === undefined) {
      this.#runs.set(slot, (run = { timestampsMs: [], startTimestampsMs: [], histograms: [] }))
    }
    const times = run.timestampsMs
    let place = times.length
    while (place > 0 && times[place - 1] > timestampMs) place--
    if (place > 0 && times[place - 1] === timestampMs) {
      const { counterResetHint } = run.histograms[place - 1]
      if (compareHistograms(run.histograms[place - 1], { ...histogram, counterResetHint }) === 0) return 'same'
      if (!replaces) return 'conflict'
      run.histograms[place - 1] = stored(histogram, run.histograms[place - 1])
      return 'stored'
    }
    times.splice(place, 0, timestampMs)
    run.startTimestampsMs.splice(place, 0, startTimestampMs)
    run.histograms.splice(place, 0, stored(histogram, run.histograms[place - 1]))
    this.sizeBytes += 240 + 8 * (histogram.positiveBuckets.length + histogram.negativeBuckets.length)
    return 'stored'
  }

  has(slot: number, timestampMs: number): boolean {
    return this.#runs.get(slot)?.timestampsMs.includes(timestampMs) ?? false
  }

  run(slot: number): HistogramRun | undefined {
    return this.#runs.get(slot)
  }

  remove(slot: number, startMs: number, endMs: number): void {
    const run = this.#runs.get(slot)
    if (run === undefined) return
    for (let i = run.timestampsMs.length - 1; i >= 0; i--) {
      if (run.timestampsMs[i] < startMs || run.timestampsMs[i] >= endMs) continue
      run.timestampsMs.splice(i, 1)
      run.startTimestampsMs.splice(i, 1)
      run.histograms.splice(i, 1)
    }
    if (run.timestampsMs.length === 0) this.#runs.delete(slot)
  }
}

/** As it is kept: without what it says of the sample before, and with its neighbour's layout where that is the same. */
function stored(histogram: Histogram, neighbour: Histogram | undefined): Histogram {
  const kept = { ...histogram }
  if (kept.counterResetHint !== 'gauge') kept.counterResetHint = 'unknown'
  if (neighbour === undefined) return kept
  // Series rarely change their layout: most of a small histogram would be its spans, and readers compare them by identity.
  if (compareSpans(neighbour.positiveSpans, kept.positiveSpans) === 0) kept.positiveSpans = neighbour.positiveSpans
  if (compareSpans(neighbour.negativeSpans, kept.negativeSpans) === 0) kept.negativeSpans = neighbour.negativeSpans
  if (compareColumns(neighbour.customValues, kept.customValues) === 0) kept.customValues = neighbour.customValues
  return kept
}
