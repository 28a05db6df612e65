/**
 * `/api/v1/rollup-rules`: the rules in force, what is wrong with the others, and how far the windows of each policy are;
 * below it what a rule would make of stored samples (`dry-run`) and, for administrators, a rule applied to history
 * (`backfill`).
 */
import { type Aggregator, AggregatorError, RULE_KINDS, type RuleKind } from '@varve/aggregator'
import { DEFAULT_TENANT, type HttpRequest, POST, type Route } from '../server/http.js'
import { type ApiFunction, apiHandler, getRoute } from './api-handler.js'
import { ApiError, type ErrorType, invalidParameter, successResponse } from './envelope.js'
import type { Parameters } from './parameters.js'

export interface RollupRulesOptions {
  readonly aggregator: Aggregator
  readonly adminEnabled: boolean
}

const DRY_RUN_TIMEOUT_MS = 10 * 60_000
const FORM_BYTES_MAX = 1 << 20

export function rollupRulesRoutes({ aggregator, adminEnabled }: RollupRulesOptions): Route[] {
  const post = (path: string, permission: Route['permission'], run: ApiFunction): Route => ({
    methods: POST,
    path,
    permission,
    body: { sizeBytesMax: FORM_BYTES_MAX },
    timeoutMs: DRY_RUN_TIMEOUT_MS,
    handle: apiHandler(ours(run)),
  })
  return [
    getRoute(
      '/api/v1/rollup-rules',
      ours(async () => successResponse(JSON.stringify(aggregator.status()))),
    ),
    post('/api/v1/rollup-rules/dry-run', 'read', async (parameters, request) => {
      const { kind, name } = ruleOf(parameters)
      const untilMs = parameters.timeMsOr('end', Number.NaN)
      const fromMs = parameters.timeMsOr('start', Number.NaN)
      const run = await aggregator.dryRun(kind, name, parameters.get('document'), {
        signal: request.signal,
        ...(Number.isNaN(untilMs) ? {} : { untilMs }),
        ...(Number.isNaN(fromMs) ? {} : { fromMs }),
      })
      const policies = run.policies.map((policy) => ({
        ...policy,
        // JSON has no infinity: a policy that keeps everything has no end to count to.
        retainedSampleCount: Number.isFinite(policy.retainedSampleCount) ? policy.retainedSampleCount : null,
        examples: policy.examples.map(String),
      }))
      return successResponse(JSON.stringify({ ...run, policies }))
    }),
    post('/api/v1/rollup-rules/backfill', 'admin', async (parameters) => {
      if (!adminEnabled) throw new ApiError('unavailable', 'admin APIs disabled; start with --enable-admin')
      await aggregator.backfill(ruleOf(parameters), parameters.timeMs('from'))
      return successResponse(JSON.stringify(aggregator.status().backfills))
    }),
  ]
}

/** Rules are of the tenant whose samples they roll up. Errors of theirs get the API's names. */
function ours(run: ApiFunction): ApiFunction {
  return async (parameters: Parameters, request: HttpRequest) => {
    if (request.tenant !== DEFAULT_TENANT)
      throw new ApiError('not_found', 'rules roll up samples of the default tenant')
    try {
      return await run(parameters, request)
    } catch (error) {
      if (error instanceof AggregatorError) throw new ApiError(TYPE_OF[error.code], error.message, { cause: error })
      throw error
    }
  }
}

const TYPE_OF: Readonly<Record<AggregatorError['code'], ErrorType>> = {
  INVALID_RULE: 'bad_data',
  INVALID_ARGUMENT: 'bad_data',
  NOT_FOUND: 'not_found',
  CONFLICT: 'unavailable',
  UNAVAILABLE: 'unavailable',
  CORRUPT: 'internal',
  CLOSED: 'unavailable',
}

function ruleOf(parameters: Parameters): { kind: RuleKind; name: string } {
  const text = parameters.get('rule')
  const kind = text.slice(0, Math.max(0, text.indexOf('/'))) as RuleKind
  if (!RULE_KINDS.includes(kind)) {
    throw invalidParameter(
      'rule',
      `expected KIND/NAME with a kind of ${RULE_KINDS.join(', ')}, got ${JSON.stringify(text.slice(0, 100))}`,
    )
  }
  return { kind, name: text.slice(kind.length + 1) }
}
