/**
 * All ways in: one pipeline a tenant, shared buffers, and the routes of every protocol.
 *
 * The composition root makes one, adds its `routes()` to the server and hands `metadataOf` and `exemplarsOf` to the API.
 */
import { createHash } from 'node:crypto'
import type { Namespace } from '@varve/tsdb-core'
import type { Clock, EtcdClient, FileSystem, Random, Timer } from '@varve/tsdb-core/env'
import type { Config } from '../config/schema.js'
import { ExemplarStore } from '../exemplars/exemplar-store.js'
import type { Logger } from '../logging/logger.js'
import { MetadataFile } from '../metadata/metadata-file.js'
import { MetadataStore } from '../metadata/metadata-store.js'
import type { Metrics } from '../metrics/metrics.js'
import { ByteGate } from '../server/byte-gate.js'
import { DEFAULT_TENANT, type HttpResponse, type Route, textResponse } from '../server/http.js'
import type { LoopShare } from '../server/loop-share.js'
import type { Door } from './door/door.js'
import { HaTracker } from './door/ha-tracker.js'
import { Relabeller } from './door/relabel.js'
import { importRoutes } from './import-routes.js'
import { registerIngestMetrics } from './ingest-metrics.js'
import { LabelCache } from './label-cache.js'
import { bestScanner } from './native-scanner.js'
import { otlpRoutes } from './otlp/otlp-routes.js'
import { RemoteWriteCounters, remoteWriteRoutes } from './remote-write-handler.js'
import { RowWriter } from './row-writer.js'
import type { TenantIngest } from './tenant-ingest.js'
import { TokenBucket } from './token-bucket.js'
import { labelTotalMax, WRITE_LIMITS, type WriteLimits } from './write-columns.js'
import { WriteMemory } from './write-memory.js'
import { WritePipeline } from './write-pipeline.js'
import type { WriteScanner } from './write-scanner.js'
import type { TimeBounds } from './write-sink.js'

export interface IngestOptions {
  readonly config: Config['ingest']
  /** By tenant; what is absent is as in `config.limits`. */
  readonly tenantLimits?: Config['tenants']['limits']
  readonly clock: Clock
  readonly random: Random
  readonly files: FileSystem
  readonly logger: Logger
  readonly metrics: Metrics
  /** Where a tenant's raw samples go; made when it is not there yet. */
  readonly namespaceOf: (tenant: string) => Promise<Namespace>
  /** A namespace that a request names. @throws {CoordinatorError} `INVALID_ARGUMENT` when the tenant may not write there. */
  readonly rawNamespace: (tenant: string, name: string) => Namespace
  /** How far ahead of the clock the store takes samples. */
  readonly futureMsMax: number
  /** Lets the HA replicas of a cluster be elected together with other coordinators. */
  readonly etcd?: EtcdClient
  /** Such as `/varve`. */
  readonly etcdPrefix?: string
  /** Keeps metadata over restarts. */
  readonly stateDirectory?: string
  /** Of bodies that become text and objects, all tenants' together. */
  readonly bodyMemoryBytesMax: number
  /** Shared with the queries. Default: writes take what they want of the event loop. */
  readonly loop?: LoopShare
  /** Default: native where it is there, else TypeScript. */
  readonly scanner?: WriteScanner
}

type Limits = Config['ingest']['limits']

const SAVE_INTERVAL_MS = 60_000

export class IngestService {
  readonly #options: IngestOptions
  readonly #memory: WriteMemory
  readonly #tenants = new Map<string, Promise<TenantIngest>>()
  /** Those of them that are there, so that a write need not wait to find its own. */
  readonly #opened = new Map<string, TenantIngest>()
  readonly #metadata = new Map<string, MetadataStore>()
  readonly #exemplars = new Map<string, ExemplarStore>()
  readonly #files: MetadataFile[] = []
  readonly #trackers: HaTracker[] = []
  readonly counters = new RemoteWriteCounters()
  readonly scanner: WriteScanner
  #config: Config['ingest']
  #saveTimer: Timer | undefined
  #closed = false

  /** @throws {CoordinatorError} `INVALID_CONFIG` for a relabelling rule that does not compile. */
  constructor(options: IngestOptions) {
    this.#options = options
    this.#config = options.config
    this.scanner = options.scanner ?? bestScanner()
    this.#memory = new WriteMemory(limitsOf(options.config))
    new Relabeller(options.config.relabel)
    registerIngestMetrics(options.metrics, {
      counters: this.counters,
      exemplarCount: () => sum(this.#exemplars.values(), ({ count }) => count),
      familyCount: () => sum(this.#metadata.values(), ({ familyCount }) => familyCount),
      failoverCount: () => sum(this.#trackers, ({ failoverCount }) => failoverCount),
    })
  }

  /** Makes the default tenant's way in, with its saved metadata. */
  async start(): Promise<void> {
    await this.tenant(DEFAULT_TENANT)
    this.#scheduleSave()
  }

  routes(): Route[] {
    const { config, clock, loop, bodyMemoryBytesMax } = this.#options
    const open = (tenant: string) => this.tenant(tenant)
    const shared = {
      open,
      counters: this.counters,
      bodySizeBytesMax: config.body_size,
      decodedSizeBytesMax: config.decoded_size,
      pause: () => clock.yield(),
      gate: new ByteGate(bodyMemoryBytesMax),
    }
    return [
      ...remoteWriteRoutes({
        pipelineOf: (tenant) =>
          this.#opened.get(tenant)?.pipeline ?? this.tenant(tenant).then(({ pipeline }) => pipeline),
        admit: (tenant) => this.#admit(tenant),
        took: (tenant, count) => this.#took(tenant, count),
        bodySizeBytesMax: config.body_size,
        counters: this.counters,
        ...(loop === undefined ? {} : { loop }),
      }),
      ...otlpRoutes({ ...shared, deltas: config.otlp_delta }),
      ...importRoutes({ ...shared, clock }),
    ]
  }

  metadataOf(tenant: string): MetadataStore {
    return storeOf(this.#metadata, tenant, () => new MetadataStore())
  }

  exemplarsOf(tenant: string): ExemplarStore {
    return storeOf(this.#exemplars, tenant, () => new ExemplarStore(this.#options.config.exemplars))
  }

  tenant(name: string): Promise<TenantIngest> {
    let tenant = this.#tenants.get(name)
    if (tenant === undefined) {
      tenant = this.#makeTenant(name)
      tenant.then(
        (opened) => this.#opened.set(name, opened),
        // A failure is not kept: the next request tries again.
        () => this.#tenants.delete(name),
      )
      this.#tenants.set(name, tenant)
    }
    return tenant
  }

  /** Other relabelling and HA rules from now on. @throws {CoordinatorError} `INVALID_CONFIG`: the old ones stay. */
  async reload(config: Config['ingest']): Promise<void> {
    new Relabeller(config.relabel)
    this.#config = config
    for (const [, tenant] of this.#tenants) {
      const { pipeline, rows, replicas } = await tenant
      const door = this.#doorOf(replicas)
      pipeline.changeDoor(door, replicas)
      rows.changeDoor(door)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#saveTimer?.cancel()
    for (const file of this.#files) await file.save()
  }

  async #makeTenant(name: string): Promise<TenantIngest> {
    const { clock, loop, random, namespaceOf, rawNamespace, config, tenantLimits } = this.#options
    const sink = await namespaceOf(name)
    const metadata = this.metadataOf(name)
    await this.#loadMetadata(name, metadata)
    const replicas = config.ha.enabled ? this.#trackerOf(name) : undefined
    const door = this.#doorOf(replicas)
    const own = ownLimits(config.limits, tenantLimits?.[name])
    const limits = limitsOf({ ...config, limits: own })
    const exemplars = this.exemplarsOf(name)
    const timeBounds = () => this.#timeBoundsOf(sink)
    return {
      pipeline: new WritePipeline({
        sink,
        timeBounds,
        scanner: this.scanner,
        memory: this.#memory,
        cache: new LabelCache({ seed: random.u32() }),
        exemplars,
        metadata,
        limits,
        pause: () => (loop === undefined ? clock.yield() : loop.pause()),
        ...(door === undefined ? {} : { door }),
        ...(replicas === undefined ? {} : { replicas }),
      }),
      rows: new RowWriter({ sink, timeBounds, limits, ...(door === undefined ? {} : { door }) }),
      // Made for each request: namespaces come and go, and such imports are rare and large.
      rowsInto: (namespace) => {
        const current = this.#doorOf(replicas)
        const other = rawNamespace(name, namespace)
        return new RowWriter({
          sink: other,
          timeBounds: () => this.#timeBoundsOf(other),
          limits,
          ...(current === undefined ? {} : { door: current }),
        })
      },
      bucket: new TokenBucket(clock, own.ingestion_rate, own.ingestion_burst),
      metadata,
      exemplars,
      replicas,
    }
  }

  #timeBoundsOf(namespace: Namespace): TimeBounds {
    const nowMs = this.#options.clock.wallMs()
    const { retentionMs } = namespace.options
    return { oldestMs: nowMs - retentionMs, newestMs: nowMs + this.#options.futureMsMax }
  }

  #doorOf(replicas: HaTracker | undefined): Door | undefined {
    const { relabel } = this.#config
    if (relabel.length === 0 && replicas === undefined) return undefined
    const relabeller = new Relabeller(relabel)
    return { admit: (labels) => relabeller.apply(replicas?.withoutReplica(labels) ?? labels) }
  }

  #trackerOf(tenant: string): HaTracker {
    const { clock, random, logger, etcd, etcdPrefix = '/varve', config } = this.#options
    const tracker = new HaTracker({
      clusterLabel: config.ha.cluster_label,
      replicaLabel: config.ha.replica_label,
      failoverMs: config.ha.failover,
      clock,
      random,
      logger,
      keyPrefix: `${etcdPrefix}/ha/${encodeURIComponent(tenant)}/`,
      ...(etcd === undefined ? {} : { etcd }),
    })
    this.#trackers.push(tracker)
    return tracker
  }

  async #loadMetadata(tenant: string, store: MetadataStore): Promise<void> {
    const { stateDirectory, files, logger } = this.#options
    if (stateDirectory === undefined) return
    // Never the tenant's name itself: names come from requests.
    const id = tenant === DEFAULT_TENANT ? 'default' : createHash('sha256').update(tenant).digest('hex').slice(0, 16)
    const file = new MetadataFile({ files, directory: stateDirectory, name: `metadata-${id}`, store, logger })
    await file.load()
    this.#files.push(file)
  }

  #scheduleSave(): void {
    if (this.#closed) return
    this.#saveTimer = this.#options.clock.setTimer(SAVE_INTERVAL_MS, async () => {
      for (const file of this.#files) await file.save()
      this.#scheduleSave()
    })
  }

  /** 429 while a tenant is over its rate; Prometheus drops what it is told so about, unless it is told to retry. */
  #admit(name: string): HttpResponse | null | Promise<HttpResponse | null> {
    const opened = this.#opened.get(name)
    return opened === undefined ? this.tenant(name).then((tenant) => this.#admitTo(tenant)) : this.#admitTo(opened)
  }

  #admitTo({ bucket }: TenantIngest): HttpResponse | null {
    const waitSeconds = bucket.waitSeconds()
    if (waitSeconds === 0) return null
    this.counters.countRefused('rate limit', 1)
    return textResponse(429, 'the ingestion rate of this tenant is over its limit', {
      'Retry-After': String(waitSeconds),
    })
  }

  #took(name: string, count: number): void {
    this.#opened.get(name)?.bucket.take(count)
  }
}

function ownLimits(common: Limits, own: Partial<Record<keyof Limits, number | undefined>> = {}): Limits {
  const given = Object.entries(own).filter(([, value]) => value !== undefined)
  return { ...common, ...Object.fromEntries(given) }
}

function limitsOf(config: Pick<Config['ingest'], 'limits' | 'decoded_size'>): WriteLimits {
  const { limits } = config
  return {
    ...WRITE_LIMITS,
    decodedSizeBytesMax: config.decoded_size,
    labelTotalMax: labelTotalMax(config.decoded_size),
    seriesCountMax: limits.series_per_request,
    sampleCountMax: limits.samples_per_request,
    labelCountMax: limits.labels_per_series,
    labelNameSizeBytesMax: limits.label_name_length,
    labelValueSizeBytesMax: limits.label_value_length,
  }
}

function storeOf<T>(stores: Map<string, T>, tenant: string, make: () => T): T {
  let store = stores.get(tenant)
  if (store === undefined) {
    store = make()
    stores.set(tenant, store)
  }
  return store
}

function sum<T>(items: Iterable<T>, read: (item: T) => number): number {
  let total = 0
  for (const item of items) total += read(item)
  return total
}
