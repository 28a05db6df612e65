/** What a caller would do about it; the message says what came, what was wanted, and where. */
export type StorageErrorCode =
  | 'INVALID_ARGUMENT' // change the call
  | 'OUT_OF_RETENTION' // drop the sample
  | 'LIMIT_EXCEEDED' // ask for less, or raise the limit that the message names
  | 'UNAVAILABLE' // try again, with backoff
  | 'READ_ONLY' // free disk space; writes resume by themselves
  | 'LOCKED' // another process has the data directory
  | 'CORRUPT' // repair from a replica or a snapshot
  | 'CLOSED' // the database was closed
  | 'CANCELLED' // the caller's signal was aborted

export class StorageError extends Error {
  readonly code: StorageErrorCode
  constructor(code: StorageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StorageError'
    this.code = code
  }
}
