/**
 * One evaluation of contiguous windows: reads the samples, folds them, writes the outputs.
 *
 * **W1** The watermark is committed with the last rows of its windows, never before. *Held by* `RowWriter.flush`, and by
 *   waiting for `HotWindow.settle` before it.
 * **W2** Any order of computing and recomputing windows writes the same. *Held by* `SeriesScan`, `SliceScan`, the folds, and
 *   the property test against the naive twin.
 */
import type { Namespace, Watermark } from '@varve/tsdb-core'
import type { Clock } from '@varve/tsdb-core/env'
import { type Histogram, halvesOf, isStaleAt, Labels, type Matcher, METRIC_NAME } from '@varve/tsdb-core/model'
import type { SeriesBatch } from '@varve/tsdb-core/query'
import { FrozenWindows } from '../drops/frozen-windows.js'
import type { DropFacts } from '../drops/raw-drops.js'
import { contributedBy } from './contribution.js'
import { bySeries, type EmptyWindow, writtenEnds } from './empty-windows.js'
import type { EvaluatorMemory } from './evaluator-memory.js'
import { GroupCells } from './group-cells.js'
import { GroupEmission, OUTPUTS_MAX } from './group-emission.js'
import { HistogramRun } from './histogram-run.js'
import { histogramsByIndex, splitSeries } from './histogram-samples.js'
import { HotWindow } from './hot-window.js'
import type { MemberStates } from './member-states.js'
import { COLUMNS, COUNT, INCREASE, MAX, MIN, SUM, type WindowPlan } from './plan.js'
import { RowWriter } from './row-writer.js'
import { findSamplesBefore, matchersFor } from './sample-before.js'
import { LOOKBACK_MS, livesAt, noState, SeriesScan } from './series-scan.js'

/** The event loop gets its turn after so much computing. */
const TURN_MS = 3
/** More members than this are read by the selectors of the rules. */
const LEFT_MAX = 20_000
const MEMBER = 0

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

interface Pending {
  readonly member: number
  readonly timestampsMs: Float64Array
  readonly values: Float64Array
}

/** One evaluation. */
export class WindowRun {
  readonly #memory: EvaluatorMemory
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
  readonly #groups: GroupEmission
  /** The window's short way was taken by all members. */
  #isAllScanned = false
  #readSampleCount = 0
  #turnStartMs: number

  constructor(options: EvaluatorOptions, memory: EvaluatorMemory, request: EvaluateRequest) {
    const { memberSlots, groupSlots, histogramStates, states } = memory
    this.#memory = memory
    this.#plan = options.plan
    this.#request = request
    this.#options = options
    this.#scan = new SeriesScan(options.resolutionMs)
    this.#states = states
    this.#cells = new GroupCells(options.plan, request.windowCount)
    this.#hot =
      request.only === null && request.watermark !== null && memory.isHotAt(request.firstEndMs - options.resolutionMs)
    this.#advances = request.only === null && request.watermark !== null
    this.#forgotten = this.#hot ? memory.takeForgotten() : new Set()
    this.#touchedGroups = request.only === null ? null : new Set()
    this.#turnStartMs = options.clock.monotonicMs()
    const frozen = options.drops === undefined ? null : this.#frozenWindows(options.drops())
    this.#isFrozen = frozen !== null
    this.#writer = new RowWriter({
      target: options.target,
      pause: () => this.#pause(),
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
    this.#groups = new GroupEmission({
      plan: options.plan,
      cells: this.#cells,
      histograms: this.#histograms.cells,
      writer: this.#writer,
      firstEndMs: request.firstEndMs,
      windowCount: request.windowCount,
      resolutionMs: options.resolutionMs,
      touchedGroups: this.#touchedGroups,
      addEmpty: (empty) => void (request.only !== null && this.#empty.push(empty)),
    })
  }

  /** Null: series left the head while their windows were computed, and it is to be done again. */
  async go(): Promise<Evaluation | null> {
    const { firstEndMs, windowCount, watermark } = this.#request
    const { resolutionMs } = this.#options
    this.#memory.beginRun(this.#advances ? firstEndMs - resolutionMs : null)
    if (this.#advances && !this.#hot) this.#memory.clearStates()
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
    // What was written so far is written once more, as it is.
    if (this.#memory.lostInRun) return null
    await this.#writer.flush(watermark ? [{ ...watermark, timestampMs: lastEndMs }, ...marks] : undefined)
    if (this.#memory.lostInRun) return null
    this.#memory.endRun(this.#advances ? lastEndMs : null)
    return {
      rowCount: this.#writer.writtenCount + (hotWindow?.rowCount ?? 0),
      readSampleCount: this.#readSampleCount + (hotWindow?.readSampleCount ?? 0),
      rowsByRule: this.#groups.rowsByRule,
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
      used: this.#memory.used,
      states: this.#states,
      cells: this.#cells,
      endMs: firstEndMs,
      resolutionMs,
      lookbackMs: LOOKBACK_MS,
      pause: () => this.#pause(),
    })
    const isDone = await hotWindow.run()
    this.#isAllScanned =
      isDone && hotWindow.left.length === 0 && this.#forgotten.size === 0 && this.#memory.histogramStates.size === 0
    if (!this.#isAllScanned) hotWindow.forEachScanned((member) => void this.#memory.see(member))
    if (!isDone || hotWindow.left.length > LEFT_MAX) await this.#read()
    else if (hotWindow.left.length > 0) await this.#readMembers(hotWindow.left)
    return hotWindow
  }

  /** Matches series that are new in the head. */
  async #addCreated(): Promise<void> {
    let count = 0
    for (const refs of this.#memory.takeCreated()) {
      for (const ref of refs) {
        // Those that are known take their time too: at first these are all series of the head.
        if ((++count & 63) === 0) await this.#breathe()
        if (this.#plan.memberOf(ref) >= 0) continue
        const labels = this.#options.raw.labelsOf(ref)
        if (labels) this.#plan.addMember(ref, labels)
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
      if (!labels) this.#memory.noteLost()
      return labels ? [{ seriesRef, labels }] : []
    })
    const range = { startMs: firstEndMs - resolutionMs + 1, endMs: firstEndMs + 1, ...(signal && { signal }) }
    for (const matchers of matchersFor(wanted)) {
      const { symbols, batches } = await raw.select({ matchers, ...range, coldRefs: true })
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
        coldRefs: true,
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
      if (!this.#plan.isUsed(member) || !this.#memory.see(member)) continue
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
      if (!this.#memory.see(member)) continue
      if (this.#plan.hasHistograms(member)) this.#histograms.takeForgotten(member)
      this.#pending.push({ member, timestampsMs: new Float64Array(0), values: new Float64Array(0) })
    }
    await this.#histograms.resolvePending()
    if (this.#pending.length === 0) return
    const { raw, resolutionMs } = this.#options
    const beforeMs = this.#request.firstEndMs - resolutionMs
    const wanted: { seriesRef: number; labels: Labels }[] = []
    for (const [index, { member }] of this.#pending.entries()) {
      const seriesRef = this.#plan.memberRefs[member]
      const labels = raw.labelsOf(seriesRef)
      if (labels) wanted.push({ seriesRef, labels })
      else this.#memory.noteLost()
      if ((index & 63) === 63) await this.#pause()
    }
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
    if (!this.#hot || this.#isAllScanned) return
    this.#histograms.passOverSilent((member) => this.#memory.wasSeen(member))
    const { firstEndMs } = this.#request
    const { resolutionMs } = this.#options
    const nothing = new Float64Array(0)
    const halves = halvesOf(nothing)
    const state = this.#state
    for (let member = 0; member < this.#plan.memberCount; member++) {
      if (this.#memory.wasSeen(member) || !this.#plan.isUsed(member)) continue
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
    const start = plan.columns.starts[member]
    const end = start + plan.columns.counts[member]
    for (let i = start; i < end; i++) {
      const index = plan.columns.groups[i]
      const { each } = plan.groups[index]
      if (isWanted) this.#touchedGroups?.add(index)
      if (scan.livedBefore) this.#cells.addLiving(index, -1)
      for (let window = 0; window < scan.windowCount; window++) {
        if (scan.lives[window] === 1) this.#cells.addLiving(index, window)
        if (scan.counts[window] === 0) continue
        if (each === 'all') {
          for (let at = scan.sampleOffsets[window]; at < scan.sampleOffsets[window + 1]; at++) {
            if (!isStaleAt(halves, at)) this.#cells.fold(index, window, values[at], timestampsMs[at + shift])
          }
        } else
          this.#cells.fold(
            index,
            window,
            contributedBy(scan, each, window, scan.resolutionMs),
            scan.lastTimesMs[window],
          )
        this.#cells.addContributed(index, window)
      }
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
        this.#groups.emit(group, index)
        if (this.#writer.isFull || (index & 63) === 63) await this.#breathe()
      }
    }
  }

  async #breathe(): Promise<void> {
    if (this.#writer.isFull) await this.#writer.flush()
    await this.#pause()
  }

  async #pause(): Promise<void> {
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
    const columnOf = ({ table, slots }: EmptyWindow) =>
      (table === MEMBER ? this.#memberSeries(slots[0]) : this.#groupSeries(slots[0]))?.columnOf(slots[0]) ?? 'value'
    for (const windows of bySeries(this.#empty)) {
      const written = await writtenEnds(this.#options.target, windows, columnOf(windows[0]))
      for (const { table, slots, endMs } of windows) {
        if (!written.has(endMs)) continue
        for (const slot of slots) this.#writer.addAbsent(table, slot, endMs)
      }
      if (this.#writer.isFull) await this.#breathe()
    }
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
