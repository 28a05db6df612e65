/** Another Prometheus-compatible server as a source of samples (remote read) and of label names (its HTTP API). */
import { Labels } from '@varve/tsdb-core/model'
import type { LabelRequest, Matchers, SelectRequest } from '@varve/tsdb-core/query'
import { goTimestamp } from '../api/go-json.js'
import { CoordinatorError } from '../errors.js'
import { readRequestCodec } from '../proto/messages.js'
import type { ClientResponse, HttpClient } from '../server/http-client.js'
import { decodeSnappyInTurns, encodeSnappy, snappyDecodedSize } from '../snappy/index.js'
import type { ClientConnection } from './client-connection.js'
import { decodeReadResponseInTurns, type RemoteSeries } from './read-response.js'

export interface RemoteSourceOptions {
  readonly name: string
  /** The remote read endpoint. Where it ends in `/api/v1/read`, labels and series are asked of the API beside it. */
  readonly url: string
  readonly connection: ClientConnection
  readonly timeoutMs: number
  readonly replicaLabels: readonly string[]
  readonly requiredMatchers: Readonly<Record<string, string>>
  /** Only samples older than this are asked for; 0: all. */
  readonly localRetentionMs: number
  readonly http: HttpClient
  readonly wallMs: () => number
  /** Lets the event loop turn between parts of a large answer. */
  readonly pause: () => Promise<void>
}

const ANSWER_BYTES_MAX = 256 << 20
const DECODED_BYTES_MAX = 1 << 30
const MATCHER_TYPE = { '=': 0, '!=': 1, '=~': 2, '!~': 3 } as const
/** Times that every server takes: Go's own bounds do not fit a float. */
const SECONDS_MAX_MS = 253_402_300_799_000

export class RemoteSource {
  readonly name: string
  readonly #options: RemoteSourceOptions

  constructor(options: RemoteSourceOptions) {
    this.name = options.name
    this.#options = options
  }

  /** Whether it is asked at all: the query has the matchers that it requires, and reaches back far enough. */
  isWanted(request: { matchers: Matchers; startMs: number }): boolean {
    const { requiredMatchers, localRetentionMs, wallMs } = this.#options
    if (localRetentionMs > 0 && request.startMs >= wallMs() - localRetentionMs) return false
    return Object.entries(requiredMatchers).every(([name, value]) =>
      request.matchers.some((matcher) => matcher.name === name && matcher.operator === '=' && matcher.value === value),
    )
  }

  /** Samples in `[startMs, endMs)`; replica labels are gone from the answer. */
  async read(request: SelectRequest): Promise<readonly RemoteSeries[]> {
    const hints = request.hints
    const query = {
      startTimestampMs: request.startMs,
      endTimestampMs: request.endMs - 1,
      matchers: request.matchers.map(({ name, operator, value }) => ({ type: MATCHER_TYPE[operator], name, value })),
      ...(hints === undefined
        ? {}
        : {
            hints: {
              stepMs: hints.stepMs,
              func: hints.function,
              startMs: request.startMs,
              endMs: request.endMs - 1,
              rangeMs: hints.rangeMs,
            },
          }),
    }
    const body = encodeSnappy(readRequestCodec.encode({ queries: [query], acceptedResponseTypes: [0] }).finish())
    const response = await this.#request('POST', this.#options.url, request.signal, {
      body,
      headers: {
        'Content-Type': 'application/x-protobuf',
        'Content-Encoding': 'snappy',
        'X-Prometheus-Remote-Read-Version': '0.1.0',
      },
    })
    const block = await response.bytes(ANSWER_BYTES_MAX)
    const bytes = new Uint8Array(Math.min(DECODED_BYTES_MAX, Math.max(0, snappyDecodedSize(block))))
    await decodeSnappyInTurns(block, bytes, this.#options.pause, DECODED_BYTES_MAX)
    const series = await decodeReadResponseInTurns(bytes, async () => {
      await this.#options.pause()
      request.signal?.throwIfAborted()
    })
    const dropped = new Set(this.#options.replicaLabels)
    return dropped.size === 0 ? series : series.map((one) => ({ ...one, labels: one.labels.drop(dropped) }))
  }

  async labelNames(request: LabelRequest): Promise<readonly string[]> {
    const names = await this.#list('labels', request)
    return names.filter((name) => !this.#options.replicaLabels.includes(name))
  }

  labelValues(name: string, request: LabelRequest): Promise<readonly string[]> {
    return this.#list(`label/${encodeURIComponent(name)}/values`, request)
  }

  async series(request: LabelRequest): Promise<readonly Labels[]> {
    const dropped = new Set(this.#options.replicaLabels)
    const list = await this.#list<Record<string, string>>('series', request)
    return list.map((labels) => Labels.from(labels).drop(dropped))
  }

  async #list<T = string>(path: string, request: LabelRequest): Promise<readonly T[]> {
    const base = /^(.*\/api\/v1)\/read\/?$/.exec(this.#options.url)?.[1]
    if (base === undefined) return []
    const parameters = new URLSearchParams({
      start: goTimestamp(Math.max(-SECONDS_MAX_MS, request.startMs)),
      end: goTimestamp(Math.min(SECONDS_MAX_MS, request.endMs - 1)),
    })
    if (request.matchers.length > 0) parameters.append('match[]', selectorText(request.matchers))
    if (request.limit !== undefined && request.limit > 0) parameters.append('limit', String(request.limit))
    const response = await this.#request('GET', `${base}/${path}?${parameters}`, request.signal, {})
    const answer = JSON.parse(await response.text(ANSWER_BYTES_MAX)) as { data?: unknown }
    if (!Array.isArray(answer.data)) throw new CoordinatorError('UNAVAILABLE', `${path} answered without a list`)
    return answer.data as T[]
  }

  async #request(
    method: 'GET' | 'POST',
    url: string,
    signal: AbortSignal | undefined,
    extra: { body?: Uint8Array; headers?: Record<string, string> },
  ): Promise<ClientResponse> {
    const { http, connection, timeoutMs } = this.#options
    const { authority } = connection
    const response = await http.request({
      method,
      url,
      timeoutMs,
      totalMs: timeoutMs,
      ...(authority === undefined ? {} : { authority }),
      headers: { 'User-Agent': 'varve', ...connection.headers(), ...extra.headers },
      ...(extra.body === undefined ? {} : { body: extra.body }),
      ...(signal === undefined ? {} : { signal }),
    })
    if (response.status === 200) return response
    const text = (await response.text(64 << 10).catch(() => '')).slice(0, 200).trim()
    throw new CoordinatorError('UNAVAILABLE', `answered ${response.status}${text === '' ? '' : `: ${text}`}`)
  }
}

function selectorText(matchers: Matchers): string {
  return `{${matchers.map(({ name, operator, value }) => `${JSON.stringify(name)}${operator}${JSON.stringify(value)}`).join(',')}}`
}
