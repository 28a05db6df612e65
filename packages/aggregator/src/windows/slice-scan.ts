/**
 * What many series contribute to one window, in one pass over their samples: `SeriesScan` for the case of every minute, one
 * window whose samples have just come in and whose series' last samples are remembered. Columns stand for series.
 *
 * Rust twin: native/windows/src/scan.rs.
 */
import { nativeKernels, type WindowKernels } from '@varve/native'
import { type RecentSamples, RUN_STRIDE } from '@varve/tsdb-core'
import { halvesOf, isStaleAt } from '@varve/tsdb-core/model'
import type { MemberStates } from './member-states.js'
import { VALUE } from './plan.js'
import { COUNTER_LOOKBACK_MS, livesAt } from './series-scan.js'

/** Bits of the columns that members write: all but `value`, which is of groups. */
export const MEMBER_MASK = (1 << VALUE) - 1

/** Which window, and what is known of the members before it. */
export interface ScannedWindow {
  readonly endMs: number
  readonly resolutionMs: number
  readonly lookbackMs: number
  readonly states: MemberStates
  /** By member, as bits. */
  readonly memberColumns: Uint8Array
}

/** What was found in a slice. */
export interface ScanTallies {
  sampleCount: number
  /** Members with samples whose state is not known. */
  unknownCount: number
  /** Members that end in the window, with columns that say so. */
  endedCount: number
  /** Members that write a column. */
  writtenCount: number
}

export class SliceScan {
  /** By place, as long as the slice or longer. */
  members: Uint32Array = new Uint32Array(0)
  /** How many members the slice has. */
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
  /** The columns that each member writes. */
  readonly masks: Uint8Array
  readonly tallies: ScanTallies = { sampleCount: 0, unknownCount: 0, endedCount: 0, writtenCount: 0 }

  readonly #kernels: WindowKernels | null
  readonly #numbers = new Uint32Array(4)

  /** Without kernels (null) TypeScript does the same. */
  constructor(length: number, kernels: WindowKernels | null = nativeKernels() ?? null) {
    this.#kernels = kernels
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
    this.masks = new Uint8Array(length)
  }

  /** Begins a slice. */
  begin(members: Uint32Array): void {
    this.members = members
    this.count = members.length
    this.skips.fill(0, 0, members.length)
  }

  /**
   * Scans the samples of the slice's members, all of them in the window `(endMs - resolutionMs, endMs]`. Members whose state
   * is not known, and those of `skips`, are passed over: their `counts` are 0, and they do not live. States of the others move
   * on to the window's end. Where a count is 0 the other numbers mean nothing.
   */
  scan(samples: RecentSamples, window: ScannedWindow): void {
    const { tallies } = this
    if (this.#kernels !== null) this.#scanNatively(this.#kernels, samples, window)
    else {
      Object.assign(tallies, { sampleCount: 0, unknownCount: 0, endedCount: 0, writtenCount: 0 })
      this.#scan(samples, window)
    }
  }

  #scanNatively(kernels: WindowKernels, samples: RecentSamples, window: ScannedWindow): void {
    const { states, endMs, resolutionMs, lookbackMs } = window
    const { tallies } = this
    const numbers = this.#numbers
    kernels.scanWindow(
      this.members,
      this.skips,
      window.memberColumns,
      this.count,
      samples.runs,
      samples.runCount,
      samples.timestampsMs,
      samples.values,
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
      this.masks,
      numbers,
    )
    tallies.sampleCount = numbers[0]
    tallies.unknownCount = numbers[1]
    tallies.endedCount = numbers[2]
    tallies.writtenCount = numbers[3]
  }

  #scan({ runs, runCount, timestampsMs, values }: RecentSamples, window: ScannedWindow): void {
    const { members, skips, counts, sums, mins, maxs, lasts, lastTimesMs, increases, lives, livedBefore, masks } = this
    const { endMs, resolutionMs, lookbackMs, memberColumns } = window
    const { valuesMs, values: lastValues, markersMs } = window.states
    const { tallies } = this
    const halves = halvesOf(values)
    const startMs = endMs - resolutionMs
    for (let run = 0, runStart = 0, i = 0; run < runCount; run++, runStart = i) {
      const runEnd = runs[run * RUN_STRIDE]
      const sampleCount = runs[run * RUN_STRIDE + 1]
      const timesStart = runs[run * RUN_STRIDE + 2]
      const valuesStart = runs[run * RUN_STRIDE + 3]
      // Samples of a series stand so far apart.
      const width = runEnd - runStart
      for (; i < runEnd; i++) {
        const member = members[i]
        let valueMs = valuesMs[member]
        counts[i] = 0
        lives[i] = 0
        livedBefore[i] = 0
        masks[i] = 0
        if (skips[i] === 1) continue
        tallies.sampleCount += sampleCount
        if (Number.isNaN(valueMs)) {
          if (sampleCount > 0) tallies.unknownCount++
          continue
        }
        let markerMs = markersMs[member]
        const before = lastValues[member]
        let previous = before
        const hadBefore = startMs - valueMs <= COUNTER_LOOKBACK_MS
        const didLive = livesAt(startMs, resolutionMs, lookbackMs, valueMs, markerMs)
        livedBefore[i] = didLive ? 1 : 0
        let found = 0
        let sum = 0
        let rest = 0
        let min = Number.NaN
        let max = Number.NaN
        let resets = 0
        let first = 0
        for (let k = 0, at = valuesStart + i - runStart; k < sampleCount; k++, at += width) {
          const value = values[at]
          if (Number.isNaN(value) && isStaleAt(halves, at)) {
            markerMs = timestampsMs[timesStart + k]
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
          valueMs = timestampsMs[timesStart + k]
          found++
        }
        markersMs[member] = markerMs
        const columns = memberColumns[member] & MEMBER_MASK
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
        } else if (valueMs > markerMs && endMs - valueMs < lookbackMs) {
          lives[i] = 1
          continue
        } else if (!didLive) continue
        else if (columns !== 0) tallies.endedCount++
        masks[i] = columns
        if (columns !== 0) tallies.writtenCount++
      }
    }
  }
}
