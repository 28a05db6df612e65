/** What a caller would do about it; the message says what came, what was wanted, and where. */
export type CoordinatorErrorCode =
  | 'INVALID_ARGUMENT' // change the call, the flag or the request
  | 'INVALID_CONFIG' // mend the file; the message names line and column
  | 'UNAUTHORIZED' // send credentials
  | 'FORBIDDEN' // these credentials may not do that
  | 'TOO_LARGE' // send less, or raise the limit that the message names
  | 'UNAVAILABLE' // try again, with backoff

export class CoordinatorError extends Error {
  readonly code: CoordinatorErrorCode
  constructor(code: CoordinatorErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CoordinatorError'
    this.code = code
  }
}
