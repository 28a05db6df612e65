/**
 * Reads PromQL: recursive descent for operands, precedence climbing for operators.
 *
 *     or  <  and unless  <  comparisons, </ >/  <  + -  <  * / % atan2, signs  <  ^ (to the right)
 *
 * and the modifiers behind an operand (`[…]`, `offset`, `@`, `anchored`, `smoothed`) bind closest of all. Prometheus' own
 * parser is an LALR one, whose habits clients see in its messages: which part of the query an error names is the closest
 * one with a message of its own, and a token is not read before it is needed. Both are kept here.
 *
 * Source: Prometheus 3.14, promql/parser/generated_parser.y and parse.go.
 */
import type { Matcher } from '@varve/tsdb-core/model'
import {
  type Aggregation,
  type AggregationOperator,
  type BinaryExpression,
  type BinaryOperator,
  type Call,
  childrenOf,
  type Expression,
  type MatchCardinality,
  type MatrixSelector,
  type Subquery,
  type TimeShift,
  type VectorMatching,
  type VectorSelector,
  valueTypeOf,
} from '../ast.js'
import { type BinaryDetails, checkExpression, isSetOperator } from './check.js'
import { millisecondsOf, roundHalfAway } from './duration.js'
import { acceptNumber, acceptSign, parseBrackets, parseOffset } from './duration-parser.js'
import { formatFloatFixed, quote } from './go-text.js'
import { unquote } from './literal.js'
import { PARSER_DEFAULTS, type ParserOptions } from './options.js'
import { parseLabelList, parseVectorSelector } from './selector-parser.js'
import { FUNCTIONS } from './signatures.js'
import { AGGREGATORS, isMetricName, PREPROCESSORS, type Token } from './token.js'
import { type ErrorContext, TokenStream } from './token-stream.js'

/**
 * Reads a query.
 *
 * Durations that depend on the query's step or range are left as expressions: see `resolveDurations`.
 *
 * @throws {PromqlError} `bad_data`, worded as Prometheus words it: `1:5: parse error: unexpected …`.
 */
export function parseExpression(text: string, options?: ParserOptions): Expression {
  const tokens = new TokenStream(text, { ...PARSER_DEFAULTS, ...options })
  const expression = new ExpressionParser(tokens).parse()
  return expression
}

/**
 * Reads a series selector, as `match[]` of the HTTP API and rollup rules have it.
 *
 * @throws {PromqlError} `bad_data`, also if nothing in it tells series apart (`{}`, `{a=~".*"}`).
 */
export function parseSelector(text: string, options?: ParserOptions): Matcher[] {
  const tokens = new TokenStream(text, { ...PARSER_DEFAULTS, ...options })
  const selector = parseVectorSelector(tokens)
  if (!tokens.is('EOF')) tokens.fail()
  checkExpression(selector, tokens.source, new WeakMap())
  return [...selector.matchers]
}

const PRECEDENCE: Readonly<Record<string, number>> = {
  or: 1,
  and: 2,
  unless: 2,
  '==': 3,
  '!=': 3,
  '>': 3,
  '<': 3,
  '>=': 3,
  '<=': 3,
  '</': 3,
  '>/': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': 5,
  atan2: 5,
  '^': 6,
}
const PRECEDENCE_SIGN = 5

const WITH_PARAMETER: ReadonlySet<string> = new Set([
  'topk',
  'bottomk',
  'count_values',
  'quantile',
  'limitk',
  'limit_ratio',
])
const EXPERIMENTAL_AGGREGATORS: ReadonlySet<string> = new Set(['limitk', 'limit_ratio'])

const ANYWHERE: ErrorContext = { where: '', wanted: '' }
const IN_AGGREGATION: ErrorContext = { where: 'aggregation', wanted: '' }
const IN_AT: ErrorContext = { where: '@', wanted: 'timestamp' }

class ExpressionParser {
  readonly #tokens: TokenStream
  readonly #details = new WeakMap<BinaryExpression, BinaryDetails>()
  readonly #heights = new WeakMap<Expression, number>()

  constructor(tokens: TokenStream) {
    this.#tokens = tokens
  }

  parse(): Expression {
    const tokens: TokenStream = this.#tokens
    if (tokens.is('EOF')) tokens.refuse({ start: 0, end: 0 }, 'no expression found in input')
    const expression = tokens.within(ANYWHERE, () => {
      const parsed = this.#expression(0)
      if (!tokens.is('EOF')) tokens.fail()
      return parsed
    })
    checkExpression(expression, tokens.source, this.#details)
    return expression
  }

  #expression(precedenceMin: number): Expression {
    return this.#tokens.nested(() => {
      let left = this.#signed()
      for (;;) {
        const precedence = PRECEDENCE[this.#tokens.peek().type]
        if (precedence === undefined || precedence < precedenceMin) return left
        left = this.#binary(left, precedence)
      }
    })
  }

  #binary(left: Expression, precedence: number): BinaryExpression {
    const tokens: TokenStream = this.#tokens
    const token = tokens.take()
    const operator = token.type as BinaryOperator
    const returnBool = tokens.accept('bool') !== undefined
    const matching = this.#matching(isSetOperator(operator))
    const right = this.#expression(operator === '^' ? precedence : precedence + 1)
    const position = { start: left.position.start, end: right.position.end }
    const fills = matching.fillLeft !== undefined || matching.fillRight !== undefined
    if (fills && !tokens.options.fillModifiers) {
      tokens.refuse(position, 'binop fill modifiers are experimental and not enabled')
    }
    const betweenVectors = valueTypeOf(left) === 'vector' && valueTypeOf(right) === 'vector'
    const binary: BinaryExpression = {
      type: 'binary',
      operator,
      left,
      right,
      returnBool,
      ...(betweenVectors && { matching }),
      position,
    }
    this.#details.set(binary, { matching, operatorPosition: tokens.positionOf(token) })
    return this.#made(binary)
  }

  #matching(setOperator: boolean): VectorMatching {
    const tokens: TokenStream = this.#tokens
    let cardinality: MatchCardinality = setOperator ? 'many-to-many' : 'one-to-one'
    let labels: string[] = []
    let include: string[] = []
    let on = false
    const matchToken = tokens.accept('on') ?? tokens.accept('ignoring')
    if (matchToken) {
      on = matchToken.type === 'on'
      labels = parseLabelList(tokens)
      const groupToken = tokens.accept('group_left') ?? tokens.accept('group_right')
      if (groupToken) {
        cardinality = groupToken.type === 'group_left' ? 'many-to-one' : 'one-to-many'
        if (tokens.is('(')) include = parseLabelList(tokens)
      }
    }
    return { cardinality, labels, on, include, ...this.#fills() }
  }

  #fills(): { fillLeft?: number; fillRight?: number } {
    const tokens: TokenStream = this.#tokens
    if (tokens.accept('fill')) {
      const value = this.#fillValue()
      return { fillLeft: value, fillRight: value }
    }
    if (tokens.accept('fill_left')) {
      const fillLeft = this.#fillValue()
      return tokens.accept('fill_right') ? { fillLeft, fillRight: this.#fillValue() } : { fillLeft }
    }
    if (tokens.accept('fill_right')) {
      const fillRight = this.#fillValue()
      return tokens.accept('fill_left') ? { fillRight, fillLeft: this.#fillValue() } : { fillRight }
    }
    return {}
  }

  #fillValue(): number {
    this.#tokens.expect('(')
    const value = this.#signedNumber()
    this.#tokens.expect(')')
    return value
  }

  #signedNumber(): number {
    const sign = acceptSign(this.#tokens)
    const literal = acceptNumber(this.#tokens) ?? this.#tokens.fail()
    return sign?.type === '-' ? -literal.value : literal.value
  }

  #signed(): Expression {
    const sign = acceptSign(this.#tokens)
    if (!sign) return this.#modified(this.#primary())
    const operand = this.#expression(PRECEDENCE_SIGN + 1)
    const position = { start: this.#tokens.source.byteAt(sign.start), end: operand.position.end }
    if (operand.type === 'number') {
      return { ...operand, value: sign.type === '-' ? -operand.value : operand.value, position }
    }
    return this.#made({ type: 'unary', operator: sign.type as '+' | '-', expression: operand, position })
  }

  /** The modifiers behind an operand. */
  #modified(expression: Expression): Expression {
    const tokens: TokenStream = this.#tokens
    for (;;) {
      switch (tokens.peek().type) {
        case '[':
          expression = this.#ranged(expression)
          break
        case 'offset':
          tokens.take()
          expression = this.#offset(expression)
          break
        case '@':
          tokens.take()
          expression = this.#at(expression)
          break
        case 'anchored':
        case 'smoothed':
          expression = this.#extended(expression, tokens.take().type as 'anchored' | 'smoothed')
          break
        default:
          return expression
      }
    }
  }

  #ranged(expression: Expression): MatrixSelector | Subquery {
    const tokens: TokenStream = this.#tokens
    const { range, step, subquery, position: brackets } = parseBrackets(tokens)
    const position = { start: expression.position.start, end: brackets.end }
    const rangeFields =
      range.type === 'number' ? { rangeMs: millisecondsOf(range.value) } : { rangeMs: 0, rangeExpression: range }
    if (subquery) {
      const stepFields =
        step === undefined || step.type === 'number'
          ? { stepMs: step ? millisecondsOf(step.value) : 0 }
          : { stepMs: 0, stepExpression: step }
      return this.#made({ type: 'subquery', expression, ...rangeFields, ...stepFields, offsetMs: 0, position })
    }
    if (expression.type !== 'vectorSelector') tokens.refuse(brackets, 'ranges only allowed for vector selectors')
    if (expression.offsetMs !== 0 || expression.offsetExpression) {
      tokens.refuse(brackets, 'no offset modifiers allowed before range')
    }
    if (expression.atMs !== undefined || expression.atBoundary) {
      tokens.refuse(brackets, 'no @ modifiers allowed before range')
    }
    return this.#made({ type: 'matrixSelector', selector: expression, ...rangeFields, position })
  }

  #offset(expression: Expression): Expression {
    const tokens: TokenStream = this.#tokens
    const offset = parseOffset(tokens)
    const shift = shiftOf(expression)
    if (!shift) {
      tokens.refuse(
        expression.position,
        'offset modifier must be preceded by an instant vector selector or range vector selector or a subquery',
      )
    }
    if (shift.offsetMs !== 0 || shift.offsetExpression) {
      tokens.refuse(expression.position, 'offset may not be set multiple times')
    }
    return this.#shifted(
      expression,
      offset.type === 'number' ? { offsetMs: millisecondsOf(offset.value) } : { offsetExpression: offset },
    )
  }

  #at(expression: Expression): Expression {
    const tokens: TokenStream = this.#tokens
    const at = tokens.within(IN_AT, () => {
      const boundary = tokens.accept('start') ?? tokens.accept('end')
      if (!boundary) return this.#signedNumber()
      tokens.expect('(')
      tokens.expect(')')
      return boundary.type as 'start' | 'end'
    })
    if (typeof at === 'number' && !(Math.abs(at) < 2 ** 63)) {
      tokens.refuse(expression.position, `timestamp out of bounds for @ modifier: ${formatFloatFixed(at)}`)
    }
    const shift = shiftOf(expression)
    if (!shift) {
      tokens.refuse(
        expression.position,
        '@ modifier must be preceded by an instant vector selector or range vector selector or a subquery',
      )
    }
    if (shift.atMs !== undefined || shift.atBoundary) {
      tokens.refuse(expression.position, '@ <timestamp> may not be set multiple times')
    }
    return this.#shifted(
      expression,
      typeof at === 'number' ? { atMs: roundHalfAway(at * 1000) + 0 } : { atBoundary: at },
    )
  }

  #shifted(expression: Expression, shift: Partial<TimeShift>): Expression {
    const position = { start: expression.position.start, end: this.#tokens.source.byteAt(this.#tokens.endUnit) }
    if (expression.type === 'matrixSelector') {
      return this.#made({ ...expression, selector: { ...expression.selector, ...shift }, position })
    }
    return this.#made({ ...(expression as VectorSelector | Subquery), ...shift, position })
  }

  #extended(expression: Expression, modifier: 'anchored' | 'smoothed'): Expression {
    const tokens: TokenStream = this.#tokens
    if (!tokens.options.extendedRangeSelectors) {
      tokens.refuse(expression.position, `${modifier} modifier is experimental and not enabled`)
    }
    if (expression.type === 'subquery') {
      tokens.refuse(expression.position, `${modifier} modifier is not supported for subqueries`)
    }
    const selector = expression.type === 'matrixSelector' ? expression.selector : expression
    if (selector.type !== 'vectorSelector') tokens.refuse(expression.position, `${modifier} modifier not implemented`)
    const changed = { ...selector, [modifier]: true }
    if (changed.anchored && changed.smoothed) {
      tokens.refuse(expression.position, 'anchored and smoothed modifiers cannot be used together')
    }
    return this.#made(expression.type === 'matrixSelector' ? { ...expression, selector: changed } : changed)
  }

  #primary(): Expression {
    const tokens: TokenStream = this.#tokens
    const literal = acceptNumber(tokens)
    if (literal) return literal
    const token = tokens.peek()
    if (token.type === 'STRING') {
      tokens.take()
      return { type: 'string', value: unquote(token.text), position: tokens.positionOf(token) }
    }
    if (token.type === '(') {
      tokens.take()
      const expression = this.#expression(0)
      const close = tokens.expect(')')
      return this.#made({ type: 'paren', expression, position: tokens.source.range(token.start, close.end) })
    }
    if (token.type === '{') return parseVectorSelector(tokens)
    if (!isMetricName(token.type)) tokens.fail()
    return this.#named(token)
  }

  /** A word: what follows it decides between a call, an aggregation and a metric. */
  #named(token: Token): Expression {
    const tokens: TokenStream = this.#tokens
    tokens.take()
    const following = tokens.peek().type
    if (AGGREGATORS.has(token.type) && (following === '(' || following === 'by' || following === 'without')) {
      return tokens.within(IN_AGGREGATION, () => this.#aggregation(token))
    }
    if (following === '(' && (token.type === 'IDENTIFIER' || PREPROCESSORS.has(token.type))) return this.#call(token)
    return parseVectorSelector(tokens, token)
  }

  #aggregation(token: Token): Aggregation {
    const tokens: TokenStream = this.#tokens
    const operator = token.type as AggregationOperator
    let modifier = this.#grouping()
    const args = this.#arguments()
    modifier ??= this.#grouping()
    const { grouping, without } = modifier ?? { grouping: [], without: false }
    const position = tokens.source.range(token.start, tokens.endUnit)
    if (args.length === 0) tokens.refuse(position, 'no arguments for aggregate expression provided')
    if (EXPERIMENTAL_AGGREGATORS.has(operator) && !tokens.options.experimentalFunctions) {
      tokens.refuse(
        position,
        `${operator}() is experimental and must be enabled with --enable-feature=promql-experimental-functions`,
      )
    }
    const wanted = WITH_PARAMETER.has(operator) ? 2 : 1
    if (args.length !== wanted) {
      const counts = `expected ${wanted}, got ${args.length}`
      tokens.refuse(position, `wrong number of arguments for aggregate expression provided, ${counts}`)
    }
    const expression = args[wanted - 1]
    const parameter = wanted === 2 ? { parameter: args[0] } : {}
    return this.#made({ type: 'aggregation', operator, expression, ...parameter, grouping, without, position })
  }

  #grouping(): { grouping: string[]; without: boolean } | undefined {
    const keyword = this.#tokens.accept('by') ?? this.#tokens.accept('without')
    return keyword && { grouping: parseLabelList(this.#tokens), without: keyword.type === 'without' }
  }

  #call(token: Token): Call {
    const tokens: TokenStream = this.#tokens
    const args = this.#arguments()
    const signature = FUNCTIONS.get(token.text)
    const name = quote(token.text)
    if (!signature) tokens.refuse(tokens.positionOf(token), `unknown function with name ${name}`)
    if (signature.experimental && !tokens.options.experimentalFunctions) {
      tokens.refuse(tokens.positionOf(token), `function ${name} is not enabled`)
    }
    const position = tokens.source.range(token.start, tokens.endUnit)
    return this.#made({ type: 'call', function: signature, arguments: args, position })
  }

  #arguments(): Expression[] {
    const tokens: TokenStream = this.#tokens
    tokens.expect('(')
    const args: Expression[] = []
    if (tokens.accept(')')) return args
    for (;;) {
      args.push(this.#expression(0))
      const comma = tokens.accept(',')
      if (!comma) break
      if (!startsExpression(tokens.peek().type)) {
        tokens.refuse(tokens.positionOf(comma), 'trailing commas not allowed in function call args')
      }
    }
    tokens.expect(')')
    return args
  }

  /** Keeps the height of the tree within bounds: a chain of operators grows it without nesting. */
  #made<T extends Expression>(expression: T): T {
    let height = 0
    for (const child of childrenOf(expression)) height = Math.max(height, this.#heights.get(child) ?? 0)
    this.#heights.set(expression, ++height)
    if (height > this.#tokens.options.depthMax) throw this.#tokens.tooDeep(expression.position)
    return expression
  }
}

function startsExpression(type: string): boolean {
  if (['NUMBER', 'DURATION', 'STRING', '(', '{', '+', '-'].includes(type)) return true
  return isMetricName(type)
}

/** What can be moved in time: a selector, or a subquery. */
function shiftOf(expression: Expression): TimeShift | undefined {
  if (expression.type === 'matrixSelector') return expression.selector
  return expression.type === 'vectorSelector' || expression.type === 'subquery' ? expression : undefined
}
