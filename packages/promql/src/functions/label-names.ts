/** Names of labels that a query makes up. */
import type { PositionRange } from '../ast.js'

/** The part of the query, as it was written: bytes that are no UTF-8 survive only there. */
export function sourceText(query: string, position: PositionRange): string {
  return new TextDecoder().decode(new TextEncoder().encode(query).subarray(position.start, position.end))
}
