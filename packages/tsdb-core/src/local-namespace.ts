/**
 * A namespace in this process: it spreads series over its shards and puts their answers together.
 *
 * With one shard a reference is the shard's key; with more it is `key · shardCount + shard`.
 */
import { StorageError } from './errors.js'
import { columnsOfSamples } from './labelled-samples.js'
import { COLD, LocalShard, type ShardHost, withoutSamples } from './local-shard.js'
import type { AggregateColumn } from './model/aggregate.js'
import { encodeCanonicalLabels, hashBytes } from './model/canonical-labels.js'
import { columnNumber } from './model/columns.js'
import type { Labels } from './model/labels.js'
import { sortLabels } from './model/sort-labels.js'
import { compareUtf8 } from './model/utf8.js'
import type {
  AppendOptions,
  Cardinality,
  LabelledSample,
  Namespace,
  NamespaceSelectRequest,
  NamespaceStats,
  SeriesObserver,
  WindowAppendOptions,
} from './namespace.js'
import { describeValue } from './option-names.js'
import type { NamespaceOptions } from './options.js'
import { checkSelection, completeLabelRequest } from './query/check-request.js'
import type { LabelRequest, LabelResult, Matchers, SelectResult, SeriesResult } from './query/queryable.js'
import { readCardinality } from './read/cardinality.js'
import { endResults, mergeSelectResults } from './read/merge-results.js'
import { pauser } from './read/select-series.js'
import type { SealedBlocks } from './sealed-blocks.js'
import type { AppendResult, RecentSamples, Rejection, SampleBatch } from './shard.js'
import { placesOfUnknown, samplesOfWindow, type WindowBatch, type WindowResult } from './window-batch.js'

export interface NamespaceHost extends ShardHost {
  /** Throws `CLOSED` once the database was closed. */
  checkOpen(): void
  deleteSamples(
    namespace: LocalNamespace,
    request: { matchers: Matchers; startMs: number; endMs: number },
  ): Promise<void>
  flush(namespace: LocalNamespace, beforeMs: number): Promise<void>
}

export class LocalNamespace implements Namespace {
  readonly name: string
  /** Its number in the commit log. */
  readonly id: number
  options: NamespaceOptions
  readonly shards: readonly LocalShard[]
  readonly sealed: SealedBlocks
  readonly #host: NamespaceHost
  readonly #observers = new Set<SeriesObserver>()
  isDeleted = false

  constructor(name: string, id: number, options: NamespaceOptions, host: NamespaceHost, sealed: SealedBlocks) {
    this.name = name
    this.id = id
    this.options = options
    this.sealed = sealed
    this.#host = host
    this.shards = Array.from(
      { length: options.shardCount },
      (_, number) =>
        new LocalShard(number, () => this.options, host, sealed, {
          created: (keys) => this.#tell('seriesCreated', this.#refsOf(number, keys)),
          stored: (keys, timestampsMs, count) => this.#tellStored(number, keys, timestampsMs, count),
          storedWindow: (batch) => {
            if (this.#observers.size === 0) return null
            const { seriesRefs, timestampsMs, count } = samplesOfWindow(batch, 1)
            return () => this.#tellStored(number, seriesRefs, timestampsMs, count)
          },
        }),
    )
  }

  async resolve(canonicalLabels: Uint8Array, offsets: Uint32Array): Promise<Uint32Array> {
    this.#checkOpen()
    const shardCount = this.shards.length
    if (shardCount === 1) return this.shards[0].resolveNow(canonicalLabels, offsets)
    const refs = new Uint32Array(Math.max(0, offsets.length - 1))
    for (let i = 0; i < refs.length; i++) {
      const shard = hashBytes(canonicalLabels, offsets[i], offsets[i + 1]) % shardCount
      refs[i] = this.shards[shard].resolveNow(canonicalLabels, offsets.subarray(i, i + 2))[0] * shardCount + shard
    }
    return refs
  }

  async resolveLabels(series: readonly Labels[], column: AggregateColumn = 'value'): Promise<Uint32Array> {
    if (column !== 'value' && this.options.resolutionMs === 0) {
      throw new StorageError('INVALID_ARGUMENT', `namespace ${this.name} has raw samples only, got column ${column}`)
    }
    const encoded = series.map(encodeCanonicalLabels)
    const offsets = new Uint32Array(series.length + 1)
    encoded.forEach((bytes, i) => {
      offsets[i + 1] = offsets[i] + bytes.length
    })
    const bytes = new Uint8Array(offsets[series.length])
    encoded.forEach((part, i) => {
      bytes.set(part, offsets[i])
    })
    const refs = await this.resolve(bytes, offsets)
    if (column !== 'value') for (let i = 0; i < refs.length; i++) refs[i] = this.columnRef(refs[i], column)
    return refs
  }

  columnRef(seriesRef: number, column: AggregateColumn): number {
    return seriesRef + columnNumber(column) * this.shards.length
  }

  async append(batch: SampleBatch, options: AppendOptions = {}): Promise<AppendResult> {
    this.#checkOpen()
    checkColumns(batch)
    const extra = options.watermarks !== undefined && options.watermarks.length > 0 ? options.watermarks : undefined
    if (this.shards.length === 1) return this.shards[0].append(batch, extra)
    if (extra !== undefined) {
      throw new StorageError(
        'INVALID_ARGUMENT',
        `namespace ${this.name} has ${this.shards.length} shards: a watermark is written with the samples of one shard only`,
      )
    }
    return this.#appendToShards(batch)
  }

  async appendWindow(batch: WindowBatch, { deferred = false }: WindowAppendOptions = {}): Promise<WindowResult> {
    this.#checkOpen()
    if (this.options.resolutionMs === 0) {
      throw new StorageError('INVALID_ARGUMENT', `namespace ${this.name} has raw samples only, got a window`)
    }
    checkWindow(batch)
    if (this.shards.length === 1) return this.shards[0].appendWindow(batch, deferred)
    const samples = samplesOfWindow(batch, this.shards.length)
    const { appendedCount, rejections } = await this.#appendToShards(samples)
    const reason = rejections.find((each) => each.reason === 'TOO_OLD' || each.reason === 'TOO_FAR_AHEAD')?.reason
    return {
      appendedCount,
      refused: reason === 'TOO_OLD' || reason === 'TOO_FAR_AHEAD' ? reason : null,
      unknown: placesOfUnknown(samples.places, rejections),
      durable: Promise.resolve(),
    }
  }

  writeDeferred(): void {
    this.#host.writeDeferred()
  }

  async appendSamples(samples: Iterable<LabelledSample>): Promise<AppendResult> {
    this.#checkOpen()
    const { labels, columns } = columnsOfSamples(samples)
    return this.append({ ...columns, seriesRefs: await this.resolveLabels(labels) })
  }

  async select(request: NamespaceSelectRequest): Promise<SelectResult> {
    this.#checkOpen()
    checkSelection(request)
    if (this.shards.length === 1) return this.shards[0].select(request)
    const settled = await Promise.allSettled(this.shards.map((shard) => shard.select(request)))
    const results = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    const failed = settled.find((each) => each.status === 'rejected')
    if (failed !== undefined) {
      await endResults(results)
      throw failed.reason
    }
    return mergeSelectResults(results, this.shards.length)
  }

  async readRecent(seriesRefs: Uint32Array, startMs: number, endMs: number): Promise<RecentSamples | null> {
    this.#checkOpen()
    return this.shards.length === 1 ? this.shards[0].readRecent(seriesRefs, startMs, endMs) : null
  }

  async labelNames(given: Partial<LabelRequest> = {}): Promise<LabelResult> {
    this.#checkOpen()
    const request = completeLabelRequest(given)
    return mergeLabels(await Promise.all(this.shards.map((shard) => shard.labelNames(request))), request)
  }

  async labelValues(name: string, given: Partial<LabelRequest> = {}): Promise<LabelResult> {
    this.#checkOpen()
    if (typeof name !== 'string' || name === '') {
      throw new StorageError('INVALID_ARGUMENT', `labelValues: got ${describeValue(name)}, wanted the name of a label`)
    }
    const request = completeLabelRequest(given)
    return mergeLabels(await Promise.all(this.shards.map((shard) => shard.labelValues(name, request))), request)
  }

  async series(given: Partial<LabelRequest> = {}): Promise<SeriesResult> {
    this.#checkOpen()
    const request = completeLabelRequest(given)
    const results = await Promise.all(this.shards.map((shard) => shard.seriesLabels(request)))
    if (results.length === 1) return results[0]
    const series = await sortLabels(
      results.flatMap((result) => result.series),
      pauser(this.#host.clock, request.signal),
    )
    const limit = request.limit ?? 0
    return {
      series: limit > 0 ? series.slice(0, limit) : series,
      warnings: results.flatMap((result) => result.warnings),
    }
  }

  labelsOf(seriesRef: number): Labels | undefined {
    const shardCount = this.shards.length
    return this.shards[seriesRef % shardCount]?.labelsOf(Math.floor(seriesRef / shardCount))
  }

  isColdRef(seriesRef: number): boolean {
    const { length } = this.shards
    return Math.floor(seriesRef / length) >= COLD * this.shards[0].head.stride
  }

  headSeries(): Uint32Array {
    const refs = new Uint32Array(this.shards.reduce((sum, { head }) => sum + head.series.liveCount, 0))
    let count = 0
    for (const shard of this.shards) {
      const { series, stride } = shard.head
      for (let ref = 1; ref < series.nextRef; ref++) {
        if (series.isLive(ref)) refs[count++] = ref * stride * this.shards.length + shard.number
      }
    }
    return this.shards.length === 1 ? refs : refs.sort()
  }

  observe(observer: SeriesObserver): () => void {
    this.#observers.add(observer)
    return () => this.#observers.delete(observer)
  }

  cardinality(limit: number): Promise<Cardinality> {
    this.#checkOpen()
    return readCardinality(
      this.shards.map((shard) => shard.head),
      limit,
      pauser(this.#host.clock),
    )
  }

  async deleteSamples(request: { matchers: Matchers; startMs: number; endMs: number }): Promise<void> {
    this.#checkOpen()
    checkSelection(request)
    await this.#host.deleteSamples(this, request)
  }

  async flush(beforeMs: number): Promise<void> {
    this.#checkOpen()
    await this.#host.flush(this, beforeMs)
  }

  stats(): NamespaceStats {
    const stats = {
      headSeriesCount: 0,
      openBlockCount: 0,
      headSampleCount: 0,
      headSizeBytes: 0,
      appendedSampleCount: 0,
      rejectedSampleCount: 0,
      ...this.sealed.stats(),
    }
    for (const shard of this.shards) {
      stats.headSeriesCount += shard.head.series.liveCount
      stats.headSizeBytes += shard.head.sizeBytes
      stats.appendedSampleCount += shard.appendedCount
      stats.rejectedSampleCount += shard.rejectedCount
      for (const block of [...shard.sealing, ...shard.head.blocks.values()]) {
        stats.openBlockCount++
        stats.headSampleCount += block.sampleCount
        if (block.sampleCount === 0) continue
        stats.firstMs = Math.min(stats.firstMs ?? Number.POSITIVE_INFINITY, block.startMs + block.firstOffset)
        stats.lastMs = Math.max(stats.lastMs ?? Number.NEGATIVE_INFINITY, block.startMs + block.lastOffset)
      }
    }
    return stats
  }

  /** Tells observers that these keys of a shard will be no longer valid once it returns. */
  tellEvicted(shard: number, keys: Uint32Array): void {
    this.#tell('seriesEvicted', this.#refsOf(shard, keys))
  }

  async #appendToShards(batch: SampleBatch): Promise<AppendResult> {
    const shardCount = this.shards.length
    const parts = this.shards.map(async (shard) => {
      const places: number[] = []
      for (let k = 0; k < batch.count; k++) if (batch.seriesRefs[k] % shardCount === shard.number) places.push(k)
      if (places.length === 0) return { appendedCount: 0, rejections: [] as Rejection[] }
      const part = withoutSamples(batch, (k) => batch.seriesRefs[k] % shardCount !== shard.number)
      const keys = Uint32Array.from(places, (k) => Math.floor(batch.seriesRefs[k] / shardCount))
      const result = await shard.append({ ...part, seriesRefs: keys })
      const rejections = result.rejections.map((one) => ({ ...one, sampleIndex: places[one.sampleIndex] }))
      return { appendedCount: result.appendedCount, rejections }
    })
    const results = await Promise.all(parts)
    return {
      appendedCount: results.reduce((sum, result) => sum + result.appendedCount, 0),
      rejections: results.flatMap((result) => result.rejections).sort((a, b) => a.sampleIndex - b.sampleIndex),
    }
  }

  #refsOf(shard: number, keys: Uint32Array): Uint32Array {
    const shardCount = this.shards.length
    return shardCount === 1 ? keys : keys.map((key) => key * shardCount + shard)
  }

  #tell(event: 'seriesCreated' | 'seriesEvicted', refs: Uint32Array): void {
    for (const observer of this.#observers) observer[event]?.(refs)
  }

  #tellStored(shard: number, keys: Uint32Array, timestampsMs: Float64Array, count: number): void {
    if (this.#observers.size === 0) return
    const refs = this.#refsOf(shard, keys)
    for (const observer of this.#observers) observer.samplesStored?.(refs, timestampsMs, count)
  }

  #checkOpen(): void {
    if (this.isDeleted) throw new StorageError('CLOSED', `namespace ${this.name} was deleted`)
    this.#host.checkOpen()
  }
}

function checkColumns(batch: SampleBatch): void {
  const { count, seriesRefs, timestampsMs, values, startTimestampsMs } = batch
  const shortest = Math.min(seriesRefs.length, timestampsMs.length, values.length, startTimestampsMs?.length ?? count)
  if (!Number.isInteger(count) || count < 0 || shortest < count) {
    throw new StorageError('INVALID_ARGUMENT', `a batch of ${count} samples whose shortest column has ${shortest}`)
  }
}

function checkWindow({ count, seriesRefs, masks, columns }: WindowBatch): void {
  const shortest = Math.min(seriesRefs.length, masks.length, ...columns.map(({ values }) => values.length))
  const isDoubled = new Set(columns.map(({ column }) => column)).size < columns.length
  if (!Number.isInteger(count) || count < 0 || shortest < count || isDoubled) {
    throw new StorageError(
      'INVALID_ARGUMENT',
      `a window of ${count} series whose shortest column has ${shortest}, columns ${columns.map(({ column }) => column).join(', ')}`,
    )
  }
}

function mergeLabels(results: readonly LabelResult[], request: LabelRequest): LabelResult {
  if (results.length === 1) return results[0]
  const values = [...new Set(results.flatMap((result) => result.values))].sort(compareUtf8)
  const limit = request.limit ?? 0
  return {
    values: limit > 0 ? values.slice(0, limit) : values,
    warnings: results.flatMap((result) => result.warnings),
  }
}
