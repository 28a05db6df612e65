/**
 * What many series contribute to one window, in one pass over their samples: `SeriesScan` for the case of every minute, one
 * window whose samples have just come in and whose series' last samples are remembered. Columns stand for series.
 *
 * Rust twin: native/windows/src/scan.rs.
 */
import { nativeKernels, type WindowKernels } from '@varve/native'
import type { RecentSamples } from '@varve/tsdb-core'
import { halvesOf, isStaleAt } from '@varve/tsdb-core/model'
import type { MemberStates } from './member-states.js'
import { COUNTER_LOOKBACK_MS, livesAt } from './series-scan.js'

export class SliceScan {
  /** The members of the slice, and how many there are. */
  readonly members: Uint32Array
  count = 0
  /** 1 for members that are not to be scanned. */
  readonly skips: Uint8Array
  readonly counts: Float64Array
  readonly sums: Float64Array
  readonly mins: Float64Array
  readonly maxs: Float64Array
  readonly lasts: Float64Array
  readonly lastTimesMs: Float64Array
  readonly increases: Float64Array
  readonly lives: Uint8Array
  readonly livedBefore: Uint8Array

  readonly #kernels: WindowKernels | null

  /** Without kernels (null) TypeScript does the same. */
  constructor(length: number, kernels: WindowKernels | null = nativeKernels() ?? null) {
    this.#kernels = kernels
    this.members = new Uint32Array(length)
    this.skips = new Uint8Array(length)
    this.counts = new Float64Array(length)
    this.sums = new Float64Array(length)
    this.mins = new Float64Array(length)
    this.maxs = new Float64Array(length)
    this.lasts = new Float64Array(length)
    this.lastTimesMs = new Float64Array(length)
    this.increases = new Float64Array(length)
    this.lives = new Uint8Array(length)
    this.livedBefore = new Uint8Array(length)
  }

  /**
   * Scans the samples of the slice's members, all of them in the window `(endMs - resolutionMs, endMs]`. Members whose state
   * is not known, and those of `skips`, are passed over: their `counts` are 0, and they do not live. States of the others move
   * on to the window's end.
   */
  scan(samples: RecentSamples, states: MemberStates, endMs: number, resolutionMs: number, lookbackMs: number): void {
    if (this.#kernels === null) this.#scan(samples, states, endMs, resolutionMs, lookbackMs)
    else this.#scanNatively(this.#kernels, samples, states, endMs, resolutionMs, lookbackMs)
  }

  #scanNatively(
    kernels: WindowKernels,
    { sampleOffsets, timestampsMs, values }: RecentSamples,
    states: MemberStates,
    endMs: number,
    resolutionMs: number,
    lookbackMs: number,
  ): void {
    kernels.scanWindow(
      this.members,
      this.skips,
      this.count,
      sampleOffsets,
      timestampsMs,
      values,
      endMs,
      resolutionMs,
      lookbackMs,
      states.valuesMs,
      states.values,
      states.markersMs,
      this.counts,
      this.sums,
      this.mins,
      this.maxs,
      this.lasts,
      this.lastTimesMs,
      this.increases,
      this.lives,
      this.livedBefore,
    )
  }

  #scan(samples: RecentSamples, states: MemberStates, endMs: number, resolutionMs: number, lookbackMs: number): void {
    const { members, skips, count, counts, sums, mins, maxs, lasts, lastTimesMs, increases, lives, livedBefore } = this
    const { sampleOffsets, timestampsMs, values } = samples
    const { valuesMs, values: lastValues, markersMs } = states
    const halves = halvesOf(values)
    const startMs = endMs - resolutionMs
    for (let i = 0; i < count; i++) {
      const member = members[i]
      let valueMs = valuesMs[member]
      counts[i] = 0
      lives[i] = 0
      livedBefore[i] = 0
      if (skips[i] === 1 || Number.isNaN(valueMs)) continue
      let markerMs = markersMs[member]
      const before = lastValues[member]
      let previous = before
      const hadBefore = startMs - valueMs <= COUNTER_LOOKBACK_MS
      livedBefore[i] = livesAt(startMs, resolutionMs, lookbackMs, valueMs, markerMs) ? 1 : 0
      let found = 0
      let sum = 0
      let rest = 0
      let min = Number.NaN
      let max = Number.NaN
      let resets = 0
      let first = 0
      for (let at = sampleOffsets[i], end = sampleOffsets[i + 1]; at < end; at++) {
        const value = values[at]
        if (Number.isNaN(value) && isStaleAt(halves, at)) {
          markerMs = timestampsMs[at]
          continue
        }
        if (found === 0) first = value
        if (value < previous && (found > 0 || hadBefore)) resets += previous
        const next = sum + value
        if (Math.abs(sum) >= Math.abs(value)) rest += sum - next + value
        else rest += value - next + sum
        sum = next
        if (value < min || Number.isNaN(min)) min = value
        if (value > max || Number.isNaN(max)) max = value
        previous = value
        valueMs = timestampsMs[at]
        found++
      }
      if (found > 0) {
        counts[i] = found
        sums[i] = Number.isFinite(sum) ? sum + rest : sum
        mins[i] = min
        maxs[i] = max
        lasts[i] = previous
        lastTimesMs[i] = valueMs
        increases[i] = previous - (hadBefore ? before : first) + resets
        valuesMs[member] = valueMs
        lastValues[member] = previous
        lives[i] = 1
      } else if (valueMs > markerMs && endMs - valueMs < lookbackMs) lives[i] = 1
      markersMs[member] = markerMs
    }
  }
}
