/**
 * Cuts a query into tokens, by the rules of Prometheus' lexer.
 *
 * What a character means depends on where it stands: between the braces of a selector all words are names, between
 * brackets a word can only be one of a few functions, everywhere else words may be keywords. The parser asks for one
 * token at a time, so that errors come in the order in which Prometheus finds them.
 */
import { quote, quoteRune, unicodeRune } from './go-text.js'
import { type Token, type TokenType, wordType } from './token.js'

const SINGLE: ReadonlySet<string> = new Set([',', '*', '/', '%', '+', '-', '^', '@'])
const DURATION_WORDS: ReadonlySet<string> = new Set(['step', 'range', 'min_of', 'max_of'])

export class Lexer {
  readonly #input: string
  #at = 0
  #start = 0
  #parenDepth = 0
  #inBraces = false
  #inBrackets = false
  /** After `[` until the first number: words and operators of a duration expression. */
  #inDuration = false
  #colonSeen = false
  #durationSeen = false
  #ended: Token | undefined

  constructor(input: string) {
    this.#input = input
  }

  /** The next token; after the end or an error, that one again. Comments are passed over. */
  next(): Token {
    if (this.#ended) return this.#ended
    const token = this.#scan()
    if (token.type === 'EOF' || token.type === 'ERROR') this.#ended = token
    return token
  }

  #scan(): Token {
    this.#passSpaceAndComments()
    this.#start = this.#at
    if (this.#inBraces) return this.#scanInBraces()
    if (this.#inDuration) return this.#scanInDuration()
    return this.#scanStatement()
  }

  #passSpaceAndComments(): void {
    for (;;) {
      const c = this.#input[this.#at]
      if (isSpace(c)) {
        this.#at++
      } else if (c === '#' && !this.#inDuration) {
        while (this.#at < this.#input.length && !'\r\n'.includes(this.#input[this.#at])) this.#at++
      } else {
        return
      }
    }
  }

  #scanStatement(): Token {
    const c = this.#take()
    if (c === '') {
      if (this.#parenDepth !== 0) return this.#error('unclosed left parenthesis')
      if (this.#inBrackets) return this.#error('unclosed left bracket')
      return this.#token('EOF')
    }
    if (SINGLE.has(c)) return this.#token(c)
    if (c === '=') {
      if (this.#peek() === '~') return this.#error(`unexpected character after '=': '~'`)
      return this.#token(this.#accept('=') ? '==' : '=')
    }
    if (c === '!') {
      const after = this.#take()
      return after === '=' ? this.#token('!=') : this.#error(`unexpected character after '!': ${quoteRune(after)}`)
    }
    if (c === '<' || c === '>') {
      if (this.#accept('=')) return this.#token(`${c}=`)
      return this.#token(this.#accept('/') ? `${c}/` : c)
    }
    if (isDigit(c) || (c === '.' && isDigit(this.#peek()))) {
      this.#at = this.#start
      return this.#scanNumberOrDuration()
    }
    if (c === '"' || c === "'") return this.#scanString(c)
    if (c === '`') return this.#scanRawString()
    if (isAlpha(c) || c === ':') return this.#inBrackets ? this.#scanWordInBrackets(c) : this.#scanWord()
    if (c === '(' || c === ')') return this.#scanParen(c)
    if (c === '{') {
      this.#inBraces = true
      return this.#token('{')
    }
    if (c === '[') {
      if (this.#inBrackets) return this.#error(`unexpected left bracket '['`)
      this.#colonSeen = false
      this.#inBrackets = true
      this.#inDuration = true
      return this.#token('[')
    }
    if (c === ']') {
      if (!this.#inBrackets) return this.#error(`unexpected right bracket ']'`)
      this.#inBrackets = false
      return this.#token(']')
    }
    return this.#error(`unexpected character: ${quoteRune(c)}`)
  }

  #scanParen(c: '(' | ')'): Token {
    this.#parenDepth += c === '(' ? 1 : -1
    if (this.#parenDepth >= 0) return this.#token(c)
    this.#start = this.#at // Prometheus points behind it.
    return this.#error(`unexpected right parenthesis ')'`)
  }

  #scanWord(): Token {
    while (isAlphaNumeric(this.#peek()) || this.#peek() === ':') this.#at++
    const word = this.#input.slice(this.#start, this.#at)
    const type = wordType(word)
    // `fill` is a modifier only before a parenthesis, so that metrics of that name go on working.
    if (type?.startsWith('fill') && !this.#parenFollows()) return this.#token('IDENTIFIER')
    return this.#token(type ?? (word.includes(':') ? 'METRIC_IDENTIFIER' : 'IDENTIFIER'))
  }

  #parenFollows(): boolean {
    let i = this.#at
    while (isSpace(this.#input[i])) i++
    return this.#input[i] === '('
  }

  #scanWordInBrackets(first: string): Token {
    if (first === ':') {
      if (this.#colonSeen) return this.#error(`unexpected colon ':'`)
      this.#colonSeen = true
      return this.#token(':')
    }
    return this.#scanDurationWord() ?? this.#error(`unexpected character: ${quoteRune(first)}, expected ':'`)
  }

  #scanDurationWord(): Token | undefined {
    const from = this.#at
    while (isAlphaNumeric(this.#peek())) this.#at++
    const word = this.#input.slice(this.#start, this.#at).toLowerCase()
    if (DURATION_WORDS.has(word)) return this.#token(word)
    this.#at = from
    return undefined
  }

  #scanInDuration(): Token {
    const c = this.#take()
    if (c === '') return this.#error('unexpected end of input in duration expression')
    if (c === ']') {
      this.#inBrackets = false
      this.#inDuration = false
      this.#colonSeen = false
      return this.#token(']')
    }
    if (c === ':') {
      if (!this.#durationSeen) {
        this.#start = this.#at
        return this.#error('unexpected colon before duration in duration expression')
      }
      if (this.#colonSeen) {
        this.#start = this.#at
        return this.#error('unexpected repeated colon in duration expression')
      }
      this.#colonSeen = true
      return this.#token(':')
    }
    if (c === '(' || c === ')') return this.#scanParen(c)
    if (c !== '@' && SINGLE.has(c)) return this.#token(c)
    if (isAlpha(c)) {
      const token = this.#scanDurationWord()
      if (token) {
        this.#durationSeen = true
        return token
      }
    }
    if (isDigit(c) || (c === '.' && isDigit(this.#peek()))) {
      this.#at = this.#start
      this.#durationSeen = true
      this.#inDuration = false
      return this.#scanNumberOrDuration()
    }
    return this.#error(`unexpected character in duration expression: ${quoteRune(c)}`)
  }

  #scanInBraces(): Token {
    const c = this.#take()
    switch (c) {
      case '':
        return this.#error('unexpected end of input inside braces')
      case ',':
        return this.#token(',')
      case '"':
      case "'":
        return this.#scanString(c)
      case '`':
        return this.#scanRawString()
      case '=':
        return this.#token(this.#accept('~') ? '=~' : '=')
      case '!': {
        const after = this.#take()
        if (after === '~' || after === '=') return this.#token(`!${after}`)
        return this.#error(`unexpected character after '!' inside braces: ${quoteRune(after)}`)
      }
      case '{':
        return this.#error(`unexpected left brace '{'`)
      case '}':
        this.#inBraces = false
        return this.#token('}')
    }
    if (!isAlpha(c)) return this.#error(`unexpected character inside braces: ${quoteRune(c)}`)
    while (isAlphaNumeric(this.#peek())) this.#at++
    return this.#token('IDENTIFIER')
  }

  #scanNumberOrDuration(): Token {
    const end = scanNumber(this.#input, this.#at)
    this.#at = end.at
    if (end.ok) return this.#token('NUMBER')
    // What follows the digits may make it a duration: units in any order, which is checked when it is read.
    if (this.#acceptAny('smhdwy')) {
      this.#accept('s')
      let units = true
      while (units && isDigit(this.#peek())) {
        while (isDigit(this.#peek())) this.#at++
        units = this.#acceptAny('smhdw')
        if (units) this.#accept('s')
      }
      if (units) {
        const after = this.#take()
        if (!isAlphaNumeric(after)) {
          this.#at -= after.length
          return this.#token('DURATION')
        }
      }
    }
    return this.#error(`bad number or duration syntax: ${quote(this.#input.slice(this.#start, this.#at))}`)
  }

  #scanString(delimiter: string): Token {
    for (;;) {
      const c = this.#take()
      if (c === delimiter) return this.#token('STRING')
      if (c === '' || c === '\n') return this.#error('unterminated quoted string')
      if (c === '\ufffd') return this.#error('invalid UTF-8 rune')
      if (c === '\\') {
        const problem = this.#escapeProblem(delimiter)
        if (problem !== undefined) return this.#error(problem)
      }
    }
  }

  #scanRawString(): Token {
    for (;;) {
      const c = this.#take()
      if (c === '`') return this.#token('STRING')
      if (c === '') return this.#error('unterminated raw string')
      if (c === '\ufffd') return this.#error('invalid UTF-8 rune')
    }
  }

  /** Passes over the escape after a backslash; the text of what is wrong with it, if something is. */
  #escapeProblem(delimiter: string): string | undefined {
    let c = this.#take()
    if (c === '') return 'escape sequence not terminated'
    if ('abfnrtv\\'.includes(c) || c === delimiter) return undefined
    let digits: number
    let base = 16
    let valueMax = 0x10ffff
    if (c >= '0' && c <= '7') {
      digits = 3
      base = 8
      valueMax = 255
    } else if (c === 'x') {
      digits = 2
      valueMax = 255
    } else if (c === 'u') {
      digits = 4
    } else if (c === 'U') {
      digits = 8
    } else {
      return `unknown escape sequence ${unicodeRune(c)}`
    }
    if (base === 16) c = this.#take()
    let value = 0
    for (let left = digits; left > 0; left--) {
      if (c === '') return 'escape sequence not terminated'
      const digit = /^[0-9a-fA-F]$/.test(c) ? Number.parseInt(c, 16) : 16
      if (digit >= base) return `illegal character ${unicodeRune(c)} in escape sequence`
      value = value * base + digit
      if (left > 1) c = this.#take()
    }
    if (value > valueMax || (value >= 0xd800 && value < 0xe000))
      return 'escape sequence is an invalid Unicode code point'
    return undefined
  }

  /** The next character, both halves of a pair together; `''` at the end. */
  #take(): string {
    if (this.#at >= this.#input.length) return ''
    const c = String.fromCodePoint(this.#input.codePointAt(this.#at) ?? 0)
    this.#at += c.length
    return c
  }

  #peek(): string {
    return this.#input[this.#at] ?? ''
  }

  #accept(c: string): boolean {
    if (this.#input[this.#at] !== c) return false
    this.#at++
    return true
  }

  #acceptAny(set: string): boolean {
    const c = this.#input[this.#at]
    if (c === undefined || !set.includes(c)) return false
    this.#at++
    return true
  }

  #token(type: TokenType): Token {
    return { type, text: this.#input.slice(this.#start, this.#at), start: this.#start, end: this.#at }
  }

  #error(message: string): Token {
    return { type: 'ERROR', text: message, start: this.#start, end: this.#input.length }
  }
}

/**
 * Passes over what may be a number: whether it is one is known when it is read. Points and exponents come once, and
 * underscores stand between digits.
 */
function scanNumber(input: string, from: number): { at: number; ok: boolean } {
  let at = from
  const has = (set: string) => at < input.length && set.includes(input[at])
  let digits = '0123456789'
  let hex = false
  if (has('0')) {
    at++
    if (has('xX')) {
      at++
      if (has('_')) at++
      digits = '0123456789abcdefABCDEF'
      hex = true
    }
  }
  if (has('.')) at++
  if (has(digits)) at++
  let pointSeen = false
  let exponentSeen = false
  while (has(`${digits}._eE`)) {
    if (has('.') && pointSeen) return { at: at + 1, ok: false }
    if (has('eE') && exponentSeen) return { at: at + 1, ok: false }
    if (has('.')) {
      at++
      pointSeen = true
      if (has('_.')) return { at: at + 1, ok: false }
      if (hex) return { at, ok: false }
    } else if (has('eE')) {
      at++
      exponentSeen = true
      if (has('+-')) at++
      if (has('._eE')) return { at: at + 1, ok: false }
      if (at >= input.length) return { at, ok: false }
    } else if (has('_')) {
      at++
      if (has('._eE')) return { at: at + 1, ok: false }
      if (at >= input.length) return { at, ok: false }
    } else {
      while (has(digits)) at++
    }
  }
  return { at, ok: at > from && !isAlphaNumeric(input[at] ?? '') }
}

function isSpace(c: string | undefined): boolean {
  return c === ' ' || c === '\t' || c === '\n' || c === '\r'
}

function isDigit(c: string): boolean {
  return c >= '0' && c <= '9' && c.length === 1
}

function isAlpha(c: string): boolean {
  return /^[A-Za-z_]$/.test(c)
}

function isAlphaNumeric(c: string): boolean {
  return /^[0-9A-Za-z_]$/.test(c)
}
