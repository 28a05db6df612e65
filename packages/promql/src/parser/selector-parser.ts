/** Vector selectors, and the label lists of `by`, `on` and their kin. */

import { type Matcher, type MatchOperator, METRIC_NAME } from '@varve/tsdb-core/model'
import { compileMatcher } from '@varve/tsdb-core/query'
import type { VectorSelector } from '../ast.js'
import { quote } from './go-text.js'
import { isValidLabelName, unquote } from './literal.js'
import { isLabelName, isMetricName, type Token } from './token.js'
import type { ErrorContext, TokenStream } from './token-stream.js'

const MATCH_OPERATORS: ReadonlySet<string> = new Set(['=', '!=', '=~', '!~'])
const matching = (wanted: string): ErrorContext => ({ where: 'label matching', wanted })
const grouping = (wanted: string): ErrorContext => ({ where: 'grouping opts', wanted })

/** Reads `name`, `name{…}` or `{…}`. The name may have been taken already. */
export function parseVectorSelector(tokens: TokenStream, nameToken?: Token): VectorSelector {
  const first = nameToken ?? tokens.peek()
  if (!nameToken && isMetricName(first.type)) nameToken = tokens.take()
  if (!nameToken && first.type !== '{') tokens.fail()
  const name = nameToken?.text ?? ''
  const matchers = tokens.is('{') ? parseMatchers(tokens) : []
  const position = tokens.source.range(first.start, tokens.endUnit)
  // Prometheus puts the name behind the others.
  if (name !== '') matchers.push({ name: METRIC_NAME, operator: '=', value: name })
  return { type: 'vectorSelector', name, matchers, offsetMs: 0, anchored: false, smoothed: false, position }
}

function parseMatchers(tokens: TokenStream): Matcher[] {
  tokens.take()
  const matchers: Matcher[] = []
  while (!tokens.accept('}')) {
    matchers.push(parseMatcher(tokens))
    if (tokens.accept(',')) continue
    if (!tokens.is('}')) tokens.fail(matching('"," or "}"'))
  }
  return matchers
}

function parseMatcher(tokens: TokenStream): Matcher {
  const label = tokens.peek()
  if (label.type !== 'IDENTIFIER' && label.type !== 'STRING') tokens.fail(matching('identifier or "}"'))
  tokens.take()
  const name = label.type === 'STRING' ? unquote(label.text) : label.text
  const operator = tokens.peek()
  if (!MATCH_OPERATORS.has(operator.type)) {
    if (label.type === 'STRING') return { name: METRIC_NAME, operator: '=', value: name }
    tokens.fail(matching('label matching operator'))
  }
  tokens.take()
  const text = tokens.accept('STRING') ?? tokens.fail(matching('string'))
  const matcher: Matcher = { name, operator: operator.type as MatchOperator, value: unquote(text.text) }
  try {
    compileMatcher(matcher)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    tokens.refuse(tokens.source.range(label.start, text.end), error.message, { cause: error })
  }
  return matcher
}

/** Reads `(a, "b", …)`. */
export function parseLabelList(tokens: TokenStream): string[] {
  if (!tokens.accept('(')) tokens.fail(grouping('"("'))
  const names: string[] = []
  while (!tokens.accept(')')) {
    names.push(parseLabel(tokens))
    if (tokens.accept(',')) continue
    if (!tokens.is(')')) tokens.fail(grouping('"," or ")"'))
  }
  return names
}

function parseLabel(tokens: TokenStream): string {
  const token = tokens.peek()
  if (token.type !== 'STRING' && !isLabelName(token.type)) tokens.fail(grouping('label'))
  tokens.take()
  const name = token.type === 'STRING' ? unquote(token.text) : token.text
  if (!isValidLabelName(name)) {
    // Bytes that are no UTF-8 survive in the token alone.
    const shown = name === '' ? quote(name) : token.text
    tokens.refuse(tokens.positionOf(token), `invalid label name for grouping: ${shown}`)
  }
  return name
}
