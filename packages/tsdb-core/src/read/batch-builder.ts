/**
 * Turns series of several sources into one `SeriesBatch`.
 *
 * Most series have runs that follow each other, and share their time columns with their neighbours: such a plan of runs is
 * made once, its timestamps are decoded once, and each further series costs the decoding of its values straight into the
 * batch. All else goes through `SampleMerge`.
 */

import { grownF64, grownU32 } from '../index/growable.js'
import type { AggregateColumn } from '../model/aggregate.js'
import { COLUMNS, COUNT_COLUMN, columnNumber, LAST_COLUMN, VALUE_COLUMN } from '../model/columns.js'
import type { Histogram } from '../model/histogram.js'
import type { Extreme } from '../query/queryable.js'
import type { SeriesBatch } from '../query/series-batch.js'
import { AlikeSeries } from './alike-series.js'
import { SampleMerge } from './merge-samples.js'
import { PieceList } from './piece-list.js'
import type { SampleSource, SeriesEntries } from './sample-source.js'

export interface ReadRange {
  readonly startMs: number
  readonly endMs: number
  /** In a namespace with a resolution: which aggregate, and whether counts stand beside. */
  readonly column?: AggregateColumn
  readonly counts?: boolean
  /** A series without the column has no samples, instead of those of another column. */
  readonly exactColumn?: boolean
  /** Markers of removed windows stay, for a block beside older ones. */
  readonly keepsAbsent?: boolean
  /** Values may be read as 0 where none of them is NaN. */
  readonly presenceOnly?: boolean
  /** Of a run that lies in the range whole, one value is enough. */
  readonly extreme?: Extreme
  /** Newer samples replace older ones of the same timestamp. */
  readonly replaces: boolean
}

const EMPTY: Float64Array = new Float64Array(0)

/** Memory for the columns of a select, which goes from batch to batch and, when nobody looks at them any more, to the next select. */
export class BatchMemory {
  values: Float64Array = EMPTY
  times: Float64Array = EMPTY
  timeOffsets: Uint32Array = new Uint32Array(8)
  labelPairs: Uint32Array = new Uint32Array(64)
  labelOffsets: Uint32Array = new Uint32Array(64)

  get sizeBytes(): number {
    return this.values.byteLength + this.times.byteLength + this.timeOffsets.byteLength + this.labelPairs.byteLength
  }
}

const EXTREME = 0xffffffff

/** Which samples make up a time column. */
interface Plan {
  /** Source and time column of each run; of one run alone empty. */
  readonly key: Float64Array
  /** Clip of each run: `[from, to)` of its samples; `EXTREME` and its last for one value that stands for all. */
  readonly clips: Uint32Array
  readonly count: number
  readonly timeColumn: number
}

/**
 * Working columns of all builders. A batch is begun, filled and finished in one turn of the event loop, so builders cannot meet
 * in them; and small queries would otherwise spend their time on making arrays.
 */
const workspace = {
  pieces: new PieceList(),
  merge: new SampleMerge(),
  countMerge: new SampleMerge(),
  scratch: new Float64Array(1024) as Float64Array,
  sampleOffsets: new Uint32Array(64) as Uint32Array,
  timeColumns: new Uint32Array(64) as Uint32Array,
  /** Runs that may have start timestamps, `START_RUN_SIZE` numbers each: source, handle, count, from, to, place. */
  startRuns: new Float64Array(0) as Float64Array,
  startRunsEnd: 0,
}
const START_RUN_SIZE = 6
/** Time columns are kept from batch to batch up to this, 1 MiB. */
const TIMESTAMPS_PER_TABLE = 128 * 1024
let tables = 0

export class BatchBuilder {
  readonly #sources: readonly SampleSource[]
  readonly #range: ReadRange
  readonly #memory: BatchMemory | undefined

  readonly #plans = new Map<number, Plan[]>()
  /** Those of one run alone, by source and time column: neighbours are mostly of different targets, and take turns. */
  readonly #plansOfOne: Map<number, Plan>[]
  #lastPlan: Plan | undefined
  /** Undefined where runs alone do not tell how a series is read. */
  readonly #alike: AlikeSeries<Plan> | undefined
  /** Time columns of this batch and those before it; only ever added to, since batches look into it. */
  #times: Float64Array = EMPTY
  #timeOffsets: Uint32Array = new Uint32Array(8)
  #timeColumnCount = 0
  #timeTable = 0
  readonly #versions: number[] = []
  #values: Float64Array = EMPTY
  #starts: Float64Array | undefined
  #counts: Float64Array | undefined
  /** Values that others of the same timestamp won over, in all batches. */
  conflictCount = 0
  #sampleCount = 0
  #seriesCount = 0
  #histogramIndexes: number[] = []
  #histograms: Histogram[] = []
  readonly #wanted: number
  readonly #hasAbsent: boolean
  readonly #hasStarts: boolean
  readonly #hasHistograms: boolean
  readonly #hasDeletions: boolean

  /** @param memory what batches may share: each of them is good until the next begins. Without it each gets its own. */
  constructor(sources: readonly SampleSource[], range: ReadRange, memory?: BatchMemory) {
    this.#sources = sources
    this.#range = range
    this.#memory = memory
    this.#plansOfOne = sources.map(() => new Map<number, Plan>())
    this.#wanted = columnNumber(range.column ?? COLUMNS[VALUE_COLUMN])
    this.#hasAbsent = sources.some((source) => source.hasAbsent)
    this.#hasStarts = sources.some((source) => source.hasStarts)
    this.#hasHistograms = sources.some((source) => source.hasHistograms)
    this.#hasDeletions = sources.some((source) => source.hasDeletions)
    const isPlain = !range.replaces && range.extreme === undefined && !this.#hasStarts && !this.#hasAbsent
    if (isPlain) this.#alike = new AlikeSeries(sources, range.startMs, range.endMs)
  }

  begin(): void {
    let known = this.#timeTable !== 0 && this.#timeOffsets[this.#timeColumnCount] < TIMESTAMPS_PER_TABLE
    for (let i = 0; i < this.#sources.length; i++) {
      const version = this.#sources[i].begin(this.#range.presenceOnly === true)
      if (version !== this.#versions[i]) known = false
      this.#versions[i] = version
    }
    if (!known) this.#newTimeTable()
    this.#values = this.#memory?.values ?? EMPTY
    this.#starts = undefined
    this.#counts = this.#range.counts ? EMPTY : undefined
    this.#sampleCount = 0
    this.#seriesCount = 0
    workspace.sampleOffsets[0] = 0
    workspace.startRunsEnd = 0
    this.#histogramIndexes = []
    this.#histograms = []
  }

  /** Adds one series; false when it has no samples in the range, and is then not in the batch. */
  add(entries: SeriesEntries, from: number, to: number): boolean {
    const before = this.#sampleCount
    const plan = this.#queueAlike(entries, from, to) ?? this.#queueOrMerge(entries, from, to)
    if (this.#sampleCount === before) return false
    const at = this.#seriesCount++
    workspace.sampleOffsets = grownU32(workspace.sampleOffsets, at + 2)
    workspace.timeColumns = grownU32(workspace.timeColumns, at + 1)
    workspace.sampleOffsets[at + 1] = this.#sampleCount
    workspace.timeColumns[at] = plan !== undefined ? plan.timeColumn : this.#timeColumnCount - 1
    if (this.#counts !== undefined && !this.#readCounts(entries, from, to, before, plan)) {
      this.#addCounts(entries, from, to, before)
    }
    return true
  }

  get seriesCount(): number {
    return this.#seriesCount
  }

  /** Of the series added so far. */
  get sampleCount(): number {
    return this.#sampleCount
  }

  /**
   * The batch without its labels, its values decoded now. Its columns are the caller's, unless the builder was given memory;
   * the timestamps are shared with other batches in any case, and not to be changed.
   */
  finish(): Omit<SeriesBatch, 'labelOffsets' | 'labelPairs'> {
    const count = this.#sampleCount
    if (this.#values.length < count) this.#values = enlarged(this.#values, count)
    for (const source of this.#sources) source.readQueued(this.#values)
    for (let run = 0; run < workspace.startRunsEnd; run += START_RUN_SIZE) this.#readStarts(run)
    if (this.#memory !== undefined) {
      this.#memory.values = this.#values
      this.#memory.times = this.#times
      this.#memory.timeOffsets = this.#timeOffsets
    }
    return {
      seriesCount: this.#seriesCount,
      sampleOffsets: workspace.sampleOffsets.slice(0, this.#seriesCount + 1),
      values: this.#values.subarray(0, count),
      timestampColumns: workspace.timeColumns.slice(0, this.#seriesCount),
      timestampOffsets: this.#timeOffsets.subarray(0, this.#timeColumnCount + 1),
      timestampsMs: this.#times.subarray(0, this.#timeOffsets[this.#timeColumnCount]),
      timestampTable: this.#timeTable,
      ...(this.#counts !== undefined && { counts: grownF64(this.#counts, count).subarray(0, count) }),
      ...(this.#starts !== undefined && { startTimestampsMs: grownF64(this.#starts, count).subarray(0, count) }),
      ...(this.#histograms.length > 0 && {
        histograms: { sampleIndexes: Uint32Array.from(this.#histogramIndexes), histograms: this.#histograms },
      }),
    }
  }

  #newTimeTable(): void {
    this.#plans.clear()
    for (const plans of this.#plansOfOne) plans.clear()
    this.#lastPlan = undefined
    this.#alike?.clear()
    this.#times = this.#memory?.times ?? EMPTY
    this.#timeOffsets = this.#memory?.timeOffsets ?? new Uint32Array(8)
    this.#timeColumnCount = 0
    this.#timeTable = ++tables
  }

  /** The plan of a series whose runs are known to be like those of one before it, and are queued. */
  #queueAlike(entries: SeriesEntries, from: number, to: number): Plan | undefined {
    const likeness = this.#alike?.find(entries, from, to)
    if (likeness === undefined) return undefined
    this.#sampleCount = this.#alike?.queue(likeness, this.#sampleCount) ?? this.#sampleCount
    return likeness.plan
  }

  /** Collects the series' runs; undefined where they had to be merged. */
  #queueOrMerge(entries: SeriesEntries, from: number, to: number): Plan | undefined {
    const pieces = workspace.pieces
    pieces.length = 0
    this.#collect(entries, from, to, pieces)
    const isPlain = this.#isPlain(entries, from, to) && !this.#lacksWindows(entries, from, to, pieces)
    const plan = isPlain ? this.#planOf(pieces) : undefined
    if (plan === undefined) {
      this.#mergeAll(entries, from, to, pieces)
      return undefined
    }
    this.#queue(pieces, plan)
    this.#alike?.note(entries, from, to, pieces, plan.clips, plan)
    return plan
  }

  #collect(entries: SeriesEntries, from: number, to: number, pieces: PieceList, column?: number): void {
    const { startMs, endMs } = this.#range
    for (let k = from; k < to; k++) {
      const source = this.#sources[entries.sources[k]]
      const series = entries.series[k]
      pieces.source = entries.sources[k]
      source.pieces(series, column ?? this.#columnIn(source, series), startMs, endMs, pieces)
    }
  }

  /** The wanted column where the series has it, else `value`, else `last`. */
  #columnIn(source: SampleSource, series: number): number {
    if (!this.#range.replaces) return VALUE_COLUMN
    if (this.#range.exactColumn) return this.#wanted
    const mask = source.columnMask(series)
    const wanted = this.#wanted
    return mask & (1 << wanted) ? wanted : mask & (1 << VALUE_COLUMN) ? VALUE_COLUMN : LAST_COLUMN
  }

  /** The column that stands in for the wanted one where a series has both; -1: none does. */
  #standInBeside(source: SampleSource, series: number): number {
    const { replaces, exactColumn } = this.#range
    if (!replaces || exactColumn) return -1
    const mask = source.columnMask(series)
    const wanted = this.#wanted
    if ((mask & (1 << wanted)) === 0) return -1
    if (wanted !== VALUE_COLUMN && mask & (1 << VALUE_COLUMN)) return VALUE_COLUMN
    return wanted !== LAST_COLUMN && mask & (1 << LAST_COLUMN) ? LAST_COLUMN : -1
  }

  /**
   * Whether somewhere the column that stands in has more windows than the wanted one, whose runs are in `pieces`: a rule kept
   * the former alone for a while. All columns of a window are written together, so that counting is enough.
   */
  #lacksWindows(entries: SeriesEntries, from: number, to: number, pieces: PieceList): boolean {
    const { startMs, endMs, replaces, exactColumn } = this.#range
    if (!replaces || exactColumn) return false
    const { length } = pieces
    for (let k = from, at = 0; k < to; k++) {
      let wantedCount = 0
      for (; at < length && pieces.sources[at] === entries.sources[k]; at++) wantedCount += pieces.counts[at]
      const source = this.#sources[entries.sources[k]]
      const standIn = this.#standInBeside(source, entries.series[k])
      if (standIn < 0) continue
      source.pieces(entries.series[k], standIn, startMs, endMs, pieces)
      let count = 0
      for (let i = length; i < pieces.length; i++) count += pieces.counts[i]
      pieces.length = length
      if (count > wantedCount) return true
    }
    return false
  }

  /** Whether the series has float samples only, none of them deleted or hidden. */
  #isPlain(entries: SeriesEntries, from: number, to: number): boolean {
    if (this.#hasAbsent) return false
    if (!this.#hasDeletions && !this.#hasHistograms) return true
    const { startMs, endMs } = this.#range
    for (let k = from; k < to; k++) {
      const source = this.#sources[entries.sources[k]]
      const series = entries.series[k]
      if (source.deletedRanges(series) !== undefined) return false
      if (source.hasHistograms && source.histogramCount(series, this.#columnIn(source, series), startMs, endMs) > 0)
        return false
    }
    return true
  }

  /** The plan for these runs, or `undefined` when they overlap. Sorts them. */
  #planOf(pieces: PieceList): Plan | undefined {
    if (pieces.length === 1) return this.#planOfOne(pieces)
    let sorted = true
    for (let i = 1; i < pieces.length; i++) if (pieces.firstMs[i] <= pieces.lastMs[i - 1]) sorted = false
    if (!sorted) {
      pieces.sort(0, pieces.length)
      for (let i = 1; i < pieces.length; i++) if (pieces.firstMs[i] <= pieces.lastMs[i - 1]) return undefined
    }
    const last = this.#lastPlan
    if (last !== undefined && isPlanOf(last, pieces)) return last
    let hash = pieces.length
    for (let i = 0; i < pieces.length; i++) {
      hash = Math.imul(hash ^ (pieces.timeColumns[i] + pieces.sources[i] * 7919), 0x9e3779b1) ^ (hash >>> 15)
    }
    const known = this.#plans.get(hash)
    const plan = known?.find((candidate) => isPlanOf(candidate, pieces)) ?? this.#makePlan(pieces)
    if (known === undefined) this.#plans.set(hash, [plan])
    else if (!known.includes(plan)) known.push(plan)
    this.#lastPlan = plan
    return plan
  }

  #planOfOne(pieces: PieceList): Plan {
    const plans = this.#plansOfOne[pieces.sources[0]]
    const timeColumn = pieces.timeColumns[0]
    let plan = plans.get(timeColumn)
    if (plan === undefined) plans.set(timeColumn, (plan = this.#makePlan(pieces)))
    return plan
  }

  #makePlan(pieces: PieceList): Plan {
    const { startMs, endMs } = this.#range
    const clips = new Uint32Array(pieces.length * 2)
    // One run alone is found by its time column.
    const key = pieces.length === 1 ? EMPTY : new Float64Array(pieces.length * 2)
    const first = this.#timeOffsets[this.#timeColumnCount]
    let at = first
    for (let i = 0; i < pieces.length; i++) {
      const count = pieces.counts[i]
      key[i * 2] = pieces.sources[i]
      key[i * 2 + 1] = pieces.timeColumns[i]
      this.#times = grownF64(this.#times, at + count)
      const times = this.#times
      this.#sources[pieces.sources[i]].readTimes(pieces.timeColumns[i], times, at)
      const from = pieces.firstMs[i] >= startMs ? 0 : lowerBound(times, at, at + count, startMs) - at
      const to = pieces.lastMs[i] < endMs ? count : lowerBound(times, at, at + count, endMs) - at
      clips[i * 2] = from
      clips[i * 2 + 1] = Math.max(from, to)
      if (count > 1 && to - from === count && this.#summarizes(pieces.sources[i])) {
        clips[i * 2] = EXTREME
        times[at] = times[at + count - 1]
        at++
        continue
      }
      if (from > 0) times.copyWithin(at, at + from, at + to)
      at += Math.max(0, to - from)
    }
    const timeColumn = this.#closeTimeColumn(at)
    return { key, clips, count: at - first, timeColumn }
  }

  #summarizes(source: number): boolean {
    const { queueExtreme, hasStarts } = this.#sources[source]
    return this.#range.extreme !== undefined && queueExtreme !== undefined && !hasStarts
  }

  #closeTimeColumn(endOffset: number): number {
    const timeColumn = this.#timeColumnCount++
    this.#timeOffsets = grownU32(this.#timeOffsets, timeColumn + 2)
    this.#timeOffsets[timeColumn + 1] = endOffset
    return timeColumn
  }

  /** The values are decoded with all others of the batch. */
  #queue(pieces: PieceList, plan: Plan): void {
    let at = this.#sampleCount
    for (let i = 0; i < pieces.length; i++) {
      const from = plan.clips[i * 2]
      const to = plan.clips[i * 2 + 1]
      if (from === to) continue
      const source = this.#sources[pieces.sources[i]]
      const handle = pieces.handles[i]
      const count = pieces.counts[i]
      if (from === EXTREME) {
        source.queueExtreme?.(handle, this.#range.extreme as Extreme, at++)
        continue
      }
      source.queueValues(handle, count, from, to, at)
      if (this.#hasStarts && source.hasStarts) queueStarts(pieces.sources[i], handle, count, from, to, at)
      at += to - from
    }
    this.#sampleCount = at
  }

  #readStarts(run: number): void {
    const [source, handle, count, from, to, at] = workspace.startRuns.subarray(run, run + START_RUN_SIZE)
    workspace.scratch = grownF64(workspace.scratch, count)
    if (!this.#sources[source].readStarts(handle, workspace.scratch, 0)) return
    this.#starts = grownF64(this.#starts ?? EMPTY, this.#sampleCount)
    this.#starts.set(workspace.scratch.subarray(from, to), at)
  }

  #mergeAll(entries: SeriesEntries, from: number, to: number, pieces: PieceList): void {
    const merge = workspace.merge
    this.#fillMerge(merge, entries, from, to, pieces, undefined)
    this.conflictCount += merge.conflictCount
    if (merge.count === 0) return
    const at = this.#sampleCount
    this.#values = enlarged(this.#values, at + merge.count)
    this.#values.set(merge.values.subarray(0, merge.count), at)
    if (merge.hasStarts) {
      this.#starts = grownF64(this.#starts ?? EMPTY, at + merge.count)
      this.#starts.set(merge.starts.subarray(0, merge.count), at)
    }
    if (merge.hasHistograms) {
      for (let i = 0; i < merge.count; i++) {
        const histogram = merge.histograms[i]
        if (histogram === undefined) continue
        this.#histogramIndexes.push(at + i)
        this.#histograms.push(histogram)
      }
    }
    this.#sampleCount = at + merge.count
    const first = this.#timeOffsets[this.#timeColumnCount]
    this.#times = grownF64(this.#times, first + merge.count)
    this.#times.set(merge.times.subarray(0, merge.count), first)
    this.#closeTimeColumn(first + merge.count)
  }

  /** All samples of the series in the range, each once, in `merge`. */
  #fillMerge(
    merge: SampleMerge,
    entries: SeriesEntries,
    from: number,
    to: number,
    pieces: PieceList,
    column: number | undefined,
  ): void {
    const { startMs, endMs, replaces } = this.#range
    merge.clear()
    for (let k = from; k < to; k++) {
      const source = this.#sources[entries.sources[k]]
      const series = entries.series[k]
      const deleted = source.deletedRanges(series)
      const keeps = (timestampMs: number) =>
        timestampMs >= startMs && timestampMs < endMs && !isWithin(deleted, timestampMs)
      pieces.length = 0
      pieces.source = entries.sources[k]
      // First what stands in: of equal times the later one is kept.
      const standIn = column === undefined ? this.#standInBeside(source, series) : -1
      if (standIn >= 0) source.pieces(series, standIn, startMs, endMs, pieces)
      const columnHere = column ?? this.#columnIn(source, series)
      source.pieces(series, columnHere, startMs, endMs, pieces)
      for (let i = 0; i < pieces.length; i++) addRun(merge, source, pieces, i, keeps)
      const run = source.hasHistograms ? source.histograms(series, columnHere, startMs, endMs) : undefined
      if (run === undefined) continue
      for (let i = 0; i < run.histograms.length; i++) {
        if (keeps(run.timestampsMs[i])) {
          merge.addHistogram(run.timestampsMs[i], run.startTimestampsMs[i], run.histograms[i])
        }
      }
    }
    merge.settle(replaces, this.#range.keepsAbsent === true)
  }

  /** Fills `counts` of the series just added where they stand in runs like those of its values; false where they do not. */
  #readCounts(entries: SeriesEntries, from: number, to: number, firstSample: number, plan: Plan | undefined): boolean {
    if (plan === undefined) return false
    const pieces = workspace.pieces
    pieces.length = 0
    this.#collect(entries, from, to, pieces, COUNT_COLUMN)
    pieces.sort(0, pieces.length)
    const isAlike =
      plan.key.length > 0
        ? isPlanOf(plan, pieces)
        : pieces.length === 1 && this.#plansOfOne[pieces.sources[0]].get(pieces.timeColumns[0]) === plan
    if (!isAlike) return false
    this.#counts = grownF64(this.#counts as Float64Array, this.#sampleCount)
    let at = firstSample
    for (let i = 0; i < pieces.length; i++) {
      const first = plan.clips[i * 2]
      const last = plan.clips[i * 2 + 1]
      workspace.scratch = grownF64(workspace.scratch, pieces.counts[i])
      this.#sources[pieces.sources[i]].readValues(pieces.handles[i], workspace.scratch, 0)
      this.#counts.set(workspace.scratch.subarray(first, last), at)
      at += last - first
    }
    return true
  }

  /** Fills `counts` of the series just added, by time; NaN where a window has no count. */
  #addCounts(entries: SeriesEntries, from: number, to: number, firstSample: number): void {
    const merge = workspace.countMerge
    this.#fillMerge(merge, entries, from, to, workspace.pieces, COUNT_COLUMN)
    this.#counts = grownF64(this.#counts as Float64Array, this.#sampleCount)
    const counts = this.#counts
    const timeColumn = workspace.timeColumns[this.#seriesCount - 1]
    let timeAt = this.#timeOffsets[timeColumn]
    let k = 0
    for (let at = firstSample; at < this.#sampleCount; at++, timeAt++) {
      const time = this.#times[timeAt]
      while (k < merge.count && merge.times[k] < time) k++
      counts[at] = k < merge.count && merge.times[k] === time ? merge.values[k] : Number.NaN
    }
  }
}

function queueStarts(...run: readonly [number, number, number, number, number, number]): void {
  workspace.startRuns = grownF64(workspace.startRuns, workspace.startRunsEnd + START_RUN_SIZE)
  workspace.startRuns.set(run, workspace.startRunsEnd)
  workspace.startRunsEnd += START_RUN_SIZE
}

/** A column with room for so many values; what it held is copied. */
function enlarged(values: Float64Array, length: number): Float64Array {
  if (values.length >= length) return values
  // Queries of a few series get what they need; a batch that grows does so by half.
  return values.length === 0 ? new Float64Array(length) : grownF64(values, length)
}

function addRun(
  merge: SampleMerge,
  source: SampleSource,
  pieces: PieceList,
  i: number,
  keeps: (timestampMs: number) => boolean,
): void {
  const count = pieces.counts[i]
  const at = merge.reserve(count)
  source.readTimes(pieces.timeColumns[i], merge.times, at)
  source.readValues(pieces.handles[i], merge.values, at)
  if (source.hasStarts && source.readStarts(pieces.handles[i], merge.starts, at)) merge.hasStarts = true
  let kept = at
  for (let j = at; j < at + count; j++) {
    if (!keeps(merge.times[j])) continue
    if (kept !== j) {
      merge.times[kept] = merge.times[j]
      merge.values.copyWithin(kept, j, j + 1)
      merge.starts[kept] = merge.starts[j]
    }
    kept++
  }
  merge.count = kept
}

function isPlanOf(plan: Plan, pieces: PieceList): boolean {
  const { key } = plan
  if (key.length !== pieces.length * 2) return false
  for (let i = 0; i < pieces.length; i++) {
    if (key[i * 2 + 1] !== pieces.timeColumns[i] || key[i * 2] !== pieces.sources[i]) return false
  }
  return true
}

function isWithin(ranges: readonly number[] | undefined, timestampMs: number): boolean {
  if (ranges === undefined) return false
  for (let i = 0; i < ranges.length; i += 2) if (timestampMs >= ranges[i] && timestampMs < ranges[i + 1]) return true
  return false
}

/** First place in `[from, to)` whose element is not less than `wanted`, or `to`. */
function lowerBound(column: Float64Array, from: number, to: number, wanted: number): number {
  let low = from
  let high = to
  while (low < high) {
    const middle = (low + high) >>> 1
    if (column[middle] < wanted) low = middle + 1
    else high = middle
  }
  return low
}
