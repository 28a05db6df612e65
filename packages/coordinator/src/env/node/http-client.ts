/** The HTTP client on undici: kept connections, no redirects, bounded answers. */
import type { Agent, Dispatcher } from 'undici'
import {
  type ClientRequest,
  type ClientResponse,
  type HttpClient,
  HttpClientError,
  type HttpClientErrorCode,
} from '../../server/http-client.js'

const CONNECT_TIMEOUT_MS = 5_000
const TIMED_OUT = 'TOTAL_TIMEOUT'

export function nodeHttpClient(): HttpClient {
  /** By the authority whom to trust. */
  const agents = new Map<string | undefined, Promise<Loaded>>()
  return {
    async request(request) {
      const deadline = deadlineOf(request)
      try {
        // Loaded when it is needed: a coordinator that asks nobody starts sooner.
        let loaded = agents.get(request.authority)
        if (loaded === undefined) agents.set(request.authority, (loaded = load(request.authority)))
        const { agent, undici } = await loaded
        const response = await undici.request(request.url, {
          method: request.method,
          dispatcher: agent,
          headers: { ...request.headers },
          body: (request.body ?? null) as never,
          headersTimeout: request.timeoutMs,
          bodyTimeout: request.timeoutMs,
          signal: deadline.signal,
        })
        response.body.once('close', deadline.cancel)
        return answer(request, response)
      } catch (error) {
        deadline.cancel()
        throw clientError(request, error)
      }
    },
    close: async () => {
      for (const loaded of agents.values()) await (await loaded).agent.destroy()
    },
  }
}

/** Not `AbortSignal.any`: what it makes is kept by a signal that lives as long as the process. */
function deadlineOf({ signal, totalMs }: ClientRequest): { readonly signal: AbortSignal; cancel(): void } {
  const controller = new AbortController()
  const abort = () => controller.abort(signal?.reason)
  const timer =
    totalMs === undefined
      ? undefined
      : setTimeout(() => controller.abort(Object.assign(new Error(TIMED_OUT), { code: TIMED_OUT })), totalMs)
  if (signal?.aborted) abort()
  else signal?.addEventListener('abort', abort, { once: true })
  return {
    signal: controller.signal,
    cancel: () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    },
  }
}

interface Loaded {
  readonly undici: typeof import('undici')
  readonly agent: Agent
}

async function load(authority: string | undefined): Promise<Loaded> {
  const undici = await import('undici')
  const agent = new undici.Agent({
    connect: { timeout: CONNECT_TIMEOUT_MS, ...(authority === undefined ? {} : { ca: authority }) },
    keepAliveTimeout: 30_000,
    connections: 64,
  })
  return { undici, agent }
}

function answer(request: ClientRequest, response: Dispatcher.ResponseData): ClientResponse {
  const body = guarded(request, response.body)
  const bytes = async (sizeBytesMax: number) => {
    const parts: Uint8Array[] = []
    let sizeBytes = 0
    for await (const part of body) {
      sizeBytes += part.length
      if (sizeBytes > sizeBytesMax) {
        throw new HttpClientError('TOO_LARGE', `${request.url} sent more than ${sizeBytesMax} bytes`)
      }
      parts.push(part)
    }
    return Buffer.concat(parts)
  }
  return {
    status: response.statusCode,
    header(name) {
      const value = response.headers[name]
      return Array.isArray(value) ? value.join(', ') : value
    },
    body,
    bytes,
    text: async (sizeBytesMax = 64 << 20) => Buffer.from(await bytes(sizeBytesMax)).toString('utf8'),
    discard: async () => {
      await response.body.dump()
    },
  }
}

async function* guarded(request: ClientRequest, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (error) {
    throw clientError(request, error)
  }
}

function clientError(request: ClientRequest, error: unknown): HttpClientError {
  if (error instanceof HttpClientError) return error
  const cause = error as { code?: string; name?: string; message?: string }
  const aborted = request.signal?.aborted === true || cause.name === 'AbortError'
  const code: HttpClientErrorCode = aborted ? 'ABORTED' : /TIMEOUT/.test(cause.code ?? '') ? 'TIMEOUT' : 'UNREACHABLE'
  const waitedMs = cause.code === TIMED_OUT ? request.totalMs : request.timeoutMs
  const said = code === 'TIMEOUT' ? `no answer in ${waitedMs} ms` : (cause.code ?? cause.message ?? String(error))
  return new HttpClientError(code, `${request.method} ${withoutCredentials(request.url)}: ${said}`, { cause: error })
}

function withoutCredentials(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//').split('?')[0]
}
