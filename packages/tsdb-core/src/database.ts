/**
 * A metrics store in this process: several namespaces over one commit log, one memory budget and one data folder.
 *
 * This is the one file that knows everybody.
 */
import { resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { BlockStore } from './block/block-store.js'
import { CommitLog } from './commit-log/index.js'
import { DataFolder } from './data-folder.js'
import { DatabaseLog, type LogTarget } from './database-log.js'
import { asStorageError, withStorageErrors } from './disk-error.js'
import { DiskGuard } from './disk-guard.js'
import type { Timer } from './env/clock.js'
import type { Env } from './env/env.js'
import { nodeEnv } from './env/node/index.js'
import { StorageError } from './errors.js'
import type { LateSamples } from './late-samples.js'
import { LocalNamespace, type NamespaceHost } from './local-namespace.js'
import type { LocalShard } from './local-shard.js'
import { expireInMemory, Maintenance } from './maintenance.js'
import { readManifest, writeManifest } from './manifest.js'
import { MemoryBudget } from './memory-budget.js'
import type { LabelledSample, Namespace, NamespaceStats, Watermark } from './namespace.js'
import { NewSeriesLimit } from './new-series-limit.js'
import {
  checkDatabaseOptions,
  checkNamespace,
  checkNamespaceChange,
  checkNamespaceOptionNames,
  type DatabaseOptions,
  DEFAULT_NAMESPACE,
  type NamespaceOptions,
  type Notice,
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
import type { DropPolicy } from './raw-drop.js'
import { Recovery } from './recovery.js'
import { NO_SEALED_BLOCKS } from './sealed-blocks.js'
import type { AppendResult, SampleBatch } from './shard.js'
import { writeSnapshot } from './snapshot.js'
import { Watermarks } from './watermarks.js'
import type { WindowBatch } from './window-batch.js'

/** Samples between two counts of the head's memory. */
const SAMPLES_PER_COUNT = 100_000
const MAINTENANCE_INTERVAL_MS = 10_000
const SEGMENT_SIZE_BYTES = 64 * 1024 * 1024
const LOG_SIZE_BYTES_MAX = 1024 ** 3
const DISK_RESERVE_BYTES = 256 * 1024 * 1024

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
  readonly #stores = new Map<LocalNamespace, BlockStore>()
  readonly #memory: MemoryBudget
  readonly #host: NamespaceHost
  /** One for all shards of a namespace: a tenant that makes series without end must not cost the others theirs. */
  readonly #newSeries = new WeakMap<LocalShard, NewSeriesLimit>()
  readonly #watermarks = new Watermarks(async (marks) => this.#folder?.writeWatermarks(marks))
  #lateSamples: LateSamples = { seriesRefs: [], timestampsMs: [] }
  #isLogHeld: () => boolean = () => false
  #folder: DataFolder | undefined
  #log: DatabaseLog | undefined
  #maintenance: Maintenance | undefined
  #disk: DiskGuard | undefined
  #timer: Timer | undefined
  #round: Promise<void> = Promise.resolve()
  #samplesSinceCount = 0
  #isClosed = false

  private constructor(options: DatabaseOptions, env: Env) {
    this.#options = options
    this.#env = env
    this.#memory = new MemoryBudget(options.memoryBytesMax ?? 1024 ** 3)
    this.#host = this.#makeHost()
  }

  /**
   * Opens a store, and makes it when there is none.
   *
   * Resolves once the commit log is replayed: in proportion to what is not sealed yet.
   *
   * @throws {StorageError} `LOCKED` when another process has the folder, `CORRUPT` when its identity cannot be read,
   *   `INVALID_ARGUMENT` for options that do not exist or make no sense. Damaged blocks and log records are told by `onNotice`, and do not
   *   keep the rest from being served.
   */
  static async open(options: DatabaseOptions = {}): Promise<Database> {
    checkDatabaseOptions(options)
    const database = new Database(options, options.env ?? nodeEnv())
    const given = { [DEFAULT_NAMESPACE]: {}, ...options.namespaces }
    for (const [name, one] of Object.entries(given)) checkNamespace(name, namespaceOptions(one))
    try {
      if (options.directory !== undefined) await database.#openFolder(resolve(options.directory))
      for (const [name, one] of Object.entries(given)) await database.#ensureNamespace(name, one)
      if (options.directory !== undefined) await database.#openLog()
    } catch (error) {
      await database.#release()
      throw asStorageError(error)
    }
    database.#schedule()
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
    checkNamespaceOptionNames(name, options)
    const complete = namespaceOptions(options)
    checkNamespace(name, complete)
    return this.#exclusively(async () => {
      if (this.#namespaces.has(name)) throw new StorageError('INVALID_ARGUMENT', `namespace ${name} is there already`)
      return this.#addNamespace(name, this.#env.random.u32(), complete, (store) => store.create())
    })
  }

  /** Changes retention and columns of a namespace; block size, resolution and shard count stay. */
  async changeNamespace(name: string, options: Partial<NamespaceOptions>): Promise<void> {
    this.#checkOpen()
    const namespace = this.#namespace(name)
    checkNamespaceOptionNames(name, options)
    const changed = { ...namespace.options, ...options }
    checkNamespace(name, changed)
    checkNamespaceChange(name, namespace.options, changed)
    // Each start gives the options again: nothing is written when they are what they were.
    if (isDeepStrictEqual(changed, namespace.options)) return
    await this.#exclusively(async () => {
      namespace.options = changed
      await this.#stores.get(namespace)?.writeOptions()
    })
  }

  /** Deletes it with all its samples; its disk space is free once resolved. `default` stays. */
  async deleteNamespace(name: string): Promise<void> {
    this.#checkOpen()
    const namespace = this.#namespace(name)
    if (name === DEFAULT_NAMESPACE) throw new StorageError('INVALID_ARGUMENT', `namespace ${name} cannot be deleted`)
    namespace.isDeleted = true
    this.#namespaces.delete(name)
    await this.#exclusively(async () => {
      await this.#stores.get(namespace)?.removeAll()
      this.#stores.delete(namespace)
    })
    this.#countMemory()
  }

  /** Stores samples in `default`; all of them must be well-formed, see `Namespace.appendSamples`. */
  async append(samples: Iterable<LabelledSample>): Promise<AppendResult> {
    return this.#namespace(DEFAULT_NAMESPACE).appendSamples(samples)
  }

  async select(request: SelectRequest): Promise<SelectResult> {
    return this.#namespace(request?.hints?.namespace ?? DEFAULT_NAMESPACE).select(request)
  }

  /** As in `Queryable`; what is left out of the request is all series, the whole range of time, no limit. So in the next two. */
  labelNames(request?: Partial<LabelRequest>): Promise<LabelResult> {
    return this.#namespace(DEFAULT_NAMESPACE).labelNames(request)
  }

  labelValues(name: string, request?: Partial<LabelRequest>): Promise<LabelResult> {
    return this.#namespace(DEFAULT_NAMESPACE).labelValues(name, request)
  }

  series(request?: Partial<LabelRequest>): Promise<SeriesResult> {
    return this.#namespace(DEFAULT_NAMESPACE).series(request)
  }

  /** The last committed watermark, also after a restart; `undefined` when there was none. */
  watermark(policy: string, shard: number): number | undefined {
    return this.#watermarks.of(policy, shard)
  }

  /**
   * Samples of `default` that were late when the store was opened: stored after a watermark at or after their time, and not
   * covered by two marks `LATE_MARK`. Those that come while it is open are told to observers.
   */
  lateSamples(): LateSamples {
    return this.#lateSamples
  }

  watermarks(): readonly Watermark[] {
    return this.#watermarks.all()
  }

  /**
   * Asks this policy from now on, whenever samples of `default` are written into a block file, which of them are kept; null:
   * all are. How far samples may be missing stands in the watermark `DROP_MARK`, also after a restart. A database in memory
   * writes no blocks, and keeps its samples until they expire.
   */
  setDropPolicy(policy: DropPolicy | null): void {
    this.#watermarks.dropPolicy = policy
  }

  /**
   * Asked before parts of the commit log are removed; while it says true they stay, until the next block is sealed. For who
   * has not yet computed what `lateSamples` would tell after a crash. Absent: nobody needs them.
   */
  setLogHold(isHeld: () => boolean = () => false): void {
    this.#isLogHeld = isHeld
  }

  /** Seals, merges and syncs all that is open, in all namespaces. In memory it does nothing. */
  async flush(): Promise<void> {
    this.#checkOpen()
    await this.#maintenance?.flush([...this.#namespaces.values()], undefined, Number.POSITIVE_INFINITY)
  }

  /** One round of sealing, merging, expiring and log truncation: what happens in the background every few seconds. */
  async maintain(): Promise<void> {
    this.#checkOpen()
    await withStorageErrors(async () => this.#disk?.check())
    if (this.#maintenance !== undefined) await this.#maintenance.round()
    else await expireInMemory(this.#namespaces.values(), this.#env.clock)
  }

  /**
   * Makes a consistent copy in a new folder, by hard links, while writes go on: all that is durable when it is called is in
   * it, watermarks and their windows included. `Database.open` opens the copy, and `restoreSnapshot` puts it back into place.
   *
   * @throws {StorageError} `INVALID_ARGUMENT` in memory, or when the folder is there already.
   */
  async snapshot(directory: string): Promise<void> {
    this.#checkOpen()
    const { files } = this.#env
    const target = resolve(directory)
    if (this.#folder === undefined) throw new StorageError('INVALID_ARGUMENT', 'a database in memory has no snapshots')
    if ((await files.stat(target)) !== null) throw new StorageError('INVALID_ARGUMENT', `${target} is there already`)
    await this.#watermarks.whileNothingIsDropped(async () => {
      // Before the flush: a watermark must not be ahead of the windows that are sealed by it.
      const watermarks = await this.#exclusively(async () => this.#watermarks.all())
      await this.flush()
      await this.#exclusively(() => {
        const stores = new Map([...this.#stores].map(([namespace, store]) => [namespace.name, store]))
        return writeSnapshot(files, target, { stores, watermarks })
      })
    })
  }

  stats(): DatabaseStats {
    this.#countMemory()
    return {
      namespaces: new Map([...this.#namespaces].map(([name, namespace]) => [name, namespace.stats()])),
      memoryBytes: this.#memory.usedBytes,
      memoryBytesMax: this.#memory.bytesMax,
      logSizeBytes: this.#log?.sizeBytes ?? 0,
      readOnly: this.#disk?.isFull ?? false,
    }
  }

  /** Lets running appends finish, syncs and releases the folder. Everything after fails with `CLOSED`. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#timer?.cancel()
    await this.#round
    await this.#maintenance?.exclusively(async () => undefined)
    await withStorageErrors(() => this.#release())
  }

  async #openFolder(directory: string): Promise<void> {
    const { files } = this.#env
    const folder = await DataFolder.open(directory, files)
    this.#folder = folder
    this.#disk = new DiskGuard(files, directory, this.#options.diskReserveBytes ?? DISK_RESERVE_BYTES)
    await this.#disk.check()
    for (const mark of await folder.readWatermarks().catch((error: Error) => this.#lost(error)))
      this.#watermarks.set(mark)
    for (const name of await folder.namespaceNames()) await this.#loadNamespace(name, folder)
    // Names that a killed process left behind may not be durable yet, and from here on all rests on them.
    await files.syncDirectory(`${directory}/namespaces`)
    await files.syncDirectory(`${directory}/state`)
  }

  async #loadNamespace(name: string, folder: DataFolder): Promise<void> {
    const directory = folder.namespaceDirectory(name)
    let found: Awaited<ReturnType<typeof readManifest>>
    try {
      found = await readManifest(this.#env.files, directory)
    } catch (error) {
      if (!(error instanceof StorageError && error.code === 'CORRUPT')) throw error
      this.#notice(
        'error',
        `${error.message}; its blocks are found again from their files, its options are the given ones`,
      )
      const options = namespaceOptions(this.#options.namespaces?.[name])
      await this.#addNamespace(name, this.#env.random.u32(), options, (store) => store.recover())
      return
    }
    // A namespace whose manifest was never written was not acknowledged.
    if (found === undefined) {
      await this.#env.files.removeTree(directory)
      return
    }
    const { manifest, damage, isWhole } = found
    if (damage !== undefined) this.#notice('error', `${damage}; it is written again from the other file of the two`)
    if (!isWhole) await writeManifest(this.#env.files, directory, manifest)
    await this.#addNamespace(name, manifest.id, manifest.options, (store) => store.load(manifest))
  }

  async #ensureNamespace(name: string, options: Partial<NamespaceOptions>): Promise<void> {
    const known = this.#namespaces.get(name)
    if (known === undefined) {
      await this.#addNamespace(name, this.#env.random.u32(), namespaceOptions(options), (store) => store.create())
      return
    }
    if (Object.keys(options).length > 0) await this.changeNamespace(name, options)
  }

  async #addNamespace(
    name: string,
    id: number,
    options: NamespaceOptions,
    prepare: (store: BlockStore) => Promise<void>,
  ): Promise<LocalNamespace> {
    const folder = this.#folder
    if (folder === undefined) {
      const inMemory = new LocalNamespace(name, id, options, this.#host, NO_SEALED_BLOCKS)
      this.#namespaces.set(name, inMemory)
      return inMemory
    }
    const holder: { namespace?: LocalNamespace } = {}
    const store = new BlockStore({
      files: this.#env.files,
      clock: this.#env.clock,
      memory: this.#memory,
      directory: folder.namespaceDirectory(name),
      name,
      id,
      options: () => holder.namespace?.options ?? options,
      dropPolicy: () => (name === DEFAULT_NAMESPACE ? this.#watermarks.dropPolicyNow : null),
      markDropped: (untilMs) => this.#watermarks.markDropped(untilMs),
      notice: (severity, message) => this.#notice(severity, message),
    })
    await prepare(store)
    const namespace = new LocalNamespace(name, id, options, this.#host, store)
    holder.namespace = namespace
    this.#namespaces.set(name, namespace)
    this.#stores.set(namespace, store)
    return namespace
  }

  async #openLog(): Promise<void> {
    const folder = this.#folder
    if (folder === undefined) return
    const log = await CommitLog.open({
      env: this.#env,
      directory: folder.logDirectory,
      syncMode: this.#options.syncMode ?? 'always',
      ...(this.#options.syncIntervalMs !== undefined && { syncIntervalMs: this.#options.syncIntervalMs }),
      segmentSizeBytes: this.#options.segmentSizeBytes ?? SEGMENT_SIZE_BYTES,
    })
    const byId = new Map([...this.#namespaces.values()].map((namespace) => [namespace.id, namespace]))
    const recovery = new Recovery({
      namespaceById: (id) => byId.get(id),
      sealedBefore: (namespace, shard, startMs) => this.#stores.get(namespace)?.sealedBefore(shard, startMs) ?? 0,
      watermark: (mark) => this.#watermarks.set(mark),
    })
    for (const mark of this.#watermarks.all()) recovery.late.addWatermark(mark)
    const report = await log.replay((record) => recovery.apply(record))
    for (const damage of report.damages) this.#notice('error', damage.message)
    for (const message of recovery.losses()) this.#notice('error', message)
    this.#lateSamples = recovery.late.found()
    const databaseLog = new DatabaseLog(log)
    this.#log = databaseLog
    await databaseLog.rotate().catch((error: Error) => this.#startFull(error))
    this.#countMemory()
    this.#maintenance = new Maintenance({
      clock: this.#env.clock,
      memory: this.#memory,
      namespaces: () => [...this.#namespaces.values()],
      storeOf: (namespace) => this.#stores.get(namespace),
      dropPolicyOf: (namespace) => (namespace.name === DEFAULT_NAMESPACE ? this.#watermarks.dropPolicy : null),
      log: databaseLog,
      logSizeBytesMax: this.#options.logSizeBytesMax ?? LOG_SIZE_BYTES_MAX,
      isLogHeld: () => this.#isLogHeld(),
      saveState: () => folder.writeWatermarks(this.#watermarks.all()),
      countMemory: () => this.#countMemory(),
    })
  }

  /** A full disk keeps nobody from reading. The log begins its segment with the first append that finds room. */
  #startFull(error: Error): void {
    if (!(error instanceof StorageError && error.code === 'READ_ONLY')) throw error
    this.#disk?.note(error)
    this.#notice('error', `${error.message}; what is stored can be read`)
  }

  async #release(): Promise<void> {
    this.#isClosed = true
    try {
      await this.#log?.close()
      for (const store of this.#stores.values()) await store.close()
    } finally {
      // A disk that fails at the end must not keep the folder locked: the next opening finds what is durable.
      await this.#folder?.close()
    }
  }

  #schedule(): void {
    const intervalMs = this.#options.maintenanceIntervalMs ?? MAINTENANCE_INTERVAL_MS
    if (intervalMs === 0 || this.#isClosed) return
    this.#timer = this.#env.clock.setTimer(intervalMs, () => {
      this.#round = this.maintain()
        .catch((error: Error) => {
          if (!this.#isClosed) this.#notice('error', `background work failed and is tried again: ${error.message}`)
        })
        .then(() => this.#schedule())
    })
  }

  #makeHost(): NamespaceHost {
    const { clock } = this.#env
    const log = () => this.#log
    return {
      clock,
      memory: this.#memory,
      futureMsMax: this.#options.futureMsMax ?? 10 * 60_000,
      get declarationEpoch() {
        return log()?.declarationEpoch ?? 1
      },
      segment: () => this.#log?.segment ?? 0,
      checkOpen: () => this.#checkOpen(),
      checkWritable: () => {
        this.#checkOpen()
        this.#disk?.checkWritable()
        this.#memory.checkAppend()
      },
      log: (shard, undeclared, batch, extra) => this.#append(shard, undeclared, batch, extra as readonly Watermark[]),
      logWindow: (shard, undeclared, batch, isDeferred) => this.#appendWindow(shard, undeclared, batch, isDeferred),
      writeDeferred: () => this.#log?.writeDeferred(),
      mayAddSeries: (shard) => this.#newSeriesOf(shard).take(shard.head.series.liveCount),
      deleteSamples: (namespace, request) => this.#deleteSamples(namespace, request),
      flush: async (namespace, beforeMs) => this.#maintenance?.flush([namespace], undefined, beforeMs),
      flushShard: async (shard, beforeMs) => this.#maintenance?.flush([this.#namespaceOf(shard)], [shard], beforeMs),
    }
  }

  #newSeriesOf(shard: LocalShard): NewSeriesLimit {
    let limit = this.#newSeries.get(shard)
    if (limit === undefined) {
      limit = new NewSeriesLimit(this.#env.clock, {
        seriesCountMax: this.#options.seriesCountMax ?? 5_000_000,
        newSeriesPerSecondMax: this.#options.newSeriesPerSecondMax ?? 100_000,
      })
      for (const each of this.#namespaceOf(shard).shards) this.#newSeries.set(each, limit)
    }
    return limit
  }

  async #append(
    shard: LocalShard,
    undeclared: readonly number[],
    batch: SampleBatch,
    watermarks: readonly Watermark[] | undefined,
  ): Promise<void> {
    this.#samplesSinceCount += batch.count
    if (this.#samplesSinceCount >= SAMPLES_PER_COUNT) this.#countMemory()
    await this.#logged((log) => log.append(this.#targetOf(shard), undeclared, batch, watermarks))
    for (const mark of watermarks ?? []) this.#watermarks.set(mark)
  }

  async #appendWindow(
    shard: LocalShard,
    undeclared: readonly number[],
    batch: WindowBatch,
    isDeferred: boolean,
  ): Promise<void> {
    this.#samplesSinceCount += batch.count * batch.columns.length
    if (this.#samplesSinceCount >= SAMPLES_PER_COUNT) this.#countMemory()
    await this.#logged((log) => log.appendWindow(this.#targetOf(shard), undeclared, batch, isDeferred))
  }

  #targetOf(shard: LocalShard): LogTarget {
    return { namespaceId: this.#namespaceOf(shard).id, shard: shard.number, series: shard.head.series }
  }

  /** A disk that the log found full is full for everybody. In memory there is no log. */
  async #logged(append: (log: DatabaseLog) => Promise<void>): Promise<void> {
    if (this.#log === undefined) return
    try {
      await append(this.#log)
    } catch (error) {
      this.#disk?.note(error)
      throw error
    }
  }

  async #deleteSamples(
    namespace: LocalNamespace,
    request: { matchers: Matchers; startMs: number; endMs: number },
  ): Promise<void> {
    const { matchers, startMs, endMs } = request
    await this.#exclusively(async () => {
      for (const shard of namespace.shards) {
        const refs = shard.matchHead(matchers)
        const logged = this.#logDeletion(shard, refs, startMs, endMs)
        shard.deleteFromHead(refs, startMs, endMs)
        await logged
      }
      await this.#stores.get(namespace)?.addDeletion({ matchers, startMs, endMs })
    })
  }

  async #logDeletion(shard: LocalShard, refs: Uint32Array, startMs: number, endMs: number): Promise<void> {
    if (this.#log === undefined || refs.length === 0) return
    const deleted = { startMs, endMs, seriesRefs: refs }
    await this.#logged((log) => log.appendTombstones(this.#targetOf(shard), shard.undeclared(refs), deleted))
  }

  /** Runs one change to what is on disk after all others. */
  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.#maintenance === undefined ? withStorageErrors(work) : this.#maintenance.exclusively(work)
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

  #namespaceOf(shard: LocalShard): LocalNamespace {
    for (const namespace of this.#namespaces.values()) if (namespace.shards[shard.number] === shard) return namespace
    throw new StorageError('CLOSED', 'the namespace was deleted')
  }

  #namespace(name: string): LocalNamespace {
    const namespace = this.#namespaces.get(name)
    if (namespace !== undefined) return namespace
    throw new StorageError(
      'INVALID_ARGUMENT',
      `no namespace ${JSON.stringify(name)}; there are ${this.namespaces().join(', ')}`,
    )
  }

  #lost(error: Error): Watermark[] {
    if (!(error instanceof StorageError && error.code === 'CORRUPT')) throw error
    this.#notice('error', `${error.message}; watermarks are those of the commit log`)
    return []
  }

  #notice(severity: Notice['severity'], message: string): void {
    this.#options.onNotice?.({ severity, message })
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new StorageError('CLOSED', 'the database was closed')
  }
}
