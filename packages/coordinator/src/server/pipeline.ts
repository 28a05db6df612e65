/**
 * The way of a request before and around its handler, without sockets: the listener in `env/node` feeds it.
 *
 * `begin` decides from the head alone; only then may the listener read a body.
 */
import { CoordinatorError } from '../errors.js'
import type { Logger } from '../logging/logger.js'
import { ByteBudget } from './admission.js'
import {
  DEFAULT_TENANT,
  type HttpRequest,
  type HttpResponse,
  type RequestHead,
  type Route,
  textResponse,
  unavailableResponse,
} from './http.js'
import { RouteTable } from './route-table.js'
import type { ServerStatistics } from './statistics.js'

export interface RawHead {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  header(name: string): string | undefined
  readonly remoteAddress: string
  /** Of the client's certificate, once it has been verified. */
  readonly clientCertificateName?: string | undefined
}

/** Checks who asks: at once where that takes no waiting. */
export interface Authenticator {
  authenticate(head: RawHead, route: Route): AuthenticationResult | Promise<AuthenticationResult>
}

export type AuthenticationResult =
  | { readonly kind: 'allowed'; readonly tenant: string }
  | { readonly kind: 'refused'; readonly response: HttpResponse }

const NO_HEADERS: Readonly<Record<string, string>> = {}
const ALLOWED: AuthenticationResult = { kind: 'allowed', tenant: DEFAULT_TENANT }

export const EVERYBODY: Authenticator = { authenticate: () => ALLOWED }

export type Beginning =
  | { readonly kind: 'answered'; readonly response: HttpResponse; readonly name: string }
  | { readonly kind: 'accepted'; readonly route: Route; readonly head: RequestHead; readonly name: string }

export interface PipelineOptions {
  readonly routes: readonly Route[]
  readonly authenticator: Authenticator
  readonly inFlightBytesMax: number
  readonly logger: Logger
  readonly statistics: ServerStatistics
  /** Prefix of every path, `''` or `/varve`. */
  readonly pathPrefix?: string
  /** Sent with every answer, from `web.yml`. */
  readonly responseHeaders?: Readonly<Record<string, string>>
  /** Origins that may read answers in a browser; `null`: all may, as with Prometheus' default. */
  readonly corsOrigin?: RegExp | null
}

export class Pipeline {
  readonly budget: ByteBudget
  #routes: RouteTable
  readonly #options: PipelineOptions
  #authenticator: Authenticator
  #phase: 'starting' | 'ready' | 'stopping' = 'ready'

  constructor(options: PipelineOptions) {
    this.#options = options
    this.#routes = new RouteTable(options.routes)
    this.#authenticator = options.authenticator
    this.budget = new ByteBudget(options.inFlightBytesMax)
  }

  /** For live reload: requests that come from now on are checked by this one. */
  set authenticator(authenticator: Authenticator) {
    this.#authenticator = authenticator
  }

  get phase(): 'starting' | 'ready' | 'stopping' {
    return this.#phase
  }

  /**
   * While starting, only the routes that were given first are there, and every other path is told to come again: a 404 would
   * make senders drop what they hold.
   */
  starting(): void {
    this.#phase = 'starting'
  }

  /** From now on these routes are served. */
  ready(routes: readonly Route[]): void {
    this.#routes = new RouteTable(routes)
    this.#phase = 'ready'
  }

  /** From now on everything but health is told to come again. */
  stop(): void {
    this.#phase = 'stopping'
  }

  /** At once, unless it takes waiting to know who asks. */
  begin(raw: RawHead): Beginning | Promise<Beginning> {
    const prefix = this.#options.pathPrefix ?? ''
    if (!raw.path.startsWith(prefix)) return answered(notFound(), 'unknown')
    const path = raw.path.slice(prefix.length) || '/'
    if (raw.method === 'OPTIONS' && path.startsWith('/api/')) return answered(this.#preflight(), 'options')
    const match = this.#routes.match(raw.method, path)
    if (match.kind === 'unknown') {
      return answered(
        this.#phase === 'starting' ? unavailableResponse('the server is starting', 1) : notFound(hintFor(raw)),
        'unknown',
      )
    }
    if (match.kind === 'wrong-method') {
      const allowed = match.allowed.join(', ')
      return answered(
        textResponse(405, `method ${raw.method} is not allowed here, use ${allowed}${hintFor(raw)}`, {
          Allow: allowed,
        }),
        'unknown',
      )
    }
    const { route, pathParameters } = match
    const name = route.name ?? route.path
    if (this.#phase === 'stopping' && route.permission !== 'public')
      return answered(unavailableResponse('the server is stopping'), name)
    const admit = (who: AuthenticationResult): Beginning => {
      if (who.kind === 'refused') return answered(who.response, name)
      const head = new AcceptedHead(raw, path, pathParameters, who.tenant)
      const early = route.beforeBody?.(head) ?? null
      if (early !== null) return answered(early, name)
      return { kind: 'accepted', route, head, name }
    }
    const who = this.#authenticator.authenticate(raw, route)
    return who instanceof Promise ? who.then(admit) : admit(who)
  }

  /** Never rejects: what a handler throws becomes an answer, and a log line when it is our fault. */
  handle(route: Route, request: HttpRequest): Promise<HttpResponse> {
    try {
      return route.handle(request).catch((error) => this.#failed(request, error))
    } catch (error) {
      return Promise.resolve(this.#failed(request, error))
    }
  }

  #failed(request: HttpRequest, error: unknown): HttpResponse {
    if (request.signal.aborted) return textResponse(499, 'the request was cancelled')
    if (error instanceof CoordinatorError) return textResponse(STATUS_OF[error.code], error.message)
    this.#options.logger.error({ error, path: request.path, method: request.method }, 'request failed')
    return textResponse(500, 'internal error; the log has the details')
  }

  /** Headers for every answer; the answer's own win. */
  commonHeaders(head: RawHead): Readonly<Record<string, string>> {
    const { responseHeaders, corsOrigin } = this.#options
    const origin = head.header('origin')
    if (origin === undefined || !(corsOrigin === null || corsOrigin?.test(origin))) return responseHeaders ?? NO_HEADERS
    return {
      ...responseHeaders,
      'Access-Control-Allow-Origin': corsOrigin === null ? '*' : origin,
      'Access-Control-Allow-Headers': 'Accept, Authorization, Content-Type, Origin',
      'Access-Control-Allow-Methods': 'GET, POST, OPTIONS',
      'Access-Control-Expose-Headers': 'Date',
      Vary: 'Origin',
    }
  }

  get statistics(): ServerStatistics {
    return this.#options.statistics
  }

  get logger(): Logger {
    return this.#options.logger
  }

  #preflight(): HttpResponse {
    return { status: 204 }
  }
}

/** What the listener found, with what routing and authentication made of it. Nothing is looked up before it is asked for. */
class AcceptedHead implements RequestHead {
  readonly path: string
  readonly pathParameters: ReadonlyMap<string, string>
  readonly tenant: string
  readonly #raw: RawHead

  constructor(raw: RawHead, path: string, pathParameters: ReadonlyMap<string, string>, tenant: string) {
    this.#raw = raw
    this.path = path
    this.pathParameters = pathParameters
    this.tenant = tenant
  }

  get method(): string {
    return this.#raw.method
  }

  get query(): URLSearchParams {
    return this.#raw.query
  }

  get remoteAddress(): string {
    return this.#raw.remoteAddress
  }

  header(name: string): string | undefined {
    return this.#raw.header(name)
  }
}

const STATUS_OF: Readonly<Record<CoordinatorError['code'], number>> = {
  INVALID_ARGUMENT: 400,
  INVALID_CONFIG: 500,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  TOO_LARGE: 413,
  UNAVAILABLE: 503,
}

function answered(response: HttpResponse, name: string): Beginning {
  return { kind: 'answered', response, name }
}

/** The words are Go's: Grafana looks for them when it probes for a ruler. */
function notFound(hint = ''): HttpResponse {
  return textResponse(404, `404 page not found${hint}`)
}

/** For a sender whose URL has another path than it should: Prometheus logs the first line of what it is told. */
function hintFor(raw: RawHead): string {
  if (raw.method !== 'POST' || raw.header('content-encoding') !== 'snappy') return ''
  return ': remote write goes to /api/v1/write, remote read to /api/v1/read'
}
