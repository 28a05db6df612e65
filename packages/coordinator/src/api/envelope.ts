/** The frame around every answer of `/api/v1`: `status`, `data` or `error`, `warnings`, `infos`. */
import type { HttpResponse } from '../server/http.js'

export type ErrorType =
  | 'bad_data'
  | 'execution'
  | 'canceled'
  | 'timeout'
  | 'internal'
  | 'unavailable'
  | 'not_found'
  | 'not_acceptable'

export const STATUS_OF: Readonly<Record<ErrorType, number>> = {
  bad_data: 400,
  execution: 422,
  canceled: 499,
  timeout: 503,
  internal: 500,
  unavailable: 503,
  not_found: 404,
  not_acceptable: 406,
}

export const JSON_HEADERS = { 'Content-Type': 'application/json' } as const

const NOTICES_MAX = 10

/** What a handler of the API throws for the caller's mistakes and the store's failures. */
export class ApiError extends Error {
  readonly type: ErrorType
  constructor(type: ErrorType, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ApiError'
    this.type = type
  }
}

/** Prometheus' wording for a parameter that it does not take. */
export function invalidParameter(name: string, message: string): ApiError {
  return new ApiError('bad_data', `invalid parameter ${JSON.stringify(name)}: ${message}`)
}

export function errorResponse(type: ErrorType, message: string): HttpResponse {
  return {
    status: STATUS_OF[type],
    headers: type === 'unavailable' || type === 'timeout' ? { ...JSON_HEADERS, 'Retry-After': '2' } : JSON_HEADERS,
    body: `{"status":"error","errorType":"${type}","error":${JSON.stringify(message)}}`,
  }
}

export interface Notices {
  readonly warnings?: readonly string[]
  readonly infos?: readonly string[]
}

/** `data` is JSON text already. */
export function successResponse(data: string, notices: Notices = {}): HttpResponse {
  return { status: 200, headers: JSON_HEADERS, body: `{"status":"success","data":${data}${noticesJson(notices)}}` }
}

/** `,"warnings":[…],"infos":[…]`, each at most ten and a line about the rest; nothing when there are none. */
export function noticesJson(notices: Notices): string {
  return listJson('warnings', 'warning', notices.warnings) + listJson('infos', 'info', notices.infos)
}

function listJson(key: string, kind: string, lines: readonly string[] = []): string {
  if (lines.length === 0) return ''
  const distinct = [...new Set(lines)]
  // The engine cuts its own lists to ten and a last line: eleven pass whole.
  const shown = distinct.length > NOTICES_MAX + 1 ? distinct.slice(0, NOTICES_MAX) : distinct
  if (shown.length < distinct.length) shown.push(`${distinct.length - NOTICES_MAX} more ${kind} annotations omitted`)
  return `,"${key}":${JSON.stringify(shown)}`
}
