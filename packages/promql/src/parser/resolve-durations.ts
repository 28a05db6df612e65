/** Puts numbers in place of durations that are computed from the query's step and range. */
import type { DurationExpression, Expression, PositionRange, TimeShift } from '../ast.js'
import { PromqlError } from '../errors.js'
import { DURATION_SECONDS_MAX, millisecondsOf } from './duration.js'

export interface QueryTimes {
  readonly startMs: number
  readonly endMs: number
  /** 0 for an instant query. */
  readonly stepMs: number
}

/**
 * The expression with all ranges, steps and offsets as milliseconds; itself, if nothing had to be computed.
 *
 * @throws {PromqlError} `bad_data` with byte positions (`4:10: duration must be greater than 0`), as Prometheus has it.
 */
export function resolveDurations(expression: Expression, times: QueryTimes): Expression {
  switch (expression.type) {
    case 'number':
    case 'string':
      return expression
    case 'vectorSelector':
      return shifted(expression, times)
    case 'matrixSelector': {
      const selector = shifted(expression.selector, times)
      const { rangeExpression } = expression
      if (rangeExpression) return { ...expression, selector, rangeMs: positive(rangeExpression, times) }
      return selector === expression.selector ? expression : { ...expression, selector }
    }
    case 'subquery': {
      const inner = resolveDurations(expression.expression, times)
      const resolved = shifted(expression, times)
      const { rangeExpression, stepExpression } = expression
      if (inner === expression.expression && resolved === expression && !rangeExpression && !stepExpression) {
        return expression
      }
      const stepMs = stepExpression ? positive(stepExpression, times) : expression.stepMs
      const rangeMs = rangeExpression ? positive(rangeExpression, times) : expression.rangeMs
      return { ...resolved, expression: inner, rangeMs, stepMs }
    }
    case 'paren':
    case 'unary': {
      const inner = resolveDurations(expression.expression, times)
      return inner === expression.expression ? expression : { ...expression, expression: inner }
    }
    case 'aggregation': {
      const inner = resolveDurations(expression.expression, times)
      const parameter = expression.parameter && resolveDurations(expression.parameter, times)
      if (inner === expression.expression && parameter === expression.parameter) return expression
      return { ...expression, expression: inner, ...(parameter && { parameter }) }
    }
    case 'call': {
      const args = expression.arguments.map((argument) => resolveDurations(argument, times))
      return args.every((argument, i) => argument === expression.arguments[i])
        ? expression
        : { ...expression, arguments: args }
    }
    case 'binary': {
      const left = resolveDurations(expression.left, times)
      const right = resolveDurations(expression.right, times)
      return left === expression.left && right === expression.right ? expression : { ...expression, left, right }
    }
  }
}

function shifted<T extends TimeShift>(node: T, times: QueryTimes): T {
  if (!node.offsetExpression) return node
  return { ...node, offsetMs: millisecondsOf(inRange(node.offsetExpression, times)) }
}

function positive(duration: DurationExpression, times: QueryTimes): number {
  const seconds = inRange(duration, times)
  if (!(seconds > 0)) throw durationError(duration.position, 'duration must be greater than 0')
  return millisecondsOf(seconds)
}

function inRange(duration: DurationExpression, times: QueryTimes): number {
  const seconds = evaluate(duration, times)
  if (!(Math.abs(seconds) <= DURATION_SECONDS_MAX)) throw durationError(duration.position, 'duration is out of range')
  return seconds
}

/** Seconds. */
function evaluate(duration: DurationExpression, times: QueryTimes): number {
  if (duration.type === 'number') return duration.value
  const left = duration.left ? evaluate(duration.left, times) : 0
  const right = duration.right ? evaluate(duration.right, times) : 0
  switch (duration.operator) {
    case 'step':
      return times.stepMs / 1000
    case 'range':
      return (times.endMs - times.startMs) / 1000
    case 'min_of':
      return Math.min(left, right)
    case 'max_of':
      return Math.max(left, right)
    case '+':
      return left + right
    case '-':
      return left - right
    case '*':
      return left * right
    case '^':
      return left ** right
    case '/':
      if (right === 0) throw durationError(duration.position, 'division by zero')
      return left / right
    case '%':
      if (right === 0) throw durationError(duration.position, 'modulo by zero')
      return left % right
  }
}

function durationError(position: PositionRange, message: string): PromqlError {
  return new PromqlError('bad_data', `${position.start}:${position.end}: ${message}`, { position })
}
