/**
 * Answers a select over the sources of one shard: postings first, then batches of series as columns.
 */
import type { Clock } from '../env/clock.js'
import { StorageError } from '../errors.js'
import type { LabelIndex } from '../index/label-index.js'
import { matchSeries } from '../index/match-series.js'
import type { AggregateColumn } from '../model/aggregate.js'
import type { CompiledMatcher } from '../query/label-matcher.js'
import type { SelectResult } from '../query/queryable.js'
import type { SeriesBatch } from '../query/series-batch.js'
import { BatchBuilder } from './batch-builder.js'
import type { SampleSource } from './sample-source.js'
import { SeriesGroups, type SourceFamily } from './series-groups.js'
import { SymbolCollector } from './symbol-collector.js'

const SERIES_PER_BATCH = 1000
/** 512 KiB of values, which stay in the processor's cache until they are used: a batch of long series is cut earlier. */
const SAMPLES_PER_BATCH = 64 * 1024
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
  readonly exactColumn?: boolean
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
  /** Called once all batches were read, or reading was given up. */
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
    const families = matchFamilies(parts)
    let seriesCount = 0
    for (const family of families) seriesCount += family.matched.length
    const symbols = new SymbolCollector(sources, seriesCount)
    const groups = new SeriesGroups(sources, symbols)
    await groups.build(families, pause)
    return { symbols: symbols.symbols, batches: readBatches(parts, groups, pause), warnings, infos: [] }
  } catch (error) {
    parts.done()
    throw error
  }
}

function matchFamilies(parts: SelectParts): SourceFamily[] {
  const families = new Map<LabelIndex, { sources: number[]; matched: Uint32Array }>()
  parts.sources.forEach((source, i) => {
    let family = families.get(source.index)
    if (family === undefined) {
      family = { sources: [], matched: parts.seriesRefs ?? matchSeries(source.index, parts.matchers) }
      families.set(source.index, family)
    }
    family.sources.push(i)
  })
  return [...families.values()]
}

async function* readBatches(
  parts: SelectParts,
  groups: SeriesGroups,
  pause: () => Promise<void> | undefined,
): AsyncGenerator<SeriesBatch> {
  const { sources, startMs, endMs } = parts
  let reservedBytes = 0
  try {
    const builder = new BatchBuilder(sources, {
      startMs,
      endMs,
      replaces: parts.replaces,
      ...(parts.column !== undefined && { column: parts.column }),
      ...(parts.counts !== undefined && { counts: parts.counts }),
      ...(parts.exactColumn !== undefined && { exactColumn: parts.exactColumn }),
    })
    let width = SERIES_PER_BATCH
    for (let first = 0; first < groups.count; ) {
      const waiting = pause()
      if (waiting !== undefined) await waiting
      const last = Math.min(groups.count, first + width)
      for (const loading of loads(sources, groups, first, last, startMs, endMs)) await loading
      // From here to the end of the batch nothing is awaited: open blocks must not change.
      let sampleCount = 0
      let end = first
      for (; end < last && (end === first || sampleCount < SAMPLES_PER_BATCH); end++) {
        sampleCount += builder.sampleCountOf(groups, groups.offsets[end], groups.offsets[end + 1])
      }
      // Series of one select are much alike: what the next batch will hardly hold is not brought into memory for it.
      width = Math.min(SERIES_PER_BATCH, (end - first) * 2)
      const sizeBytes = sampleCount * 8
      parts.reserve(sizeBytes)
      reservedBytes += sizeBytes
      builder.begin(sampleCount)
      const batch = buildBatch(parts, builder, groups, first, end)
      first = end
      if (batch.seriesCount > 0) yield batch
      parts.release(reservedBytes)
      reservedBytes = 0
    }
  } finally {
    parts.release(reservedBytes)
    parts.done()
  }
}

function buildBatch(
  parts: SelectParts,
  builder: BatchBuilder,
  groups: SeriesGroups,
  first: number,
  end: number,
): SeriesBatch {
  let labelPairs: Uint32Array = new Uint32Array((end - first) * 16)
  const labelOffsets = new Uint32Array(end - first + 1)
  const seriesRefs = parts.refs === undefined ? undefined : new Uint32Array(end - first)
  let pairsEnd = 0
  let count = 0
  for (let group = first; group < end; group++) {
    if (!builder.add(groups, groups.offsets[group], groups.offsets[group + 1])) continue
    const length = groups.pairsLength(group)
    labelPairs = groups.readPairs(group, labelPairs, pairsEnd)
    pairsEnd += length
    labelOffsets[count + 1] = pairsEnd / 2
    if (seriesRefs !== undefined && parts.refs !== undefined)
      seriesRefs[count] = refOfGroup(parts, parts.refs, groups, group)
    count++
  }
  return {
    ...builder.finish(),
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
    const series: number[] = []
    for (let k = groups.offsets[first]; k < groups.offsets[last]; k++) {
      if (groups.sources[k] === source) series.push(groups.series[k])
    }
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
