/**
 * A shard that lives in this thread: one head, and the sealed blocks beside it (DESIGN D10).
 */

import type { Clock } from './env/clock.js'
import { appendWindow } from './head/append-window.js'
import { Head } from './head/head.js'
import type { OpenBlock } from './head/open-block.js'
import { RecentReader } from './head/recent-samples.js'
import { SeriesTable } from './head/series-table.js'
import type { HeadIndex } from './index/head-index.js'
import { matchSeries } from './index/match-series.js'
import type { MemoryBudget } from './memory-budget.js'
import { encodeCanonicalLabels, hashBytes } from './model/canonical-labels.js'
import { Labels } from './model/labels.js'
import type { NamespaceSelectRequest } from './namespace.js'
import type { NamespaceOptions } from './options.js'
import { compileMatcher } from './query/label-matcher.js'
import type { Extreme, LabelRequest, LabelResult, Matchers, SelectResult, SeriesResult } from './query/queryable.js'
import { OpenBlockSource } from './read/open-block-source.js'
import { type LabelParts, readLabelNames, readLabelValues, readSeries } from './read/read-labels.js'
import type { SampleSource } from './read/sample-source.js'
import { pauser, selectSeries } from './read/select-series.js'
import type { SealedBlocks } from './sealed-blocks.js'
import type { AppendResult, RecentSamples, Rejection, SampleBatch, Shard } from './shard.js'
import {
  countOfWindow,
  pickSeries,
  placesOfUnknown,
  samplesOfWindow,
  type WindowBatch,
  type WindowResult,
} from './window-batch.js'

/** What the shard needs of the database around it. */
export interface ShardHost {
  readonly clock: Clock
  readonly memory: MemoryBudget
  readonly futureMsMax: number
  /** Throws when nothing may be written now. */
  checkWritable(): void
  /** Segment of the commit log that takes writes. */
  segment(): number
  /** Rises when the log begins a segment: series are then declared again with their next sample. */
  readonly declarationEpoch: number
  /** Puts a batch into the commit log, after declarations of its new series; resolves once it is durable. */
  log(shard: LocalShard, undeclared: readonly number[], batch: SampleBatch, extra: unknown): Promise<void>
  /** The same for a window of aggregated series. */
  logWindow(shard: LocalShard, undeclared: readonly number[], batch: WindowBatch, isDeferred: boolean): Promise<void>
  /** Begins to write what was logged as deferred. */
  writeDeferred(): void
  flushShard(shard: LocalShard, beforeMs: number): Promise<void>
  /** Asked before a series is made; throws when the limits do not allow it. */
  mayAddSeries(shard: LocalShard): void
}

export interface ShardObserver {
  created(keys: Uint32Array): void
  stored(keys: Uint32Array, timestampsMs: Float64Array, count: number): void
  /** Returns what is to be called once the window is durable; it does not look at the batch any more. */
  storedWindow(batch: WindowBatch): (() => void) | null
}

export class LocalShard implements Shard {
  readonly number: number
  readonly head: Head
  /** Blocks that take no more writes and are not on disk yet. */
  readonly sealing: OpenBlock[] = []
  readonly sealed: SealedBlocks
  readonly #options: () => NamespaceOptions
  readonly #host: ShardHost
  readonly #observer: ShardObserver
  /** Epoch in which the log last had the series' declaration. */
  #declared: Uint32Array = new Uint32Array(64)
  /** Series that only sealed blocks have, once somebody asked for their references: from `COLD` on. */
  #cold: SeriesTable | undefined
  /** Made with the first `readRecent`. */
  #recent: RecentReader | undefined
  appendedCount = 0
  rejectedCount = 0
  /** Series from this reference on are too young to be evicted. */
  evictBefore = 1

  constructor(
    number: number,
    options: () => NamespaceOptions,
    host: ShardHost,
    sealed: SealedBlocks,
    observer: ShardObserver,
  ) {
    this.number = number
    this.#options = options
    this.#host = host
    this.sealed = sealed
    this.#observer = observer
    this.head = new Head({ blockSizeMs: options().blockSizeMs, aggregated: options().resolutionMs > 0 })
  }

  async resolve(canonicalLabels: Uint8Array, offsets: Uint32Array): Promise<Uint32Array> {
    return this.resolveNow(canonicalLabels, offsets)
  }

  resolveNow(canonicalLabels: Uint8Array, offsets: Uint32Array): Uint32Array {
    const count = Math.max(0, offsets.length - 1)
    const keys = new Uint32Array(count)
    const { head } = this
    const before = head.series.nextRef
    const mayAdd = () => this.#host.mayAddSeries(this)
    try {
      for (let i = 0; i < count; i++) {
        keys[i] = head.resolve(canonicalLabels, offsets[i], offsets[i + 1], mayAdd) * head.stride
      }
    } finally {
      const created = head.series.nextRef - before
      if (created > 0)
        this.#observer.created(Uint32Array.from({ length: created }, (_, i) => (before + i) * head.stride))
    }
    return keys
  }

  append(batch: SampleBatch, extra?: unknown): Promise<AppendResult> {
    return this.#append(batch, extra)
  }

  /** Stores a window of aggregated series; `seriesRefs` are keys of their column `value`. */
  async appendWindow(batch: WindowBatch, isDeferred: boolean): Promise<WindowResult> {
    const host = this.#host
    host.checkWritable()
    const nowMs = host.clock.wallMs()
    const { timestampMs } = batch
    const refused =
      timestampMs < Math.max(0, nowMs - this.#options().retentionMs)
        ? 'TOO_OLD'
        : timestampMs > nowMs + host.futureMsMax
          ? 'TOO_FAR_AHEAD'
          : null
    const sampleCount = countOfWindow(batch)
    if (refused !== null || sampleCount === 0) {
      return { appendedCount: 0, refused, unknown: [], durable: Promise.resolve() }
    }
    const limits = { firstMs: 0, lastMs: timestampMs, nowMs: host.clock.monotonicMs(), segment: host.segment() }
    const outcome = appendWindow(this.head, batch, limits)
    if (outcome === null) return this.#appendAsSamples(batch)
    const { unknown } = outcome
    const stored = unknown.length === 0 ? batch : withoutSeries(batch, new Set(unknown))
    const appendedCount = unknown.length === 0 ? sampleCount : countOfWindow(stored)
    this.appendedCount += appendedCount
    const durable = stored.count > 0 ? this.#logWindow(stored, isDeferred) : Promise.resolve()
    // Who does not wait for it may not have listened yet when it fails.
    if (isDeferred) durable.catch(() => undefined)
    else await durable
    return { appendedCount, refused: null, unknown, durable }
  }

  async #logWindow(stored: WindowBatch, isDeferred: boolean): Promise<void> {
    const undeclared = this.#undeclared(stored.seriesRefs, stored.count, this.head.stride, stored.masks)
    const logged = this.#host.logWindow(this, undeclared, stored, isDeferred)
    const tell = this.#observer.storedWindow(stored)
    await logged
    tell?.()
  }

  /** Stores a window that the commit log already holds. */
  replayWindow(batch: WindowBatch, segment: number): void {
    const limits = { firstMs: Number.NEGATIVE_INFINITY, lastMs: Number.POSITIVE_INFINITY, segment }
    const complete = { ...limits, nowMs: this.#host.clock.monotonicMs() }
    if (appendWindow(this.head, batch, complete) === null) this.head.append(samplesOfWindow(batch, 1), complete)
  }

  /** Stores a batch that the commit log already holds; nothing is refused but unknown series. `skips` is asked by place. */
  replay(batch: SampleBatch, segment: number, skips: ((k: number) => boolean) | undefined): void {
    const kept = skips === undefined ? batch : withoutSamples(batch, skips)
    const nowMs = this.#host.clock.monotonicMs()
    this.head.append(kept, { firstMs: Number.NEGATIVE_INFINITY, lastMs: Number.POSITIVE_INFINITY, nowMs, segment })
  }

  /** See `Namespace.readRecent`; null: not all of the range lies in one open block. */
  readRecent(keys: Uint32Array, startMs: number, endMs: number): RecentSamples | null {
    const { head } = this
    const { blockSizeMs } = this.#options()
    const blockStartMs = Math.floor(startMs / blockSizeMs) * blockSizeMs
    const isElsewhere = this.sealing.some((block) => block.startMs < endMs && block.endMs > startMs)
    if (head.stride > 1 || isElsewhere || endMs > blockStartMs + blockSizeMs) return null
    const sealed = this.sealed.acquire(this.number, startMs, endMs)
    sealed.release()
    const block = head.blocks.get(blockStartMs)
    if (sealed.blockCount > 0 || block === undefined) return null
    this.#recent ??= new RecentReader()
    return this.#recent.read(block, keys, startMs, endMs)
  }

  async select(request: NamespaceSelectRequest): Promise<SelectResult> {
    const matchers = request.matchers.map(compileMatcher)
    const { sources, index, warnings, done } = await this.#sources(request.startMs, request.endMs)
    const { memory, clock } = this.#host
    const extreme = extremeOf(request)
    return selectSeries({
      sources,
      matchers,
      startMs: request.startMs,
      endMs: request.endMs,
      replaces: this.#options().resolutionMs > 0,
      ...(request.column !== undefined && { column: request.column }),
      ...(request.counts !== undefined && { counts: request.counts }),
      ...(request.exactColumn !== undefined && { exactColumn: request.exactColumn }),
      ...(request.signal !== undefined && { signal: request.signal }),
      presenceOnly: request.hints?.presenceOnly === true,
      ...(extreme !== undefined && { extreme }),
      reusesBatches: request.reusesBatches ?? false,
      clock,
      warnings,
      refs: {
        index,
        stride: this.head.stride,
        isLive: (series) => this.head.series.isLive(series),
        refOf: (source, series) =>
          request.coldRefs || request.headRefs ? this.#refElsewhere(source, series, request.coldRefs === true) : 0,
      },
      reserve: (sizeBytes) => memory.reserveQuery(sizeBytes),
      release: (sizeBytes) => memory.releaseQuery(sizeBytes),
      done,
    })
  }

  async labelNames(request: LabelRequest): Promise<LabelResult> {
    return this.#readLabels(request, readLabelNames)
  }

  async labelValues(name: string, request: LabelRequest): Promise<LabelResult> {
    return this.#readLabels(request, (parts) => readLabelValues(name, parts))
  }

  async seriesLabels(request: LabelRequest): Promise<SeriesResult> {
    return this.#readLabels(request, readSeries)
  }

  /** Done by the database, which seals all its shards together. */
  flush(beforeMs: number): Promise<void> {
    return this.#host.flushShard(this, beforeMs)
  }

  labelsOf(key: number): Labels | undefined {
    const { head } = this
    if (key >= COLD * head.stride) {
      const ref = Math.floor(key / head.stride) - COLD
      return this.#cold?.isLive(ref) ? this.#cold.labelsOf(ref) : undefined
    }
    const ref = Math.floor(key / head.stride)
    return head.series.isLive(ref) ? head.series.labelsOf(ref) : undefined
  }

  /** References of the head's series that match. */
  matchHead(matchers: Matchers): Uint32Array {
    return matchSeries(this.head.index, matchers.map(compileMatcher))
  }

  /** Deletes samples of the head; the caller sees to the sealed blocks and the log. */
  deleteFromHead(refs: Uint32Array, startMs: number, endMs: number): void {
    for (const block of [...this.head.blocks.values(), ...this.sealing]) {
      if (block.endMs <= startMs || block.startMs >= endMs) continue
      for (const ref of refs) {
        for (let column = 0; column < this.head.stride; column++) {
          block.deleteWindows(ref, column, startMs, endMs)
          const slot = block.slotOf(ref * this.head.stride + column)
          if (slot >= 0) block.deleteSamples(slot, startMs, endMs)
        }
      }
    }
  }

  async #append(batch: SampleBatch, extra: unknown): Promise<AppendResult> {
    const host = this.#host
    host.checkWritable()
    const nowMs = host.clock.wallMs()
    const { rejections, appendedCount } = this.head.append(batch, {
      firstMs: Math.max(0, nowMs - this.#options().retentionMs),
      lastMs: nowMs + host.futureMsMax,
      nowMs: host.clock.monotonicMs(),
      segment: host.segment(),
    })
    this.appendedCount += appendedCount
    this.rejectedCount += rejections.length
    const stored = rejections.length === 0 ? batch : withoutRejected(batch, rejections)
    // What may be repeated must not be taken for written by what is committed with it.
    const committed = rejections.some(mayBeRepeated) ? undefined : extra
    if (stored.count > 0 || committed !== undefined) {
      await host.log(this, this.#undeclared(stored.seriesRefs, stored.count, this.head.stride), stored, committed)
      if (stored.count > 0) this.#observer.stored(stored.seriesRefs, stored.timestampsMs, stored.count)
    }
    return { appendedCount, rejections }
  }

  /** A window that is not the newest of its block. */
  async #appendAsSamples(batch: WindowBatch): Promise<WindowResult> {
    const samples = samplesOfWindow(batch, 1)
    const { appendedCount, rejections } = await this.#append(samples, undefined)
    const unknown = placesOfUnknown(samples.places, rejections)
    return { appendedCount, refused: null, unknown, durable: Promise.resolve() }
  }

  /** Those of these references that the log has to declare before they are used. They count as declared then. */
  undeclared(refs: Uint32Array): number[] {
    return this.#undeclared(refs, refs.length, 1)
  }

  /** Of those with a mask of 0 nothing is stored: their references may be none. */
  #undeclared(keys: Uint32Array, count: number, stride: number, masks?: Uint8Array): number[] {
    const epoch = this.#host.declarationEpoch
    const found: number[] = []
    this.#growDeclared(this.head.series.nextRef)
    const declared = this.#declared
    for (let k = 0; k < count; k++) {
      const ref = stride === 1 ? keys[k] : Math.floor(keys[k] / stride)
      if (declared[ref] === epoch || masks?.[k] === 0) continue
      declared[ref] = epoch
      found.push(ref)
    }
    return found
  }

  #growDeclared(ref: number): void {
    if (ref < this.#declared.length) return
    const grown = new Uint32Array(Math.ceil(ref * 1.5) + 16)
    grown.set(this.#declared)
    this.#declared = grown
  }

  /** All that may hold samples in the range, older data first. */
  async #sources(
    startMs: number,
    endMs: number,
  ): Promise<{ sources: SampleSource[]; index: HeadIndex; warnings: string[]; done: () => void }> {
    const { head } = this
    // The open blocks are taken in the same turn as the sealed ones, so that no block is missed or read twice; and the index
    // that knows their series, since one made anew leaves out those that are in no open block any more.
    const { index } = head
    const sealed = this.sealed.acquire(this.number, startMs, endMs)
    const open = [...this.sealing, ...head.blocks.values()].filter(
      (block) => block.startMs < endMs && block.endMs > startMs,
    )
    const { sources, warnings } = await sealed.sources()
    for (const block of open) sources.push(new OpenBlockSource(block, head.series, index, head.stride))
    return { sources, index, warnings, done: sealed.release }
  }

  async #readLabels<T>(request: LabelRequest, read: (parts: LabelParts) => Promise<T>): Promise<T> {
    const matchers = request.matchers.map(compileMatcher)
    const { sources, warnings, done } = await this.#sources(request.startMs, request.endMs)
    try {
      const pause = pauser(this.#host.clock, request.signal)
      return await read({ sources, matchers, limit: request.limit ?? 0, warnings, pause })
    } finally {
      done()
    }
  }

  /** Of a series that is found in a sealed block: the head may have it without a sample in the range that was asked for. */
  #refElsewhere(source: SampleSource, series: number, mayBeCold: boolean): number {
    const pairs = new Uint32Array(source.pairsLength(series))
    source.readPairs(series, pairs, 0)
    const labels = Labels.fromSorted([...pairs].map((symbol) => source.symbolText(symbol)))
    const bytes = encodeCanonicalLabels(labels)
    const known = this.head.series.find(bytes, 0, bytes.length, hashBytes(bytes, 0, bytes.length))
    if (known !== 0 || !mayBeCold) return known * this.head.stride
    this.#cold ??= new SeriesTable()
    return (COLD + this.#cold.intern(bytes, 0, bytes.length)) * this.head.stride
  }
}

/** What is wanted of one window: where a caller reads a part of it, or more, it gets all samples. */
function extremeOf({ hints, startMs, endMs }: NamespaceSelectRequest): Extreme | undefined {
  if (hints?.extreme === undefined || hints.evaluationStartMs !== hints.evaluationEndMs) return undefined
  const isWindow = endMs === hints.evaluationEndMs + 1 && startMs === endMs - hints.rangeMs
  return isWindow ? hints.extreme : undefined
}

/** References of series that only sealed blocks have begin here; nothing can be appended to them. */
export const COLD = 2 ** 28

function withoutSeries(batch: WindowBatch, left: ReadonlySet<number>): WindowBatch {
  const places: number[] = []
  for (let i = 0; i < batch.count; i++) if (!left.has(i)) places.push(i)
  return pickSeries(batch, places)
}

function mayBeRepeated({ reason }: Rejection): boolean {
  return reason === 'UNKNOWN_SERIES' || reason === 'TOO_FAR_AHEAD'
}

/** A copy of the batch without the refused samples. */
function withoutRejected(batch: SampleBatch, rejections: readonly Rejection[]): SampleBatch {
  let next = 0
  return withoutSamples(batch, (k) => {
    if (rejections[next]?.sampleIndex !== k) return false
    next++
    return true
  })
}

/** The batch without the samples that `leavesOut` names; it is asked once for each, in order. */
export function withoutSamples(batch: SampleBatch, leavesOut: (k: number) => boolean): SampleBatch {
  const kept = new Uint32Array(batch.count)
  let count = 0
  for (let k = 0; k < batch.count; k++) if (!leavesOut(k)) kept[count++] = k
  if (count === batch.count) return batch
  const seriesRefs = new Uint32Array(count)
  const timestampsMs = new Float64Array(count)
  const values = new Float64Array(count)
  const starts = batch.startTimestampsMs
  const startTimestampsMs = starts === undefined ? undefined : new Float64Array(count)
  // Bit by bit: a number read from a column and put into another may lose the payload of a NaN.
  const from = new Uint32Array(batch.values.buffer, batch.values.byteOffset, batch.values.length * 2)
  const to = new Uint32Array(values.buffer)
  const placeOf = new Map<number, number>()
  for (let i = 0; i < count; i++) {
    const k = kept[i]
    seriesRefs[i] = batch.seriesRefs[k]
    timestampsMs[i] = batch.timestampsMs[k]
    to[i * 2] = from[k * 2]
    to[i * 2 + 1] = from[k * 2 + 1]
    if (starts !== undefined && startTimestampsMs !== undefined) startTimestampsMs[i] = starts[k]
    if (batch.histograms !== undefined) placeOf.set(k, i)
  }
  return {
    count,
    seriesRefs,
    timestampsMs,
    values,
    ...(startTimestampsMs !== undefined && { startTimestampsMs }),
    ...(batch.histograms !== undefined && { histograms: movedHistograms(batch.histograms, placeOf) }),
  }
}

function movedHistograms(
  column: NonNullable<SampleBatch['histograms']>,
  placeOf: ReadonlyMap<number, number>,
): NonNullable<SampleBatch['histograms']> {
  const kept = column.histograms
    .map((histogram, i) => ({ histogram, place: placeOf.get(column.sampleIndexes[i]) }))
    .filter(
      (entry): entry is { histogram: (typeof column.histograms)[number]; place: number } => entry.place !== undefined,
    )
  return {
    sampleIndexes: Uint32Array.from(kept, (entry) => entry.place),
    histograms: kept.map((entry) => entry.histogram),
  }
}
