/**
 * `/api/v1/status/*` and the lists that a store without scraping and alerting has nothing to put into. Grafana, Thanos and
 * Prometheus' own pages ask for them and take an empty list as an answer, but not an error.
 */
import type { Database, Namespace } from '@varve/tsdb-core'
import { DEFAULT_TENANT, GET, type Route } from '../server/http.js'
import { type ApiFunction, getRoute } from './api-handler.js'
import { ApiError, invalidParameter, JSON_HEADERS, successResponse } from './envelope.js'

/**
 * Grafana reads `version` as Prometheus' own and switches features by it, so it names the Prometheus whose API this is.
 * There must be no key `features`: with one, Grafana takes the server for Mimir and asks for its ruler.
 */
export const PROMETHEUS_VERSION = '3.14.0'

export interface StatusRoutesOptions {
  readonly version: string
  readonly revision: string
  readonly nodeVersion: string
  readonly startedMs: number
  readonly nowMs: () => number
  readonly workingDirectory: string
  readonly hostName: string
  readonly database: () => Database
  readonly namespaceFor: (tenant: string) => string
  /** The configuration in force, as YAML without secrets. */
  readonly configText: () => string
  /** Flags as they were given or defaulted. */
  readonly flags: () => Readonly<Record<string, string>>
  readonly lastReload: () => { readonly succeeded: boolean; readonly timeMs: number }
  readonly retention: () => string
}

const LIST_LENGTH_DEFAULT = 10
const LIST_LENGTH_MAX = 10_000

export function statusRoutes(options: StatusRoutesOptions): Route[] {
  const fixed = (path: string, data: unknown) => getRoute(path, async () => successResponse(JSON.stringify(data)))
  return [
    fixed('/api/v1/status/buildinfo', {
      version: PROMETHEUS_VERSION,
      revision: options.revision,
      branch: 'main',
      buildUser: '',
      buildDate: '',
      goVersion: `node ${options.nodeVersion}`,
      implementation: `Varve ${options.version}`,
    }),
    ours('/api/v1/status/config', async () => successResponse(JSON.stringify({ yaml: options.configText() }))),
    ours('/api/v1/status/flags', async () => successResponse(JSON.stringify(options.flags()))),
    ours('/api/v1/status/runtimeinfo', async () => successResponse(JSON.stringify(runtimeInfo(options)))),
    getRoute('/api/v1/status/walreplay', async () =>
      successResponse(JSON.stringify({ min: 0, max: 0, current: 0, state: 'done' })),
    ),
    getRoute('/api/v1/status/tsdb', async (parameters, request) => {
      const text = parameters.get('limit')
      const limit = text === '' ? LIST_LENGTH_DEFAULT : parameters.limit()
      if (limit < 1 || limit > LIST_LENGTH_MAX) {
        throw invalidParameter('limit', `limit must be between 1 and ${LIST_LENGTH_MAX}`)
      }
      const name = options.namespaceFor(request.tenant)
      const database = options.database()
      return successResponse(
        JSON.stringify(database.hasNamespace(name) ? await storeStatus(database.namespace(name), limit) : NO_STATUS),
      )
    }),
    ours('/api/v1/status/namespaces', async () => successResponse(JSON.stringify(namespaces(options.database())))),
    fixed('/api/v1/rules', { groups: [] }),
    fixed('/api/v1/alerts', { alerts: [] }),
    fixed('/api/v1/targets', { activeTargets: [], droppedTargets: [], droppedTargetCounts: {} }),
    fixed('/api/v1/targets/metadata', []),
    fixed('/api/v1/scrape_pools', { scrapePools: [] }),
    fixed('/api/v1/alertmanagers', { activeAlertmanagers: [], droppedAlertmanagers: [] }),
    {
      methods: GET,
      path: '/api/v1/notifications',
      permission: 'read',
      handle: async () => ({ status: 200, headers: JSON_HEADERS, body: '{"status":"success","data":[]}' }),
    },
  ]
}

/** What concerns the whole server is shown to its own tenant only. */
function ours(path: string, run: ApiFunction): Route {
  return getRoute(path, (parameters, request) => {
    if (request.tenant !== DEFAULT_TENANT) throw new ApiError('not_found', 'this page is of the whole server')
    return run(parameters, request)
  })
}

function runtimeInfo(options: StatusRoutesOptions) {
  const stats = options.database().stats()
  let series = 0
  for (const namespace of stats.namespaces.values()) series += namespace.headSeriesCount
  const reload = options.lastReload()
  return {
    startTime: new Date(options.startedMs).toISOString(),
    CWD: options.workingDirectory,
    hostname: options.hostName,
    serverTime: new Date(options.nowMs()).toISOString(),
    reloadConfigSuccess: reload.succeeded,
    lastConfigTime: new Date(reload.timeMs).toISOString(),
    corruptionCount: 0,
    goroutineCount: 0,
    GOMAXPROCS: 1,
    GOMEMLIMIT: stats.memoryBytesMax,
    GOGC: '',
    GODEBUG: '',
    storageRetention: options.retention(),
    headSeriesCount: series,
  }
}

/** For a tenant that has never written. */
const NO_STATUS = {
  headStats: { numSeries: 0, numLabelPairs: 0, chunkCount: 0, minTime: 0, maxTime: 0 },
  seriesCountByMetricName: [],
  labelValueCountByLabelName: [],
  memoryInBytesByLabelName: [],
  seriesCountByLabelValuePair: [],
}

async function storeStatus(namespace: Namespace, limit: number) {
  const stats = namespace.stats()
  const cardinality = await namespace.cardinality(limit)
  const list = (entries: readonly { name: string; count: number }[]) =>
    entries.map(({ name, count }) => ({ name, value: count }))
  return {
    headStats: {
      numSeries: stats.headSeriesCount,
      numLabelPairs: cardinality.labelPairCount,
      chunkCount: stats.openBlockCount,
      minTime: stats.firstMs ?? 0,
      maxTime: stats.lastMs ?? 0,
    },
    seriesCountByMetricName: list(cardinality.byMetricName),
    labelValueCountByLabelName: list(cardinality.byLabelName),
    memoryInBytesByLabelName: list(cardinality.sizeByLabelName),
    seriesCountByLabelValuePair: list(cardinality.byLabelPair),
  }
}

function namespaces(database: Database) {
  const stats = database.stats()
  return database.namespaces().map((name) => {
    const { retentionMs, resolutionMs, blockSizeMs, columns } = database.namespace(name).options
    return {
      name,
      retentionMs: retentionMs === Infinity ? null : retentionMs,
      resolutionMs,
      blockSizeMs,
      columns,
      ...stats.namespaces.get(name),
    }
  })
}
