/** Names of labels that a query makes up. */
import type { PositionRange } from '../ast.js'

/** Any text of valid UTF-8 but the empty one. What was not UTF-8 in the query reads as the replacement character. */
export function isValidLabelName(name: string): boolean {
  return name !== '' && !/[\ufffd\p{Surrogate}]/u.test(name)
}

/** The part of the query, as it was written: bytes that are no UTF-8 survive only there. */
export function sourceText(query: string, position: PositionRange): string {
  return new TextDecoder().decode(new TextEncoder().encode(query).subarray(position.start, position.end))
}
