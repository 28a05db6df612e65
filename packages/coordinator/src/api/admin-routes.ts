/**
 * `/api/v1/admin/tsdb/*`: what changes or copies stored data. Off unless `--enable-admin`, POST and PUT only, and with
 * authentication only for who may administer.
 */
import type { Database } from '@varve/tsdb-core'
import type { Logger } from '../logging/logger.js'
import type { HttpRequest, HttpResponse, Route } from '../server/http.js'
import { apiHandler } from './api-handler.js'
import { ApiError, successResponse } from './envelope.js'
import { rangeOf } from './label-routes.js'
import type { Parameters } from './parameters.js'
import { parseSelectors } from './selectors.js'

export interface AdminRoutesOptions {
  readonly enabled: boolean
  readonly database: () => Database
  readonly namespaceFor: (tenant: string) => string
  /** Makes a snapshot and tells its name and folder, which is the server's; absent for a store in memory. */
  readonly snapshot?: () => Promise<{ readonly name: string; readonly directory: string }>
  readonly logger: Logger
}

/** Sealing and copying much data takes its time. */
const ADMIN_TIMEOUT_MS = 3_600_000

export function adminRoutes(options: AdminRoutesOptions): Route[] {
  const route = (
    name: string,
    run: (parameters: Parameters, request: HttpRequest) => Promise<HttpResponse>,
  ): Route => ({
    methods: ['POST', 'PUT'],
    path: `/api/v1/admin/tsdb/${name}`,
    permission: 'admin',
    body: { sizeBytesMax: 1 << 20 },
    timeoutMs: ADMIN_TIMEOUT_MS,
    handle: apiHandler(async (parameters, request) => {
      if (!options.enabled) throw new ApiError('unavailable', 'admin APIs disabled; start with --enable-admin')
      options.logger.info({ action: name, from: request.remoteAddress, tenant: request.tenant }, 'admin request')
      return run(parameters, request)
    }),
  })
  return [
    route('flush', async () => {
      await options.database().flush()
      return { status: 204 }
    }),
    route('clean_tombstones', async () => {
      await options.database().flush()
      await options.database().maintain()
      return { status: 204 }
    }),
    route('delete_series', async (parameters, request) => {
      const selectors = parameters.getAll('match[]')
      if (selectors.length === 0) throw new ApiError('bad_data', 'no match[] parameter provided')
      const { startMs, endMs } = rangeOf(parameters)
      const name = parameters.get('namespace') || options.namespaceFor(request.tenant)
      const database = options.database()
      if (!database.hasNamespace(name)) throw new ApiError('not_found', `there is no namespace ${JSON.stringify(name)}`)
      for (const matchers of parseSelectors(selectors)) {
        await database.namespace(name).deleteSamples({ matchers, startMs, endMs })
      }
      return { status: 204 }
    }),
    route('snapshot', async () => {
      if (options.snapshot === undefined) throw new ApiError('unavailable', 'this store is not on disk')
      return successResponse(JSON.stringify(await options.snapshot()))
    }),
  ]
}
