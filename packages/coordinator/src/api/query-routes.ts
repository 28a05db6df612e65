/** `/api/v1/query`, `/query_range`, `/format_query`, `/parse_query`. */
import {
  type Engine,
  expressionToJson,
  PromqlError,
  parseExpression,
  prettyExpression,
  type QueryRequest,
  type QueryResult,
} from '@varve/promql'
import type { Clock } from '@varve/tsdb-core/env'
import type { Queryable } from '@varve/tsdb-core/query'
import { DEFAULT_TENANT, type HttpRequest, type HttpResponse, type Route } from '../server/http.js'
import type { LoopShare } from '../server/loop-share.js'
import { readRoute } from './api-handler.js'
import { endedBy } from './ended-by.js'
import { ApiError, invalidParameter, JSON_HEADERS, successResponse } from './envelope.js'
import type { Parameters } from './parameters.js'
import { goQuote, parseDurationMs } from './parameters.js'
import type { QueryGate } from './query-gate.js'
import { PART_BYTES, queryJson } from './query-json.js'
import { shortBody } from './short-body.js'

export interface QueryLimits {
  readonly timeoutMs: number
  readonly lookbackMs: number
  readonly samplesMax: number
  readonly seriesMax: number
  readonly bytesMax: number
}

export interface QueryRoutesOptions {
  readonly engine: Engine
  readonly clock: Clock
  readonly gate: QueryGate
  /** Shared with the writes; the engine's clock is of it too. Default: queries take what they want of the event loop. */
  readonly loop?: LoopShare
  /** Read at each query, so that a reload takes effect. */
  readonly limits: () => QueryLimits
  /** Everything a tenant may see: raw, rolled-up and remote samples. */
  readonly queryable: (tenant: string) => Queryable
  readonly onQuery?: (event: QueryEvent) => void
}

/** One finished query, for metrics and the log of slow ones. */
export interface QueryEvent {
  readonly kind: 'instant' | 'range'
  readonly query: string
  readonly tenant: string
  readonly durationMs: number
  readonly samplesRead: number
  readonly error: string | null
}

const POINTS_MAX = 11_000
/** A turn of the event loop that writes an answer is about so long. */
const PART_TURN_MS = 4

export function queryRoutes(options: QueryRoutesOptions): Route[] {
  return [
    readRoute('/api/v1/query', (parameters, request) => instant(options, parameters, request), timeless),
    readRoute('/api/v1/query_range', (parameters, request) => range(options, parameters, request), timeless),
    readRoute('/api/v1/format_query', async (parameters) => {
      const query = parameters.get('query')
      return successResponse(JSON.stringify(prettyExpression(parsed(query))))
    }),
    readRoute('/api/v1/parse_query', async (parameters) =>
      successResponse(JSON.stringify(expressionToJson(parsed(parameters.get('query'))))),
    ),
  ]
}

/** Queries have a timeout of their own, in the words of the engine. */
const timeless = { timeoutMs: 24 * 3_600_000 }

async function instant(
  options: QueryRoutesOptions,
  parameters: Parameters,
  request: HttpRequest,
): Promise<HttpResponse> {
  const limit = parameters.limit()
  const timeMs = parameters.timeMsOr('time', options.clock.wallMs())
  return run('instant', options, parameters, request, limit, (common) =>
    options.engine.instantQuery({ ...common, timeMs }),
  )
}

async function range(options: QueryRoutesOptions, parameters: Parameters, request: HttpRequest): Promise<HttpResponse> {
  const limit = parameters.limit()
  const startMs = parameters.timeMs('start')
  const endMs = parameters.timeMs('end')
  if (endMs < startMs) throw invalidParameter('end', 'end timestamp must not be before start time')
  const stepMs = parameters.durationMs('step')
  if (stepMs <= 0) {
    const text = 'zero or negative query resolution step widths are not accepted. Try a positive integer'
    throw invalidParameter('step', text)
  }
  if (Math.floor((endMs - startMs) / stepMs) > POINTS_MAX) {
    throw new ApiError(
      'bad_data',
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    )
  }
  return run('range', options, parameters, request, limit, (common) =>
    options.engine.rangeQuery({ ...common, startMs, endMs, stepMs }),
  )
}

/** What an instant and a range query have in common. */
type CommonQuery = QueryRequest

interface SelectScope {
  readonly namespace?: string
  readonly resolutionMsMax?: number
}

async function run(
  kind: QueryEvent['kind'],
  options: QueryRoutesOptions,
  parameters: Parameters,
  request: HttpRequest,
  limit: number,
  evaluate: (common: CommonQuery) => Promise<QueryResult>,
): Promise<HttpResponse> {
  const limits = options.limits()
  const timeoutMs = Math.min(limits.timeoutMs, parameters.durationMsOr('timeout', limits.timeoutMs))
  const lookbackMs = lookbackOf(parameters) ?? limits.lookbackMs
  const query = parameters.get('query')
  const scope = scopeOf(parameters, request.tenant)
  const startedMs = options.clock.monotonicMs()
  const deadline = deadlineFor(options.clock, timeoutMs, request)
  const place = await options.gate.enter(deadline.signal).catch((error) => {
    deadline.end()
    throw error
  })
  let streaming = false
  const finished = (result: QueryResult | null, error: string | null) => {
    place.leave()
    deadline.end()
    options.onQuery?.({
      kind,
      query,
      tenant: request.tenant,
      durationMs: options.clock.monotonicMs() - startedMs,
      samplesRead: result?.stats.samplesRead ?? 0,
      error,
    })
  }
  let result: QueryResult | null = null
  let failure: string | null = null
  try {
    const ask = () =>
      evaluate({
        ...scope,
        queryable: options.queryable(request.tenant),
        query,
        lookbackMs,
        signal: deadline.signal,
        limits: { ...limits, timeoutMs },
      })
    result = await (options.loop === undefined ? ask() : options.loop.query(ask))
    streaming = true
    const stats = parameters.get('stats')
    const parts = queryJson(result, {
      limit,
      stats: stats === '' ? 'none' : stats === 'all' ? 'all' : 'summary',
      notices: {},
      pause: pauseAfter(PART_TURN_MS, options.clock, deadline.signal),
    })
    const whole = await shortBody(parts, PART_BYTES)
    if (typeof whole === 'string' || whole instanceof Uint8Array) {
      streaming = false
      return { status: 200, headers: JSON_HEADERS, body: whole }
    }
    const answered = result
    return { status: 200, headers: JSON_HEADERS, body: endedBy(whole, () => finished(answered, null)) }
  } catch (error) {
    streaming = false
    const named = namedError(error, deadline)
    failure = named instanceof Error ? named.message : String(named)
    throw named
  } finally {
    if (!streaming) finished(result, failure)
  }
}

/** What the engine threw, in the words of the API. */
function namedError(error: unknown, deadline: Deadline): unknown {
  if (deadline.timedOut) {
    return new ApiError('timeout', 'query timed out in expression evaluation', { cause: error })
  }
  if (deadline.signal.aborted) return new ApiError('canceled', 'query was canceled in expression evaluation')
  if (error instanceof PromqlError && error.code === 'bad_data') {
    return invalidParameter('query', error.message)
  }
  return error
}

function parsed(query: string) {
  try {
    return parseExpression(query)
  } catch (error) {
    if (error instanceof PromqlError) throw invalidParameter('query', error.message)
    throw error
  }
}

function lookbackOf(parameters: Parameters): number | null {
  const text = parameters.get('lookback_delta')
  if (text === '') return null
  const parsed = parseDurationMs(text)
  if (typeof parsed === 'string') {
    throw new ApiError('bad_data', `error parsing lookback delta duration: ${parsed}`)
  }
  return parsed > 0 ? parsed : null
}

/** `namespace` reads that namespace alone; `max_resolution` (also Thanos' name for it) nothing coarser than that. */
function scopeOf(parameters: Parameters, tenant: string): SelectScope {
  const namespace = parameters.get('namespace')
  if (namespace !== '' && tenant !== DEFAULT_TENANT) {
    throw invalidParameter('namespace', `tenant ${goQuote(tenant)} has one namespace, which is asked without naming it`)
  }
  const resolution = parameters.get('max_resolution') || parameters.get('max_source_resolution')
  if (resolution === '' || resolution === 'auto') return namespace === '' ? {} : { namespace }
  const resolutionMsMax = parseDurationMs(resolution)
  if (typeof resolutionMsMax === 'string') {
    throw invalidParameter(
      'max_resolution',
      `${resolutionMsMax}; expected "auto", 0 or a duration, got ${goQuote(resolution)}`,
    )
  }
  return { ...(namespace === '' ? {} : { namespace }), resolutionMsMax }
}

/** Lets the event loop turn when this turn has lasted long enough, and throws when nobody waits for the answer any more. */
function pauseAfter(turnMs: number, clock: Clock, signal: AbortSignal): () => Promise<void> {
  let turnStartMs = clock.monotonicMs()
  return async () => {
    if (clock.monotonicMs() - turnStartMs >= turnMs) {
      await clock.yield()
      turnStartMs = clock.monotonicMs()
    }
    signal.throwIfAborted()
  }
}

interface Deadline {
  readonly signal: AbortSignal
  readonly timedOut: boolean
  end(): void
}

/** Cancels the request when the time is up, and tells that from a client that has gone. */
function deadlineFor(clock: Clock, timeoutMs: number, request: HttpRequest): Deadline {
  let timedOut = false
  const timer = clock.setTimer(Math.max(0, timeoutMs), () => {
    timedOut = !request.signal.aborted
    request.cancel(new Error('query timed out'))
  })
  return {
    signal: request.signal,
    get timedOut() {
      return timedOut
    },
    end: () => timer.cancel(),
  }
}
