/**
 * Label matchers, compiled: what a value must be like to pass one.
 *
 * Patterns are RE2, anchored at both ends, and the dot matches a newline, as in Prometheus 3. Most patterns that people
 * write are alternations of texts with `.*` or `.+` between them (`a|b`, `api-.*`, `.*error.*`); these are tested by string
 * searches. All others go to re2js, which takes linear time whatever the pattern, and its answers are remembered, since
 * the same few label values come again and again.
 */
import { RE2JS, RE2JSException } from 're2js'
import { StorageError } from '../errors.js'
import type { Matcher } from '../model/matcher.js'

/** Longer patterns are refused: compiling takes time and memory in proportion, with a large factor. In UTF-16 units. */
export const PATTERN_LENGTH_MAX = 10_000
/** The same for alternations of plain texts, which cost nothing but their length (dashboards write long ones). */
export const ALTERNATION_LENGTH_MAX = 1_000_000

/** How many values a re2js pattern remembers before it starts anew. */
const REMEMBERED_VALUES_MAX = 4096

/** Dashboards ask the same again and again: compiled patterns that are not long stay, so many of them. */
const KEPT_PATTERNS_MAX = 32
const KEPT_PATTERN_LENGTH_MAX = 256
const recentPatterns = new Map<string, CompiledPattern>()

export interface CompiledMatcher {
  readonly matcher: Matcher
  /** `!=` and `!~`: what `literals` and `prefix` say is then about the values that do not pass. */
  readonly negated: boolean
  /** Whether a series without the label passes. */
  readonly matchesEmpty: boolean
  /** The test (before negation) is true for exactly these values, each once. Absent if they cannot be listed. */
  readonly literals?: readonly string[]
  /** Every value for which the test (before negation) is true starts with this; `''` says nothing. */
  readonly prefix: string
  /** Whether a series with this value passes; an absent label is the empty value. */
  matches(value: string): boolean
}

/**
 * Compiles one matcher.
 *
 * @throws {StorageError} `INVALID_ARGUMENT` with Go's text for a pattern that RE2 refuses; `LIMIT_EXCEEDED` for one that
 *   is longer than `PATTERN_LENGTH_MAX` (alternations of texts: `ALTERNATION_LENGTH_MAX`).
 */
export function compileMatcher(matcher: Matcher): CompiledMatcher {
  const { operator, value } = matcher
  if (operator === '=' || operator === '!=') {
    const negated = operator === '!='
    return {
      matcher,
      negated,
      matchesEmpty: (value === '') !== negated,
      literals: [value],
      prefix: value,
      matches: negated ? (other) => other !== value : (other) => other === value,
    }
  }
  const negated = operator === '!~'
  const pattern = compilePattern(value)
  const test = pattern.isSlow ? remembering(pattern.test) : pattern.test
  return {
    matcher,
    negated,
    matchesEmpty: pattern.matchesEmpty !== negated,
    ...(pattern.literals && { literals: pattern.literals }),
    prefix: pattern.prefix,
    matches: negated ? (other) => !test(other) : test,
  }
}

/** Whether a series, given its value for each label name, passes all of them. */
export function matchesAll(matchers: readonly CompiledMatcher[], valueFor: (name: string) => string): boolean {
  for (const compiled of matchers) if (!compiled.matches(valueFor(compiled.matcher.name))) return false
  return true
}

/** Keeps nothing of the values that it is asked about. */
interface PatternTest {
  readonly test: (value: string) => boolean
  /** Its answers are worth remembering. */
  readonly isSlow: boolean
  readonly literals?: readonly string[]
  readonly prefix: string
}

interface CompiledPattern extends PatternTest {
  readonly matchesEmpty: boolean
}

function compilePattern(pattern: string): CompiledPattern {
  const known = recentPatterns.get(pattern)
  if (known !== undefined) return known
  if (pattern.length > ALTERNATION_LENGTH_MAX) throw tooLong(pattern, 'ALTERNATION_LENGTH_MAX', ALTERNATION_LENGTH_MAX)
  const branches = simpleBranches(pattern)
  if (branches === undefined && pattern.length > PATTERN_LENGTH_MAX) {
    throw tooLong(pattern, 'PATTERN_LENGTH_MAX', PATTERN_LENGTH_MAX)
  }
  const test = branches === undefined ? compileRe2(pattern) : compileBranches(branches)
  const compiled = { ...test, matchesEmpty: test.test('') }
  if (pattern.length <= KEPT_PATTERN_LENGTH_MAX) {
    if (recentPatterns.size >= KEPT_PATTERNS_MAX) recentPatterns.clear()
    recentPatterns.set(pattern, compiled)
  }
  return compiled
}

function compileRe2(pattern: string): PatternTest {
  try {
    RE2JS.compile(pattern) // The flag below is written into the pattern, and would show in error texts.
    const compiled = RE2JS.compile(pattern, RE2JS.DOTALL)
    return { test: (value) => compiled.testExact(value), isSlow: true, prefix: literalPrefix(pattern) }
  } catch (error) {
    if (error instanceof RE2JSException) throw new StorageError('INVALID_ARGUMENT', error.message, { cause: error })
    throw error
  }
}

function tooLong(pattern: string, name: string, limit: number): StorageError {
  const start = JSON.stringify(pattern.slice(0, 40))
  return new StorageError(
    'LIMIT_EXCEEDED',
    `regular expression ${start}… has ${pattern.length} characters, more than ${name} (${limit}): split it into several matchers`,
  )
}

function remembering(test: (value: string) => boolean): (value: string) => boolean {
  const remembered = new Map<string, boolean>()
  return (value) => {
    let answer = remembered.get(value)
    if (answer === undefined) {
      answer = test(value)
      if (remembered.size >= REMEMBERED_VALUES_MAX) remembered.clear()
      remembered.set(value, answer)
    }
    return answer
  }
}

/**
 * Texts with gaps between them. `texts[0]` stands at the value's start, the last one at its end; `gaps[i]`, between
 * `texts[i]` and `texts[i + 1]`, is the least length of what the gap takes in: 0 for `.*`, 1 for `.+`.
 */
interface Branch {
  readonly texts: string[]
  readonly gaps: number[]
}

const SPECIAL = new Set('\\.+*?()|[]{}^$')

/** The alternatives of a pattern made of texts, `.*` and `.+` only; undefined for any other pattern. */
function simpleBranches(pattern: string): Branch[] | undefined {
  const inner = withoutOuterGroup(pattern)
  const branches: Branch[] = []
  let branch: Branch = { texts: [], gaps: [] }
  let text = ''
  let start = 0
  for (let i = 0; i <= inner.length; i++) {
    const c = inner[i]
    if (i === inner.length || c === '|') {
      branch.texts.push(text)
      branches.push(branch)
      branch = { texts: [], gaps: [] }
      text = ''
      start = i + 1
    } else if (c === '.') {
      const quantifier = inner[i + 1]
      if (quantifier !== '*' && quantifier !== '+') return undefined
      if ('*+?{'.includes(inner[i + 2] ?? ' ')) return undefined // Lazy, or an error that is re2js' to tell.
      if (text === '' && branch.gaps.length > 0) return undefined // `.+.+` counts characters, not UTF-16 units.
      branch.texts.push(text)
      branch.gaps.push(quantifier === '+' ? 1 : 0)
      text = ''
      i++
    } else if (c === '\\') {
      const escaped = inner[i + 1]
      if (escaped === undefined || !isAsciiPunctuation(escaped)) return undefined
      text += escaped
      i++
      if ('*+?{'.includes(inner[i + 1] ?? ' ')) return undefined
    } else if (c === '^' && i === start) {
      // Anchored anyway.
    } else if (c === '$' && (i + 1 === inner.length || inner[i + 1] === '|')) {
      // Anchored anyway.
    } else if (SPECIAL.has(c)) {
      return undefined
    } else {
      text += c
    }
  }
  return branches
}

/** `(a|b)` and `(?:a|b)` are `a|b`, if nothing inside is a group. */
function withoutOuterGroup(pattern: string): string {
  const match = /^\((?:\?:)?([^()\\]*)\)$/.exec(pattern)
  return match && !match[1].startsWith('?') ? match[1] : pattern
}

function isAsciiPunctuation(c: string): boolean {
  return c > ' ' && c < '\x7f' && !/[0-9A-Za-z_]/.test(c)
}

function compileBranches(branches: readonly Branch[]): PatternTest {
  if (branches.every((branch) => branch.gaps.length === 0)) {
    const literals = [...new Set(branches.map((branch) => branch.texts[0]))]
    const prefix = commonPrefix(literals)
    if (literals.length === 1) return { test: (value) => value === literals[0], isSlow: false, literals, prefix }
    const set = new Set(literals)
    return { test: (value) => set.has(value), isSlow: false, literals, prefix }
  }
  const prefix = commonPrefix(branches.map((branch) => branch.texts[0]))
  if (branches.length === 1) return { test: branchTest(branches[0]), isSlow: false, prefix }
  const literals = new Set<string>()
  const tests: ((value: string) => boolean)[] = []
  for (const branch of branches) {
    if (branch.gaps.length === 0) literals.add(branch.texts[0])
    else tests.push(branchTest(branch))
  }
  const test = (value: string) => literals.has(value) || tests.some((one) => one(value))
  return { test, isSlow: branches.length > 8, prefix }
}

function branchTest({ texts, gaps }: Branch): (value: string) => boolean {
  const first = texts[0]
  const last = texts[texts.length - 1]
  if (texts.length === 2) {
    const lengthMin = first.length + gaps[0] + last.length
    if (last === '') return (value) => value.length >= lengthMin && value.startsWith(first)
    return (value) => value.length >= lengthMin && value.startsWith(first) && value.endsWith(last)
  }
  return (value) => {
    if (!value.startsWith(first) || !value.endsWith(last)) return false
    // Each text at its leftmost place leaves the most room for those after it.
    let end = first.length
    for (let i = 1; i < texts.length - 1; i++) {
      const at = value.indexOf(texts[i], end + gaps[i - 1])
      if (at < 0) return false
      end = at + texts[i].length
    }
    return end + gaps[gaps.length - 1] + last.length <= value.length
  }
}

function commonPrefix(texts: readonly string[]): string {
  let prefix = texts[0]
  for (const text of texts) {
    let length = 0
    while (length < prefix.length && length < text.length && prefix[length] === text[length]) length++
    prefix = prefix.slice(0, length)
  }
  return withoutHalfPair(prefix)
}

/** What every match of any pattern starts with: its leading run of plain characters. */
function literalPrefix(pattern: string): string {
  let end = pattern[0] === '^' ? 1 : 0
  const start = end
  while (end < pattern.length && !SPECIAL.has(pattern[end])) end++
  if (end < pattern.length && '*?{+'.includes(pattern[end])) end = previousCodePoint(pattern, start, end)
  return hasTopLevelAlternation(pattern) ? '' : withoutHalfPair(pattern.slice(start, end))
}

function previousCodePoint(text: string, start: number, end: number): number {
  if (end <= start) return start
  const isPair = end - 2 >= start && (text.codePointAt(end - 2) ?? 0) > 0xffff
  return end - (isPair ? 2 : 1)
}

function hasTopLevelAlternation(pattern: string): boolean {
  // A `|` in a class or after a backslash is taken for an alternation too, and one in a group: that only costs the prefix.
  return pattern.includes('|')
}

/** A prefix that ends in the first half of a surrogate pair is no text of its own. */
function withoutHalfPair(text: string): string {
  const unit = text.charCodeAt(text.length - 1)
  return unit >= 0xd800 && unit < 0xdc00 ? text.slice(0, -1) : text
}
