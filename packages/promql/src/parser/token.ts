/** The tokens of PromQL, and how error messages name them. */
import { quote } from './go-text.js'

/** Keywords, operators and punctuation are their own (lower-case) text; the rest is in capitals. */
export type TokenType = string

export interface Token {
  readonly type: TokenType
  /** As it stands in the query; for `ERROR` the message. */
  readonly text: string
  /** In UTF-16 units; the parser turns them into bytes. */
  readonly start: number
  readonly end: number
}

export const AGGREGATORS: ReadonlySet<string> = new Set([
  'avg',
  'bottomk',
  'count',
  'count_values',
  'group',
  'limit_ratio',
  'limitk',
  'max',
  'min',
  'quantile',
  'stddev',
  'stdvar',
  'sum',
  'topk',
])
const KEYWORDS: ReadonlySet<string> = new Set([
  'anchored',
  'bool',
  'by',
  'fill',
  'fill_left',
  'fill_right',
  'group_left',
  'group_right',
  'ignoring',
  'offset',
  'on',
  'smoothed',
  'without',
])
/** Names of functions, and of values inside duration expressions, that are tokens of their own. */
export const PREPROCESSORS: ReadonlySet<string> = new Set(['start', 'end', 'step', 'range', 'min_of', 'max_of'])
const WORD_OPERATORS: ReadonlySet<string> = new Set(['and', 'or', 'unless', 'atan2'])
const OPERATORS: ReadonlySet<string> = new Set([
  ...WORD_OPERATORS,
  ...['+', '/', '==', '=~', '>=', '>', '<', '<=', '%', '*', '!=', '!~', '^', '-', '@', '</', '>/'],
])

/** The token type of a word, if it is more than an identifier. Case does not matter. */
export function wordType(word: string): TokenType | undefined {
  const lower = word.toLowerCase()
  if (lower === 'inf' || lower === 'nan') return 'NUMBER'
  if (KEYWORDS.has(lower) || AGGREGATORS.has(lower) || PREPROCESSORS.has(lower) || WORD_OPERATORS.has(lower))
    return lower
  return undefined
}

const METRIC_WORDS: ReadonlySet<string> = new Set([
  ...AGGREGATORS,
  ...PREPROCESSORS,
  ...['and', 'or', 'unless', 'by', 'without', 'offset', 'anchored', 'smoothed', 'fill', 'fill_left', 'fill_right'],
])

/** Tokens that may stand for a metric name. */
export function isMetricName(type: TokenType): boolean {
  return type === 'IDENTIFIER' || type === 'METRIC_IDENTIFIER' || METRIC_WORDS.has(type)
}

/** Tokens that may stand for a label name inside `by (…)` and its kin. */
export function isLabelName(type: TokenType): boolean {
  if (type === 'IDENTIFIER' || type === 'METRIC_IDENTIFIER') return true
  return KEYWORDS.has(type) || AGGREGATORS.has(type) || PREPROCESSORS.has(type) || WORD_OPERATORS.has(type)
}

const NAMED: Readonly<Record<string, string>> = {
  IDENTIFIER: 'identifier',
  METRIC_IDENTIFIER: 'metric identifier',
  STRING: 'string',
  NUMBER: 'number',
  DURATION: 'duration',
}

/** How "unexpected …" names a token. */
export function describe(token: Token): string {
  if (token.type === 'EOF') return 'end of input'
  const kind = NAMED[token.type]
  if (kind === undefined) {
    if (KEYWORDS.has(token.type)) return `<${token.text}>`
    if (OPERATORS.has(token.type)) return `<op:${token.text}>`
    if (AGGREGATORS.has(token.type)) return `<aggr:${token.text}>`
    return shortened(token.text)
  }
  const isName = token.type === 'IDENTIFIER' || token.type === 'METRIC_IDENTIFIER'
  return `${kind} ${isName ? quote(token.text) : shortened(token.text)}`
}

function shortened(text: string): string {
  if (new TextEncoder().encode(text).length <= 10) return quote(text)
  return `${quote([...text].slice(0, 10).join(''))}...`
}
