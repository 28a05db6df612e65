/**
 * What one series of native histograms contributes to each of a run of windows: the last histogram of each and, for
 * counters, their growth. `SeriesScan` does the same for floats, and says what windows and growth are.
 */
import { addHistograms, compactHistogram, detectReset, subtractHistograms } from '@varve/promql'
import type { Histogram } from '@varve/tsdb-core/model'
import { COUNTER_LOOKBACK_MS, livesAt } from './series-scan.js'

/** The last histogram before some time. */
export interface HistogramState {
  /** Time of the last histogram; `-Infinity` when there is none. */
  valueMs: number
  histogram: Histogram | null
  /** Time of the last staleness marker. */
  markerMs: number
}

/** Samples of one series, by time; null is a staleness marker. */
export interface HistogramSamples {
  readonly timestampsMs: readonly number[]
  readonly histograms: readonly (Histogram | null)[]
}

export interface HistogramWindow {
  /** 0: the window has no histogram, and nothing else but `lives` and `isCounter` means anything. */
  readonly count: number
  readonly last: Histogram | null
  /** Null: exponential and custom buckets came together, or it is a gauge. */
  readonly increase: Histogram | null
  /** The last histogram at the end of the window is that of a counter. */
  readonly isCounter: boolean
  readonly lives: boolean
}

export interface HistogramWindows {
  readonly windows: readonly HistogramWindow[]
  /** Whether the series lived in the window before the first one. */
  readonly livedBefore: boolean
  readonly isCounterBefore: boolean
  /** The state at the end of the last window. */
  readonly state: HistogramState
}

export function noHistogram(): HistogramState {
  return { valueMs: -Infinity, histogram: null, markerMs: -Infinity }
}

/** Windows are `(end - resolution, end]`, the first ends at `firstEndMs`. Samples before them only move the state. */
export function scanHistograms(
  { timestampsMs, histograms }: HistogramSamples,
  before: HistogramState,
  { firstEndMs, windowCount, resolutionMs, lookbackMs }: HistogramScanOptions,
): HistogramWindows {
  const state = { ...before }
  let at = 0
  const step = () => {
    const histogram = histograms[at]
    if (histogram === null) state.markerMs = timestampsMs[at]
    else {
      state.valueMs = timestampsMs[at]
      state.histogram = histogram
    }
    at++
    return histogram
  }
  const startMs = firstEndMs - resolutionMs
  while (at < histograms.length && timestampsMs[at] <= startMs) step()
  const livedBefore = livesAt(startMs, resolutionMs, lookbackMs, state.valueMs, state.markerMs)
  const isCounterBefore = isCounterIn(state)
  const windows: HistogramWindow[] = []
  for (let window = 0; window < windowCount; window++) {
    const endMs = firstEndMs + window * resolutionMs
    const chain: Histogram[] = []
    if (state.histogram && endMs - resolutionMs - state.valueMs <= COUNTER_LOOKBACK_MS) chain.push(state.histogram)
    let count = 0
    while (at < histograms.length && timestampsMs[at] <= endMs) {
      const histogram = step()
      if (histogram === null) continue
      chain.push(histogram)
      count++
    }
    const isCounter = isCounterIn(state)
    windows.push({
      count,
      last: count > 0 ? state.histogram : null,
      increase: count > 0 && isCounter ? growthOf(chain) : null,
      isCounter,
      lives: livesAt(endMs, resolutionMs, lookbackMs, state.valueMs, state.markerMs),
    })
  }
  return { windows, livedBefore, isCounterBefore, state }
}

function isCounterIn({ histogram }: HistogramState): boolean {
  return histogram !== null && histogram.counterResetHint !== 'gauge'
}

export interface HistogramScanOptions {
  readonly firstEndMs: number
  readonly windowCount: number
  readonly resolutionMs: number
  readonly lookbackMs: number
}

/** In Prometheus' order: the difference of the ends, then what each reset took away. Null: they do not go together. */
export function growthOf(chain: readonly Histogram[]): Histogram | null {
  let growth = subtractHistograms(chain[chain.length - 1], chain[0])?.histogram
  for (let i = 1; i < chain.length && growth; i++) {
    if (detectReset(chain[i], chain[i - 1])) growth = addHistograms(growth, chain[i - 1])?.histogram
  }
  return growth ? compactHistogram({ ...growth, counterResetHint: 'gauge' }) : null
}

/** As it is stored for a window: what its hint says of the raw sample before it holds no more. */
export function storedLast(histogram: Histogram): Histogram {
  const { counterResetHint } = histogram
  if (counterResetHint === 'gauge' || counterResetHint === 'unknown') return histogram
  return { ...histogram, counterResetHint: 'unknown' }
}
