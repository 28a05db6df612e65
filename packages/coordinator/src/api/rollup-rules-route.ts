/** `/api/v1/rollup-rules`: the rules in force, what is wrong with the others, and how far the windows of each policy are. */
import type { AggregatorStatus } from '@varve/aggregator'
import type { Route } from '../server/http.js'
import { getRoute } from './api-handler.js'
import { successResponse } from './envelope.js'

export function rollupRulesRoute(status: () => AggregatorStatus): Route {
  return getRoute('/api/v1/rollup-rules', async () => successResponse(JSON.stringify(status())))
}
