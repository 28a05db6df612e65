/**
 * States what must hold; for our own mistakes, never for the world's.
 *
 * The message is a constant and the values follow it, so that nothing is built when the condition holds.
 */
export function invariant(condition: boolean, message: string, ...values: unknown[]): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message} (${values.map(String).join(', ')})`)
}
