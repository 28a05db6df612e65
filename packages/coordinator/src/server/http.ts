/**
 * What a handler sees of HTTP: plain values in, plain values out. The sockets stand behind `env/node/http-server.ts`.
 *
 *     socket → admission → authentication → route → beforeBody → body (bounded, pooled) → handle → response (streamed)
 */

/** One request, as far as it is known before its body has been read. */
export interface RequestHead {
  readonly method: string
  /** Without the query string; percent-encoding as sent. */
  readonly path: string
  readonly query: URLSearchParams
  /** The header's value, by its lower-case name; repeated headers are joined as Node joins them. */
  header(name: string): string | undefined
  /** Values of the route's `:name` segments, percent-decoded once. */
  readonly pathParameters: ReadonlyMap<string, string>
  readonly remoteAddress: string
  /** Who asks. `DEFAULT_TENANT` unless tenants are switched on. */
  readonly tenant: string
}

export interface HttpRequest extends RequestHead {
  /**
   * The whole body, gunzipped when the route allows that; empty for a route without one.
   *
   * Memory: it belongs to the server and is reused for another request once the handler has settled. Copy what stays.
   */
  readonly body: Uint8Array
  /** Aborted when the client has gone, the route's time is up, or the server stops. */
  readonly signal: AbortSignal
  /** Aborts `signal`: for a handler that has a time limit of its own. */
  cancel(reason: Error): void
}

export interface HttpResponse {
  readonly status: number
  /** Names as they shall be sent. `Content-Length`, `Date` and compression are the server's. */
  readonly headers?: Readonly<Record<string, string>>
  /**
   * A stream is pulled no faster than the client reads; it is closed early when the client leaves. The memory of its parts is the
   * handler's again once the next is asked for.
   */
  readonly body?: string | Uint8Array | AsyncIterable<string | Uint8Array>
  /** Never compress this body (remote read frames). Default: compressed when the client asks for it and it pays. */
  readonly identity?: boolean
}

export type Handler = (request: HttpRequest) => Promise<HttpResponse>

/** Which credentials may use a route; without authentication everybody may. */
export type Permission = 'public' | 'read' | 'write' | 'admin'

export interface Route {
  readonly methods: readonly string[]
  /** `/api/v1/label/:name/values`: a segment that starts with a colon matches any one segment. */
  readonly path: string
  readonly permission: Permission
  readonly handle: Handler
  /** Absent: the route has no body and one that is sent is drained and ignored. */
  readonly body?: BodyOptions
  /** Answers without reading the body (415, 404 …), or returns null to go on. */
  readonly beforeBody?: (head: RequestHead) => HttpResponse | null
  /** The handler's signal is aborted after this time. Default: the server's request timeout. */
  readonly timeoutMs?: number
  /** For the metric `handler`; default the path. */
  readonly name?: string
}

export interface BodyOptions {
  /** Of the body on the wire: above it the answer is 413 with the limit in its text. */
  readonly sizeBytesMax: number
  /** When set, `Content-Encoding: gzip` and `deflate` are decoded up to this size; otherwise the body arrives as sent. */
  readonly decodedSizeBytesMax?: number
}

export const DEFAULT_TENANT = 'default'

/** Methods that a GET route answers: HEAD has no body, the server drops it. */
export const GET = ['GET', 'HEAD'] as const
export const POST = ['POST'] as const

export function textResponse(status: number, text: string, headers?: Readonly<Record<string, string>>): HttpResponse {
  return {
    status,
    headers: { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff', ...headers },
    body: `${text}\n`,
  }
}

/** 503 that asks the client to come again; ingestion clients repeat it for ever, so nothing is lost. */
export function unavailableResponse(reason: string, retryAfterSeconds = 2): HttpResponse {
  return textResponse(503, reason, { 'Retry-After': String(retryAfterSeconds) })
}
