/**
 * The native histograms of one evaluation: what `Run` does for floats, of the series that have histograms.
 *
 * A window with histograms is theirs: floats of the same series in it are passed over, as a histogram stands above a number
 * where both have one timestamp.
 */
import type { Namespace } from '@varve/tsdb-core'
import { HistogramCells } from './histogram-cells.js'
import {
  type HistogramSamples,
  type HistogramState,
  type HistogramWindow,
  type HistogramWindows,
  noHistogram,
  scanHistograms,
  storedLast,
} from './histogram-scan.js'
import { COLUMNS, COUNT, type Contribution, INCREASE, LAST, type WindowPlan } from './plan.js'
import type { RowWriter } from './row-writer.js'
import { findHistogramsBefore } from './sample-before.js'
import { livesAt } from './series-scan.js'

const MEMBER = 0
const NO_SAMPLES: HistogramSamples = { timestampsMs: [], histograms: [] }
const HISTOGRAM_COLUMNS = [LAST, COUNT, INCREASE] as const

export interface HistogramRunOptions {
  readonly plan: WindowPlan
  readonly raw: Namespace
  readonly writer: RowWriter
  readonly firstEndMs: number
  readonly windowCount: number
  readonly resolutionMs: number
  readonly lookbackMs: number
  /** Outputs of these series are written, and no others; null: all. */
  readonly only: ReadonlySet<number> | null
  /** Members' states at the first window's start, if the evaluator remembers them. */
  readonly states: Map<number, HistogramState>
  readonly isHot: boolean
  readonly advances: boolean
  /** The group's outputs are to be written. */
  readonly touch: (group: number) => void
  /** A member has nothing in a window that is computed again. */
  readonly addEmpty: (member: number, slots: readonly number[], endMs: number) => void
}

interface Pending {
  readonly member: number
  readonly samples: HistogramSamples
  readonly isAlone: boolean
}

export class HistogramRun {
  readonly cells: HistogramCells
  readonly #options: HistogramRunOptions
  readonly #pending: Pending[] = []

  constructor(options: HistogramRunOptions) {
    this.#options = options
    this.cells = new HistogramCells(options.windowCount)
  }

  /** Whether what the member has between its last histogram and now concerns its histograms. */
  remembers(member: number): boolean {
    return this.#options.isHot && this.#options.plan.hasHistograms(member)
  }

  /** Takes what was read of a member. `isAlone`: its floats are not looked at. */
  take(member: number, samples: HistogramSamples, isAlone: boolean): void {
    const { isHot, states, firstEndMs, resolutionMs } = this.#options
    const known = isHot ? states.get(member) : undefined
    const startMs = firstEndMs - resolutionMs
    const first = samples.histograms.findIndex((histogram) => histogram !== null)
    if (known) this.#finish(member, samples, known, isAlone)
    else if (!isHot && first >= 0 && samples.timestampsMs[first] <= startMs) {
      this.#finish(member, samples, noHistogram(), isAlone)
    } else this.#pending.push({ member, samples, isAlone })
  }

  /** A member whose state was forgotten and that has no samples now. */
  takeForgotten(member: number): void {
    this.#pending.push({ member, samples: NO_SAMPLES, isAlone: true })
  }

  /** Members whose last histogram had to be looked up. */
  async resolvePending(): Promise<void> {
    if (this.#pending.length === 0) return
    const { raw, plan, firstEndMs, resolutionMs } = this.#options
    const wanted = this.#pending.flatMap(({ member }) => {
      const seriesRef = plan.memberRefs[member]
      const labels = raw.labelsOf(seriesRef)
      return labels ? [{ seriesRef, labels }] : []
    })
    const found = await findHistogramsBefore(raw, wanted, firstEndMs - resolutionMs)
    for (const { member, samples, isAlone } of this.#pending) {
      this.#finish(member, samples, found.get(plan.memberRefs[member]) ?? noHistogram(), isAlone)
    }
    this.#pending.length = 0
  }

  /** Members without a sample now may live still, or end. */
  passOverSilent(wasSeen: (member: number) => boolean): void {
    const { isHot, states, firstEndMs, resolutionMs, lookbackMs } = this.#options
    if (!isHot) return
    for (const [member, state] of states) {
      if (wasSeen(member) || !this.#options.plan.isUsed(member)) continue
      if (!livesAt(firstEndMs - resolutionMs, resolutionMs, lookbackMs, state.valueMs, state.markerMs)) continue
      this.#finish(member, NO_SAMPLES, state, true)
    }
  }

  /** 1 where a window has histograms. */
  windowsWith({ timestampsMs, histograms }: HistogramSamples): Uint8Array {
    const { firstEndMs, resolutionMs, windowCount } = this.#options
    const has = new Uint8Array(windowCount)
    timestampsMs.forEach((timeMs, i) => {
      const window = Math.ceil((timeMs - firstEndMs) / resolutionMs)
      if (histograms[i] !== null && window >= 0 && window < windowCount) has[window] = 1
    })
    return has
  }

  #finish(member: number, samples: HistogramSamples, state: HistogramState, isAlone: boolean): void {
    const { plan, only, states, advances } = this.#options
    const scanned = scanHistograms(samples, state, this.#options)
    if (advances) states.set(member, scanned.state)
    const isWanted = only === null || only.has(plan.memberRefs[member])
    if (isWanted) this.#emitMember(member, scanned, isAlone)
    this.#contribute(member, scanned, isWanted)
  }

  #emitMember(member: number, { windows, livedBefore }: HistogramWindows, isAlone: boolean): void {
    const { plan, writer, firstEndMs, resolutionMs, only } = this.#options
    const columns = HISTOGRAM_COLUMNS.filter((column) => plan.keepsOfHistograms(member, column))
    if (columns.length === 0) return
    windows.forEach((window, index) => {
      const endMs = firstEndMs + index * resolutionMs
      const lived = index === 0 ? livedBefore : windows[index - 1].lives
      const slots = columns
        .filter((column) => column !== INCREASE || window.isCounter)
        .map((column) => member * COLUMNS.length + column)
      if (window.count > 0) for (const column of columns) this.#writeColumn(member, column, window, endMs)
      else if (lived && !window.lives) for (const slot of slots) writer.addMarker(MEMBER, slot, endMs)
      else if (only !== null && isAlone && slots.length > 0) this.#options.addEmpty(member, slots, endMs)
    })
  }

  #writeColumn(member: number, column: (typeof HISTOGRAM_COLUMNS)[number], window: HistogramWindow, endMs: number) {
    const { writer } = this.#options
    const slot = member * COLUMNS.length + column
    if (column === COUNT) writer.add(MEMBER, slot, endMs, window.count)
    else if (column === LAST && window.last) writer.addHistogram(MEMBER, slot, endMs, storedLast(window.last))
    else if (window.increase) writer.addHistogram(MEMBER, slot, endMs, window.increase)
    else if (window.isCounter) writer.addAbsent(MEMBER, slot, endMs)
  }

  #contribute(member: number, { windows, livedBefore, isCounterBefore }: HistogramWindows, isWanted: boolean): void {
    if (livedBefore)
      for (const { group } of this.#contributionsOf(member, isCounterBefore)) this.cells.addLiving(group, -1)
    windows.forEach((window, index) => {
      for (const { group, each } of this.#contributionsOf(member, window.isCounter)) {
        if (isWanted) this.#options.touch(group)
        if (window.lives) this.cells.addLiving(group, index)
        const histogram = each === 'increase' ? window.increase : window.last
        if (window.count > 0 && histogram) this.cells.add(group, index, histogram)
      }
    })
  }

  #contributionsOf(member: number, isCounter: boolean): readonly Contribution[] {
    const { plan, raw } = this.#options
    const labels = raw.labelsOf(plan.memberRefs[member])
    return labels ? plan.histogramContributions(member, isCounter, labels) : []
  }
}
