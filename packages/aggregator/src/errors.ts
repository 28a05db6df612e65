/** What a caller would do about it; the message says what came, what was wanted, and where. */
export type AggregatorErrorCode =
  | 'INVALID_RULE' // mend the document: `problems` says where
  | 'INVALID_ARGUMENT' // change the call
  | 'NOT_FOUND' // there is no such rule
  | 'CONFLICT' // somebody else changed it meanwhile: read again
  | 'UNAVAILABLE' // the rule store does not answer: try again
  | 'CORRUPT' // a file of ours does not check
  | 'CLOSED'

export class AggregatorError extends Error {
  readonly code: AggregatorErrorCode
  constructor(code: AggregatorErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'AggregatorError'
    this.code = code
  }
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
