/**
 * Answers a select over the sources of one shard: postings first, then batches of series as columns.
 */
import type { Clock } from '../env/clock.js'
import { StorageError } from '../errors.js'
import { grownU32 } from '../index/growable.js'
import type { LabelIndex } from '../index/label-index.js'
import { matchedSeries } from '../index/matched-series.js'
import type { AggregateColumn } from '../model/aggregate.js'
import type { CompiledMatcher } from '../query/label-matcher.js'
import type { Extreme, SelectResult } from '../query/queryable.js'
import type { SealedColumns } from '../query/sealed-columns.js'
import type { SeriesBatch } from '../query/series-batch.js'
import { BatchBuilder, BatchMemory } from './batch-builder.js'
import { endedBy } from './ended-by.js'
import type { SampleSource } from './sample-source.js'
import { SeriesGroups, type SourceFamily } from './series-groups.js'
import { countWithoutColumn } from './series-without-column.js'
import { SymbolCollector } from './symbol-collector.js'

const SERIES_PER_BATCH = 1000
/**
 * 1 MiB of values, which mostly stay in the processor's cache until they are used, and are enough for two threads to share. A
 * batch of long series is cut earlier.
 */
const SAMPLES_PER_BATCH = 128 * 1024
/**
 * Memory of selects that were done with theirs, for the next: fresh memory costs as much as decoding into it, and sets the
 * garbage collector going. At most `SPARES_MAX · SPARE_SIZE_BYTES_MAX` bytes.
 */
const spares: BatchMemory[] = []
const SPARES_MAX = 4
const SPARE_SIZE_BYTES_MAX = 4 * 1024 * 1024
/** A turn of the event loop that reads is no longer than this. */
const TURN_MS = 8

export interface SelectParts {
  readonly sources: readonly SampleSource[]
  readonly matchers: readonly CompiledMatcher[]
  readonly startMs: number
  readonly endMs: number
  readonly replaces: boolean
  readonly column?: AggregateColumn
  readonly counts?: boolean
  readonly presenceOnly?: boolean
  readonly extreme?: Extreme
  readonly exactColumn?: boolean
  /** The caller is done with a batch when it asks for the next. */
  readonly reusesBatches?: boolean
  readonly clock: Clock
  readonly signal?: AbortSignal
  readonly warnings: string[]
  /** The index whose series numbers are references of the store, and how a series elsewhere gets one. */
  readonly refs?: SeriesRefs
  /** Only these series of the index of `refs` (and of no other), instead of matchers. */
  readonly seriesRefs?: Uint32Array
  /** Asked before a batch of so many bytes is made; throws when the budget does not allow it. Gives back with `release`. */
  readonly reserve: (sizeBytes: number) => void
  readonly release: (sizeBytes: number) => void
  /** Called once all batches were read, or reading was given up; maybe more than once. */
  readonly done: () => void
}

export interface SeriesRefs {
  readonly index: LabelIndex
  /** Series number times this is the reference. */
  readonly stride: number
  /** False for a series that was evicted: the index may name it still, beside the one that took its place. */
  isLive(series: number): boolean
  /** A reference for a series that only sealed blocks have; 0 for none. */
  refOf(source: SampleSource, series: number): number
}

export async function selectSeries(parts: SelectParts): Promise<SelectResult> {
  const { sources, warnings } = parts
  const pause = pauser(parts.clock, parts.signal)
  try {
    const families = await matchFamilies(parts, pause)
    let seriesCount = 0
    for (const family of families) seriesCount += family.matched.length
    const sealed = sealedOf(parts, families)
    // Whoever reads sealed columns wants the labels of few series, if any.
    const symbols = new SymbolCollector(sources, sealed === undefined ? seriesCount : 0)
    const groups = new SeriesGroups(sources, symbols)
    if (sealed === undefined) await groups.build(families, pause)
    const isOfColumn = parts.replaces && parts.column !== undefined
    const seriesWithoutColumn = isOfColumn ? await countWithoutColumn(parts, groups, pause) : undefined
    return {
      symbols: symbols.symbols,
      batches: endedBy(readBatches(parts, groups, pause, sealed && families), parts.done),
      ...(sealed !== undefined && { sealed: sealed(symbols, pause) }),
      warnings,
      infos: [],
      seriesCountMax: sealed === undefined ? groups.count : seriesCount,
      ...(seriesWithoutColumn !== undefined && { seriesWithoutColumn }),
    }
  } catch (error) {
    parts.done()
    throw error
  }
}

async function matchFamilies(parts: SelectParts, pause: () => Promise<void> | undefined): Promise<SourceFamily[]> {
  const families = new Map<LabelIndex, { sources: number[]; matched: Uint32Array }>()
  for (const [i, { index }] of parts.sources.entries()) {
    let family = families.get(index)
    if (family === undefined) {
      family = { sources: [], matched: parts.seriesRefs ?? (await matchedSeries(index, parts.matchers, pause)) }
      families.set(index, family)
    }
    family.sources.push(i)
  }
  return [...families.values()]
}

/** The columns of the one sealed block that has all of the answer, if it is one. */
function sealedOf(
  parts: SelectParts,
  families: readonly SourceFamily[],
): ((symbols: SymbolCollector, pause: () => Promise<void> | undefined) => SealedColumns) | undefined {
  const used = families.filter(({ matched }) => matched.length > 0)
  if (used.length !== 1 || used[0].sources.length !== 1 || parts.replaces || parts.counts) return undefined
  // One value of a column may be enough, which its header knows.
  if (parts.extreme !== undefined) return undefined
  const { sources, startMs, endMs } = parts
  const [{ sources: places, matched }] = used
  const block = sources[places[0]].sealed
  if (block === undefined) return undefined
  return (symbols, pause) => ({
    series: matched,
    pairs: block.pairs,
    pairOffsets: block.pairOffsets,
    chunkOffsets: block.chunkOffsets,
    chunkEnds: block.chunkEnds,
    chunkTimes: block.chunkTimes,
    numbers: block.numbers,
    times: block.times,
    timeOffsets: block.timeOffsets,
    timeCounts: block.timeCounts,
    pageChunks: block.pageChunks,
    startMs,
    endMs,
    symbolText: (symbol) => block.symbolText(symbol),
    load: (from, to) => block.load(matched, from, to),
    pages: () => block.pages(),
    batches(at) {
      const groups = new SeriesGroups(sources, symbols)
      const some = { sources: places, matched: Uint32Array.from(at, (place) => matched[place]) }
      return readBatches({ ...parts, reusesBatches: false, done: () => undefined }, groups, pause, [some])
    },
  })
}

/** `unjoined`: families of which the groups are not made yet. */
async function* readBatches(
  parts: SelectParts,
  groups: SeriesGroups,
  pause: () => Promise<void> | undefined,
  unjoined?: readonly SourceFamily[],
): AsyncGenerator<SeriesBatch> {
  const { sources, startMs, endMs } = parts
  let reservedBytes = 0
  const memory = parts.reusesBatches ? (spares.pop() ?? new BatchMemory()) : undefined
  try {
    if (unjoined !== undefined) await groups.build(unjoined, pause)
    const range = {
      startMs,
      endMs,
      replaces: parts.replaces,
      presenceOnly: parts.presenceOnly === true && !parts.replaces,
      ...(parts.extreme !== undefined && !parts.replaces && { extreme: parts.extreme }),
      ...(parts.column !== undefined && { column: parts.column }),
      ...(parts.counts !== undefined && { counts: parts.counts }),
      ...(parts.exactColumn !== undefined && { exactColumn: parts.exactColumn }),
    }
    const builder = new BatchBuilder(sources, range, memory)
    let width = SERIES_PER_BATCH
    for (let first = 0; first < groups.count; ) {
      const waiting = pause()
      if (waiting !== undefined) await waiting
      const last = Math.min(groups.count, first + width)
      for (const loading of loads(sources, groups, first, last, startMs, endMs)) await loading
      // From here to the end of the batch nothing is awaited: open blocks must not change.
      builder.begin()
      const { end, ...labels } = addSeries(parts, builder, groups, first, last, memory)
      // Series of one select are much alike: what the next batch will hardly hold is not brought into memory for it.
      width = Math.min(SERIES_PER_BATCH, (end - first) * 2)
      first = end
      if (builder.seriesCount === 0) continue
      const sizeBytes = builder.sampleCount * 8
      parts.reserve(sizeBytes)
      reservedBytes += sizeBytes
      yield { ...builder.finish(), ...labels }
      parts.release(reservedBytes)
      reservedBytes = 0
    }
  } finally {
    if (memory !== undefined && spares.length < SPARES_MAX && memory.sizeBytes <= SPARE_SIZE_BYTES_MAX) {
      spares.push(memory)
    }
    parts.release(reservedBytes)
    parts.done()
  }
}

interface BatchLabels {
  readonly labelOffsets: Uint32Array
  readonly labelPairs: Uint32Array
  readonly seriesRefs?: Uint32Array
}

/** Adds series from `first` on until the batch is full; `end` is the first that is not in it. */
function addSeries(
  parts: SelectParts,
  builder: BatchBuilder,
  groups: SeriesGroups,
  first: number,
  last: number,
  memory: BatchMemory | undefined,
): BatchLabels & { end: number } {
  let labelPairs = memory?.labelPairs ?? new Uint32Array((last - first) * 16)
  const labelOffsets =
    memory === undefined ? new Uint32Array(last - first + 1) : grownU32(memory.labelOffsets, last - first + 1)
  const seriesRefs = parts.refs === undefined ? undefined : new Uint32Array(last - first)
  let pairsEnd = 0
  let count = 0
  let end = first
  for (; end < last && builder.sampleCount < SAMPLES_PER_BATCH; end++) {
    if (!builder.add(groups, groups.offsets[end], groups.offsets[end + 1])) continue
    const length = groups.pairsLength(end)
    labelPairs = groups.readPairs(end, labelPairs, pairsEnd)
    pairsEnd += length
    labelOffsets[count + 1] = pairsEnd / 2
    if (seriesRefs !== undefined && parts.refs !== undefined)
      seriesRefs[count] = refOfGroup(parts, parts.refs, groups, end)
    count++
  }
  if (memory !== undefined) {
    memory.labelPairs = labelPairs
    memory.labelOffsets = labelOffsets
  }
  return {
    end,
    labelOffsets: labelOffsets.subarray(0, count + 1),
    labelPairs: labelPairs.subarray(0, pairsEnd),
    ...(seriesRefs !== undefined && { seriesRefs: seriesRefs.subarray(0, count) }),
  }
}

function refOfGroup(parts: SelectParts, refs: SeriesRefs, groups: SeriesGroups, group: number): number {
  let elsewhere = groups.offsets[group]
  for (let k = groups.offsets[group]; k < groups.offsets[group + 1]; k++) {
    if (parts.sources[groups.sources[k]].index !== refs.index) elsewhere = k
    else if (refs.isLive(groups.series[k])) return groups.series[k] * refs.stride
  }
  return refs.refOf(parts.sources[groups.sources[elsewhere]], groups.series[elsewhere])
}

/** What the sources have to bring into memory for these groups, one promise a source that has to. */
function* loads(
  sources: readonly SampleSource[],
  groups: SeriesGroups,
  first: number,
  last: number,
  startMs: number,
  endMs: number,
): Generator<Promise<void>> {
  for (let source = 0; source < sources.length; source++) {
    if (!sources[source].loads) continue
    const from = groups.offsets[first]
    const to = groups.offsets[last]
    let series = groups.series.subarray(from, to)
    if (sources.length > 1) series = series.filter((_, k) => groups.sources[from + k] === source)
    if (series.length === 0) continue
    const loading = sources[source].load(series, startMs, endMs)
    if (loading !== undefined) yield loading
  }
}

/** Gives the loop a turn when this one has lasted `TURN_MS`, and ends the work when the caller has gone. */
export function pauser(clock: Clock, signal?: AbortSignal): () => Promise<void> | undefined {
  let turnStartMs = clock.monotonicMs()
  return () => {
    if (signal?.aborted) throw new StorageError('CANCELLED', 'the query was cancelled', { cause: signal.reason })
    if (clock.monotonicMs() - turnStartMs < TURN_MS) return undefined
    return clock.yield().then(() => {
      turnStartMs = clock.monotonicMs()
    })
  }
}
