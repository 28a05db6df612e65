/** Errors of engine, store and client as the API names them. */
import { PromqlError } from '@varve/promql'
import { StorageError } from '@varve/tsdb-core'
import { CoordinatorError } from '../errors.js'
import type { HttpResponse } from '../server/http.js'
import { ApiError, type ErrorType, errorResponse } from './envelope.js'

/** The answer for whatever an API handler threw, or `null` when it is none of the known classes: that is a bug of ours. */
export function responseForError(error: unknown): HttpResponse | null {
  if (error instanceof ApiError) return errorResponse(error.type, error.message)
  if (error instanceof PromqlError) return errorResponse(error.code, error.message)
  if (error instanceof StorageError) return errorResponse(TYPE_OF_STORAGE[error.code], error.message)
  if (error instanceof CoordinatorError) return errorResponse(TYPE_OF_COORDINATOR[error.code], error.message)
  return null
}

const TYPE_OF_STORAGE: Readonly<Record<StorageError['code'], ErrorType>> = {
  INVALID_ARGUMENT: 'bad_data',
  OUT_OF_RETENTION: 'bad_data',
  LIMIT_EXCEEDED: 'execution',
  UNAVAILABLE: 'unavailable',
  READ_ONLY: 'unavailable',
  LOCKED: 'unavailable',
  CORRUPT: 'internal',
  CLOSED: 'unavailable',
  CANCELLED: 'canceled',
}

const TYPE_OF_COORDINATOR: Readonly<Record<CoordinatorError['code'], ErrorType>> = {
  INVALID_ARGUMENT: 'bad_data',
  INVALID_CONFIG: 'internal',
  UNAUTHORIZED: 'bad_data',
  FORBIDDEN: 'bad_data',
  TOO_LARGE: 'execution',
  UNAVAILABLE: 'unavailable',
}
