/** The rules that a tree must keep beyond its syntax: types, counts of arguments, and what a matching may say. */

import { METRIC_NAME } from '@varve/tsdb-core/model'
import { compileMatcher } from '@varve/tsdb-core/query'
import {
  type BinaryExpression,
  type BinaryOperator,
  type Call,
  type Expression,
  type PositionRange,
  type ValueType,
  type VectorMatching,
  type VectorSelector,
  valueTypeOf,
} from '../ast.js'
import { quote } from './go-text.js'
import type { Source } from './source.js'

/** What the syntax said of a binary operation, and the tree need not keep. */
export interface BinaryDetails {
  /** As written, also if the operands are no vectors. */
  readonly matching: VectorMatching
  readonly operatorPosition: PositionRange
}

const TYPE_NAMES: Readonly<Record<ValueType, string>> = {
  none: 'none',
  scalar: 'scalar',
  vector: 'instant vector',
  matrix: 'range vector',
  string: 'string',
}

const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', '>', '<', '>=', '<='])
const SET_OPERATORS: ReadonlySet<string> = new Set(['and', 'or', 'unless'])

export function isComparison(operator: BinaryOperator): boolean {
  return COMPARISONS.has(operator)
}

export function isSetOperator(operator: BinaryOperator): boolean {
  return SET_OPERATORS.has(operator)
}

/** What documentation and errors call a type. */
export function typeName(type: ValueType): string {
  return TYPE_NAMES[type]
}

/** @throws {PromqlError} `bad_data` for the first rule that is broken, in the order in which Prometheus looks. */
export function checkExpression(
  expression: Expression,
  source: Source,
  details: WeakMap<BinaryExpression, BinaryDetails>,
): void {
  new Checker(source, details).check(expression)
}

class Checker {
  readonly #source: Source
  readonly #details: WeakMap<BinaryExpression, BinaryDetails>
  /** The second argument of info() may select anything. */
  readonly #unrestricted = new WeakSet<Expression>()

  constructor(source: Source, details: WeakMap<BinaryExpression, BinaryDetails>) {
    this.#source = source
    this.#details = details
  }

  check(expression: Expression): ValueType {
    const type = valueTypeOf(expression)
    switch (expression.type) {
      case 'aggregation': {
        const { operator, parameter } = expression
        this.#expect(expression.expression, 'vector', 'aggregation expression')
        if (parameter)
          this.#expect(parameter, operator === 'count_values' ? 'string' : 'scalar', 'aggregation parameter')
        break
      }
      case 'binary':
        this.#checkBinary(expression)
        break
      case 'call':
        this.#checkCall(expression)
        break
      case 'paren':
        this.check(expression.expression)
        break
      case 'unary': {
        const operand = this.check(expression.expression)
        if (operand !== 'scalar' && operand !== 'vector') {
          const got = quote(typeName(operand))
          this.#refuse(
            expression.position,
            `unary expression only allowed on expressions of type scalar or instant vector, got ${got}`,
          )
        }
        break
      }
      case 'subquery': {
        const inner = this.check(expression.expression)
        if (inner !== 'vector') {
          this.#refuse(expression.position, `subquery is only allowed on instant vector, got ${inner} instead`)
        }
        break
      }
      case 'matrixSelector':
        this.check(expression.selector)
        break
      case 'vectorSelector':
        this.#checkSelector(expression)
        break
      case 'number':
      case 'string':
        break
    }
    return type
  }

  #checkBinary(binary: BinaryExpression): void {
    const { operator, left, right, returnBool, position } = binary
    const leftType = this.check(left)
    const rightType = this.check(right)
    const { matching, operatorPosition } = this.#details.get(binary)!
    if (returnBool && !isComparison(operator)) {
      this.#refuse(operatorPosition, 'bool modifier can only be used on comparison operators')
    }
    if (isComparison(operator) && !returnBool && leftType === 'scalar' && rightType === 'scalar') {
      this.#refuse(operatorPosition, 'comparisons between scalars must use BOOL modifier')
    }
    const twice = matching.on ? matching.labels.find((label) => matching.include.includes(label)) : undefined
    if (twice !== undefined) {
      this.#refuse(operatorPosition, `label ${quote(twice)} must not occur in ON and GROUP clause at once`)
    }
    for (const [side, type] of [
      [left, leftType],
      [right, rightType],
    ] as const) {
      if (type === 'scalar' || type === 'vector') continue
      this.#refuse(side.position, 'binary expression must contain only scalar and instant vector types')
    }
    const fills = matching.fillLeft !== undefined || matching.fillRight !== undefined
    if (leftType === 'scalar' || rightType === 'scalar') {
      if (matching.labels.length > 0) {
        this.#refuse(position, 'vector matching only allowed between instant vectors')
      }
      if (fills) this.#refuse(position, 'filling in missing series only allowed between instant vectors')
      if (isSetOperator(operator)) {
        this.#refuse(position, `set operator ${quote(operator)} not allowed in binary scalar expression`)
      }
    } else if (isSetOperator(operator)) {
      if (matching.cardinality !== 'many-to-many') {
        this.#refuse(position, `no grouping allowed for ${quote(operator)} operation`)
      }
      if (fills) this.#refuse(position, 'filling in missing series not allowed for set operators')
    }
  }

  #checkCall(call: Call): void {
    const { name, argumentTypes, variadic } = call.function
    const count = call.arguments.length
    const wrongCount = (expected: string) =>
      this.#refuse(call.position, `expected ${expected} argument(s) in call to ${quote(name)}, got ${count}`)
    if (variadic === 0) {
      if (count !== argumentTypes.length) wrongCount(`${argumentTypes.length}`)
    } else {
      const countMin = argumentTypes.length - 1
      if (count < countMin) wrongCount(`at least ${countMin}`)
      if (variadic > 0 && count > countMin + variadic) wrongCount(`at most ${countMin + variadic}`)
    }
    if (name === 'info' && count > 1) this.#checkInfoSelector(call)
    call.arguments.forEach((argument, index) => {
      const wanted = argumentTypes[Math.min(index, argumentTypes.length - 1)]
      this.#expect(argument, wanted, `call to function ${quote(name)}`)
    })
  }

  #checkInfoSelector(call: Call): void {
    const selector = call.arguments[1]
    const type = valueTypeOf(selector)
    if (type !== 'vector') {
      this.#refuse(call.position, `expected type instant vector in call to function "info", got ${typeName(type)}`)
    }
    if (selector.type !== 'vectorSelector') this.#refuse(selector.position, 'expected label selectors only')
    if (selector.name !== '') {
      this.#refuse(selector.position, 'expected label selectors only, got vector selector instead')
    }
    this.#unrestricted.add(selector)
  }

  #checkSelector(selector: VectorSelector): void {
    const { name, matchers, position } = selector
    if (name !== '') {
      const other = matchers.slice(0, -1).find((matcher) => matcher.name === METRIC_NAME)
      if (other) this.#refuse(position, `metric name must not be set twice: ${quote(name)} or ${quote(other.value)}`)
      return
    }
    if (this.#unrestricted.has(selector)) return
    if (matchers.every((matcher) => compileMatcher(matcher).matchesEmpty)) {
      this.#refuse(position, 'vector selector must contain at least one non-empty matcher')
    }
  }

  #expect(expression: Expression, wanted: ValueType, context: string): void {
    const got = this.check(expression)
    if (got === wanted) return
    this.#refuse(expression.position, `expected type ${typeName(wanted)} in ${context}, got ${typeName(got)}`)
  }

  #refuse(position: PositionRange, message: string): never {
    throw this.#source.parseError(position, message)
  }
}
