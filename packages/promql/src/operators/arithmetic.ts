/** Operators on numbers. Comparison answers are 1 and 0 here; filtering is the caller's. */
import type { BinaryOperator } from '../ast.js'
import { PromqlError } from '../errors.js'

export type FloatOperation = (left: number, right: number) => number

export const COMPARISONS: ReadonlySet<BinaryOperator> = new Set(['==', '!=', '>', '<', '>=', '<='])

/** Operators whose result is no longer the metric that its name says. */
export const CHANGES_METRIC: ReadonlySet<BinaryOperator> = new Set(['+', '-', '*', '/', '%', '^', 'atan2'])

const OPERATIONS: Partial<Record<BinaryOperator, FloatOperation>> = {
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '/': (left, right) => left / right,
  '%': (left, right) => left % right,
  '^': power,
  atan2: Math.atan2,
  '==': (left, right) => (left === right ? 1 : 0),
  '!=': (left, right) => (left !== right ? 1 : 0),
  '>': (left, right) => (left > right ? 1 : 0),
  '<': (left, right) => (left < right ? 1 : 0),
  '>=': (left, right) => (left >= right ? 1 : 0),
  '<=': (left, right) => (left <= right ? 1 : 0),
}

/** @throws {PromqlError} `execution` for one that trims histograms, which the parser takes between scalars, too. */
export function floatOperation(operator: BinaryOperator): FloatOperation {
  const operation = OPERATIONS[operator]
  if (operation === undefined) {
    throw new PromqlError('execution', `operator "${operator}" not allowed for Scalar operations`)
  }
  return operation
}

/** Go's math.Pow: unlike JavaScript's, 1^NaN and (±1)^±Inf are 1. */
function power(left: number, right: number): number {
  if (left === 1) return 1
  if (left === -1 && Math.abs(right) === Number.POSITIVE_INFINITY) return 1
  return left ** right
}
