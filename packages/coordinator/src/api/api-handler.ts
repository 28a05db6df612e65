/** Turns what an API function throws into the API's own error answers. */
import type { Handler, HttpRequest, HttpResponse, Route } from '../server/http.js'
import { GET, POST } from '../server/http.js'
import { Parameters } from './parameters.js'
import { responseForError } from './query-errors.js'

/** Go's limit for a form body. */
const FORM_BYTES_MAX = 10 << 20

export type ApiFunction = (parameters: Parameters, request: HttpRequest) => Promise<HttpResponse>

export function apiHandler(run: ApiFunction): Handler {
  return async (request) => {
    try {
      return await run(new Parameters(request), request)
    } catch (error) {
      const response = responseForError(error)
      if (response === null) throw error
      return response
    }
  }
}

/** GET with parameters in the URL, or POST with a form as well. */
export function readRoute(path: string, run: ApiFunction, extra: Partial<Route> = {}): Route {
  return {
    methods: [...GET, ...POST],
    path,
    permission: 'read',
    body: { sizeBytesMax: FORM_BYTES_MAX },
    handle: apiHandler(run),
    ...extra,
  }
}

/** GET only, as Prometheus has it for the simple look-ups. */
export function getRoute(path: string, run: ApiFunction, extra: Partial<Route> = {}): Route {
  return { methods: GET, path, permission: 'read', handle: apiHandler(run), ...extra }
}
