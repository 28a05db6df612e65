/**
 * The text of a rule document, JSON or YAML, with the place of each of its parts.
 *
 * JSON is read by the same parser, since YAML 1.2 contains it: one way to find a line and a column.
 */
import { isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml'

/** One thing that is wrong, and where: line and column count from one, within the document's own text. */
export interface RuleProblem {
  readonly line: number
  readonly column: number
  /** `policies[1]`, `''` for the document as a whole. */
  readonly path: string
  readonly message: string
}

/** Longer documents are refused unread. In UTF-16 units. */
export const DOCUMENT_LENGTH_MAX = 256 * 1024

export class DocumentText {
  readonly problems: RuleProblem[] = []
  readonly #document: ReturnType<typeof parseDocument>
  readonly #lines = new LineCounter()

  /** Never throws: what is wrong with the text itself stands in `problems`. */
  constructor(text: string) {
    const tooLong = text.length > DOCUMENT_LENGTH_MAX
    this.#document = parseDocument(tooLong ? '' : text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      uniqueKeys: true,
      version: '1.2',
    })
    if (tooLong) {
      this.#addProblem(0, '', `document of ${text.length} characters; at most ${DOCUMENT_LENGTH_MAX} are read`)
    }
    for (const error of this.#document.errors) this.#addProblem(error.pos[0], '', error.message)
  }

  /** The plain value. Aliases are refused: a few bytes of them can stand for gigabytes. */
  value(): unknown {
    try {
      return this.#document.toJS({ maxAliasCount: 0 })
    } catch (error) {
      this.#addProblem(0, '', error instanceof Error ? error.message : String(error))
      return undefined
    }
  }

  /** Where the part at `path` stands, or the closest part above it that does. */
  positionOf(path: readonly PropertyKey[]): { line: number; column: number } {
    for (let length = path.length; length >= 0; length--) {
      const node = this.#nodeAt(path.slice(0, length))
      if (node?.range) return this.#position(node.range[0])
    }
    return { line: 1, column: 1 }
  }

  /** Where the key of the part at `path` stands: for keys that should not be there. */
  positionOfKey(path: readonly PropertyKey[]): { line: number; column: number } {
    const parent = this.#nodeAt(path.slice(0, -1))
    const name = path[path.length - 1]
    if (isMap(parent)) {
      for (const pair of parent.items) {
        if (isScalar(pair.key) && pair.key.value === name && pair.key.range) return this.#position(pair.key.range[0])
      }
    }
    return this.positionOf(path)
  }

  /** The keys of the map at `path`, in the order of the text. */
  keysAt(path: readonly PropertyKey[]): string[] {
    const node = this.#nodeAt(path)
    if (!isMap(node)) return []
    return node.items.map((pair) => String(isScalar(pair.key) ? pair.key.value : pair.key))
  }

  #nodeAt(path: readonly PropertyKey[]): Node | null {
    const node = path.length === 0 ? this.#document.contents : this.#document.getIn(path, true)
    return (node as Node | null | undefined) ?? null
  }

  #position(offset: number): { line: number; column: number } {
    const { line, col } = this.#lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }

  #addProblem(offset: number, path: string, message: string): void {
    this.problems.push({ ...this.#position(offset), path, message })
  }
}

/** `policies[1]` for `['policies', 1]`. */
export function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index > 0 ? '.' : ''}${String(part)}`))
    .join('')
}

/** `line 3, column 15: policies[1]: …`, one line a problem. */
export function problemText(problem: RuleProblem): string {
  return `line ${problem.line}, column ${problem.column}: ${problem.path === '' ? '' : `${problem.path}: `}${problem.message}`
}
