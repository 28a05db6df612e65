/**
 * The syntax tree of a PromQL expression, as Prometheus 3.14 reads it.
 *
 * Every node knows its range in the query, in bytes of the UTF-8 form: annotations and errors point there. Times are
 * integer milliseconds. The tree is never changed after parsing: `resolveDurations` and plans make copies.
 */
import type { Matcher } from '@varve/tsdb-core/model'

/** Half-open, in bytes of the query's UTF-8 form. */
export interface PositionRange {
  readonly start: number
  readonly end: number
}

export type ValueType = 'none' | 'scalar' | 'vector' | 'matrix' | 'string'

export type Expression =
  | Aggregation
  | BinaryExpression
  | Call
  | MatrixSelector
  | NumberLiteral
  | ParenExpression
  | StringLiteral
  | Subquery
  | UnaryExpression
  | VectorSelector

export interface NumberLiteral {
  readonly type: 'number'
  readonly value: number
  /** Written as a duration (`5m`), so that it is printed as one; the value is then in seconds. */
  readonly duration: boolean
  readonly position: PositionRange
}

export interface StringLiteral {
  readonly type: 'string'
  readonly value: string
  readonly position: PositionRange
}

/** `@ start()` and `@ end()`. */
export type AtBoundary = 'start' | 'end'

/** What `offset` and `@` said about a selector or subquery. */
export interface TimeShift {
  /** Positive looks back. 0 as long as an `offsetExpression` is not resolved. */
  readonly offsetMs: number
  /** There if the offset was written as a computation, `offset (step() * 2)`. */
  readonly offsetExpression?: DurationExpression
  /** `@ 1234.5`, in milliseconds. */
  readonly atMs?: number
  readonly atBoundary?: AtBoundary
}

export interface VectorSelector extends TimeShift {
  readonly type: 'vectorSelector'
  /** The metric name if it was written before or inside the braces as a name, else `''`. */
  readonly name: string
  /** All tests, that on the name included, in the order in which Prometheus lists them. */
  readonly matchers: readonly Matcher[]
  readonly anchored: boolean
  readonly smoothed: boolean
  readonly position: PositionRange
}

export interface MatrixSelector {
  readonly type: 'matrixSelector'
  readonly selector: VectorSelector
  /** 0 as long as a `rangeExpression` is not resolved. */
  readonly rangeMs: number
  readonly rangeExpression?: DurationExpression
  readonly position: PositionRange
}

export interface Subquery extends TimeShift {
  readonly type: 'subquery'
  readonly expression: Expression
  readonly rangeMs: number
  readonly rangeExpression?: DurationExpression
  /** 0: the default evaluation interval. */
  readonly stepMs: number
  readonly stepExpression?: DurationExpression
  readonly position: PositionRange
}

export type AggregationOperator =
  | 'avg'
  | 'bottomk'
  | 'count'
  | 'count_values'
  | 'group'
  | 'limit_ratio'
  | 'limitk'
  | 'max'
  | 'min'
  | 'quantile'
  | 'stddev'
  | 'stdvar'
  | 'sum'
  | 'topk'

export interface Aggregation {
  readonly type: 'aggregation'
  readonly operator: AggregationOperator
  readonly expression: Expression
  /** The first argument of topk, bottomk, limitk, limit_ratio, quantile (scalar) and count_values (string). */
  readonly parameter?: Expression
  readonly grouping: readonly string[]
  readonly without: boolean
  readonly position: PositionRange
}

export interface Call {
  readonly type: 'call'
  readonly function: FunctionSignature
  readonly arguments: readonly Expression[]
  readonly position: PositionRange
}

export interface FunctionSignature {
  readonly name: string
  /** Types of the arguments; the last one also holds for all further ones of a variadic function. */
  readonly argumentTypes: readonly ValueType[]
  /** How many of the arguments may be left out or added: 0 none, n > 0 at most n, -1 any number. */
  readonly variadic: number
  readonly returnType: ValueType
  readonly experimental: boolean
}

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%' | '^' | 'atan2'
export type ComparisonOperator = '==' | '!=' | '>' | '<' | '>=' | '<='
export type SetOperator = 'and' | 'or' | 'unless'
/** Cut a native histogram at a bound: keep observations below, or above. */
export type TrimOperator = '</' | '>/'
export type BinaryOperator = ArithmeticOperator | ComparisonOperator | SetOperator | TrimOperator

export interface BinaryExpression {
  readonly type: 'binary'
  readonly operator: BinaryOperator
  readonly left: Expression
  readonly right: Expression
  /** The `bool` modifier: answer 0 or 1 instead of filtering. */
  readonly returnBool: boolean
  /** There if both sides are instant vectors. */
  readonly matching?: VectorMatching
  readonly position: PositionRange
}

export type MatchCardinality = 'one-to-one' | 'many-to-one' | 'one-to-many' | 'many-to-many'

export interface VectorMatching {
  readonly cardinality: MatchCardinality
  /** Names in `on(…)` or `ignoring(…)`. */
  readonly labels: readonly string[]
  readonly on: boolean
  /** Names in `group_left(…)` or `group_right(…)`. */
  readonly include: readonly string[]
  /** Values for series that are missing on that side, from `fill`, `fill_left` and `fill_right`. */
  readonly fillLeft?: number
  readonly fillRight?: number
}

export interface UnaryExpression {
  readonly type: 'unary'
  readonly operator: '+' | '-'
  readonly expression: Expression
  readonly position: PositionRange
}

export interface ParenExpression {
  readonly type: 'paren'
  readonly expression: Expression
  readonly position: PositionRange
}

/** A computation inside a range, a subquery's step or an offset. All numbers are seconds. */
export type DurationExpression = NumberLiteral | DurationOperation

export interface DurationOperation {
  readonly type: 'duration'
  /** `step` and `range` are those of the query and have no operands; a sign has only a `right` one. */
  readonly operator: '+' | '-' | '*' | '/' | '%' | '^' | 'min_of' | 'max_of' | 'step' | 'range'
  readonly left?: DurationExpression
  readonly right?: DurationExpression
  /** Stood in parentheses of its own. */
  readonly wrapped: boolean
  readonly position: PositionRange
}

/** The type of what an expression evaluates to. */
export function valueTypeOf(expression: Expression): ValueType {
  switch (expression.type) {
    case 'number':
      return 'scalar'
    case 'string':
      return 'string'
    case 'vectorSelector':
    case 'aggregation':
      return 'vector'
    case 'matrixSelector':
    case 'subquery':
      return 'matrix'
    case 'call':
      return expression.function.returnType
    case 'paren':
    case 'unary':
      return valueTypeOf(expression.expression)
    case 'binary':
      return valueTypeOf(expression.left) === 'scalar' && valueTypeOf(expression.right) === 'scalar'
        ? 'scalar'
        : 'vector'
  }
}

/** The operands of a node, in the order in which Prometheus visits them. */
export function childrenOf(expression: Expression): readonly Expression[] {
  switch (expression.type) {
    case 'number':
    case 'string':
    case 'vectorSelector':
      return []
    case 'matrixSelector':
      return [expression.selector]
    case 'subquery':
    case 'paren':
    case 'unary':
      return [expression.expression]
    case 'aggregation':
      return expression.parameter === undefined
        ? [expression.expression]
        : [expression.expression, expression.parameter]
    case 'call':
      return expression.arguments
    case 'binary':
      return [expression.left, expression.right]
  }
}

/** Takes parentheses off. */
export function unwrapParens(expression: Expression): Expression {
  while (expression.type === 'paren') expression = expression.expression
  return expression
}
