/**
 * PromQL over any `Queryable`: text → syntax tree → plan → columns.
 *
 * An instant query is a range query with one step.
 */
import { nativeKernels } from '@varve/native'
import type { Queryable } from '@varve/tsdb-core/query'
import { type Expression, valueTypeOf } from '../ast.js'
import { nodeClock } from '../env/node/clock.js'
import { PromqlError } from '../errors.js'
import { PlanEvaluator } from '../operators/evaluate.js'
import type { Grid } from '../operators/grid.js'
import { innerGrid, windowShape } from '../operators/range-shape.js'
import { rawSamples } from '../operators/raw-samples.js'
import { typeName } from '../parser/check.js'
import type { ParserOptions } from '../parser/options.js'
import { resolveDurations } from '../parser/resolve-durations.js'
import type { PlanNode } from '../plan/plan.js'
import { planExpression } from '../plan/planner.js'
import type { EngineClock } from './clock.js'
import { ExpressionCache } from './expression-cache.js'
import { finishVector, scalarSeries, windowSeries } from './finish.js'
import { checkSteps, DEFAULT_LIMITS, type QueryLimits } from './limits.js'
import { QueryContext } from './query-context.js'
import { NO_SERIES, type QueryResult, type ResultSeries } from './result.js'

export interface EngineOptions {
  /** How far back an instant selector looks. Default 5 minutes, as Prometheus has it. */
  readonly lookbackMs?: number
  /** Step of a subquery that names none: the global evaluation interval. Default 1 minute. */
  readonly subqueryStepMs?: number
  readonly limits?: Partial<QueryLimits>
  readonly parser?: ParserOptions
  /** Judge counters by their `__type__` label, not by their name. Default false. */
  readonly typeAndUnitLabels?: boolean
  /** Whether to use the Rust kernels where they are there. Default true: `VARVE_NATIVE` decides. */
  readonly native?: boolean
  /** Default: Node's clock and event loop. */
  readonly clock?: EngineClock
}

export interface QueryRequest {
  readonly queryable: Queryable
  readonly query: string
  readonly lookbackMs?: number
  readonly limits?: Partial<QueryLimits>
  /** Aborting it ends the query with `canceled`. */
  readonly signal?: AbortSignal
  /** Hints for the store: read this namespace, or nothing coarser than this. */
  readonly namespace?: string
  readonly resolutionMsMax?: number
}

export interface InstantQueryRequest extends QueryRequest {
  readonly timeMs: number
}

export interface RangeQueryRequest extends QueryRequest {
  readonly startMs: number
  /** Inclusive, if a step falls on it. */
  readonly endMs: number
  readonly stepMs: number
}

const LOOKBACK_MS = 5 * 60_000
const SUBQUERY_STEP_MS = 60_000

export class Engine {
  readonly #options: EngineOptions
  readonly #expressions: ExpressionCache

  constructor(options: EngineOptions = {}) {
    this.#options = options
    this.#expressions = new ExpressionCache(options.parser)
  }

  /**
   * Evaluates an expression at one moment.
   *
   * @throws {PromqlError} `bad_data` for a query that does not parse or an argument that is missing, `execution` where the data does not allow it or a
   *   limit is met, `timeout`, `canceled`, and `internal` where the store fails.
   */
  async instantQuery(request: InstantQueryRequest): Promise<QueryResult> {
    checkRequest(request, ['timeMs'])
    const { timeMs } = request
    return this.#run(request, { startMs: timeMs, endMs: timeMs, stepMs: 0 }, false)
  }

  /**
   * Evaluates an expression at `startMs`, `startMs + stepMs`, … up to `endMs`, and answers a matrix sorted by labels.
   *
   * @throws {PromqlError} as `instantQuery`; `bad_data` too for a step that is not above 0, an end before the start, more
   *   steps than the limit, and an expression that is neither scalar nor instant vector.
   */
  async rangeQuery(request: RangeQueryRequest): Promise<QueryResult> {
    checkRequest(request, ['startMs', 'endMs', 'stepMs'])
    const { startMs, endMs, stepMs } = request
    if (!(stepMs > 0)) {
      throw new PromqlError(
        'bad_data',
        'zero or negative query resolution step widths are not accepted. Try a positive integer',
      )
    }
    if (endMs < startMs) throw new PromqlError('bad_data', 'end timestamp must not be before start time')
    checkSteps(Math.floor((endMs - startMs) / stepMs) + 1, {
      ...DEFAULT_LIMITS,
      ...this.#options.limits,
      ...request.limits,
    })
    return this.#run(request, { startMs, endMs, stepMs }, true)
  }

  async #run(
    request: QueryRequest,
    times: { startMs: number; endMs: number; stepMs: number },
    rangeQuery: boolean,
  ): Promise<QueryResult> {
    const options = this.#options
    const context = new QueryContext({
      queryable: request.queryable,
      query: request.query,
      lookbackMs: request.lookbackMs ?? options.lookbackMs ?? LOOKBACK_MS,
      clock: options.clock ?? nodeClock,
      limits: { ...DEFAULT_LIMITS, ...options.limits, ...request.limits },
      signal: request.signal,
      typeAndUnitLabels: options.typeAndUnitLabels ?? false,
      rangeQuery,
      kernels: options.native === false ? undefined : nativeKernels(),
      namespace: request.namespace,
      resolutionMsMax: request.resolutionMsMax,
    })
    try {
      const startedMs = context.nowMs()
      const expression = resolveDurations(this.#expressions.parse(request.query), times)
      if (rangeQuery) checkRangeType(expression)
      const plan = planExpression(expression, {
        ...times,
        subqueryStepMs: options.subqueryStepMs ?? SUBQUERY_STEP_MS,
        depthMax: context.options.limits.depthMax,
      })
      context.stats.prepareMs = context.nowMs() - startedMs
      const { startMs, endMs, stepMs } = times
      const grid: Grid = {
        startMs,
        stepMs: rangeQuery ? stepMs : 1,
        count: rangeQuery ? Math.floor((endMs - startMs) / stepMs) + 1 : 1,
      }
      const answer = await evaluatePlan(context, expression, plan, grid, rangeQuery)
      context.stats.evaluateMs = context.nowMs() - startedMs - context.stats.prepareMs
      context.stats.samplesPeak = context.budget.samplesPeak
      return {
        ...answer,
        timeMs: startMs + (grid.count - 1) * grid.stepMs,
        warnings: [...context.annotations.texts('warning', request.query), ...context.storeWarnings],
        infos: [...context.annotations.texts('info', request.query), ...context.storeInfos],
        stats: context.stats,
      }
    } finally {
      context.close()
    }
  }
}

type Answer = { type: QueryResult['type']; text?: string; series: ResultSeries }

async function evaluatePlan(
  context: QueryContext,
  expression: Expression,
  plan: PlanNode,
  grid: Grid,
  rangeQuery: boolean,
): Promise<Answer> {
  const evaluator = new PlanEvaluator(context)
  evaluator.announce(plan, grid)
  const { trace } = context.stats
  switch (valueTypeOf(expression)) {
    case 'string':
      return { type: 'string', text: plan.kind === 'string' ? plan.value : '', series: NO_SERIES }
    case 'scalar': {
      const values = await evaluator.scalar(plan, grid, trace)
      return { type: rangeQuery ? 'matrix' : 'scalar', series: scalarSeries(values, grid) }
    }
    case 'matrix': {
      const inner = plan.kind === 'invariant' ? plan.child : plan
      if (inner.kind === 'subquery') {
        const steps = innerGrid(inner, windowShape(inner, grid, context.options.lookbackMs))
        if (steps.count === 0) return { type: 'matrix', series: NO_SERIES }
        const rows = await evaluator.vector(inner.child, steps, trace)
        return { type: 'matrix', series: await finishVector(context, rows, steps, true) }
      }
      if (inner.kind !== 'window') throw new PromqlError('execution', `a ${inner.kind} is no range vector`)
      return {
        type: 'matrix',
        series: await windowSeries(context, await rawSamples(evaluator, evaluator.source, inner, grid, trace)),
      }
    }
    default: {
      const rows = await evaluator.vector(plan, grid, trace)
      return { type: rangeQuery ? 'matrix' : 'vector', series: await finishVector(context, rows, grid, rangeQuery) }
    }
  }
}

/** A program without types may leave anything out. */
function checkRequest<R extends QueryRequest>(request: R, times: readonly (keyof R & string)[]): void {
  if (typeof request !== 'object' || request === null) {
    throw new PromqlError('bad_data', `got ${String(request)}, wanted { queryable, query, ${times.join(', ')} }`)
  }
  if (typeof request.query !== 'string') {
    throw new PromqlError('bad_data', `query is ${shown(request.query)}, wanted the text of an expression`)
  }
  if (typeof request.queryable?.select !== 'function') {
    throw new PromqlError(
      'bad_data',
      `queryable is ${shown(request.queryable)}, wanted a Database or another Queryable`,
    )
  }
  for (const name of times) {
    const time: unknown = request[name]
    if (typeof time === 'number' && Number.isFinite(time)) continue
    throw new PromqlError('bad_data', `${name} is ${shown(time)}, wanted a finite number of milliseconds`)
  }
}

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}

function checkRangeType(expression: Expression): void {
  const type = valueTypeOf(expression)
  if (type === 'scalar' || type === 'vector') return
  throw new PromqlError(
    'bad_data',
    `invalid expression type ${JSON.stringify(typeName(type))} for range query, must be Scalar or instant Vector`,
  )
}
