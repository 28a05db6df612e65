/**
 * Syntax tree → plan.
 * Source of what is step-invariant: Prometheus, promql/engine.go, PreprocessExpr.
 */
import {
  type Aggregation,
  type BinaryExpression,
  type Call,
  type Expression,
  type MatrixSelector,
  type Subquery,
  type TimeShift,
  unwrapParens,
  type VectorSelector,
  valueTypeOf,
} from '../ast.js'
import { PromqlError } from '../errors.js'
import type { PlanNode, RangeCallPlan, SelectorPlan, SubqueryPlan, WindowPlan } from './plan.js'
import { pushMatchers } from './push-matchers.js'

export interface PlanOptions {
  readonly startMs: number
  readonly endMs: number
  /** 0 for an instant query. */
  readonly stepMs: number
  /** Of a subquery that names none. */
  readonly subqueryStepMs: number
  readonly depthMax: number
}

/** Plans an expression whose durations are resolved. @throws {PromqlError} `execution` beyond the nesting limit. */
export function planExpression(expression: Expression, options: PlanOptions): PlanNode {
  const planner = new Planner(options)
  const { node, invariant } = planner.plan(expression, 0)
  return pushMatchers(invariant ? wrapped(node) : node)
}

interface Planned {
  readonly node: PlanNode
  readonly invariant: boolean
}

/** Functions that look at the evaluation time, or at the times of their argument's samples. */
const TIME_DEPENDENT = new Set([
  'days_in_month',
  'day_of_month',
  'day_of_week',
  'day_of_year',
  'hour',
  'minute',
  'month',
  'year',
  'predict_linear',
  'start_timestamp',
  'time',
  'timestamp',
])

const HISTOGRAM_STATS = new Set(['histogram_avg', 'histogram_count', 'histogram_sum'])
const HISTOGRAM_BUCKETS = new Set(['histogram_fraction', 'histogram_quantile'])

class Planner {
  readonly #options: PlanOptions
  /** How many functions around the node at hand need only counts and sums of histograms, and how many need the buckets. */
  #statsDepth = 0
  #bucketsDepth = 0

  constructor(options: PlanOptions) {
    this.#options = options
  }

  plan(expression: Expression, depth: number): Planned {
    const { depthMax } = this.#options
    if (depth > depthMax) {
      throw new PromqlError('execution', `expression is nested too deeply: the limit depthMax is ${depthMax}`)
    }
    const { position } = expression
    switch (expression.type) {
      case 'number':
        return { node: { kind: 'number', value: expression.value, position }, invariant: true }
      case 'string':
        return { node: { kind: 'string', value: expression.value, position }, invariant: true }
      case 'paren':
        return this.plan(expression.expression, depth + 1)
      case 'unary': {
        const planned = this.plan(expression.expression, depth + 1)
        const scalar = valueTypeOf(expression) === 'scalar'
        const negative = expression.operator === '-'
        return { node: { kind: 'sign', negative, child: planned.node, scalar, position }, invariant: planned.invariant }
      }
      case 'vectorSelector': {
        const selector = this.#selector(expression)
        return { node: { kind: 'select', ...selector, position }, invariant: selector.atMs !== undefined }
      }
      case 'matrixSelector': {
        const node = this.#window(expression)
        return { node, invariant: node.atMs !== undefined }
      }
      case 'subquery': {
        const node = this.#subquery(expression, depth)
        return { node, invariant: node.atMs !== undefined }
      }
      case 'aggregation':
        return this.#aggregation(expression, depth)
      case 'binary':
        return this.#binary(expression, depth)
      case 'call':
        return this.#call(expression, depth)
    }
  }

  #atMs(shift: TimeShift): number | undefined {
    if (shift.atBoundary === 'start') return this.#options.startMs
    if (shift.atBoundary === 'end') return this.#options.endMs
    return shift.atMs
  }

  #selector(selector: VectorSelector): SelectorPlan {
    const { matchers, offsetMs, anchored, smoothed } = selector
    const statsOnly = this.#statsDepth > 0 && this.#bucketsDepth === 0
    return { matchers, offsetMs, atMs: this.#atMs(selector), anchored, smoothed, statsOnly }
  }

  #window(expression: MatrixSelector): WindowPlan {
    const { rangeMs, position } = expression
    return { kind: 'window', ...this.#selector(expression.selector), rangeMs, position }
  }

  #subquery(expression: Subquery, depth: number): SubqueryPlan {
    const { rangeMs, offsetMs, position } = expression
    this.#bucketsDepth++
    const planned = this.plan(expression.expression, depth + 1)
    this.#bucketsDepth--
    return {
      kind: 'subquery',
      child: planned.invariant ? wrapped(planned.node) : planned.node,
      rangeMs,
      stepMs: expression.stepMs > 0 ? expression.stepMs : this.#options.subqueryStepMs,
      offsetMs,
      atMs: this.#atMs(expression),
      position,
    }
  }

  #aggregation(expression: Aggregation, depth: number): Planned {
    const { operator, grouping, without, position } = expression
    const child = this.plan(expression.expression, depth + 1)
    const parameter = expression.parameter === undefined ? undefined : this.plan(expression.parameter, depth + 1)
    const invariant = child.invariant && (parameter?.invariant ?? true)
    const node: PlanNode = {
      kind: 'aggregation',
      operator,
      child: invariant || !child.invariant ? child.node : wrapped(child.node),
      parameter: parameter?.node,
      grouping,
      without,
      position,
    }
    return { node, invariant }
  }

  #binary(expression: BinaryExpression, depth: number): Planned {
    const { operator, returnBool, matching, position } = expression
    const left = this.plan(expression.left, depth + 1)
    const right = this.plan(expression.right, depth + 1)
    const invariant = left.invariant && right.invariant
    const node: PlanNode = {
      kind: 'binary',
      operator,
      left: invariant || !left.invariant ? left.node : wrapped(left.node),
      right: invariant || !right.invariant ? right.node : wrapped(right.node),
      returnBool,
      matching,
      leftScalar: valueTypeOf(expression.left) === 'scalar',
      rightScalar: valueTypeOf(expression.right) === 'scalar',
      position,
    }
    return { node, invariant }
  }

  #call(expression: Call, depth: number): Planned {
    const { position, function: signature } = expression
    const { name } = signature
    const folded = this.#queryTime(name)
    if (folded !== undefined) return { node: { kind: 'number', value: folded, position }, invariant: true }
    if (HISTOGRAM_STATS.has(name)) this.#statsDepth++
    if (HISTOGRAM_BUCKETS.has(name)) this.#bucketsDepth++
    const planned = expression.arguments.map((argument) => this.plan(unwrapParens(argument), depth + 1))
    if (HISTOGRAM_STATS.has(name)) this.#statsDepth--
    if (HISTOGRAM_BUCKETS.has(name)) this.#bucketsDepth--
    const invariant = !TIME_DEPENDENT.has(name) && planned.every((argument) => argument.invariant)
    const settle = (argument: Planned) =>
      invariant || !argument.invariant || argument.node.kind === 'window' || argument.node.kind === 'subquery'
        ? argument.node
        : keepsItsTimes(name)
          ? argument.node
          : wrapped(argument.node)
    const nodes = planned.map(settle)
    const source = nodes.find((node) => node.kind === 'window' || node.kind === 'subquery')
    if (source === undefined) {
      return { node: { kind: 'call', function: signature, arguments: nodes, position }, invariant }
    }
    const node: RangeCallPlan = {
      kind: 'rangeCall',
      function: signature,
      source: source as WindowPlan | SubqueryPlan,
      scalars: nodes.filter((other) => other !== source),
      position,
    }
    return { node, invariant }
  }

  /** `start()` and its kin, in seconds. */
  #queryTime(name: string): number | undefined {
    const { startMs, endMs, stepMs } = this.#options
    switch (name) {
      case 'start':
        return startMs / 1000
      case 'end':
        return endMs / 1000
      case 'range':
        return (endMs - startMs) / 1000
      case 'step':
        return stepMs / 1000
      default:
        return undefined
    }
  }
}

/** These look through to a selector and read its samples' times, at every step. */
function keepsItsTimes(name: string): boolean {
  return name === 'timestamp' || name === 'start_timestamp'
}

function wrapped(node: PlanNode): PlanNode {
  // A number and a text cost nothing to repeat.
  if (node.kind === 'number' || node.kind === 'string' || node.kind === 'invariant') return node
  if (node.kind === 'window' || node.kind === 'subquery') return node
  return { kind: 'invariant', child: node, position: node.position }
}
