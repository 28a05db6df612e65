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
  readonly clientCertificateName?: string
}

/** Checks who asks. `null`: may go on, as this tenant. */
export interface Authenticator {
  authenticate(head: RawHead, route: Route): Promise<AuthenticationResult>
}

export type AuthenticationResult =
  | { readonly kind: 'allowed'; readonly tenant: string }
  | { readonly kind: 'refused'; readonly response: HttpResponse }

export const EVERYBODY: Authenticator = {
  authenticate: () => Promise.resolve({ kind: 'allowed', tenant: DEFAULT_TENANT }),
}

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

  async begin(raw: RawHead): Promise<Beginning> {
    const prefix = this.#options.pathPrefix ?? ''
    if (!raw.path.startsWith(prefix)) return answered(notFound(), 'unknown')
    const path = raw.path.slice(prefix.length) || '/'
    if (raw.method === 'OPTIONS' && path.startsWith('/api/')) return answered(this.#preflight(), 'options')
    const match = this.#routes.match(raw.method, path)
    if (match.kind === 'unknown') {
      return answered(
        this.#phase === 'starting' ? unavailableResponse('the server is starting', 1) : notFound(),
        'unknown',
      )
    }
    if (match.kind === 'wrong-method') {
      const allowed = match.allowed.join(', ')
      return answered(
        textResponse(405, `method ${raw.method} is not allowed here, use ${allowed}`, { Allow: allowed }),
        'unknown',
      )
    }
    const { route, pathParameters } = match
    const name = route.name ?? route.path
    if (this.#phase === 'stopping' && route.permission !== 'public')
      return answered(unavailableResponse('the server is stopping'), name)
    const who = await this.#authenticator.authenticate(raw, route)
    if (who.kind === 'refused') return answered(who.response, name)
    const head: RequestHead = {
      method: raw.method,
      path,
      query: raw.query,
      header: raw.header,
      pathParameters,
      remoteAddress: raw.remoteAddress,
      tenant: who.tenant,
    }
    const early = route.beforeBody?.(head) ?? null
    if (early !== null) return answered(early, name)
    return { kind: 'accepted', route, head, name }
  }

  /** Never rejects: what a handler throws becomes an answer, and a log line when it is our fault. */
  async handle(route: Route, request: HttpRequest): Promise<HttpResponse> {
    try {
      return await route.handle(request)
    } catch (error) {
      if (request.signal.aborted) return textResponse(499, 'the request was cancelled')
      if (error instanceof CoordinatorError) return textResponse(STATUS_OF[error.code], error.message)
      this.#options.logger.error({ error, path: request.path, method: request.method }, 'request failed')
      return textResponse(500, 'internal error; the log has the details')
    }
  }

  /** Headers for every answer; the answer's own win. */
  commonHeaders(head: RawHead): Readonly<Record<string, string>> {
    const { responseHeaders, corsOrigin } = this.#options
    const origin = head.header('origin')
    if (origin === undefined || !(corsOrigin === null || corsOrigin?.test(origin))) return responseHeaders ?? {}
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
function notFound(): HttpResponse {
  return textResponse(404, '404 page not found')
}
