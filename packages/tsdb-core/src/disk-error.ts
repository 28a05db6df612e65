/** What a call of the disk that failed means to the caller of the store. */
import { FileError, type FileErrorCode } from './env/file-system.js'
import { StorageError, type StorageErrorCode } from './errors.js'

const CODES: Record<FileErrorCode, StorageErrorCode> = {
  NO_SPACE: 'READ_ONLY',
  IO: 'UNAVAILABLE',
  EXISTS: 'UNAVAILABLE',
  LOCKED: 'LOCKED',
  // A file that the store knows of has gone.
  NOT_FOUND: 'CORRUPT',
}

/** A `FileError` as an error of the store; all others as they are. */
export function asStorageError(error: unknown): unknown {
  if (!(error instanceof FileError)) return error
  const message = error.code === 'NO_SPACE' ? `the disk is full: ${error.message}` : error.message
  return new StorageError(CODES[error.code], message, { cause: error })
}

/** Carries out `work`, whose failures of the disk become errors of the store. */
export async function withStorageErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw asStorageError(error)
  }
}
