/**
 * Computes windows of one namespace: reads the samples through `select`, folds them, writes the outputs.
 *
 * What is written is a function of the stored samples and of the plan alone (DESIGN D6). What the evaluator remembers
 * between two windows, the last sample of each series, only spares it reading that sample again: `forget` loses nothing.
 *
 * **W1** The watermark is committed with the last rows of its windows, never before. *Held by* `RowWriter.flush`.
 * **W2** Any order of computing and recomputing windows writes the same. *Held by* `SeriesScan`, the folds, and the property
 *   test against the naive twin.
 */
import type { Namespace, Watermark } from '@varve/tsdb-core'
import type { Clock } from '@varve/tsdb-core/env'
import { type Histogram, halvesOf, isStaleAt, Labels, type Matcher, METRIC_NAME } from '@varve/tsdb-core/model'
import type { SeriesBatch } from '@varve/tsdb-core/query'
import { FrozenWindows } from '../drops/frozen-windows.js'
import type { DropFacts } from '../drops/raw-drops.js'
import type { EachFunction } from '../rules/rule.js'
import { GroupCells } from './group-cells.js'
import { HistogramRun } from './histogram-run.js'
import { histogramsByIndex, splitSeries } from './histogram-samples.js'
import type { HistogramState } from './histogram-scan.js'
import { HotWindow, UsedMembers } from './hot-window.js'
import { MemberStates } from './member-states.js'
import {
  COLUMNS,
  COUNT,
  type Contribution,
  type Group,
  type GroupOutput,
  INCREASE,
  MAX,
  MIN,
  SUM,
  type WindowPlan,
} from './plan.js'
import { OutputSlots, RowWriter } from './row-writer.js'
import { findSamplesBefore, matchersFor } from './sample-before.js'
import { livesAt, noState, SeriesScan } from './series-scan.js'

/** As PromQL's default lookback: a series without a sample for so long has ended. */
export const LOOKBACK_MS = 300_000
/** The event loop gets its turn after so much computing. */
const TURN_MS = 5
/** More members than this are read by the selectors of the rules. */
const LEFT_MAX = 20_000
/** Batches of new series that are kept for a plan. */
const CREATED_MAX = 10_000
const MEMBER = 0
const GROUP = 1

export interface EvaluatorOptions {
  readonly raw: Namespace
  readonly target: Namespace
  readonly clock: Clock
  readonly plan: WindowPlan
  readonly resolutionMs: number
  /** Windows whose samples may be gone are not written again. Absent: none are. */
  readonly drops?: () => DropFacts
}

export interface EvaluateRequest {
  /** Contiguous windows; the first ends here. */
  readonly firstEndMs: number
  readonly windowCount: number
  /** Outputs that these raw series have a part in, and no others, are written. Null: all. */
  readonly only: ReadonlySet<number> | null
  /** Committed with the last rows: the watermark's name and shard; its time is the end of the last window. */
  readonly watermark: { readonly policy: string; readonly shard: number } | null
  /** Committed with the watermark. */
  readonly marks?: readonly Watermark[]
  readonly signal?: AbortSignal
}

export interface Evaluation {
  readonly rowCount: number
  readonly readSampleCount: number
  readonly rowsByRule: ReadonlyMap<string, number>
  /** Rows that were left as they stand, since raw samples of their windows may have been dropped. */
  readonly frozenRowCount: number
}

/** An output that has nothing in a window, when windows are computed again: what stands there has to go. */
interface EmptyWindow {
  readonly labels: Labels
  readonly table: 0 | 1
  readonly slots: readonly number[]
  readonly endMs: number
}

interface Pending {
  readonly member: number
  readonly timestampsMs: Float64Array
  readonly values: Float64Array
}

export class Evaluator {
  readonly plan: WindowPlan
  readonly #options: EvaluatorOptions
  readonly #memberSlots = new OutputSlots()
  readonly #groupSlots = new OutputSlots()
  readonly #scan: SeriesScan
  /** State of each member at `#hotEndMs`. */
  readonly #states = new MemberStates()
  readonly #used = new UsedMembers()
  /** Series that are new in the head, and not matched yet; null: all of the head's series are to be looked at. */
  #created: Uint32Array[] | null = null
  /** The end of the last window that was computed in order; `NaN`: nothing is remembered. */
  #hotEndMs = Number.NaN
  /** Members whose state has to be looked up, whether they have samples in the next window or not. */
  readonly #forgotten = new Set<number>()
  /** The last native histogram of the members that have some. */
  readonly #histogramStates = new Map<number, HistogramState>()
  #seen: Uint32Array<ArrayBuffer> = new Uint32Array(64)
  #epoch = 0

  constructor(options: EvaluatorOptions) {
    this.#options = options
    this.plan = options.plan
    this.#scan = new SeriesScan(options.resolutionMs)
  }

  /** Forgets what it remembers: the next window is computed from what is stored alone. */
  forget(): void {
    this.#hotEndMs = Number.NaN
  }

  /** Series of which a sample came late: their last sample is looked up again. */
  forgetSeries(seriesRefs: Iterable<number>): void {
    for (const ref of seriesRefs) {
      const member = this.plan.memberOf(ref)
      if (this.#histogramStates.delete(member)) this.#forgotten.add(member)
      if (this.#states.forget(member)) this.#forgotten.add(member)
    }
  }

  /** Series that are new in the head. */
  seriesCreated(seriesRefs: Uint32Array): void {
    if (this.#created === null) return
    // Plans of past rules are rarely asked: they look at all series then.
    if (this.#created.length >= CREATED_MAX) this.#created = null
    else this.#created.push(seriesRefs.slice())
  }

  async evaluate(request: EvaluateRequest): Promise<Evaluation> {
    return new Run(this, request).go()
  }

  /** @internal What a run needs of the evaluator. */
  parts() {
    return {
      options: this.#options,
      scan: this.#scan,
      memberSlots: this.#memberSlots,
      groupSlots: this.#groupSlots,
      histogramStates: this.#histogramStates,
      states: this.#states,
      used: this.#used,
    }
  }

  /** @internal References of series that the plan may not know yet; all of the head's at first. */
  takeCreated(): readonly Uint32Array[] {
    const created = this.#created ?? [this.#options.raw.headSeries()]
    this.#created = []
    return created
  }

  /** @internal Whether the state at `endMs` is remembered. */
  isHotAt(endMs: number): boolean {
    return this.#hotEndMs === endMs
  }

  /** @internal */
  setHotAt(endMs: number): void {
    this.#hotEndMs = endMs
  }

  /** @internal */
  clearStates(): void {
    this.#states.clear()
    this.#histogramStates.clear()
    this.#forgotten.clear()
  }

  /** @internal Members whose state is to be looked up now; forgotten once told. */
  takeForgotten(): ReadonlySet<number> {
    const forgotten = new Set(this.#forgotten)
    this.#forgotten.clear()
    return forgotten
  }

  /** @internal Marks a member as seen in this run; false: it was already. */
  see(member: number): boolean {
    if (member >= this.#seen.length) {
      const larger = new Uint32Array(Math.max(this.#seen.length * 2, member + 1))
      larger.set(this.#seen)
      this.#seen = larger
    }
    if (this.#seen[member] === this.#epoch) return false
    this.#seen[member] = this.#epoch
    return true
  }

  /** @internal */
  wasSeen(member: number): boolean {
    return member < this.#seen.length && this.#seen[member] === this.#epoch
  }

  /** @internal */
  nextEpoch(): void {
    this.#epoch++
  }
}

/** One evaluation. */
class Run {
  readonly #evaluator: Evaluator
  readonly #plan: WindowPlan
  readonly #request: EvaluateRequest
  readonly #options: EvaluatorOptions
  readonly #scan: SeriesScan
  readonly #writer: RowWriter
  readonly #cells: GroupCells
  readonly #states: MemberStates
  readonly #state = noState()
  readonly #hot: boolean
  /** Some rows of these windows are not to be written. */
  readonly #isFrozen: boolean
  /** In order: the state is kept for the next window. */
  readonly #advances: boolean
  readonly #touchedGroups: Set<number> | null
  readonly #pending: Pending[] = []
  readonly #histograms: HistogramRun
  /** Of members with floats and native histograms: the windows that are the histograms'. */
  readonly #histogramWindows = new Map<number, Uint8Array>()
  readonly #forgotten: ReadonlySet<number>
  readonly #empty: EmptyWindow[] = []
  readonly #rowsByRule = new Map<string, number>()
  #readSampleCount = 0
  #turnStartMs: number

  constructor(evaluator: Evaluator, request: EvaluateRequest) {
    const { options, scan, memberSlots, groupSlots, histogramStates, states } = evaluator.parts()
    this.#evaluator = evaluator
    this.#plan = options.plan
    this.#request = request
    this.#options = options
    this.#scan = scan
    this.#states = states
    this.#cells = new GroupCells(options.plan, request.windowCount)
    this.#hot =
      request.only === null &&
      request.watermark !== null &&
      evaluator.isHotAt(request.firstEndMs - options.resolutionMs)
    this.#advances = request.only === null && request.watermark !== null
    this.#forgotten = this.#hot ? evaluator.takeForgotten() : new Set()
    this.#touchedGroups = request.only === null ? null : new Set()
    this.#turnStartMs = options.clock.monotonicMs()
    const frozen = options.drops === undefined ? null : this.#frozenWindows(options.drops())
    this.#isFrozen = frozen !== null
    this.#writer = new RowWriter({
      target: options.target,
      isFrozen:
        frozen &&
        ((table, slot, endMs) =>
          table === MEMBER
            ? frozen.isMemberFrozen(Math.floor(slot / COLUMNS.length), endMs)
            : frozen.isStageFrozen(this.#plan.groups[Math.floor(slot / OUTPUTS_MAX)].stage, endMs)),
      slots: [memberSlots, groupSlots],
      seriesOf: (table, slot) => (table === MEMBER ? this.#memberSeries(slot) : this.#groupSeries(slot)),
    })
    this.#histograms = new HistogramRun({
      plan: options.plan,
      raw: options.raw,
      writer: this.#writer,
      firstEndMs: request.firstEndMs,
      windowCount: request.windowCount,
      resolutionMs: options.resolutionMs,
      lookbackMs: LOOKBACK_MS,
      only: request.only,
      states: histogramStates,
      isHot: this.#hot,
      advances: this.#advances,
      touch: (group) => this.#touchedGroups?.add(group),
      addEmpty: (member, slots, endMs) => {
        const labels = this.#labelsOfMember(member)
        if (labels) this.#empty.push({ labels, table: MEMBER, slots, endMs })
      },
    })
  }

  async go(): Promise<Evaluation> {
    const { firstEndMs, windowCount, watermark } = this.#request
    const { resolutionMs } = this.#options
    this.#evaluator.nextEpoch()
    if (this.#advances) {
      // From here on the memory is that of a run under way: a failed one leaves none.
      this.#evaluator.forget()
      if (!this.#hot) this.#evaluator.clearStates()
    }
    this.#scan.setWindows(firstEndMs, windowCount)
    const hotWindow = await this.#runHot()
    if (hotWindow === null) await this.#read()
    await this.#resolvePending()
    await this.#passOverSilent()
    await this.#emitGroups()
    await this.#removeEmpty()
    const lastEndMs = firstEndMs + (windowCount - 1) * resolutionMs
    const { marks = [] } = this.#request
    await hotWindow?.settle()
    await this.#writer.flush(watermark ? [{ ...watermark, timestampMs: lastEndMs }, ...marks] : undefined)
    if (this.#advances) this.#evaluator.setHotAt(lastEndMs)
    return {
      rowCount: this.#writer.writtenCount + (hotWindow?.rowCount ?? 0),
      readSampleCount: this.#readSampleCount + (hotWindow?.readSampleCount ?? 0),
      rowsByRule: this.#rowsByRule,
      frozenRowCount: this.#writer.frozenCount,
    }
  }

  #frozenWindows(facts: DropFacts): FrozenWindows | null {
    const { firstEndMs, windowCount } = this.#request
    const { plan, resolutionMs } = this.#options
    const lastEndMs = firstEndMs + (windowCount - 1) * resolutionMs
    const labelsOfMember = (member: number) => this.#labelsOfMember(member)
    return FrozenWindows.of({ facts, plan, firstEndMs, lastEndMs, resolutionMs, labelsOfMember })
  }

  /** The window of every minute, by the short way; null when it is none, or cannot be taken so. */
  async #runHot(): Promise<HotWindow | null> {
    const { windowCount, firstEndMs, watermark } = this.#request
    const { raw, target, resolutionMs } = this.#options
    if (!this.#hot || this.#isFrozen || windowCount !== 1 || watermark === null) return null
    await this.#addCreated()
    const hotWindow = new HotWindow({
      raw,
      target,
      plan: this.#plan,
      used: this.#evaluator.parts().used,
      states: this.#states,
      cells: this.#cells,
      endMs: firstEndMs,
      resolutionMs,
      lookbackMs: LOOKBACK_MS,
      see: (member) => void this.#evaluator.see(member),
      breathe: () => this.#breathe(),
    })
    const isDone = await hotWindow.run()
    if (!isDone || hotWindow.left.length > LEFT_MAX) await this.#read()
    else if (hotWindow.left.length > 0) await this.#readMembers(hotWindow.left)
    return hotWindow
  }

  /** Matches series that are new in the head. */
  async #addCreated(): Promise<void> {
    let count = 0
    for (const refs of this.#evaluator.takeCreated()) {
      for (const ref of refs) {
        if (this.#plan.memberOf(ref) >= 0) continue
        const labels = this.#options.raw.labelsOf(ref)
        if (labels) this.#plan.addMember(ref, labels)
        if ((++count & 63) === 0) await this.#breathe()
      }
    }
  }

  /** The window of some members, by selectors that match few others. */
  async #readMembers(members: readonly number[]): Promise<void> {
    const { firstEndMs, signal } = this.#request
    const { raw, resolutionMs } = this.#options
    const wanted = members.flatMap((member) => {
      const seriesRef = this.#plan.memberRefs[member]
      const labels = raw.labelsOf(seriesRef)
      return labels ? [{ seriesRef, labels }] : []
    })
    const range = { startMs: firstEndMs - resolutionMs + 1, endMs: firstEndMs + 1, ...(signal && { signal }) }
    for (const matchers of matchersFor(wanted)) {
      const { symbols, batches } = await raw.select({ matchers, ...range })
      for await (const batch of batches) await this.#readBatch(batch, symbols)
    }
  }

  async #read(): Promise<void> {
    const { firstEndMs, windowCount, signal } = this.#request
    const { resolutionMs, raw } = this.#options
    const startMs = firstEndMs - resolutionMs
    const backMs = this.#hot ? 0 : Math.max(resolutionMs, LOOKBACK_MS)
    const endMs = firstEndMs + (windowCount - 1) * resolutionMs + 1
    for (const matchers of this.#selectors()) {
      const { symbols, batches } = await raw.select({
        matchers,
        startMs: startMs - backMs + 1,
        endMs,
        ...(signal && { signal }),
      })
      for await (const batch of batches) await this.#readBatch(batch, symbols)
    }
  }

  /** Each series is to be read once: with many rules that overlap, all of them at once. */
  #selectors(): readonly (readonly Matcher[])[] {
    const selectors = this.#plan.selectors()
    if (selectors.length <= 1) return selectors
    let matched = 0
    for (const count of this.#plan.matchedCounts.values()) matched += count
    if (matched <= this.#options.raw.stats().headSeriesCount && this.#plan.memberCount > 0) return selectors
    return [[{ name: METRIC_NAME, operator: '!=', value: '' }]]
  }

  async #readBatch(batch: SeriesBatch, symbols: readonly string[]): Promise<void> {
    const halves = halvesOf(batch.values)
    const histograms = histogramsByIndex(batch)
    for (let series = 0; series < batch.seriesCount; series++) {
      const seriesRef = batch.seriesRefs![series]
      let member = this.#plan.memberOf(seriesRef)
      if (member < 0) {
        const isCold = this.#options.raw.isColdRef(seriesRef)
        member = this.#plan.addMember(seriesRef, labelsIn(batch, symbols, series), isCold)
      }
      if (!this.#plan.isUsed(member) || !this.#evaluator.see(member)) continue
      const start = batch.sampleOffsets[series]
      const end = batch.sampleOffsets[series + 1]
      this.#readSampleCount += end - start
      if ((histograms && hasAny(histograms, start, end)) || this.#histograms.remembers(member)) {
        this.#takeHistograms(member, batch, symbols, series, histograms)
        if (this.#writer.isFull || (series & 63) === 63) await this.#breathe()
        continue
      }
      const times = batch.timestampOffsets[batch.timestampColumns[series]]
      const { timestampsMs, values } = batch
      if (!this.#takeSeries(member, timestampsMs, times, values, halves, start, end)) {
        const length = end - start
        const copy = { timestampsMs: timestampsMs.slice(times, times + length), values: values.slice(start, end) }
        this.#pending.push({ member, ...copy })
      }
      if (this.#writer.isFull || (series & 63) === 63) await this.#breathe()
    }
  }

  /** A series with native histograms; it may have floats besides. */
  #takeHistograms(
    member: number,
    batch: SeriesBatch,
    symbols: readonly string[],
    series: number,
    byIndex: ReadonlyMap<number, Histogram> | null,
  ): void {
    const { histograms, timestampsMs, values, hasFloats } = splitSeries(batch, series, byIndex)
    this.#plan.noteHistograms(member, labelsIn(batch, symbols, series))
    const knowsFloats = this.#hot && this.#states.read(member, this.#state) && this.#state.valueMs > -Infinity
    const takesFloats = hasFloats || knowsFloats
    this.#histograms.take(member, histograms, !takesFloats)
    if (!takesFloats) return
    this.#histogramWindows.set(member, this.#histograms.windowsWith(histograms))
    if (!this.#takeSeries(member, timestampsMs, 0, values, halvesOf(values), 0, values.length)) {
      this.#pending.push({ member, timestampsMs, values })
    }
  }

  /** False: the sample before the windows is needed and not known. */
  #takeSeries(
    member: number,
    timestampsMs: Float64Array,
    timesStart: number,
    values: Float64Array,
    halves: Uint32Array,
    start: number,
    end: number,
  ): boolean {
    const state = this.#state
    const { firstEndMs } = this.#request
    const known = this.#hot && this.#states.read(member, state)
    if (!known) {
      Object.assign(state, NO_STATE)
      // Samples before the windows come with those in them, unless only the windows were read.
      const startMs = firstEndMs - this.#options.resolutionMs
      let at = start
      while (at < end && isStaleAt(halves, at)) at++
      const hasBefore = at < end && timestampsMs[timesStart + at - start] <= startMs
      if (this.#forgotten.has(member) || (!hasBefore && this.#plan.needsIncrease(member))) return false
    }
    this.#scan.scan(timestampsMs, timesStart, values, halves, start, end, state, LOOKBACK_MS)
    this.#finishSeries(member, timestampsMs, timesStart - start, values, halves)
    return true
  }

  async #resolvePending(): Promise<void> {
    for (const member of this.#forgotten) {
      if (!this.#evaluator.see(member)) continue
      if (this.#plan.hasHistograms(member)) this.#histograms.takeForgotten(member)
      this.#pending.push({ member, timestampsMs: new Float64Array(0), values: new Float64Array(0) })
    }
    await this.#histograms.resolvePending()
    if (this.#pending.length === 0) return
    const { raw, resolutionMs } = this.#options
    const beforeMs = this.#request.firstEndMs - resolutionMs
    const wanted = this.#pending.flatMap(({ member }) => {
      const seriesRef = this.#plan.memberRefs[member]
      const labels = raw.labelsOf(seriesRef)
      return labels ? [{ seriesRef, labels }] : []
    })
    const found = await findSamplesBefore(raw, wanted, beforeMs)
    for (const { member, timestampsMs, values } of this.#pending) {
      const before = found.get(this.#plan.memberRefs[member])
      Object.assign(this.#state, NO_STATE)
      if (before) {
        this.#state.valueMs = before.timestampMs
        this.#state.value = before.value
        this.#state.markerMs = before.markerMs
      }
      const halves = halvesOf(values)
      this.#scan.scan(timestampsMs, 0, values, halves, 0, values.length, this.#state, LOOKBACK_MS)
      this.#finishSeries(member, timestampsMs, 0, values, halves)
      if (this.#writer.isFull || (member & 63) === 63) await this.#breathe()
    }
    this.#pending.length = 0
  }

  /** Members without a sample in what was read may live still, by the sample before, or end now. */
  async #passOverSilent(): Promise<void> {
    if (!this.#hot) return
    this.#histograms.passOverSilent((member) => this.#evaluator.wasSeen(member))
    const { firstEndMs } = this.#request
    const { resolutionMs } = this.#options
    const nothing = new Float64Array(0)
    const halves = halvesOf(nothing)
    const state = this.#state
    for (let member = 0; member < this.#plan.memberCount; member++) {
      if (this.#evaluator.wasSeen(member) || !this.#plan.isUsed(member)) continue
      if (!this.#states.read(member, state)) continue
      if (!livesAt(firstEndMs - resolutionMs, resolutionMs, LOOKBACK_MS, state.valueMs, state.markerMs)) continue
      this.#scan.scan(nothing, 0, nothing, halves, 0, 0, state, LOOKBACK_MS)
      this.#finishSeries(member, nothing, 0, nothing, halves)
      if (this.#writer.isFull || (member & 63) === 63) await this.#breathe()
    }
  }

  /** What was scanned goes to the member's own columns and to its groups. */
  #finishSeries(
    member: number,
    timestampsMs: Float64Array,
    shift: number,
    values: Float64Array,
    halves: Uint32Array,
  ): void {
    const plan = this.#plan
    const scan = this.#scan
    if (this.#advances) this.#states.write(member, this.#state)
    this.#histogramWindows.get(member)?.forEach((has, window) => {
      if (has === 1) scan.counts[window] = 0
    })
    const isWanted = this.#request.only === null || this.#request.only.has(plan.memberRefs[member])
    if (plan.memberColumns[member] !== 0 && isWanted) this.#emitMember(member)
    const start = plan.contributionStart(member)
    const end = start + plan.contributionCount(member)
    for (let i = start; i < end; i++) {
      const contribution = plan.contributions[i]
      const group = plan.groups[contribution.group]
      if (isWanted) this.#touchedGroups?.add(contribution.group)
      const cells = this.#cells.of(contribution.group)
      const living = group.number * (scan.windowCount + 1)
      if (scan.livedBefore) cells.living[living]++
      for (let window = 0; window < scan.windowCount; window++) {
        if (scan.lives[window] === 1) cells.living[living + window + 1]++
        if (scan.counts[window] === 0) continue
        const cell = group.number * scan.windowCount + window
        if (contribution.each === 'all') {
          for (let at = scan.sampleOffsets[window]; at < scan.sampleOffsets[window + 1]; at++) {
            if (!isStaleAt(halves, at)) this.#cells.fold(group, cell, values[at], timestampsMs[at + shift])
          }
        } else this.#cells.fold(group, cell, this.#contributed(contribution.each, window), scan.lastTimesMs[window])
        cells.contributed[cell]++
      }
    }
  }

  #contributed(each: EachFunction, window: number): number {
    const scan = this.#scan
    switch (each) {
      case 'min':
        return scan.mins[window]
      case 'max':
        return scan.maxs[window]
      case 'sum':
        return scan.sums[window]
      case 'avg':
        return scan.sums[window] / scan.counts[window]
      case 'count':
        return scan.counts[window]
      case 'increase':
        return scan.increases[window]
      case 'rate':
        return (scan.increases[window] * 1000) / scan.resolutionMs
      case 'last':
      case 'all':
        return scan.lasts[window]
    }
  }

  #emitMember(member: number): void {
    const scan = this.#scan
    const columns = this.#plan.memberColumns[member]
    const histogramWindows = this.#histogramWindows.get(member)
    for (let window = 0; window < scan.windowCount; window++) {
      if (histogramWindows?.[window] === 1) continue
      const endMs = scan.firstEndMs + window * scan.resolutionMs
      const livedBefore = window === 0 ? scan.livedBefore : scan.lives[window - 1] === 1
      const hasValue = scan.counts[window] > 0
      if (!hasValue && (scan.lives[window] === 1 || !livedBefore)) {
        if (this.#request.only !== null) this.#addEmptyMember(member, endMs)
        continue
      }
      for (let column = 0; column < COLUMNS.length; column++) {
        if ((columns & (1 << column)) === 0) continue
        const slot = member * COLUMNS.length + column
        if (hasValue) this.#writer.add(MEMBER, slot, endMs, this.#columnValue(column, window))
        else this.#writer.addMarker(MEMBER, slot, endMs)
      }
    }
  }

  #columnValue(column: number, window: number): number {
    const scan = this.#scan
    switch (column) {
      case MIN:
        return scan.mins[window]
      case MAX:
        return scan.maxs[window]
      case SUM:
        return scan.sums[window]
      case COUNT:
        return scan.counts[window]
      case INCREASE:
        return scan.increases[window]
      default:
        return scan.lasts[window]
    }
  }

  /** Inputs before their readers: a group's results are contributions to others. */
  async #emitGroups(): Promise<void> {
    for (const stage of this.#plan.stages) {
      for (let index = 0; index < this.#plan.groups.length; index++) {
        const group = this.#plan.groups[index]
        if (group.stage !== stage) continue
        this.#emitGroup(group, index)
        if (this.#writer.isFull || (index & 63) === 63) await this.#breathe()
      }
    }
  }

  #emitGroup(group: Group, index: number): void {
    const { firstEndMs, windowCount } = this.#request
    const { resolutionMs } = this.#options
    const cells = this.#cells.of(index)
    const isTouched = this.#touchedGroups?.has(index) ?? true
    const living = group.number * (windowCount + 1)
    group.outputs.forEach((output, at) => {
      if (output === null) return
      for (const { group: target } of output.targets) {
        if (isTouched) this.#touchedGroups?.add(target)
        const targetCells = this.#cells.of(target)
        if (cells.living[living] > 0) targetCells.living[this.#plan.groups[target].number * (windowCount + 1)]++
      }
      const slot = index * OUTPUTS_MAX + at
      const histograms = group.stage.rule.outputs[at].aggregation.operator === 'sum' ? this.#histograms.cells : null
      if (histograms?.lives(index, -1)) {
        for (const target of output.targets) this.#passHistogram(target, -1, true, null, output.labels)
      }
      for (let window = 0; window < windowCount; window++) {
        const cell = group.number * windowCount + window
        const lives = cells.living[living + window + 1] > 0
        const hasValue = cells.contributed[cell] > 0
        const value = hasValue ? group.stage.folds[at].result(cell) : 0
        const endMs = firstEndMs + window * resolutionMs
        const sum = histograms ? this.#sumOf(group, index, output, window, hasValue) : null
        const hasHistogramLife = histograms?.lives(index, window) ?? false
        for (const target of output.targets) {
          this.#pass(target, window, lives, hasValue, value, endMs)
          this.#passHistogram(target, window, hasHistogramLife, sum, output.labels)
        }
        if (!group.stage.emits || output.suppressed || !isTouched) continue
        if (hasValue) {
          this.#writer.add(GROUP, slot, endMs, value)
          this.#countRow(group)
        } else if (sum) {
          this.#writer.addHistogram(GROUP, slot, endMs, sum)
          this.#countRow(group)
        } else if (
          !lives &&
          !hasHistogramLife &&
          (cells.living[living + window] > 0 || histograms?.lives(index, window - 1))
        )
          this.#writer.addMarker(GROUP, slot, endMs)
        else if (this.#request.only !== null)
          this.#empty.push({ labels: output.labels, table: GROUP, slots: [slot], endMs })
      }
    })
  }

  #countRow({ stage }: Group): void {
    const { name } = stage.rule
    this.#rowsByRule.set(name, (this.#rowsByRule.get(name) ?? 0) + 1)
  }

  /** The sum of a group's native histograms in a window; null when there is none. */
  #sumOf(group: Group, index: number, output: GroupOutput, window: number, hasFloats: boolean): Histogram | null {
    const sum = this.#histograms.cells.sum(index, window)
    if (sum === undefined) return null
    const { rule } = group.stage
    if (sum === null) this.#plan.bucketProblem(rule, output.labels)
    else if (hasFloats) this.#plan.mixedProblem(rule, output.labels)
    return hasFloats ? null : sum
  }

  /** The same of native histograms as `#pass` of floats. */
  #passHistogram(target: Contribution, window: number, lives: boolean, sum: Histogram | null, labels: Labels): void {
    if (!lives && sum === null) return
    if (!this.#plan.addsHistograms(target)) {
      this.#plan.histogramProblem(this.#plan.groups[target.group].stage.rule, labels)
      return
    }
    if (lives) this.#histograms.cells.addLiving(target.group, window)
    if (sum) this.#histograms.cells.add(target.group, window, sum)
  }

  /** One window of an output, as a contribution to another rule's group. */
  #pass(target: Contribution, window: number, lives: boolean, hasValue: boolean, value: number, endMs: number): void {
    const { windowCount } = this.#request
    const group = this.#plan.groups[target.group]
    const cells = this.#cells.of(target.group)
    if (lives) cells.living[group.number * (windowCount + 1) + window + 1]++
    if (!hasValue) return
    const cell = group.number * windowCount + window
    const rate = (value * 1000) / this.#options.resolutionMs
    this.#cells.fold(group, cell, target.each === 'count' ? 1 : target.each === 'rate' ? rate : value, endMs)
    cells.contributed[cell]++
  }

  async #breathe(): Promise<void> {
    if (this.#writer.isFull) await this.#writer.flush()
    const { clock } = this.#options
    if (clock.monotonicMs() - this.#turnStartMs < TURN_MS) return
    await clock.yield()
    this.#request.signal?.throwIfAborted()
    this.#turnStartMs = clock.monotonicMs()
  }

  #addEmptyMember(member: number, endMs: number): void {
    const labels = this.#labelsOfMember(member)
    if (!labels) return
    const slots = COLUMNS.flatMap((_, column) =>
      (this.#plan.memberColumns[member] & (1 << column)) === 0 ? [] : [member * COLUMNS.length + column],
    )
    if (slots.length > 0) this.#empty.push({ labels, table: MEMBER, slots, endMs })
  }

  /** Hides what stands where a window has no output any more: a staleness marker before a late sample, mostly. */
  async #removeEmpty(): Promise<void> {
    const bySeries = new Map<string, EmptyWindow[]>()
    for (const empty of this.#empty) {
      const list = bySeries.get(empty.labels.key)
      if (list) list.push(empty)
      else bySeries.set(empty.labels.key, [empty])
    }
    for (const windows of bySeries.values()) {
      const written = await this.#writtenEnds(windows)
      for (const { table, slots, endMs } of windows) {
        if (!written.has(endMs)) continue
        for (const slot of slots) this.#writer.addAbsent(table, slot, endMs)
      }
      if (this.#writer.isFull) await this.#breathe()
    }
  }

  /** At which of these ends the series has something. */
  async #writtenEnds(windows: readonly EmptyWindow[]): Promise<Set<number>> {
    const [{ labels, table, slots }] = windows
    const column =
      (table === MEMBER ? this.#memberSeries(slots[0]) : this.#groupSeries(slots[0]))?.columnOf(slots[0]) ?? 'value'
    const ends = windows.map(({ endMs }) => endMs)
    const matchers = [...labels].map(([name, value]) => ({ name, operator: '=' as const, value }))
    const range = { startMs: Math.min(...ends), endMs: Math.max(...ends) + 1 }
    const { batches } = await this.#options.target.select({ matchers, ...range, column })
    const written = new Set<number>()
    for await (const batch of batches) {
      for (let series = 0; series < batch.seriesCount; series++) {
        // The matchers let series with more labels pass.
        if (batch.labelOffsets[series + 1] - batch.labelOffsets[series] !== labels.size) continue
        const times = batch.timestampColumns[series]
        for (let at = batch.timestampOffsets[times]; at < batch.timestampOffsets[times + 1]; at++) {
          written.add(batch.timestampsMs[at])
        }
      }
    }
    return written
  }

  #labelsOfMember(member: number): Labels | undefined {
    return this.#options.raw.labelsOf(this.#plan.memberRefs[member])
  }

  #memberSeries(slot: number) {
    const member = Math.floor(slot / COLUMNS.length)
    const labels = this.#labelsOfMember(member)
    if (!labels) return null
    const columnOf = (other: number) =>
      Math.floor(other / COLUMNS.length) === member ? COLUMNS[other % COLUMNS.length] : null
    return { labels, columnOf }
  }

  #groupSeries(slot: number) {
    const output = this.#plan.groups[Math.floor(slot / OUTPUTS_MAX)].outputs[slot % OUTPUTS_MAX]
    if (!output) return null
    return { labels: output.labels, columnOf: (other: number) => (other === slot ? COLUMNS[output.column] : null) }
  }
}

/** A rule has at most so many aggregations (`rule-document.ts`). */
const OUTPUTS_MAX = 32
const NO_STATE = noState()

function labelsIn(batch: SeriesBatch, symbols: readonly string[], series: number): Labels {
  const flat: string[] = []
  for (let i = batch.labelOffsets[series] * 2; i < batch.labelOffsets[series + 1] * 2; i++) {
    flat.push(symbols[batch.labelPairs[i]])
  }
  return Labels.fromSorted(flat)
}

function hasAny(indexes: ReadonlyMap<number, Histogram>, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (indexes.has(at)) return true
  return false
}
