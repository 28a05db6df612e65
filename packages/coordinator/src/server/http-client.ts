/** HTTP as a client: to other servers (remote read, remote write) and, from the command line, to our own. */
export interface HttpClient {
  /**
   * Sends one request; redirects are not followed.
   *
   * @throws {HttpClientError} `UNREACHABLE`, `TIMEOUT`, `ABORTED`.
   */
  request(request: ClientRequest): Promise<ClientResponse>
  close(): Promise<void>
}

export interface ClientRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>
  /** Until the head of the answer, and again for each pause in its body. */
  readonly timeoutMs: number
  /** For all of it, so that a byte now and then does not hold it for ever; absent: an answer may take as long as it flows. */
  readonly totalMs?: number
  readonly signal?: AbortSignal
  /** PEM of the authorities whose certificates are trusted, instead of the system's. */
  readonly authority?: string
}

export interface ClientResponse {
  readonly status: number
  header(name: string): string | undefined
  /** Read it to its end, or `discard` it: the connection is busy until then. */
  readonly body: AsyncIterable<Uint8Array>
  /** At most `sizeBytesMax` bytes; the rest is not read. */
  bytes(sizeBytesMax: number): Promise<Uint8Array>
  text(sizeBytesMax?: number): Promise<string>
  discard(): Promise<void>
}

export type HttpClientErrorCode =
  | 'UNREACHABLE' // nobody listens there, or the connection broke
  | 'TIMEOUT' // it did not answer in time
  | 'ABORTED' // the caller's signal
  | 'TOO_LARGE' // the answer is longer than the caller takes

export class HttpClientError extends Error {
  readonly code: HttpClientErrorCode
  constructor(code: HttpClientErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'HttpClientError'
    this.code = code
  }
}
