/**
 * Syntax trees of the queries that were asked last: a dashboard asks the same ones each time it refreshes, and nothing changes a
 * tree once it is there.
 */
import type { Expression } from '../ast.js'
import type { ParserOptions } from '../parser/options.js'
import { parseExpression } from '../parser/parser.js'

/** A tree takes some fifty times its text: a few MiB in all. */
const TEXT_LENGTH_MAX = 64 << 10
/** One text may not push out all others. */
const KEPT_LENGTH_MAX = 4 << 10

export class ExpressionCache {
  readonly #parser: ParserOptions | undefined
  /** The one that was asked last is last. */
  readonly #trees = new Map<string, Expression>()
  #textLength = 0

  constructor(parser: ParserOptions | undefined) {
    this.#parser = parser
  }

  get size(): number {
    return this.#trees.size
  }

  /** @throws {PromqlError} as `parseExpression`; what does not parse is not kept. */
  parse(text: string): Expression {
    const known = this.#trees.get(text)
    if (known !== undefined) {
      this.#trees.delete(text)
      this.#trees.set(text, known)
      return known
    }
    const tree = parseExpression(text, this.#parser)
    if (text.length > KEPT_LENGTH_MAX) return tree
    this.#trees.set(text, tree)
    this.#textLength += text.length
    for (const oldest of this.#trees.keys()) {
      if (this.#textLength <= TEXT_LENGTH_MAX) break
      this.#trees.delete(oldest)
      this.#textLength -= oldest.length
    }
    return tree
  }
}
