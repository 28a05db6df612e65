/**
 * Writes a tree as text: on one line, or over several where a line would be too long.
 *
 * Source: Prometheus 3.14, promql/parser/printer.go and prettier.go.
 */
import { compareUtf8, type Matcher, METRIC_NAME } from '@varve/tsdb-core/model'
import type {
  Aggregation,
  BinaryExpression,
  DurationExpression,
  Expression,
  NumberLiteral,
  Subquery,
  TimeShift,
  VectorSelector,
} from '../ast.js'
import { formatDuration } from '../parser/duration.js'
import { formatFloat, formatFloatFixed, formatFloatG, quote } from '../parser/go-text.js'

/** The longest line that `prettyExpression` leaves whole, in bytes. */
const LINE_BYTES_MAX = 100
const INDENT = '  '

/** One line, with the spaces that Prometheus puts. Parsing it gives the same tree. */
export function printExpression(expression: Expression): string {
  switch (expression.type) {
    case 'number':
      return printNumber(expression)
    case 'string':
      return quote(expression.value)
    case 'paren':
      return `(${printExpression(expression.expression)})`
    case 'unary':
      return expression.operator + printExpression(expression.expression)
    case 'vectorSelector':
      return printSelector(expression) + printAt(expression) + printExtension(expression) + printOffset(expression)
    case 'matrixSelector': {
      const { selector, rangeMs, rangeExpression } = expression
      const range = rangeExpression ? printDuration(rangeExpression) : formatDuration(rangeMs)
      return `${printSelector(selector)}[${range}]${printExtension(selector)}${printAt(selector)}${printOffset(selector)}`
    }
    case 'subquery':
      return printExpression(expression.expression) + printSubqueryTimes(expression)
    case 'aggregation': {
      const parameter = expression.parameter ? `${printExpression(expression.parameter)}, ` : ''
      return `${printAggregator(expression)}(${parameter}${printExpression(expression.expression)})`
    }
    case 'call':
      return `${expression.function.name}(${expression.arguments.map(printExpression).join(', ')})`
    case 'binary': {
      const { left, right } = expression
      return `${printExpression(left)} ${printOperator(expression)} ${printExpression(right)}`
    }
  }
}

/** As `/api/v1/format_query` has it: what does not fit on a line of 100 bytes is split and indented. */
export function prettyExpression(expression: Expression, level = 0): string {
  const indent = INDENT.repeat(level)
  const line = printExpression(expression)
  const fits = new TextEncoder().encode(line).length <= LINE_BYTES_MAX
  const inner = (child: Expression) => prettyExpression(child, level + 1)
  switch (expression.type) {
    case 'unary':
      return indent + expression.operator + prettyExpression(expression.expression, level).trim()
    case 'subquery':
      // Prometheus forgets the indent of a short one; a query is not changed by it.
      return fits ? indent + line : prettyExpression(expression.expression, level) + printSubqueryTimes(expression)
    case 'aggregation': {
      if (fits) return indent + line
      const parameter = expression.parameter ? `${inner(expression.parameter)},\n` : ''
      return `${indent}${printAggregator(expression)}(\n${parameter}${inner(expression.expression)}\n${indent})`
    }
    case 'call':
      if (fits) return indent + line
      return `${indent}${expression.function.name}(\n${expression.arguments.map(inner).join(',\n')}\n${indent})`
    case 'paren':
      return fits ? indent + line : `${indent}(\n${inner(expression.expression)}\n${indent})`
    case 'binary':
      if (fits) return indent + line
      return `${inner(expression.left)}\n${indent}${printOperator(expression)}\n${inner(expression.right)}`
    default:
      return indent + line
  }
}

function printNumber({ value, duration }: NumberLiteral): string {
  if (!duration) return formatFloat(value)
  return (value < 0 ? '-' : '') + formatDuration(Math.abs(value) * 1000)
}

function printSelector(selector: VectorSelector): string {
  const isName = ({ name, operator, value }: Matcher) =>
    name === METRIC_NAME && operator === '=' && value === selector.name && value !== ''
  const matchers = selector.matchers.filter((matcher) => !isName(matcher)).map(printMatcher)
  return selector.name + (matchers.length > 0 ? `{${matchers.sort(compareUtf8).join(',')}}` : '')
}

/** `name="value"`, the name in quotes where it needs them. */
export function printMatcher({ name, operator, value }: Matcher): string {
  return printLabel(name) + operator + quote(value)
}

function printLabel(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : quote(name)
}

function printLabels(names: readonly string[]): string {
  return `(${names.map(printLabel).join(', ')})`
}

function printAt({ atMs, atBoundary }: TimeShift): string {
  if (atMs !== undefined) return ` @ ${formatFloatFixed(atMs / 1000, 3)}`
  return atBoundary ? ` @ ${atBoundary}()` : ''
}

function printOffset({ offsetMs, offsetExpression }: TimeShift): string {
  if (offsetExpression) return ` offset ${printDuration(offsetExpression)}`
  if (offsetMs === 0) return ''
  return ` offset ${offsetMs < 0 ? '-' : ''}${formatDuration(Math.abs(offsetMs))}`
}

function printExtension({ anchored, smoothed }: VectorSelector): string {
  return anchored ? ' anchored' : smoothed ? ' smoothed' : ''
}

function printSubqueryTimes(subquery: Subquery): string {
  const { rangeMs, rangeExpression, stepMs, stepExpression } = subquery
  const range = rangeExpression ? printDuration(rangeExpression) : formatDuration(rangeMs)
  const step = stepMs !== 0 ? formatDuration(stepMs) : stepExpression ? printDuration(stepExpression) : ''
  return `[${range}:${step}]${printAt(subquery)}${printOffset(subquery)}`
}

function printAggregator({ operator, grouping, without }: Aggregation): string {
  if (without) return `${operator} without ${printLabels(grouping)} `
  return grouping.length > 0 ? `${operator} by ${printLabels(grouping)} ` : operator
}

function printOperator({ operator, returnBool, matching }: BinaryExpression): string {
  let out: string = operator
  if (returnBool) out += ' bool'
  if (!matching) return out
  const { cardinality, labels, on, include, fillLeft, fillRight } = matching
  const grouped = cardinality === 'many-to-one' || cardinality === 'one-to-many'
  if (labels.length > 0 || on || grouped) out += ` ${on ? 'on' : 'ignoring'} ${printLabels(labels)}`
  if (grouped) out += ` group_${cardinality === 'many-to-one' ? 'left' : 'right'} ${printLabels(include)}`
  if (fillLeft !== undefined && Object.is(fillLeft, fillRight)) return `${out} fill (${formatFloatG(fillLeft)})`
  if (fillLeft !== undefined) out += ` fill_left (${formatFloatG(fillLeft)})`
  if (fillRight !== undefined) out += ` fill_right (${formatFloatG(fillRight)})`
  return out
}

function printDuration(duration: DurationExpression): string {
  if (duration.type === 'number') return printNumber(duration)
  const text = printOperation()
  return duration.wrapped ? `(${text})` : text

  function printOperation(): string {
    const { operator, left, right } = duration as Exclude<DurationExpression, NumberLiteral>
    if (operator === 'step' || operator === 'range') return `${operator}()`
    const second = right ? printDuration(right) : ''
    if (!left) return operator === '-' ? `-${second}` : second
    const first = printDuration(left)
    const isCall = operator === 'min_of' || operator === 'max_of'
    return isCall ? `${operator}(${first}, ${second})` : `${first} ${operator} ${second}`
  }
}
