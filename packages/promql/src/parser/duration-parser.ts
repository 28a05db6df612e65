/**
 * Durations that are computed: between brackets and after `offset`.
 *
 * Between brackets all of arithmetic is there. After `offset` a number ends the duration, `a offset 1m + b` being a sum:
 * only what stands in parentheses or in a call is computed.
 */
import type { DurationExpression, DurationOperation, NumberLiteral, PositionRange } from '../ast.js'
import { DURATION_SECONDS_MAX, parseDuration } from './duration.js'
import { parseNumber } from './literal.js'
import type { Token } from './token.js'
import type { ErrorContext, TokenStream } from './token-stream.js'

const WANTED = 'number, duration, step(), or range()'
const IN_RANGE: ErrorContext = { where: 'subquery or range selector', wanted: WANTED }
const AFTER_RANGE: ErrorContext = { where: 'subquery or range', wanted: '":" or "]"' }
const IN_STEP: ErrorContext = { where: 'subquery selector', wanted: 'number, duration, step(), range(), or "]"' }
const AFTER_STEP: ErrorContext = { where: 'subquery selector', wanted: '"]"' }
const IN_OFFSET: ErrorContext = { where: 'offset', wanted: WANTED }

const PRECEDENCE: Readonly<Record<string, number>> = { '+': 1, '-': 1, '*': 2, '/': 2, '%': 2, '^': 3 }
const PRECEDENCE_SIGN = 2
type BinaryDurationOperator = '+' | '-' | '*' | '/' | '%' | '^'

export interface Brackets {
  readonly range: DurationExpression
  /** `[range:` was there, and maybe a step. */
  readonly subquery: boolean
  readonly step?: DurationExpression
  /** From the opening to behind the closing bracket. */
  readonly position: PositionRange
}

/** Reads `[range]`, `[range:]` or `[range:step]`; the token ahead is the opening bracket. */
export function parseBrackets(tokens: TokenStream): Brackets {
  const open = tokens.take()
  const range = tokens.within(IN_RANGE, () => parsePositive(tokens))
  if (!tokens.accept(':')) {
    const close = tokens.accept(']') ?? tokens.fail(AFTER_RANGE)
    return { range, subquery: false, position: tokens.source.range(open.start, close.end) }
  }
  let close = tokens.accept(']')
  if (close) return { range, subquery: true, position: tokens.source.range(open.start, close.end) }
  const step = tokens.within(IN_STEP, () => parsePositive(tokens))
  close = tokens.accept(']') ?? tokens.fail(AFTER_STEP)
  return { range, subquery: true, step, position: tokens.source.range(open.start, close.end) }
}

/** Reads what follows the word `offset`. */
export function parseOffset(tokens: TokenStream): DurationExpression {
  return tokens.within(IN_OFFSET, () => {
    const sign = acceptSign(tokens)
    const literal = acceptNumber(tokens)
    if (literal) return signed(tokens, sign, literal)
    const operand = parsePrimary(tokens)
    if (!sign) return operand
    // A plus is kept before a call, but not before parentheses: this is how Prometheus' tree has it.
    const isCall = operand.type === 'duration' && !operand.wrapped
    return sign.type === '-' || isCall ? withSign(tokens, sign, operand) : operand
  })
}

/** Reads a number or a duration, if one is ahead. */
export function acceptNumber(tokens: TokenStream): NumberLiteral | undefined {
  const token = tokens.peek()
  if (token.type !== 'NUMBER' && token.type !== 'DURATION') return undefined
  tokens.take()
  const position = tokens.positionOf(token)
  const value = token.type === 'NUMBER' ? parseNumber(token.text) : parseDuration(token.text)
  if (typeof value === 'string') tokens.refuse(position, value)
  const duration = token.type === 'DURATION'
  return { type: 'number', value: duration ? value / 1000 : value, duration, position }
}

export function acceptSign(tokens: TokenStream): Token | undefined {
  return tokens.accept('+') ?? tokens.accept('-')
}

function parsePositive(tokens: TokenStream): DurationExpression {
  const duration = parseExpression(tokens, 0)
  if (duration.type === 'number' && duration.value <= 0) {
    tokens.refuse(duration.position, 'duration must be greater than 0')
  }
  return duration
}

function parseExpression(tokens: TokenStream, precedenceMin: number): DurationExpression {
  return tokens.nested(() => {
    let left = parseSigned(tokens)
    for (let count = 1; ; count++) {
      const precedence = PRECEDENCE[tokens.peek().type]
      if (precedence === undefined || precedence < precedenceMin) return left
      const operator = tokens.take()
      const right = parseExpression(tokens, operator.type === '^' ? precedence : precedence + 1)
      requireEnabled(tokens, left)
      if (right.type === 'number' && right.value === 0) {
        if (operator.type === '/') tokens.refuse(tokens.positionOf(operator), 'division by zero')
        if (operator.type === '%') tokens.refuse(tokens.positionOf(operator), 'modulo by zero')
      }
      const position = { start: left.position.start, end: right.position.end }
      left = operation(operator.type as BinaryDurationOperator, position, left, right)
      if (count > tokens.options.depthMax) throw tokens.tooDeep(position)
    }
  })
}

function parseSigned(tokens: TokenStream): DurationExpression {
  const sign = acceptSign(tokens)
  if (!sign) return parsePrimary(tokens)
  const operand = parseExpression(tokens, PRECEDENCE_SIGN + 1)
  if (operand.type === 'number') return signed(tokens, sign, operand)
  return sign.type === '-' ? withSign(tokens, sign, operand) : operand
}

function parsePrimary(tokens: TokenStream): DurationExpression {
  const literal = acceptNumber(tokens)
  if (literal) return inRange(tokens, literal, literal.position)
  const token = tokens.peek()
  if (token.type === 'step' || token.type === 'range') {
    tokens.take()
    tokens.expect('(')
    const close = tokens.expect(')')
    return enabled(tokens, operation(token.type, tokens.source.range(token.start, close.end)))
  }
  if (token.type === 'min_of' || token.type === 'max_of') {
    tokens.take()
    tokens.expect('(')
    const left = parseExpression(tokens, 0)
    tokens.expect(',')
    const right = parseExpression(tokens, 0)
    const close = tokens.expect(')')
    return enabled(tokens, operation(token.type, tokens.source.range(token.start, close.end), left, right))
  }
  if (token.type !== '(') tokens.fail()
  tokens.take()
  const inner = parseExpression(tokens, 0)
  const close = tokens.expect(')')
  requireEnabled(tokens, inner)
  if (inner.type === 'duration') return { ...inner, wrapped: true }
  // A bare number has nowhere to keep its parentheses, so it becomes the operand of a plus.
  const position = { start: tokens.source.byteAt(token.start), end: tokens.source.byteAt(close.end) }
  return { ...operation('+', position, undefined, inner), wrapped: true }
}

function signed(tokens: TokenStream, sign: Token | undefined, literal: NumberLiteral): NumberLiteral {
  if (!sign) return inRange(tokens, literal, literal.position)
  const position = { start: tokens.source.byteAt(sign.start), end: literal.position.end }
  const value = sign.type === '-' ? -literal.value : literal.value
  return inRange(tokens, { ...literal, value, position }, tokens.positionOf(sign))
}

function inRange(tokens: TokenStream, literal: NumberLiteral, position: PositionRange): NumberLiteral {
  if (Math.abs(literal.value) > DURATION_SECONDS_MAX) tokens.refuse(position, 'duration out of range')
  return literal
}

function withSign(tokens: TokenStream, sign: Token, operand: DurationExpression): DurationOperation {
  const position = { start: tokens.source.byteAt(sign.start), end: operand.position.end }
  return operation(sign.type as '+' | '-', position, undefined, operand)
}

function operation(
  operator: DurationOperation['operator'],
  position: PositionRange,
  left?: DurationExpression,
  right?: DurationExpression,
): DurationOperation {
  return { type: 'duration', operator, ...(left && { left }), ...(right && { right }), wrapped: false, position }
}

function enabled(tokens: TokenStream, duration: DurationOperation): DurationOperation {
  requireEnabled(tokens, duration)
  return duration
}

function requireEnabled(tokens: TokenStream, duration: DurationExpression): void {
  if (!tokens.options.durationExpressions) {
    tokens.refuse(duration.position, 'experimental duration expression is not enabled')
  }
}
