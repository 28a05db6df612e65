/** `/api/v1/rollup-rules`: the rules in force, what is wrong with the others, and how far the windows of each policy are. */
import type { AggregatorStatus } from '@varve/aggregator'
import { DEFAULT_TENANT, type Route } from '../server/http.js'
import { getRoute } from './api-handler.js'
import { ApiError, successResponse } from './envelope.js'

export function rollupRulesRoute(status: () => AggregatorStatus): Route {
  return getRoute('/api/v1/rollup-rules', async (_, request) => {
    // Rules are of the tenant whose samples they roll up.
    if (request.tenant !== DEFAULT_TENANT)
      throw new ApiError('not_found', 'rules roll up samples of the default tenant')
    return successResponse(JSON.stringify(status()))
  })
}
