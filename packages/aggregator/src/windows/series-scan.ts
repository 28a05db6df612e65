/**
 * What one series contributes to each of a run of windows, in one pass over its samples.
 *
 * Windows are `(end - resolution, end]`, contiguous; window 0 ends at `firstEndMs`. Cells of the columns stand for windows.
 *
 * Counters follow Prometheus: growth is the last value minus the one before the window, plus the value before each reset.
 * The sample before the window may lie in any earlier window, so no growth between windows is lost; a series' first sample
 * ever is a baseline and counts nothing. Staleness markers are no values: they are passed over, and end the series.
 */
import { isStaleAt } from '@varve/tsdb-core/model'

/**
 * A counter's growth is measured from its last sample if that is not longer before the window than this; else its first
 * sample is a baseline, as a first-ever one is. Without a bound each new series would have to be looked for in all blocks.
 */
export const COUNTER_LOOKBACK_MS = 86_400_000

/** As PromQL's default lookback: a series without a sample for so long has ended. */
export const LOOKBACK_MS = 300_000

/** The last sample before some time. */
export interface SeriesState {
  /** Time of the last value; `-Infinity` when there is none. */
  valueMs: number
  value: number
  /** Time of the last staleness marker; the series has ended if it is the later of the two. */
  markerMs: number
}

export function noState(): SeriesState {
  return { valueMs: -Infinity, value: 0, markerMs: -Infinity }
}

export class SeriesScan {
  readonly resolutionMs: number
  firstEndMs = 0
  windowCount = 0
  /** How many values, without staleness markers; 0: the other columns of the cell mean nothing. */
  counts = new Float64Array(0)
  sums = new Float64Array(0)
  mins = new Float64Array(0)
  maxs = new Float64Array(0)
  lasts = new Float64Array(0)
  lastTimesMs = new Float64Array(0)
  /** Growth of a counter. */
  increases = new Float64Array(0)
  /** 1 when the series lives in the window: it has a value there, or its last sample is one that still counts at the end. */
  lives = new Uint8Array(0)
  /** The same for the window before the first one. */
  livedBefore = false
  /** Samples of each window: `[sampleOffsets[w], sampleOffsets[w+1])` of the columns given to `scan`. */
  sampleOffsets = new Uint32Array(1)

  constructor(resolutionMs: number) {
    this.resolutionMs = resolutionMs
  }

  /** Sets the windows; what was scanned is forgotten. */
  setWindows(firstEndMs: number, windowCount: number): void {
    this.firstEndMs = firstEndMs
    this.windowCount = windowCount
    if (this.counts.length >= windowCount) return
    this.counts = new Float64Array(windowCount)
    this.sums = new Float64Array(windowCount)
    this.mins = new Float64Array(windowCount)
    this.maxs = new Float64Array(windowCount)
    this.lasts = new Float64Array(windowCount)
    this.lastTimesMs = new Float64Array(windowCount)
    this.increases = new Float64Array(windowCount)
    this.lives = new Uint8Array(windowCount)
    this.sampleOffsets = new Uint32Array(windowCount + 1)
  }

  /**
   * Scans samples `[start, end)` of the columns, in the order of time. Those at or before the first window's start only
   * move `state`. At the end `state` is that of the last window's end.
   *
   * `halves` is `halvesOf(values)`. `lookbackMs`: a series without a sample for longer has ended.
   */
  scan(
    timestampsMs: Float64Array,
    timestampsStart: number,
    values: Float64Array,
    halves: Uint32Array,
    start: number,
    end: number,
    state: SeriesState,
    lookbackMs: number,
  ): void {
    const { resolutionMs, windowCount, counts, sums, mins, maxs, lasts, lastTimesMs, increases, lives, sampleOffsets } =
      this
    const shift = timestampsStart - start
    let { valueMs, value: previous, markerMs } = state
    let at = start
    const windowsStartMs = this.firstEndMs - resolutionMs
    for (; at < end && timestampsMs[at + shift] <= windowsStartMs; at++) {
      if (isStaleAt(halves, at)) markerMs = timestampsMs[at + shift]
      else {
        valueMs = timestampsMs[at + shift]
        previous = values[at]
      }
    }
    this.livedBefore = livesAt(windowsStartMs, resolutionMs, lookbackMs, valueMs, markerMs)
    for (let window = 0; window < windowCount; window++) {
      const windowEndMs = this.firstEndMs + window * resolutionMs
      sampleOffsets[window] = at
      let count = 0
      let sum = 0
      let rest = 0
      let min = Number.NaN
      let max = Number.NaN
      const before = previous
      const hadBefore = windowEndMs - resolutionMs - valueMs <= COUNTER_LOOKBACK_MS
      let resets = 0
      let first = 0
      for (; at < end; at++) {
        const timeMs = timestampsMs[at + shift]
        if (timeMs > windowEndMs) break
        if (isStaleAt(halves, at)) {
          markerMs = timeMs
          continue
        }
        const value = values[at]
        if (count === 0) first = value
        if (value < previous && (count > 0 || hadBefore)) resets += previous
        const next = sum + value
        if (Math.abs(sum) >= Math.abs(value)) rest += sum - next + value
        else rest += value - next + sum
        sum = next
        if (value < min || Number.isNaN(min)) min = value
        if (value > max || Number.isNaN(max)) max = value
        previous = value
        valueMs = timeMs
        count++
      }
      counts[window] = count
      if (count > 0) {
        sums[window] = Number.isFinite(sum) ? sum + rest : sum
        mins[window] = min
        maxs[window] = max
        lasts[window] = previous
        lastTimesMs[window] = valueMs
        increases[window] = previous - (hadBefore ? before : first) + resets
      }
      lives[window] = count > 0 || (valueMs > markerMs && windowEndMs - valueMs < lookbackMs) ? 1 : 0
    }
    sampleOffsets[windowCount] = at
    state.valueMs = valueMs
    state.value = previous
    state.markerMs = markerMs
  }
}

/** Whether a series whose last value and marker these are lives in the window that ends at `windowEndMs`. */
export function livesAt(
  windowEndMs: number,
  resolutionMs: number,
  lookbackMs: number,
  valueMs: number,
  markerMs: number,
): boolean {
  const ageMs = windowEndMs - valueMs
  return ageMs < resolutionMs || (ageMs < lookbackMs && valueMs > markerMs)
}
