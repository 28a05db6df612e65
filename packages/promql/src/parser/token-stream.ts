/** The parser's view of the tokens: one ahead, read no sooner than needed, and the errors that name the token ahead. */
import type { PositionRange } from '../ast.js'
import { PromqlError } from '../errors.js'
import { Lexer } from './lexer.js'
import type { ParserOptions } from './options.js'
import { Source } from './source.js'
import { describe, type Token, type TokenType } from './token.js'

/** What stands in an "unexpected …" message: in which part of the query, and what would have been right. */
export interface ErrorContext {
  readonly where: string
  readonly wanted: string
}

export class TokenStream {
  readonly source: Source
  readonly options: Required<ParserOptions>
  readonly #lexer: Lexer
  #ahead: Token | undefined
  /** The parts of the query around the token ahead that have an error message of their own, the innermost last. */
  readonly #contexts: ErrorContext[] = []
  #depth = 0
  /** Where the last token ended that was taken, in UTF-16 units. */
  endUnit = 0

  constructor(text: string, options: Required<ParserOptions>) {
    if (text.length > options.lengthMax) {
      throw new PromqlError(
        'bad_data',
        `query has ${text.length} characters, more than lengthMax (${options.lengthMax}): shorten it, or raise the parser's limit`,
      )
    }
    this.source = new Source(text)
    this.options = options
    this.#lexer = new Lexer(text)
  }

  /** The token ahead; an error of the lexer is thrown when it is met. */
  peek(): Token {
    if (this.#ahead) return this.#ahead
    const token = this.#lexer.next()
    if (token.type === 'ERROR') throw this.source.parseError(this.positionOf(token), token.text)
    return (this.#ahead = token)
  }

  is(type: TokenType): boolean {
    return this.peek().type === type
  }

  take(): Token {
    const token = this.peek()
    this.#ahead = undefined
    this.endUnit = token.end
    return token
  }

  accept(type: TokenType): Token | undefined {
    return this.is(type) ? this.take() : undefined
  }

  /** Takes a token of this type; any other is an error in the innermost context. */
  expect(type: TokenType): Token {
    return this.accept(type) ?? this.fail()
  }

  positionOf(token: Token): PositionRange {
    return this.source.range(token.start, token.end)
  }

  /** Errors about the token ahead name this part of the query while `parse` runs, if it has no closer one. */
  within<T>(context: ErrorContext, parse: () => T): T {
    this.#contexts.push(context)
    const result = parse()
    this.#contexts.pop()
    return result
  }

  /** One level deeper into the query. */
  nested<T>(parse: () => T): T {
    if (++this.#depth > this.options.depthMax) throw this.tooDeep(this.positionOf(this.peek()))
    const result = parse()
    this.#depth--
    return result
  }

  tooDeep(position: PositionRange): PromqlError {
    const { depthMax } = this.options
    return this.source.parseError(
      position,
      `expression is nested deeper than depthMax (${depthMax}): simplify it, or raise the parser's limit`,
    )
  }

  /** The token ahead does not belong here. */
  fail(context: ErrorContext | undefined = this.#contexts.at(-1)): never {
    const token = this.peek()
    let message = `unexpected ${describe(token)}`
    if (context?.where) message += ` in ${context.where}`
    if (context?.wanted) message += `, expected ${context.wanted}`
    throw this.source.parseError(this.positionOf(token), message)
  }

  /** Something is wrong with what was read. */
  refuse(position: PositionRange, message: string, options?: ErrorOptions): never {
    throw this.source.parseError(position, message, options)
  }
}
