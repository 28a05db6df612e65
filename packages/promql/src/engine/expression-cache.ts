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

/**
 * In two halves: what is asked again moves to the recent one, and when that is full it becomes the older one. So a tree that is
 * found is mostly a look-up and no change.
 */
export class ExpressionCache {
  readonly #parser: ParserOptions | undefined
  #recent = new Map<string, Expression>()
  #recentLength = 0
  #older: ReadonlyMap<string, Expression> = new Map()

  constructor(parser: ParserOptions | undefined) {
    this.#parser = parser
  }

  get size(): number {
    return this.#recent.size + this.#older.size
  }

  /** @throws {PromqlError} as `parseExpression`; what does not parse is not kept. */
  parse(text: string): Expression {
    const known = this.#recent.get(text)
    if (known !== undefined) return known
    const tree = this.#older.get(text) ?? parseExpression(text, this.#parser)
    if (text.length > KEPT_LENGTH_MAX) return tree
    if (this.#recentLength + text.length > TEXT_LENGTH_MAX / 2) {
      this.#older = this.#recent
      this.#recent = new Map()
      this.#recentLength = 0
    }
    this.#recent.set(text, tree)
    this.#recentLength += text.length
    return tree
  }
}
