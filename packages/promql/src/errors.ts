/**
 * What went wrong with a query, in the classes that Prometheus' HTTP API names in `errorType`.
 *
 * The message alone is Prometheus' wording; where it stands in the query is kept apart, as bytes.
 */
import type { PositionRange } from './ast.js'

export type PromqlErrorCode =
  | 'bad_data' // change the query or its parameters (HTTP 400)
  | 'execution' // the data does not allow it, or a limit was met (HTTP 422)
  | 'timeout' // ask for less, or allow more time (HTTP 503)
  | 'canceled' // the caller's signal was aborted (HTTP 499)
  | 'internal' // the store failed; see `cause` (HTTP 500)

export interface PromqlErrorOptions extends ErrorOptions {
  /** The part of the query that the message is about, in bytes of its UTF-8 form. */
  readonly position?: PositionRange
}

export class PromqlError extends Error {
  readonly code: PromqlErrorCode
  readonly position: PositionRange | undefined

  constructor(code: PromqlErrorCode, message: string, options?: PromqlErrorOptions) {
    super(message, options)
    this.name = 'PromqlError'
    this.code = code
    this.position = options?.position
  }
}
