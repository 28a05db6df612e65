/**
 * A metrics store in this process: several namespaces over one commit log, one memory budget and one data folder.
 *
 * This is the one file that knows everybody.
 */
import type { Env } from './env/env.js'
import { nodeEnv } from './env/node/index.js'
import { StorageError } from './errors.js'
import { LocalNamespace, type NamespaceHost } from './local-namespace.js'
import type { LocalShard } from './local-shard.js'
import { MemoryBudget } from './memory-budget.js'
import type { LabelledSample, Namespace, NamespaceStats, Watermark } from './namespace.js'
import {
  checkNamespace,
  type DatabaseOptions,
  DEFAULT_NAMESPACE,
  type NamespaceOptions,
  namespaceOptions,
} from './options.js'
import type {
  LabelRequest,
  LabelResult,
  Matchers,
  Queryable,
  SelectRequest,
  SelectResult,
  SeriesResult,
} from './query/queryable.js'
import { NO_SEALED_BLOCKS } from './sealed-blocks.js'
import type { AppendResult, SampleBatch } from './shard.js'

/** Appends between two counts of the head's memory. */
const SAMPLES_PER_COUNT = 100_000

export interface DatabaseStats {
  readonly namespaces: ReadonlyMap<string, NamespaceStats>
  readonly memoryBytes: number
  readonly memoryBytesMax: number
  readonly logSizeBytes: number
  readonly readOnly: boolean
}

/** Queries of a database go to its namespace `default`, unless `hints.namespace` names another. */
export class Database implements Queryable {
  readonly #env: Env
  readonly #options: DatabaseOptions
  readonly #namespaces = new Map<string, LocalNamespace>()
  readonly #memory: MemoryBudget
  readonly #host: NamespaceHost
  readonly #watermarks = new Map<string, Watermark>()
  #nextNamespaceId = 1
  #samplesSinceCount = 0
  #isClosed = false
  #newSeriesAllowance: number
  #allowanceMs: number

  private constructor(options: DatabaseOptions, env: Env) {
    this.#options = options
    this.#env = env
    this.#memory = new MemoryBudget(options.memoryBytesMax ?? 1024 ** 3)
    this.#newSeriesAllowance = this.#newSeriesPerSecondMax * 10
    this.#allowanceMs = env.clock.monotonicMs()
    this.#host = this.#makeHost()
  }

  /**
   * Opens a store, and makes it when there is none.
   *
   * @throws {StorageError} `LOCKED` when another process has the folder, `CORRUPT` when its identity cannot be read,
   *   `INVALID_ARGUMENT` for options that make no sense. Damaged blocks and log records are told by `onNotice`, and do not
   *   keep the rest from being served.
   */
  static async open(options: DatabaseOptions = {}): Promise<Database> {
    const database = new Database(options, options.env ?? nodeEnv())
    const given = { [DEFAULT_NAMESPACE]: {}, ...options.namespaces }
    for (const [name, one] of Object.entries(given)) await database.createNamespace(name, one)
    return database
  }

  /** @throws {StorageError} `INVALID_ARGUMENT` when there is none of that name: see `namespaces`. */
  namespace(name: string): Namespace {
    return this.#namespace(name)
  }

  hasNamespace(name: string): boolean {
    return this.#namespaces.has(name)
  }

  /** Names, sorted. */
  namespaces(): readonly string[] {
    return [...this.#namespaces.keys()].sort()
  }

  /** Makes a namespace, durable once resolved. @throws {StorageError} `INVALID_ARGUMENT` when it exists or options are wrong. */
  async createNamespace(name: string, options: Partial<NamespaceOptions> = {}): Promise<Namespace> {
    this.#checkOpen()
    const complete = namespaceOptions(options)
    checkNamespace(name, complete)
    if (this.#namespaces.has(name)) throw new StorageError('INVALID_ARGUMENT', `namespace ${name} is there already`)
    const namespace = new LocalNamespace(name, this.#nextNamespaceId++, complete, this.#host, NO_SEALED_BLOCKS)
    this.#namespaces.set(name, namespace)
    return namespace
  }

  /** Changes retention and columns of a namespace; block size, resolution and shard count stay. */
  async changeNamespace(name: string, options: Partial<NamespaceOptions>): Promise<void> {
    this.#checkOpen()
    const namespace = this.#namespace(name)
    const changed = { ...namespace.options, ...options }
    checkNamespace(name, changed)
    for (const fixed of ['blockSizeMs', 'resolutionMs', 'shardCount'] as const) {
      if (changed[fixed] !== namespace.options[fixed]) {
        throw new StorageError(
          'INVALID_ARGUMENT',
          `namespace ${name}: ${fixed} is ${namespace.options[fixed]} and cannot become ${changed[fixed]}`,
        )
      }
    }
    namespace.options = changed
  }

  /** Deletes it with all its samples; its disk space is free once resolved. `default` stays. */
  async deleteNamespace(name: string): Promise<void> {
    this.#checkOpen()
    const namespace = this.#namespace(name)
    if (name === DEFAULT_NAMESPACE) throw new StorageError('INVALID_ARGUMENT', `namespace ${name} cannot be deleted`)
    namespace.isDeleted = true
    this.#namespaces.delete(name)
    this.#countMemory()
  }

  /** Stores samples in `default`. */
  append(samples: Iterable<LabelledSample>): Promise<AppendResult> {
    return this.#namespace(DEFAULT_NAMESPACE).appendSamples(samples)
  }

  select(request: SelectRequest): Promise<SelectResult> {
    return this.#namespace(request.hints?.namespace ?? DEFAULT_NAMESPACE).select(request)
  }

  labelNames(request: LabelRequest): Promise<LabelResult> {
    return this.#namespace(DEFAULT_NAMESPACE).labelNames(request)
  }

  labelValues(name: string, request: LabelRequest): Promise<LabelResult> {
    return this.#namespace(DEFAULT_NAMESPACE).labelValues(name, request)
  }

  series(request: LabelRequest): Promise<SeriesResult> {
    return this.#namespace(DEFAULT_NAMESPACE).series(request)
  }

  /** The last committed watermark, also after a restart; `undefined` when there was none. */
  watermark(policy: string, shard: number): number | undefined {
    return this.#watermarks.get(watermarkKey(policy, shard))?.timestampMs
  }

  watermarks(): readonly Watermark[] {
    return [...this.#watermarks.values()]
  }

  /** Seals, merges and syncs all that is open, in all namespaces. */
  async flush(): Promise<void> {
    this.#checkOpen()
    for (const namespace of this.#namespaces.values()) await namespace.flush(Number.POSITIVE_INFINITY)
  }

  stats(): DatabaseStats {
    this.#countMemory()
    return {
      namespaces: new Map([...this.#namespaces].map(([name, namespace]) => [name, namespace.stats()])),
      memoryBytes: this.#memory.usedBytes,
      memoryBytesMax: this.#memory.bytesMax,
      logSizeBytes: 0,
      readOnly: false,
    }
  }

  /** Lets running appends finish, syncs and releases the folder. Everything after fails with `CLOSED`. */
  async close(): Promise<void> {
    this.#isClosed = true
  }

  #makeHost(): NamespaceHost {
    const { clock } = this.#env
    return {
      clock,
      memory: this.#memory,
      futureMsMax: this.#options.futureMsMax ?? 10 * 60_000,
      declarationEpoch: 1,
      segment: () => 0,
      checkOpen: () => this.#checkOpen(),
      checkWritable: () => {
        this.#checkOpen()
        this.#memory.checkAppend()
      },
      log: (shard, undeclared, batch, extra) => this.#log(shard, undeclared, batch, extra as readonly Watermark[]),
      mayAddSeries: (shard) => this.#mayAddSeries(shard),
      deleteSamples: (namespace, request) => this.#deleteSamples(namespace, request),
      flush: async () => undefined,
      flushShard: async () => undefined,
    }
  }

  async #log(
    _shard: LocalShard,
    _undeclared: readonly number[],
    batch: SampleBatch,
    watermarks: readonly Watermark[] | undefined,
  ): Promise<void> {
    this.#samplesSinceCount += batch.count
    if (this.#samplesSinceCount >= SAMPLES_PER_COUNT) this.#countMemory()
    for (const mark of watermarks ?? []) this.#watermarks.set(watermarkKey(mark.policy, mark.shard), mark)
  }

  async #deleteSamples(
    namespace: LocalNamespace,
    request: { matchers: Matchers; startMs: number; endMs: number },
  ): Promise<void> {
    for (const shard of namespace.shards) {
      shard.deleteFromHead(shard.matchHead(request.matchers), request.startMs, request.endMs)
    }
  }

  #mayAddSeries(shard: LocalShard): void {
    const seriesCountMax = this.#options.seriesCountMax ?? 5_000_000
    if (shard.head.series.liveCount >= seriesCountMax) {
      throw new StorageError('LIMIT_EXCEEDED', `the head holds seriesCountMax ${seriesCountMax} series already`)
    }
    if (this.#newSeriesAllowance < 1) this.#refillAllowance()
    if (this.#newSeriesAllowance < 1) {
      throw new StorageError(
        'LIMIT_EXCEEDED',
        `more than newSeriesPerSecondMax ${this.#newSeriesPerSecondMax} new series a second over ten seconds`,
      )
    }
    this.#newSeriesAllowance--
  }

  get #newSeriesPerSecondMax(): number {
    return this.#options.newSeriesPerSecondMax ?? 100_000
  }

  #refillAllowance(): void {
    const nowMs = this.#env.clock.monotonicMs()
    const refill = ((nowMs - this.#allowanceMs) / 1000) * this.#newSeriesPerSecondMax
    this.#newSeriesAllowance = Math.min(this.#newSeriesPerSecondMax * 10, this.#newSeriesAllowance + refill)
    this.#allowanceMs = nowMs
  }

  #countMemory(): void {
    this.#samplesSinceCount = 0
    let size = 0
    for (const namespace of this.#namespaces.values()) {
      for (const shard of namespace.shards) {
        size += shard.head.sizeBytes
        for (const block of shard.sealing) size += block.sizeBytes
      }
    }
    this.#memory.setHeadBytes(size)
  }

  #namespace(name: string): LocalNamespace {
    const namespace = this.#namespaces.get(name)
    if (namespace !== undefined) return namespace
    throw new StorageError(
      'INVALID_ARGUMENT',
      `no namespace ${JSON.stringify(name)}; there are ${this.namespaces().join(', ')}`,
    )
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new StorageError('CLOSED', 'the database was closed')
  }
}

function watermarkKey(policy: string, shard: number): string {
  return `${shard} ${policy}`
}
