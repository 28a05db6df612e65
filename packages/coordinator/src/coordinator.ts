/**
 * The composition root: opens the store, the rules, the aggregator and the server, wires them, and closes them in turn.
 *
 *     access control → listener (answers 503) → database (replays its log) → rules → aggregator → routes → ready
 *
 * It is the one file that knows everybody; nobody knows it but the command line and the tests.
 */
import { Aggregator, FileRuleStore, type RuleStore } from '@varve/aggregator'
import { Engine, parseSelector } from '@varve/promql'
import { Database, DEFAULT_NAMESPACE } from '@varve/tsdb-core'
import type { Env, EtcdClient } from '@varve/tsdb-core/env'
import type { Queryable } from '@varve/tsdb-core/query'
import { adminRoutes } from './api/admin-routes.js'
import { EMPTY } from './api/empty-queryable.js'
import { exportRoute } from './api/export-route.js'
import { federateRoute } from './api/federate-route.js'
import { healthRoutes } from './api/health-routes.js'
import { indexRoute } from './api/index-route.js'
import { labelRoutes } from './api/label-routes.js'
import { metadataRoutes } from './api/metadata-routes.js'
import { QueryGate } from './api/query-gate.js'
import { type QueryEvent, type QueryLimits, queryRoutes } from './api/query-routes.js'
import { rollupRulesRoutes } from './api/rollup-rules-route.js'
import { statusRoutes } from './api/status-routes.js'
import { type AccessControl, accessControl } from './auth/access-control.js'
import type { PasswordChecker } from './auth/credentials.js'
import type { RuntimeInfo } from './cli/program.js'
import { configText } from './config/config-text.js'
import type { Config } from './config/schema.js'
import { formatDuration } from './config/units.js'
import { CoordinatorError } from './errors.js'
import { clientConnection } from './fanout/client-connection.js'
import { MergedQueryable } from './fanout/merged-queryable.js'
import { RemoteSource } from './fanout/remote-source.js'
import { ForwardQueue } from './forward/forward-queue.js'
import { Forwarder } from './forward/forwarder.js'
import { IngestService } from './ingest/ingest-service.js'
import type { Logger } from './logging/logger.js'
import { registerForwardMetrics } from './metrics/forward-metrics.js'
import { Metrics } from './metrics/metrics.js'
import { registerProcessMetrics, registerStorageMetrics } from './metrics/process-metrics.js'
import { registerQueryMetrics } from './metrics/query-metrics.js'
import { registerRollupMetrics } from './metrics/rollup-metrics.js'
import { SelfScrape } from './metrics/self-scrape.js'
import { remoteReadRoutes } from './remote-read/remote-read-handler.js'
import { connectEtcd, etcdOptions, etcdRuleStore } from './rules/etcd-rules.js'
import { DEFAULT_TENANT, type Route, textResponse } from './server/http.js'
import type { HttpClient } from './server/http-client.js'
import { formatAddress } from './server/listen-address.js'
import type { Listen, Listener } from './server/listener.js'
import { LoopShare } from './server/loop-share.js'
import { Pipeline } from './server/pipeline.js'
import { ServerStatistics } from './server/statistics.js'
import { namespaceOfTenant, rawNamespace } from './tenants.js'
import { VERSION } from './version.js'
import { warmUp } from './warm-up/warm-up.js'

export interface CoordinatorOptions {
  readonly config: Config
  readonly env: Env
  readonly logger: Logger
  readonly runtime: RuntimeInfo
  readonly listen: Listen
  readonly passwords: PasswordChecker
  /** For other servers: remote read, remote write. */
  readonly http: HttpClient
  readonly readText: (path: string) => Promise<string>
  /** Absolute path of the data folder. */
  readonly dataDirectory: string
  /** Absolute path of the rules, when they do not come from etcd. */
  readonly rulesPath: string
  /** Reads the configuration again, for a reload. @throws {CoordinatorError} `INVALID_CONFIG`: the old one stays. */
  readonly readConfig: () => Promise<Config>
}

const QUERY_WAIT_MS_MAX = 60_000
/** Of the memory setting, for what bodies become while they are read; one that takes more is read alone. */
const BODY_MEMORY_SHARE = 1 / 4
/** Requests for the labels of series; asked of other servers too, most of their time is waiting. */
const SERIES_REQUESTS_AT_ONCE = 4

export class Coordinator {
  readonly #options: CoordinatorOptions
  readonly #metrics = new Metrics()
  readonly #gate: QueryGate
  readonly #loop: LoopShare
  readonly #startedMs: number
  readonly #cacheKey: Uint8Array
  #config: Config
  #access: AccessControl | undefined
  #pipeline: Pipeline | undefined
  #listener: Listener | undefined
  #database: Database | undefined
  #etcd: EtcdClient | undefined
  #ingest: IngestService | undefined
  #rules: RuleStore | undefined
  #aggregator: Aggregator | undefined
  #selfScrape: SelfScrape | undefined
  readonly #stopping = new AbortController()
  #warmUp: Promise<void> = Promise.resolve()
  #sources: readonly RemoteSource[] = []
  #forwarders: readonly Forwarder[] = []
  #lastReload: { succeeded: boolean; timeMs: number }
  #stopped: Promise<void> | undefined

  private constructor(options: CoordinatorOptions) {
    const { config, env } = options
    this.#options = options
    this.#config = config
    this.#startedMs = env.clock.wallMs()
    this.#lastReload = { succeeded: true, timeMs: this.#startedMs }
    this.#cacheKey = new Uint8Array(Uint32Array.from({ length: 8 }, () => env.random.u32()).buffer)
    this.#loop = new LoopShare(env.clock)
    this.#gate = new QueryGate({
      clock: env.clock,
      concurrencyMax: config.query.concurrency,
      queueLengthMax: config.query.queue_length,
      waitMsMax: QUERY_WAIT_MS_MAX,
    })
  }

  /** Resolves when it serves. What fails closes again what was open before it rejects. */
  static async start(options: CoordinatorOptions): Promise<Coordinator> {
    const coordinator = new Coordinator(options)
    try {
      await coordinator.#open()
      return coordinator
    } catch (error) {
      await coordinator.stop()
      throw error
    }
  }

  /** Where it can be reached from this machine, with the port that was chosen. */
  get url(): string {
    const { listen, path_prefix } = this.#config.server
    const host = listen.host === '' || listen.host === '0.0.0.0' ? '127.0.0.1' : listen.host
    const scheme = this.#access?.tls ? 'https' : 'http'
    return `${scheme}://${formatAddress({ host, port: this.#listener?.port ?? listen.port })}${path_prefix}`
  }

  /**
   * Reads the configuration again: users, certificates, query limits, relabelling and log level change at once; what needs
   * a restart is named in the log.
   *
   * @throws {CoordinatorError} `INVALID_CONFIG`: everything stays as it was.
   */
  async reload(): Promise<void> {
    const { logger, env } = this.#options
    try {
      const config = await this.#options.readConfig()
      const access = await this.#readAccess(config)
      const before = this.#access
      if (access.tls !== null) this.#listener?.replaceCertificates(access.tls)
      try {
        await this.#ingest?.reload(config.ingest)
      } catch (error) {
        if (before?.tls) this.#listener?.replaceCertificates(before.tls)
        throw error
      }
      const needRestart = settingsThatNeedRestart(this.#config, config)
      if ((access.tls === null) !== (before?.tls === null)) needRestart.push('tls_server_config')
      if (JSON.stringify(access.responseHeaders) !== JSON.stringify(before?.responseHeaders)) {
        needRestart.push('http_server_config')
      }
      this.#config = config
      this.#access = access
      if (this.#pipeline !== undefined) this.#pipeline.authenticator = access.authenticator
      this.#lastReload = { succeeded: true, timeMs: env.clock.wallMs() }
      logger.info({ needRestart }, 'configuration was read again')
    } catch (error) {
      this.#lastReload = { ...this.#lastReload, succeeded: false }
      logger.error({ error }, 'configuration was not read again: the old one stays')
      throw error
    }
  }

  /** Takes no more requests, lets those in flight end, makes everything durable and releases the data folder. */
  stop(): Promise<void> {
    this.#stopped ??= this.#close()
    return this.#stopped
  }

  async #open(): Promise<void> {
    const { config } = this.#options
    this.#access = await this.#readAccess(config)
    const statistics = new ServerStatistics()
    const health = healthRoutes({ phase: () => this.#pipeline?.phase ?? 'starting', metrics: this.#metrics })
    const origin = config.server.cors_origin
    const pipeline = new Pipeline({
      routes: health,
      authenticator: this.#access.authenticator,
      inFlightBytesMax: config.server.in_flight_size,
      logger: this.#options.logger,
      statistics,
      pathPrefix: config.server.path_prefix,
      responseHeaders: this.#access.responseHeaders,
      corsOrigin: origin === undefined ? null : new RegExp(`^(?:${origin})$`),
    })
    pipeline.starting()
    this.#pipeline = pipeline
    statistics.register(this.#metrics, pipeline.budget)
    registerProcessMetrics(this.#metrics, this.#options.runtime, VERSION, this.#loop.turns)
    registerStorageMetrics(this.#metrics, () => this.#database)
    this.#listener = await this.#listen(pipeline)
    this.#sources = await this.#makeSources()
    this.#etcd = await this.#connectEtcd()
    this.#database = await this.#openDatabase()
    this.#ingest = await this.#startIngest(this.#database)
    this.#aggregator = await this.#startAggregator(this.#database, this.#ingest)
    this.#forwarders = await this.#startForwarders(this.#database)
    pipeline.ready([
      ...health,
      indexRoute(VERSION, config.server.path_prefix),
      ...this.#routes(this.#database, this.#ingest, this.#aggregator),
    ])
    this.#startSelfScrape(this.#database, this.#ingest)
    if (config.query.warm_up) this.#warmUp = this.#runWarmUp()
  }

  async #close(): Promise<void> {
    this.#pipeline?.stop()
    this.#stopping.abort(new Error('the server stops'))
    await this.#warmUp
    await this.#selfScrape?.stop()
    await this.#listener?.stop(this.#config.server.shutdown_timeout)
    await this.#aggregator?.stop()
    await this.#rules?.close()
    await this.#ingest?.close()
    for (const forwarder of this.#forwarders) await forwarder.stop()
    await this.#database?.close()
    await this.#etcd?.close()
  }

  #readAccess(config: Config): Promise<AccessControl> {
    const { readText, passwords, env } = this.#options
    return accessControl({ config, readText, passwords, clock: env.clock, cacheKey: this.#cacheKey })
  }

  async #listen(pipeline: Pipeline): Promise<Listener> {
    const { server } = this.#config
    const tls = this.#access?.tls ?? null
    try {
      return await this.#options.listen({
        address: server.listen,
        pipeline,
        connectionCountMax: server.connections,
        ...(tls === null ? {} : { tls }),
      })
    } catch (error) {
      if (error instanceof CoordinatorError) throw error
      const code = (error as { code?: string }).code
      const why = code === 'EADDRINUSE' ? 'another program listens there' : (error as Error).message
      const text = `cannot listen on ${formatAddress(server.listen)}: ${why}; --listen HOST:PORT chooses another address`
      throw new CoordinatorError('UNAVAILABLE', text, { cause: error })
    }
  }

  async #openDatabase(): Promise<Database> {
    const { storage } = this.#config
    const { env, logger, dataDirectory } = this.#options
    return Database.open({
      directory: dataDirectory,
      env,
      namespaces: {
        [DEFAULT_NAMESPACE]: { retentionMs: storage.retention, retentionSizeBytes: storage.retention_size },
      },
      syncMode: storage.sync,
      memoryBytesMax: storage.memory,
      seriesCountMax: storage.series,
      newSeriesPerSecondMax: storage.new_series_per_second,
      futureMsMax: storage.max_future,
      diskReserveBytes: storage.disk_reserve,
      logSizeBytesMax: storage.log_size,
      onNotice: ({ severity, message }) => noticeTo(logger, 'storage', severity, message),
    })
  }

  async #connectEtcd(): Promise<EtcdClient | undefined> {
    const { etcd } = this.#config
    if (etcd.endpoints.length === 0) return undefined
    const { env, readText } = this.#options
    return connectEtcd(env, await etcdOptions(etcd, readText))
  }

  async #startIngest(database: Database): Promise<IngestService> {
    const { env, logger, dataDirectory } = this.#options
    const { ingest: config, tenants, storage, etcd } = this.#config
    const ingest = new IngestService({
      config,
      tenantLimits: tenants.limits,
      clock: env.clock,
      random: env.random,
      files: env.files,
      logger,
      metrics: this.#metrics,
      loop: this.#loop,
      namespaceOf: async (tenant) => {
        const name = namespaceOfTenant(tenant)
        if (database.hasNamespace(name)) return database.namespace(name)
        const options = { retentionMs: storage.retention, retentionSizeBytes: storage.retention_size }
        return database.createNamespace(name, options)
      },
      rawNamespace: (tenant, name) => rawNamespace(database, tenant, name),
      futureMsMax: storage.max_future,
      bodyMemoryBytesMax: storage.memory * BODY_MEMORY_SHARE,
      ...(this.#etcd === undefined ? {} : { etcd: this.#etcd, etcdPrefix: etcd.prefix }),
      stateDirectory: `${dataDirectory}/state`,
    })
    await ingest.start()
    return ingest
  }

  #routes(database: Database, ingest: IngestService, aggregator: Aggregator): Route[] {
    const { env, logger, runtime } = this.#options
    const { clock } = env
    const planner = aggregator.queryable()
    const local = (tenant: string): Queryable => {
      const name = namespaceOfTenant(tenant)
      if (name === DEFAULT_NAMESPACE) return planner
      return database.hasNamespace(name) ? database.namespace(name) : EMPTY
    }
    // Sources are of one credential, ours, so only the tenant that we are ourselves sees them.
    const queryable = (tenant: string): Queryable =>
      this.#sources.length > 0 && tenant === DEFAULT_TENANT
        ? new MergedQueryable(local(tenant), this.#sources)
        : local(tenant)
    const countQuery = registerQueryMetrics(this.#metrics, this.#gate)
    return [
      ...queryRoutes({
        engine: new Engine({ clock: this.#loop.queryClock }),
        clock,
        gate: this.#gate,
        loop: this.#loop,
        limits: () => queryLimits(this.#config),
        queryable,
        onQuery: (event) => {
          countQuery(event)
          this.#logSlowQuery(event)
        },
      }),
      ...ingest.routes(),
      ...metadataRoutes({
        metadata: (tenant) => ingest.metadataOf(tenant),
        exemplars: (tenant) => ingest.exemplarsOf(tenant),
      }),
      // The store alone: a Prometheus that is also a source of ours would otherwise be asked for what it asks us.
      ...remoteReadRoutes({
        queryable: local,
        externalLabels: () => this.#config.external_labels,
        sampleCountMax: this.#config.query.samples,
        pause: () => clock.yield(),
        enter: (signal) =>
          this.#gate.enter(signal).catch((error: Error) => {
            throw new CoordinatorError('UNAVAILABLE', error.message, { cause: error })
          }),
      }),
      ...labelRoutes({
        queryable,
        pause: () => clock.yield(),
        gate: new QueryGate({
          clock,
          concurrencyMax: this.#sources.length > 0 ? this.#config.query.concurrency : SERIES_REQUESTS_AT_ONCE,
          queueLengthMax: this.#config.query.queue_length,
          waitMsMax: QUERY_WAIT_MS_MAX,
        }),
      }),
      exportRoute({ clock, queryable: local }),
      federateRoute({
        clock,
        queryable,
        lookbackMs: () => this.#config.query.lookback,
        externalLabels: () => this.#config.external_labels,
      }),
      ...statusRoutes({
        version: VERSION,
        revision: '',
        nodeVersion: runtime.nodeVersion,
        hostName: runtime.hostName,
        startedMs: this.#startedMs,
        nowMs: () => clock.wallMs(),
        workingDirectory: runtime.workingDirectory,
        database: () => database,
        namespaceFor: namespaceOfTenant,
        configText: () => configText(this.#config),
        flags: () => flagsOf(this.#config, this.#options.dataDirectory),
        lastReload: () => this.#lastReload,
        retention: () => formatDuration(this.#config.storage.retention),
      }),
      ...rollupRulesRoutes({ aggregator, adminEnabled: this.#config.server.enable_admin }),
      ...adminRoutes({
        enabled: this.#config.server.enable_admin,
        database: () => database,
        namespaceFor: namespaceOfTenant,
        snapshot: () => this.#snapshot(database),
        logger,
      }),
      this.#reloadRoute(),
    ]
  }

  #makeSources(): Promise<RemoteSource[]> {
    const { http, readText, env } = this.#options
    return Promise.all(
      this.#config.remote_read.map(async (config) => {
        const connection = await clientConnection(config, readText)
        return new RemoteSource({
          name: config.name,
          url: config.url,
          connection,
          timeoutMs: config.timeout,
          replicaLabels: config.replica_labels,
          requiredMatchers: config.required_matchers,
          localRetentionMs: config.local_retention,
          http,
          wallMs: () => env.clock.wallMs(),
          pause: () => env.clock.yield(),
        })
      }),
    )
  }

  /** Without etcd and without a path of its own, rules are looked for in a folder beside the data: the embedded default. */
  async #startAggregator(database: Database, ingest: IngestService): Promise<Aggregator> {
    const { env, logger, dataDirectory } = this.#options
    const { etcd } = this.#config
    this.#rules =
      this.#etcd === undefined
        ? new FileRuleStore({ files: env.files, path: this.#options.rulesPath })
        : etcdRuleStore(this.#etcd, { prefix: etcd.prefix, endpoints: etcd.endpoints })
    const { rulesPath } = this.#options
    if (this.#etcd === undefined && this.#config.rules !== undefined && (await env.files.stat(rulesPath)) === null) {
      logger.warn(
        { path: rulesPath },
        'there is no file or folder of rules here yet: nothing is rolled up until there is',
      )
    }
    const metadata = ingest.metadataOf(DEFAULT_TENANT)
    const aggregator = new Aggregator({
      database,
      env,
      store: this.#rules,
      stateDirectory: `${dataDirectory}/state`,
      metadata: (name) => metadata.of(name)[0]?.type,
      onNotice: (severity, message) => noticeTo(logger, 'rollup', severity, message),
    })
    registerRollupMetrics(this.#metrics, () => aggregator.status())
    await aggregator.start()
    return aggregator
  }

  async #startForwarders(database: Database): Promise<Forwarder[]> {
    const { http, readText, env, logger, dataDirectory } = this.#options
    const forwarders: Forwarder[] = []
    for (const config of this.#config.remote_write) {
      const forwarder = new Forwarder({
        name: config.name,
        url: config.url,
        connection: await clientConnection(config, readText),
        timeoutMs: config.timeout,
        selectors: config.match.map((text) => parseSelector(text)),
        samplesPerRequest: config.samples_per_request,
        namespaces: () =>
          config.namespaces.filter((name) => database.hasNamespace(name)).map((name) => database.namespace(name)),
        queue: await ForwardQueue.open({
          files: env.files,
          directory: `${dataDirectory}/forward/${config.name}`,
          sizeBytesMax: config.queue_size,
          onDamage: (message) => logger.error({ target: config.name, detail: message }, 'forward queue is damaged'),
        }),
        http,
        clock: env.clock,
        logger,
        externalLabels: () => this.#config.external_labels,
      })
      forwarder.start()
      forwarders.push(forwarder)
    }
    registerForwardMetrics(this.#metrics, forwarders)
    return forwarders
  }

  #reloadRoute(): Route {
    return {
      methods: ['POST', 'PUT'],
      path: '/-/reload',
      permission: 'admin',
      handle: async () => {
        if (!this.#config.server.enable_lifecycle) {
          return textResponse(403, 'Lifecycle API is not enabled: start with --enable-lifecycle')
        }
        try {
          await this.reload()
          return textResponse(200, 'ok')
        } catch (error) {
          return textResponse(500, `failed to reload config: ${(error as Error).message}`)
        }
      },
    }
  }

  async #snapshot(database: Database): Promise<{ name: string; directory: string }> {
    const { env, dataDirectory } = this.#options
    const stamp = new Date(env.clock.wallMs()).toISOString().replace(/[-:]/g, '').replace('.', '-')
    const name = `${stamp}-${env.random.u32().toString(16).padStart(8, '0')}`
    await env.files.makeDirectory(`${dataDirectory}/snapshots`)
    const directory = `${dataDirectory}/snapshots/${name}`
    await database.snapshot(directory)
    return { name, directory }
  }

  #startSelfScrape(database: Database, ingest: IngestService): void {
    const intervalMs = this.#config.self_scrape
    if (intervalMs === 'off') return
    const { env, logger } = this.#options
    this.#selfScrape = new SelfScrape({
      clock: env.clock,
      intervalMs,
      metrics: this.#metrics,
      logger,
      instance: new URL(this.url).host,
      append: (samples) => database.append(samples),
      record: (family, metadata) => ingest.metadataOf(DEFAULT_TENANT).record(family, metadata),
    })
    this.#selfScrape.start()
  }

  /** In the background. Queries are right without it, so a failure is only worth a line in the log. */
  async #runWarmUp(): Promise<void> {
    const { env, logger } = this.#options
    const { signal } = this.#stopping
    try {
      const writesMs = () => this.#loop.writesMs
      const onTurn = (tookMs: number) => this.#loop.turns.note('warm_up', tookMs)
      const count = await warmUp({ env, limits: queryLimits(this.#config), signal, writesMs, onTurn })
      logger.debug({ queryCount: count }, 'warmed up')
    } catch (error) {
      if (!signal.aborted) logger.warn({ error }, 'queries could not be warmed up')
    }
  }

  #logSlowQuery({ kind, query, tenant, durationMs, samplesRead, error }: QueryEvent): void {
    if (durationMs < this.#config.query.slow) return
    this.#options.logger.warn(
      { kind, query, tenant, durationMs: Math.round(durationMs), samplesRead, error },
      'slow query',
    )
  }
}

function noticeTo(logger: Logger, part: string, severity: 'info' | 'warning' | 'error', message: string): void {
  if (severity === 'info') logger.info({ detail: message }, part)
  else if (severity === 'warning') logger.warn({ detail: message }, part)
  else logger.error({ detail: message }, part)
}

/** What Prometheus' clients read of its flags, with our values. */
function flagsOf(config: Config, dataDirectory: string): Record<string, string> {
  const { server, storage, query } = config
  return {
    'storage.tsdb.path': dataDirectory,
    'storage.tsdb.retention.time': formatDuration(storage.retention),
    'storage.tsdb.min-block-duration': '2h',
    'storage.tsdb.max-block-duration': '2h',
    'query.timeout': formatDuration(query.timeout),
    'query.lookback-delta': formatDuration(query.lookback),
    'query.max-concurrency': String(query.concurrency),
    'query.max-samples': String(query.samples),
    'web.listen-address': formatAddress(server.listen),
    'web.enable-admin-api': String(server.enable_admin),
    'web.enable-lifecycle': String(server.enable_lifecycle),
    'web.enable-remote-write-receiver': 'true',
  }
}

/** Sections of the file whose changes wait for a restart. */
function settingsThatNeedRestart(before: Config, after: Config): string[] {
  const sections = ['storage', 'etcd', 'rules', 'self_scrape', 'remote_read', 'remote_write', 'tenants'] as const
  const changed: string[] = sections.filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]))
  if (JSON.stringify(before.server) !== JSON.stringify(after.server)) changed.push('server')
  return changed
}

function queryLimits({ query }: Config): QueryLimits {
  const { timeout, lookback, samples, series, size } = query
  return { timeoutMs: timeout, lookbackMs: lookback, samplesMax: samples, seriesMax: series, bytesMax: size }
}
