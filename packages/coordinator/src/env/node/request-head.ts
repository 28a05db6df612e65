/** What stands before a body, as Node's parser gives it. Addresses and parameters are looked up when somebody asks. */
import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import type { Cancellation } from '@varve/tsdb-core/query'
import type { HttpRequest, RequestHead } from '../../server/http.js'
import type { RawHead } from '../../server/pipeline.js'

export class NodeRequestHead implements RawHead {
  readonly path: string
  readonly #request: IncomingMessage
  readonly #queryText: string
  #query: URLSearchParams | undefined

  constructor(request: IncomingMessage) {
    const url = request.url ?? '/'
    const question = url.indexOf('?')
    this.#request = request
    this.path = question < 0 ? url : url.slice(0, question)
    this.#queryText = question < 0 ? '' : url.slice(question + 1)
  }

  get method(): string {
    return this.#request.method ?? 'GET'
  }

  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(this.#queryText)
    return this.#query
  }

  get remoteAddress(): string {
    return this.#request.socket.remoteAddress ?? ''
  }

  get clientCertificateName(): string | undefined {
    const { socket } = this.#request
    if (!('getPeerCertificate' in socket) || !(socket as TLSSocket).authorized) return undefined
    const name: unknown = (socket as TLSSocket).getPeerCertificate()?.subject?.CN
    return typeof name === 'string' ? name : undefined
  }

  header(name: string): string | undefined {
    const { headers } = this.#request
    const value = Object.hasOwn(headers, name) ? headers[name] : undefined
    return Array.isArray(value) ? value.join(', ') : value
  }
}

/** A request whose body is there. */
export class NodeRequest implements HttpRequest {
  readonly body: Uint8Array
  readonly #head: RequestHead
  readonly #cancellation: Cancellation

  constructor(head: RequestHead, body: Uint8Array, cancellation: Cancellation) {
    this.body = body
    this.#head = head
    this.#cancellation = cancellation
  }

  get signal(): AbortSignal {
    return this.#cancellation
  }

  cancel(reason: Error): void {
    this.#cancellation.abort(reason)
  }

  get method(): string {
    return this.#head.method
  }

  get path(): string {
    return this.#head.path
  }

  get query(): URLSearchParams {
    return this.#head.query
  }

  get pathParameters(): ReadonlyMap<string, string> {
    return this.#head.pathParameters
  }

  get remoteAddress(): string {
    return this.#head.remoteAddress
  }

  get tenant(): string {
    return this.#head.tenant
  }

  header(name: string): string | undefined {
    return this.#head.header(name)
  }
}
