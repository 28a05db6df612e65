/**
 * `POST /api/v1/read` and its aliases: raw series for Prometheus, Thanos and others, in both response types.
 *
 * Ours is the role of Prometheus' own remote read server: labels and values calls have no counterpart here.
 */
import { StorageError } from '@varve/tsdb-core'
import { Labels, sortByLabels } from '@varve/tsdb-core/model'
import type { Queryable } from '@varve/tsdb-core/query'
import { CoordinatorError } from '../errors.js'
import {
  type HttpRequest,
  type HttpResponse,
  POST,
  type Route,
  textResponse,
  unavailableResponse,
} from '../server/http.js'
import { encodeSnappyInTurns } from '../snappy/index.js'
import { type BatchSeries, seriesOf } from './batch-series.js'
import { encodeChunkedSeries } from './chunked-response.js'
import { decodeReadRequest, type ReadQuery, withExternal, withoutExternal } from './read-request.js'
import { type EncodedSeries, encodeReadResponse, encodeTimeSeries } from './sampled-response.js'

/** Prometheus and Thanos; M3; Cortex. */
export const REMOTE_READ_PATHS = ['/api/v1/read', '/api/v1/prom/remote/read', '/api/prom/read'] as const

export interface RemoteReadOptions {
  readonly queryable: (tenant: string) => Queryable
  /** Labels that this server adds to what it gives out. */
  readonly externalLabels?: () => Readonly<Record<string, string>>
  /** Of one answer. Default 50 million, as Prometheus has it; compressed, that is some 150 MB. */
  readonly sampleCountMax?: number
  /** Of one answer of type SAMPLES, which is made as a whole before it is sent. Default 256 MiB. */
  readonly sizeBytesMax?: number
  /** Lets the event loop turn between parts of a long answer. */
  readonly pause: () => Promise<void>
  /** Holds a place among the queries that may run at once; released when the answer has been made. */
  readonly enter?: (signal: AbortSignal) => Promise<{ leave(): void }>
}

/** Compared by Prometheus as a prefix, the space included. */
const STREAMED_TYPE = 'application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse'
const BODY_SIZE_BYTES_MAX = 4 * 1024 * 1024

export function remoteReadRoutes(options: RemoteReadOptions): Route[] {
  return REMOTE_READ_PATHS.map((path) => ({
    methods: POST,
    path,
    permission: 'read',
    name: 'remote_read',
    body: { sizeBytesMax: BODY_SIZE_BYTES_MAX },
    handle: (request) => handleRemoteRead(request, options),
  }))
}

async function handleRemoteRead(request: HttpRequest, options: RemoteReadOptions): Promise<HttpResponse> {
  const place = await options.enter?.(request.signal)
  try {
    const { queries, responseType } = decodeReadRequest(request.body)
    const reader = new Reader(request, options)
    const results: EncodedSeries[][] = []
    for (const [index, query] of queries.entries()) {
      results.push(
        await reader.read(query, (series, labels) =>
          responseType === 'samples' ? encodeTimeSeries(series, labels) : encodeChunkedSeries(series, labels, index),
        ),
      )
    }
    if (responseType === 'streamedXorChunks') {
      return {
        status: 200,
        headers: { 'Content-Type': STREAMED_TYPE },
        body: framesOf(results, options.pause),
        identity: true,
      }
    }
    return {
      status: 200,
      headers: { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' },
      body: await encodeSnappyInTurns(await encodeReadResponse(results, options.pause), options.pause),
      identity: true,
    }
  } catch (error) {
    return errorResponse(error)
  } finally {
    place?.leave()
  }
}

class Reader {
  readonly #request: HttpRequest
  readonly #queryable: Queryable
  readonly #external: Labels
  readonly #sampleCountMax: number
  readonly #sizeBytesMax: number
  #sampleCount = 0
  #sizeBytes = 0

  constructor(request: HttpRequest, options: RemoteReadOptions) {
    this.#request = request
    this.#queryable = options.queryable(request.tenant)
    this.#external = Labels.from(options.externalLabels?.() ?? {})
    this.#sampleCountMax = options.sampleCountMax ?? 50_000_000
    this.#sizeBytesMax = options.sizeBytesMax ?? 256 * 1024 * 1024
  }

  async read(
    query: ReadQuery,
    encode: (series: BatchSeries, labels: Labels) => EncodedSeries,
  ): Promise<EncodedSeries[]> {
    const { signal } = this.#request
    const matchers = withoutExternal(query.matchers, this.#external)
    const { startMs, endMs, hints } = query
    const { symbols, batches } = await this.#queryable.select({ matchers, startMs, endMs, hints, signal })
    const found: EncodedSeries[] = []
    for await (const batch of batches) {
      for (let i = 0; i < batch.seriesCount; i++) {
        const series = seriesOf(batch, symbols, i)
        if (series.values.length === 0) continue
        this.#sampleCount += series.values.length
        const encoded = encode(series, withExternal(series.labels, this.#external))
        this.#sizeBytes += encoded.bytes.length
        this.#checkLimits()
        found.push(encoded)
      }
    }
    return found
  }

  #checkLimits(): void {
    if (this.#sampleCount > this.#sampleCountMax) {
      throw new CoordinatorError('INVALID_ARGUMENT', `exceeded sample limit (${this.#sampleCountMax})`)
    }
    if (this.#sizeBytes > this.#sizeBytesMax) {
      throw new CoordinatorError('INVALID_ARGUMENT', `the answer exceeds the limit of ${this.#sizeBytesMax} bytes`)
    }
  }
}

async function* framesOf(
  results: readonly (readonly EncodedSeries[])[],
  pause: () => Promise<void>,
): AsyncGenerator<Uint8Array> {
  for (const series of results) {
    for (const { bytes } of await sortByLabels(series, ({ labels }) => labels, pause)) yield bytes
  }
}

function errorResponse(error: unknown): HttpResponse {
  if (error instanceof CoordinatorError) {
    if (error.code === 'UNAVAILABLE') return unavailableResponse(error.message)
    return textResponse(error.code === 'TOO_LARGE' ? 413 : 400, error.message)
  }
  if (error instanceof StorageError) {
    if (error.code === 'INVALID_ARGUMENT' || error.code === 'LIMIT_EXCEEDED') return textResponse(400, error.message)
    if (error.code === 'UNAVAILABLE' || error.code === 'CLOSED') return unavailableResponse(error.message)
    if (error.code === 'CANCELLED') return textResponse(499, error.message)
  }
  throw error
}
