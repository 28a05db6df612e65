/** The HTTP API of a running server, for the command line. */
import { CoordinatorError } from '../errors.js'
import { type ClientConnection, clientConnection } from '../fanout/client-connection.js'
import type { ClientResponse } from '../server/http-client.js'
import type { Arguments, Flag } from './command.js'
import type { Program } from './program.js'

export const SERVER_FLAGS: readonly Flag[] = [
  { name: 'url', type: 'string', value: 'URL', help: 'the server (default http://127.0.0.1:7201, or VARVE_URL)' },
  {
    name: 'header',
    type: 'string',
    value: "'Name: value'",
    multiple: true,
    help: 'sent with each request; may be repeated',
  },
  {
    name: 'bearer-token-file',
    type: 'string',
    value: 'FILE',
    help: 'the token in it says who asks (or VARVE_BEARER_TOKEN_FILE)',
  },
  { name: 'ca-file', type: 'string', value: 'FILE', help: 'trust these authorities behind https (or VARVE_CA_FILE)' },
]

const TIMEOUT_MS = 150_000

export class ApiClient {
  readonly url: string
  readonly #program: Program
  readonly #headers: Record<string, string>
  readonly #files: { readonly bearer_token_file?: string; readonly ca_file?: string }
  #connection: Promise<ClientConnection> | undefined

  constructor(given: Arguments, program: Program) {
    this.url = (given.text('url') ?? program.variable('VARVE_URL') ?? 'http://127.0.0.1:7201').replace(/\/+$/, '')
    if (!/^https?:\/\/[^/\s]/.test(this.url)) {
      const said = `--url ${JSON.stringify(this.url)}: expected a URL such as http://127.0.0.1:7201`
      throw new CoordinatorError('INVALID_ARGUMENT', said)
    }
    this.#program = program
    const headers = given.texts('header').map((header) => {
      const colon = header.indexOf(':')
      if (colon < 1)
        throw new CoordinatorError('INVALID_ARGUMENT', `--header ${JSON.stringify(header)}: expected 'Name: value'`)
      return [header.slice(0, colon).trim(), header.slice(colon + 1).trim()] as const
    })
    this.#headers = Object.fromEntries(headers)
    const tokenFile = given.text('bearer-token-file') ?? program.variable('VARVE_BEARER_TOKEN_FILE')
    const caFile = given.text('ca-file') ?? program.variable('VARVE_CA_FILE')
    this.#files = {
      ...(tokenFile !== undefined && { bearer_token_file: tokenFile }),
      ...(caFile !== undefined && { ca_file: caFile }),
    }
  }

  /** A form to an endpoint that answers in the API's frame. @throws {ServerError} with the server's own text. */
  async ask<T>(path: string, parameters: Iterable<readonly [string, string]>): Promise<Answer<T>> {
    const response = await this.#request(path, new URLSearchParams([...parameters] as [string, string][]).toString(), {
      'Content-Type': 'application/x-www-form-urlencoded',
    })
    const text = await response.text()
    let answer: Answer<T> & { error?: string }
    try {
      answer = JSON.parse(text)
    } catch {
      throw this.#refused(path, response.status, text.slice(0, 300))
    }
    if (answer.status !== 'success') throw new ServerError(answer.error ?? `status ${response.status}`)
    return answer
  }

  /** An answer as it comes. @throws {CoordinatorError} for any status but 2xx. */
  async stream(path: string, body: string | AsyncIterable<Uint8Array>, contentType: string): Promise<ClientResponse> {
    const response = await this.#request(path, body, { 'Content-Type': contentType })
    if (response.status >= 200 && response.status < 300) return response
    const text = await response.text()
    throw this.#refused(path, response.status, text.slice(0, 1000))
  }

  /** Files are read when they are needed first. */
  #connect(): Promise<ClientConnection> {
    const readText = async (path: string) => {
      try {
        return await this.#program.readText(this.#program.resolvePath(path))
      } catch (error) {
        throw new CoordinatorError('INVALID_ARGUMENT', `cannot read ${path}: ${(error as Error).message}`, {
          cause: error,
        })
      }
    }
    this.#connection ??= clientConnection({ headers: {}, ...this.#files }, readText)
    return this.#connection
  }

  #refused(path: string, status: number, text: string): CoordinatorError {
    const hint = status === 401 ? "; --header 'Authorization: Bearer TOKEN' or --bearer-token-file says who asks" : ''
    return new CoordinatorError('UNAVAILABLE', `${this.url}${path} answered ${status}: ${text.trim()}${hint}`)
  }

  async #request(path: string, body: string | AsyncIterable<Uint8Array>, headers: Record<string, string>) {
    const { authority, ...connection } = await this.#connect()
    try {
      return await this.#program.http.request({
        method: 'POST',
        url: `${this.url}${path}`,
        headers: { ...headers, ...connection.headers(), ...this.#headers },
        ...(authority !== undefined && { authority }),
        body,
        timeoutMs: TIMEOUT_MS,
      })
    } catch (error) {
      const { message } = error as Error
      const hint = UNTRUSTED.test(message)
        ? 'the authority behind its certificate is not known here: --ca-file names it'
        : 'is the server running? --url names another'
      const text = `no answer from ${this.url}: ${message}; ${hint}`
      throw new CoordinatorError('UNAVAILABLE', text, { cause: error })
    }
  }
}

/** Node's words for a certificate whose authority it does not trust. */
const UNTRUSTED = /UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|SELF_SIGNED_CERT/

/** The server understood and said no; the text is its own. */
export class ServerError extends Error {
  readonly code = 'REFUSED'
}

export interface Answer<T> {
  readonly status: string
  readonly data: T
  readonly warnings?: readonly string[]
  readonly infos?: readonly string[]
}
