/** The tree in the shape of Prometheus' `/api/v1/parse_query`. */
import type { DurationExpression, Expression, TimeShift, VectorMatching, VectorSelector } from '../ast.js'
import { formatFloat } from '../parser/go-text.js'

export type JsonNode = { readonly [field: string]: unknown }

/** Numbers are texts, as there: JSON has no NaN. */
export function expressionToJson(expression: Expression): JsonNode {
  switch (expression.type) {
    case 'number':
      return { type: 'numberLiteral', val: formatFloat(expression.value) }
    case 'string':
      return { type: 'stringLiteral', val: expression.value }
    case 'paren':
      return { type: 'parenExpr', expr: expressionToJson(expression.expression) }
    case 'unary':
      return { type: 'unaryExpr', op: expression.operator, expr: expressionToJson(expression.expression) }
    case 'vectorSelector':
      return { type: 'vectorSelector', ...selectorFields(expression) }
    case 'matrixSelector':
      return {
        type: 'matrixSelector',
        ...selectorFields(expression.selector),
        range: expression.rangeMs,
        rangeExpr: durationToJson(expression.rangeExpression),
      }
    case 'subquery':
      return {
        type: 'subquery',
        expr: expressionToJson(expression.expression),
        range: expression.rangeMs,
        rangeExpr: durationToJson(expression.rangeExpression),
        step: expression.stepMs,
        stepExpr: durationToJson(expression.stepExpression),
        ...shiftFields(expression),
      }
    case 'aggregation':
      return {
        type: 'aggregation',
        op: expression.operator,
        expr: expressionToJson(expression.expression),
        param: expression.parameter ? expressionToJson(expression.parameter) : null,
        grouping: expression.grouping,
        without: expression.without,
      }
    case 'call': {
      const { name, argumentTypes, variadic, returnType } = expression.function
      return {
        type: 'call',
        func: { name, argTypes: argumentTypes, variadic, returnType },
        args: expression.arguments.map(expressionToJson),
      }
    }
    case 'binary':
      return {
        type: 'binaryExpr',
        op: expression.operator,
        lhs: expressionToJson(expression.left),
        rhs: expressionToJson(expression.right),
        matching: expression.matching ? matchingToJson(expression.matching) : null,
        bool: expression.returnBool,
      }
  }
}

function selectorFields(selector: VectorSelector): JsonNode {
  return {
    name: selector.name,
    matchers: selector.matchers.map(({ name, operator, value }) => ({ name, type: operator, value })),
    ...shiftFields(selector),
    anchored: selector.anchored,
    smoothed: selector.smoothed,
  }
}

function shiftFields(shift: TimeShift): JsonNode {
  return {
    offset: shift.offsetMs,
    offsetExpr: durationToJson(shift.offsetExpression),
    timestamp: shift.atMs ?? null,
    startOrEnd: shift.atBoundary ?? null,
  }
}

function matchingToJson(matching: VectorMatching): JsonNode {
  return {
    card: matching.cardinality,
    labels: matching.labels,
    on: matching.on,
    include: matching.include,
    fillValues: { lhs: matching.fillLeft ?? null, rhs: matching.fillRight ?? null },
  }
}

function durationToJson(duration: DurationExpression | undefined): JsonNode | null {
  if (!duration) return null
  if (duration.type === 'number') {
    return { type: 'numberLiteral', val: formatFloat(duration.value), duration: duration.duration }
  }
  return {
    type: 'durationExpr',
    op: duration.operator,
    lhs: durationToJson(duration.left),
    rhs: durationToJson(duration.right),
    wrapped: duration.wrapped,
  }
}
