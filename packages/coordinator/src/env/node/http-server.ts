/**
 * The HTTP server on node:http: sockets, bodies into pooled buffers, answers with back-pressure, a stop in bounded time.
 *
 * Slow senders are closed by Node's own header and request timers, slow readers by `drainTimeoutMs`. The parser stays strict.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline as pipeStreams } from 'node:stream/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import {
  createGunzip,
  createGzip,
  createInflate,
  type Gunzip,
  gzip,
  type Inflate,
  type ZlibOptions,
  constants as zlib,
} from 'node:zlib'
import { Cancellation } from '@varve/tsdb-core/query'
import { BodyBuffer } from '../../server/body-buffer.js'
import { BodyPool } from '../../server/body-pool.js'
import { type HttpResponse, type Route, textResponse, unavailableResponse } from '../../server/http.js'
import type { Listener, ListenOptions, TlsSettings } from '../../server/listener.js'
import type { Pipeline, RawHead } from '../../server/pipeline.js'
import { NodeRequest, NodeRequestHead } from './request-head.js'
import { checkTls, isClientAccepted, replaceTls, tlsOptions } from './tls-server.js'

export interface HttpServerOptions extends Omit<ListenOptions, 'connectionCountMax'> {
  readonly connectionCountMax?: number
  readonly requestTimeoutMs?: number
  readonly drainTimeoutMs?: number
}

const HEADERS_TIMEOUT_MS = 10_000
/** For the whole request to arrive. */
const RECEIVE_TIMEOUT_MS = 60_000
/** Longer than proxies and Prometheus keep an idle connection, so that the client is the one that closes. */
const KEEP_ALIVE_TIMEOUT_MS = 120_000
const HEADER_BYTES_MAX = 16 << 10
/** Below this a compressed answer saves no packet. */
const COMPRESS_BYTES_MIN = 1_400
const POOL_KEEP_BYTES_MAX = 64 << 20
/** What a body of unknown length reserves before the first byte, and again each time it has outgrown that. */
const CHUNKED_RESERVE_BYTES = 256 << 10
/** A compressed body is taken to become so many times larger; it grows from there. */
const INFLATED_TIMES = 8
/** Of a body that is no small one. */
const INFLATE_PART_BYTES = 128 << 10
/** A refused body is read away up to this size and its connection stays; above it the connection ends with the answer. */
const DRAIN_BYTES_MAX = 256 << 10
/** How long a connection that ends with a refusal is still read from, so that the client gets to the answer. */
const LINGER_MS = 5_000

/** A turn of the event loop that writes parts is about so long. */
const STREAM_TURN_MS = 8

const gzipAsync = promisify(gzip)
const EMPTY = new Uint8Array(0)

export class HttpServer implements Listener {
  readonly #server: Server | TlsServer
  readonly #pipeline: Pipeline
  readonly #pool = new BodyPool(POOL_KEEP_BYTES_MAX)
  readonly #drainTimeoutMs: number
  readonly #requestTimeoutMs: number
  readonly #inFlight = new Set<Cancellation>()
  #tls: TlsSettings | undefined
  #stopping = false
  #idle: (() => void) | undefined

  private constructor(options: HttpServerOptions) {
    this.#pipeline = options.pipeline
    this.#drainTimeoutMs = options.drainTimeoutMs ?? 30_000
    this.#requestTimeoutMs = options.requestTimeoutMs ?? 130_000
    const listener = (request: IncomingMessage, response: ServerResponse) => void this.#serve(request, response)
    const settings = {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: RECEIVE_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      connectionsCheckingInterval: 2_000,
      noDelay: true,
    }
    this.#server =
      options.tls === undefined
        ? createServer(settings, listener)
        : createTlsServer({ ...settings, ...tlsOptions(options.tls) }, listener)
    this.#tls = options.tls
    // Before Node's own listener, which would begin to serve it.
    this.#server.prependListener('secureConnection', (socket: TLSSocket) => {
      if (this.#tls !== undefined && !isClientAccepted(socket, this.#tls)) socket.destroy()
    })
    this.#server.maxConnections = options.connectionCountMax ?? 4_096
    this.#server.maxRequestsPerSocket = 0
    const statistics = this.#pipeline.statistics
    this.#server.on('connection', (socket: Socket) => {
      statistics.connectionCount++
      socket.once('close', () => statistics.connectionCount--)
      socket.on('error', () => socket.destroy())
    })
  }

  static async listen(options: HttpServerOptions): Promise<HttpServer> {
    if (options.tls !== undefined) checkTls(options.tls)
    const server = new HttpServer(options)
    const { host, port } = options.address
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', reject)
      server.#server.listen({ port, ...(host === '' ? {} : { host }) }, () => {
        server.#server.off('error', reject)
        resolve()
      })
    })
    return server
  }

  /** The port that the system chose when 0 was asked for. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** For the connections that come from now on. @throws as `checkTls`: the old ones stay. */
  replaceCertificates(settings: TlsSettings): void {
    if (!('setSecureContext' in this.#server)) return
    replaceTls(this.#server, settings)
    this.#tls = settings
  }

  /** Takes no more requests, lets those in flight end for `graceMs`, then cancels them and closes every connection. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true
    this.#pipeline.stop()
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeIdleConnections()
    if (this.#inFlight.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, graceMs)
        this.#idle = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      for (const cancellation of this.#inFlight) cancellation.abort(new Error('the server stops'))
    }
    this.#server.closeAllConnections()
    await closed
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedMs = performance.now()
    const cancellation = new Cancellation()
    const statistics = this.#pipeline.statistics
    this.#inFlight.add(cancellation)
    statistics.requestsInFlight++
    const raw = new NodeRequestHead(request)
    let name = 'unknown'
    let status = 499
    response.once('close', () => {
      if (!response.writableFinished) cancellation.abort(new Error('the client has gone'))
    })
    // Without a listener a socket that breaks while we write would end the process.
    response.on('error', () => {})
    try {
      const begun = this.#pipeline.begin(raw)
      const beginning = begun instanceof Promise ? await begun : begun
      name = beginning.name
      let answer: HttpResponse
      if (beginning.kind === 'answered') {
        answer = beginning.response
        this.#discardBody(request, response)
        status = await this.#send(raw, request, response, answer, cancellation)
      } else {
        status = await this.#withBody(request, response, beginning.route, async (refused, body) => {
          if (refused !== null) {
            this.#discardBody(request, response)
            return this.#send(raw, request, response, refused, cancellation)
          }
          const timeoutMs = beginning.route.timeoutMs ?? this.#requestTimeoutMs
          const timer = setTimeout(
            () => cancellation.abort(new Error(`the request took longer than ${timeoutMs} ms`)),
            timeoutMs,
          )
          try {
            answer = await this.#pipeline.handle(beginning.route, new NodeRequest(beginning.head, body, cancellation))
            return await this.#send(raw, request, response, answer, cancellation)
          } finally {
            clearTimeout(timer)
          }
        })
      }
    } catch (error) {
      // The socket broke while we read or wrote: there is nobody left to tell.
      if (!cancellation.aborted) this.#pipeline.logger.debug({ error, path: raw.path }, 'connection broke')
      response.destroy()
    } finally {
      this.#inFlight.delete(cancellation)
      statistics.requestsInFlight--
      statistics.count(name, status, (performance.now() - startedMs) / 1000)
      if (this.#inFlight.size === 0) this.#idle?.()
    }
  }

  /** Reserves, reads, decodes; calls `use` once, with a refusal or with the body; gives all back. */
  async #withBody(
    request: IncomingMessage,
    response: ServerResponse,
    route: Route,
    use: (refused: HttpResponse | null, body: Uint8Array) => Promise<number>,
  ): Promise<number> {
    const options = route.body
    const declared = request.headers['content-length']
    const chunked = request.headers['transfer-encoding'] !== undefined
    if (options === undefined || (declared === undefined && !chunked)) {
      request.resume()
      return use(null, EMPTY)
    }
    const sizeBytes = declared === undefined ? 0 : Number(declared)
    if (sizeBytes > options.sizeBytesMax) return use(tooLarge(sizeBytes, options.sizeBytesMax), EMPTY)
    const received = this.#openBody(options.sizeBytesMax, declared === undefined ? CHUNKED_RESERVE_BYTES : sizeBytes)
    if (received === null) return use(overloaded(), EMPTY)
    let decoded: BodyBuffer | null = null
    let held = received
    try {
      const refused = await readBody(request, (chunk) => {
        const outcome = received.append(chunk)
        if (outcome === 'appended') return null
        if (outcome === 'overloaded') return overloaded()
        linger(request, response)
        return tooLarge(received.length + chunk.length, options.sizeBytesMax)
      })
      if (refused !== null) {
        return await use(refused, EMPTY)
      }
      this.#pipeline.statistics.receivedBytes += received.length
      const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity'
      if (options.decodedSizeBytesMax === undefined || encoding === 'identity' || encoding === '') {
        return await use(null, received.bytes)
      }
      const decoder = decoderOf(encoding)
      if (decoder === null) return await use(unknownEncoding(encoding), EMPTY)
      const first = Math.min(options.decodedSizeBytesMax, received.length * INFLATED_TIMES)
      decoded = this.#openBody(options.decodedSizeBytesMax, first, received.reservedBytes)
      if (decoded === null) return await use(overloaded(), EMPTY)
      const fault = await inflate(decoder, received.bytes, decoded, encoding, options.decodedSizeBytesMax)
      if (fault !== null) return await use(fault, EMPTY)
      // What was sent is not needed any more, and handlers may take long.
      received.release()
      held = decoded
      decoded = null
      return await use(null, held.bytes)
    } finally {
      held.release()
      decoded?.release()
    }
  }

  #openBody(sizeBytesMax: number, sizeBytes: number, besideBytes = 0): BodyBuffer | null {
    return BodyBuffer.open({ pool: this.#pool, budget: this.#pipeline.budget, sizeBytesMax }, sizeBytes, besideBytes)
  }

  /** An answer before the body was read: take a short rest of it in, or let the connection go. */
  #discardBody(request: IncomingMessage, response: ServerResponse): void {
    const declared = Number(request.headers['content-length'] ?? (request.headers['transfer-encoding'] ? Infinity : 0))
    if (declared > DRAIN_BYTES_MAX) linger(request, response)
    else if (!request.readableEnded && !request.destroyed) request.resume()
  }

  async #send(
    raw: RawHead,
    request: IncomingMessage,
    response: ServerResponse,
    answer: HttpResponse,
    cancellation: Cancellation,
  ): Promise<number> {
    if (response.destroyed && cancellation.aborted) {
      giveUp(answer.body)
      return 499
    }
    if (this.#stopping) response.shouldKeepAlive = false
    const { body } = answer
    if (body === undefined && answer.status === 204) {
      response.writeHead(204, { ...this.#pipeline.commonHeaders(raw), ...answer.headers })
      await this.#end(response, undefined)
      return 204
    }
    const headers: Record<string, string> = { ...this.#pipeline.commonHeaders(raw), ...answer.headers }
    const withoutBody = request.method === 'HEAD' || answer.status === 204 || answer.status === 304
    const acceptsGzip =
      answer.identity !== true && /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?:,|$|\s))/.test(raw.header('accept-encoding') ?? '')
    if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
      let bytes = typeof body === 'string' ? Buffer.from(body, 'utf8') : (body ?? EMPTY)
      if (acceptsGzip && bytes.length >= COMPRESS_BYTES_MIN && !withoutBody) {
        bytes = await gzipAsync(bytes, { level: 3 })
        headers['Content-Encoding'] = 'gzip'
        headers.Vary = headers.Vary === undefined ? 'Accept-Encoding' : `${headers.Vary}, Accept-Encoding`
      }
      if (answer.status !== 204 && answer.status !== 304) headers['Content-Length'] = String(bytes.length)
      response.writeHead(answer.status, headers)
      this.#pipeline.statistics.sentBytes += bytes.length
      await this.#end(response, withoutBody ? EMPTY : bytes)
      return answer.status
    }
    if (withoutBody) {
      giveUp(body)
      response.writeHead(answer.status, headers)
      await this.#end(response, EMPTY)
      return answer.status
    }
    if (acceptsGzip) headers['Content-Encoding'] = 'gzip'
    response.writeHead(answer.status, headers)
    await this.#stream(response, body, this.#watched(body, raw, cancellation), acceptsGzip, cancellation)
    return answer.status
  }

  async #stream(
    response: ServerResponse,
    body: AsyncIterable<string | Uint8Array>,
    watched: AsyncIterable<string | Uint8Array>,
    compressed: boolean,
    cancellation: Cancellation,
  ): Promise<void> {
    const guard = this.#drainGuard(response)
    try {
      const parts = counted(watched, this.#pipeline.statistics)
      if (compressed) {
        const source = Readable.from(copied(parts), { objectMode: false, highWaterMark: 64 << 10 })
        const level = { level: 3, flush: zlib.Z_NO_FLUSH }
        await pipeStreams(source, createGzip(level), response, { signal: cancellation })
      } else {
        await this.#writeParts(response, parts, cancellation)
      }
    } finally {
      guard.stop()
      // An end that is not an end must not look like one: cut the connection instead.
      if (!response.writableFinished) {
        response.destroy()
        giveUp(body)
      }
    }
  }

  /** Hands each part to the system at once, so that the client reads it while the next is made. */
  async #writeParts(
    response: ServerResponse,
    parts: AsyncIterable<Uint8Array>,
    cancellation: Cancellation,
  ): Promise<void> {
    // Also while a part waits for the client.
    const cut = () => response.destroy()
    cancellation.addEventListener('abort', cut)
    try {
      let turnStartMs = performance.now()
      for await (const bytes of parts) {
        cancellation.throwIfAborted()
        if (response.destroyed) throw new Error('the client has gone')
        const taking = written(response, bytes)
        // A client that takes all at once would have the event loop to itself.
        if (taking === undefined && performance.now() - turnStartMs < STREAM_TURN_MS) continue
        await (taking ?? nextTurn())
        turnStartMs = performance.now()
      }
      cancellation.throwIfAborted()
      await this.#end(response, undefined)
    } finally {
      cancellation.removeEventListener('abort', cut)
    }
  }

  /** An answer that fails half-way cannot say so any more: the log does. */
  async *#watched(body: AsyncIterable<string | Uint8Array>, { method, path }: RawHead, signal: AbortSignal) {
    try {
      yield* body
    } catch (error) {
      if (!signal.aborted) this.#pipeline.logger.error({ error, path, method }, 'an answer broke off')
      throw error
    }
  }

  async #end(response: ServerResponse, bytes: Uint8Array | undefined): Promise<void> {
    if (bytes === undefined || bytes.length === 0) response.end()
    else response.end(bytes)
    // Nearly always the system has taken all of it by now.
    if (response.socket === null || response.socket.writableLength === 0) return
    const guard = this.#drainGuard(response)
    try {
      await new Promise<void>((resolve) => {
        response.once('close', resolve)
        response.once('finish', resolve)
      })
    } finally {
      guard.stop()
    }
  }

  /** Closes the connection of a client that takes nothing for `drainTimeoutMs` while there is something to take. */
  #drainGuard(response: ServerResponse): { stop(): void } {
    let lastWritten = -1
    const timer = setInterval(() => {
      const socket = response.socket
      if (socket === null || socket.destroyed) return
      const taken = socket.bytesWritten - socket.writableLength
      if (socket.writableLength > 0 && taken === lastWritten) {
        this.#pipeline.statistics.slowClientsClosed++
        socket.destroy()
      }
      lastWritten = taken
    }, this.#drainTimeoutMs)
    timer.unref()
    return { stop: () => clearInterval(timer) }
  }
}

/** Until the system has taken all of the bytes, which it mostly has at once, or the connection is gone. */
function written(response: ServerResponse, bytes: Uint8Array): Promise<void> | undefined {
  let isTaken = false
  let taken = () => {
    isTaken = true
  }
  const { socket } = response
  // Node would hold the pieces of a chunk together until this turn of the event loop is over.
  socket?.cork()
  response.write(bytes, () => taken())
  socket?.uncork()
  if (isTaken || response.destroyed || (socket !== null && response.writableLength === 0)) return undefined
  return new Promise((resolve) => {
    taken = () => {
      response.off('close', taken)
      resolve()
    }
    response.once('close', taken)
  })
}

/** For who reads ahead: a part is good only until the next is asked for. */
async function* copied(parts: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const part of parts) yield Uint8Array.from(part)
}

/**
 * Ends the connection behind the answer, but not before the client has had time to read it: closed with bytes of the body
 * still unread, the system would send a reset, which overtakes the answer. What comes meanwhile is thrown away.
 */
function linger(request: IncomingMessage, response: ServerResponse): void {
  response.shouldKeepAlive = false
  const { socket } = request
  // Node calls it once the last answer is written.
  socket.destroySoon = () => {
    socket.end()
    request.resume()
    const timer = setTimeout(() => socket.destroy(), LINGER_MS)
    socket.once('close', () => clearTimeout(timer))
    // All of the body was read: a client that keeps its side open has nothing to say any more.
    if (request.readableEnded) socket.destroy()
    else request.once('end', () => socket.destroy())
  }
}

/** Ends a body of which nobody will take a part: a generator that was not begun would keep what its maker holds for it. */
function giveUp(body: HttpResponse['body']): void {
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) return
  Promise.resolve(body[Symbol.asyncIterator]().return?.()).catch(() => {})
}

/**
 * Hands over the body as it comes, until `take` refuses a part; then the rest stays unread. By events: an iterator makes
 * some ten objects a request, and joins what has come meanwhile into a buffer of its own.
 */
function readBody(
  request: IncomingMessage,
  take: (chunk: Buffer) => HttpResponse | null,
): Promise<HttpResponse | null> {
  return new Promise((resolve, reject) => {
    let settled = false
    const gone = () => {
      // Every request closes in the end, and an error that nobody sees would still look at the stack.
      if (!settled) reject(new Error('the client has gone before its request was whole'))
    }
    // Closed while we looked at its head: no event comes any more.
    if (request.destroyed) gone()
    const onData = (chunk: Buffer) => {
      const refused = take(chunk)
      if (refused === null) return
      request.off('data', onData)
      request.pause()
      settled = true
      resolve(refused)
    }
    request.once('end', () => {
      settled = true
      resolve(null)
    })
    // It stays: a connection that breaks after the body must find a listener too.
    request.on('error', reject)
    request.once('close', gone)
    request.on('data', onData)
  })
}

async function* counted(
  body: AsyncIterable<string | Uint8Array>,
  statistics: { sentBytes: number },
): AsyncGenerator<Uint8Array> {
  for await (const part of body) {
    const bytes = typeof part === 'string' ? Buffer.from(part, 'utf8') : part
    statistics.sentBytes += bytes.length
    yield bytes
  }
}

function decoderOf(encoding: string): ((options: ZlibOptions) => Gunzip | Inflate) | null {
  return encoding === 'gzip' ? createGunzip : encoding === 'deflate' ? createInflate : null
}

function unknownEncoding(encoding: string): HttpResponse {
  const name = JSON.stringify(encoding.slice(0, 40))
  const hint = encoding === 'snappy' ? '; remote write goes to /api/v1/write' : ''
  return textResponse(415, `content encoding ${name}: expected gzip, deflate or none${hint}`)
}

/** In parts, each of which asks the budget first: all at once, a body that is refused has taken its memory by then. */
function inflate(
  decoder: (options: ZlibOptions) => Gunzip | Inflate,
  body: Uint8Array,
  into: BodyBuffer,
  encoding: string,
  sizeBytesMax: number,
): Promise<HttpResponse | null> {
  return new Promise((resolve) => {
    const stream = decoder({ chunkSize: body.length < INFLATE_PART_BYTES ? 16 << 10 : INFLATE_PART_BYTES })
    stream.on('data', (part: Buffer) => {
      const outcome = into.append(part)
      if (outcome === 'appended') return
      const text = `the body is larger than ${sizeBytesMax} bytes when decoded`
      refused = outcome === 'too-large' ? textResponse(413, text) : overloaded()
      stream.destroy()
    })
    let refused: HttpResponse | null = null
    stream.once('error', ({ message }) => {
      refused = textResponse(400, `the body is not valid ${encoding}: ${message}`)
    })
    // Not before: until it is closed, another thread may still read the body.
    stream.once('close', () => resolve(refused))
    stream.end(body)
  })
}

function tooLarge(sizeBytes: number, sizeBytesMax: number): HttpResponse {
  return textResponse(413, `the body has ${sizeBytes} bytes or more, at most ${sizeBytesMax} are accepted`)
}

function overloaded(): HttpResponse {
  return unavailableResponse('too many bytes in flight, come again', 1 + Math.floor(Math.random() * 4))
}
