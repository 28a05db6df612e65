/**
 * `POST /api/v1/write` and its aliases: remote write 1.0 and 2.0.
 *
 *     what came                                         answer
 *     all stored, or another replica is elected         204
 *     some samples cannot be stored, the rest are       400, reasons grouped in the first 1,024 bytes
 *     malformed snappy or protobuf                      400, nothing stored
 *     unknown content type or encoding                  415, before the body is read: vmagent then repacks its zstd
 *     too large, too many                               413
 *     disk full, memory budget spent, stopping          503 + Retry-After: nothing of it is acknowledged, repeat it
 *
 * Every answer to a 2.0 message carries the three Written headers, no answer to a 1.0 message does. Which of the two it is
 * says the content type alone, never the version header.
 */
import { StorageError } from '@varve/tsdb-core'
import { CoordinatorError } from '../errors.js'
import {
  type HttpRequest,
  type HttpResponse,
  POST,
  type RequestHead,
  type Route,
  textResponse,
  unavailableResponse,
} from '../server/http.js'
import type { LoopShare } from '../server/loop-share.js'
import { mediaType } from './media-type.js'
import type { WriteOutcome, WritePipeline } from './write-pipeline.js'
import type { WriteVersion } from './write-scanner.js'

/** Where senders of Prometheus, Cortex and Mimir, Thanos and M3 are configured to write to. */
export const REMOTE_WRITE_PATHS = [
  '/api/v1/write',
  '/api/v1/push',
  '/api/v1/receive',
  '/api/v1/prom/remote/write',
  '/api/prom/push',
] as const

export interface RemoteWriteOptions {
  /** The pipeline of a tenant; without tenants there is one. */
  readonly pipelineOf: (tenant: string) => WritePipeline | Promise<WritePipeline>
  /** The answer to a tenant that is over its rate, or null. */
  readonly admit?: (tenant: string) => HttpResponse | null | Promise<HttpResponse | null>
  /** Told how many samples came, good and bad. */
  readonly took?: (tenant: string, count: number) => void
  /** Of the compressed body. Default 32 MiB, as Prometheus has it. */
  readonly bodySizeBytesMax?: number
  readonly counters: RemoteWriteCounters
  /** Bounds what the writes of one turn of the event loop take. Default: each begins as it comes. */
  readonly loop?: LoopShare
}

/** Plain fields, read by the program's own metrics. */
export class RemoteWriteCounters {
  samples = 0
  histograms = 0
  exemplars = 0
  requestsV1 = 0
  requestsV2 = 0
  deduplicatedSamples = 0
  bodyBytes = 0
  readonly otherRequests = new Map<string, number>()
  /** By reason, a closed set. */
  readonly refused = new Map<string, number>()

  count(outcome: WriteOutcome): void {
    if (outcome.deduplicated) this.deduplicatedSamples += outcome.samplesReceived + outcome.histogramsReceived
    else {
      this.samples += outcome.samplesWritten
      this.histograms += outcome.histogramsWritten
      this.exemplars += outcome.exemplarsWritten
    }
    for (const { reason, count } of outcome.problems.counts()) this.countRefused(reason, count)
  }

  countRequest(protocol: string): void {
    this.otherRequests.set(protocol, (this.otherRequests.get(protocol) ?? 0) + 1)
  }

  countRefused(reason: string, count: number): void {
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + count)
  }
}

export function remoteWriteRoutes(options: RemoteWriteOptions): Route[] {
  const body = { sizeBytesMax: options.bodySizeBytesMax ?? 32 * 1024 * 1024 }
  return REMOTE_WRITE_PATHS.map((path) => ({
    methods: POST,
    path,
    permission: 'write',
    name: 'remote_write',
    body,
    beforeBody: refuseUnknown,
    handle: (request) => handleRemoteWrite(request, options),
  }))
}

function refuseUnknown(head: RequestHead): HttpResponse | null {
  if (messageVersion(head.header('content-type')) === null) {
    return textResponse(
      415,
      `content type ${quoted(head.header('content-type'))} is not supported: wanted application/x-protobuf, with proto=prometheus.WriteRequest or proto=io.prometheus.write.v2.Request`,
    )
  }
  const encoding = (head.header('content-encoding') ?? '').trim().toLowerCase()
  if (encoding !== '' && encoding !== 'snappy') {
    return textResponse(415, `content encoding ${quoted(encoding)} is not supported: wanted snappy`)
  }
  return null
}

/** Senders repeat themselves: the last type that was asked about, and what it is. */
let lastType: string | undefined
let lastVersion: WriteVersion | null = 1

/** 1 or 2, or null for a message that is not known. A missing header means version 1. */
export function messageVersion(contentType: string | undefined): WriteVersion | null {
  if (contentType === lastType) return lastVersion
  lastVersion = versionOf(contentType)
  lastType = contentType
  return lastVersion
}

function versionOf(contentType: string | undefined): WriteVersion | null {
  if (contentType === undefined || contentType.trim() === '') return 1
  const { type, parameters } = mediaType(contentType)
  if (type !== 'application/x-protobuf') return null
  const proto = parameters.get('proto')
  if (proto === undefined || proto === 'prometheus.WriteRequest') return 1
  return proto === 'io.prometheus.write.v2.Request' ? 2 : null
}

async function handleRemoteWrite(request: HttpRequest, options: RemoteWriteOptions): Promise<HttpResponse> {
  const { counters } = options
  const version = messageVersion(request.header('content-type')) ?? 1
  if (version === 1) counters.requestsV1++
  else counters.requestsV2++
  counters.bodyBytes += request.body.length
  try {
    const admitted = options.admit?.(request.tenant) ?? null
    const refused = admitted instanceof Promise ? await admitted : admitted
    if (refused !== null) {
      return version === 1 ? refused : { ...refused, headers: { ...refused.headers, ...NOTHING_WRITTEN } }
    }
    const opened = options.pipelineOf(request.tenant)
    const pipeline = opened instanceof Promise ? await opened : opened
    const write = () => pipeline.write(version, request.body)
    const outcome = await (options.loop === undefined ? write() : options.loop.write(write))
    counters.count(outcome)
    options.took?.(request.tenant, outcome.samplesReceived + outcome.histogramsReceived)
    if (outcome.problems.isEmpty) return version === 2 ? { status: 204, headers: writtenHeaders(outcome) } : STORED
    return textResponse(400, outcome.problems.toString(), version === 2 ? writtenHeaders(outcome) : {})
  } catch (error) {
    const response = errorResponse(error, counters)
    return version === 1 ? response : { ...response, headers: { ...response.headers, ...NOTHING_WRITTEN } }
  }
}

/** The answer to a write that failed as a whole: shared by all ingest protocols. */
export function errorResponse(error: unknown, counters: RemoteWriteCounters): HttpResponse {
  if (error instanceof CoordinatorError && error.code === 'TOO_LARGE') {
    counters.countRefused('request too large', 1)
    return textResponse(413, error.message)
  }
  if (error instanceof CoordinatorError && error.code === 'INVALID_ARGUMENT') {
    counters.countRefused('malformed request', 1)
    return textResponse(400, error.message)
  }
  if (error instanceof CoordinatorError && error.code === 'UNAVAILABLE') return unavailableResponse(error.message)
  if (error instanceof StorageError) {
    if (error.code === 'UNAVAILABLE' || error.code === 'READ_ONLY' || error.code === 'CLOSED') {
      counters.countRefused('store unavailable', 1)
      return unavailableResponse(error.message)
    }
    if (error.code === 'INVALID_ARGUMENT' || error.code === 'LIMIT_EXCEEDED' || error.code === 'OUT_OF_RETENTION') {
      counters.countRefused('refused by the store', 1)
      return textResponse(400, error.message)
    }
  }
  // A fault of ours: the sender repeats it, and nothing of it counts as written.
  counters.countRefused('internal error', 1)
  return textResponse(500, `the write failed: ${error instanceof Error ? error.message : String(error)}`)
}

const STORED: HttpResponse = { status: 204, headers: {} }
const SAMPLES_WRITTEN = 'X-Prometheus-Remote-Write-Samples-Written'
const HISTOGRAMS_WRITTEN = 'X-Prometheus-Remote-Write-Histograms-Written'
const EXEMPLARS_WRITTEN = 'X-Prometheus-Remote-Write-Exemplars-Written'
const NOTHING_WRITTEN = { [SAMPLES_WRITTEN]: '0', [HISTOGRAMS_WRITTEN]: '0', [EXEMPLARS_WRITTEN]: '0' }

function writtenHeaders(outcome: WriteOutcome): Record<string, string> {
  return {
    [SAMPLES_WRITTEN]: String(outcome.samplesWritten),
    [HISTOGRAMS_WRITTEN]: String(outcome.histogramsWritten),
    [EXEMPLARS_WRITTEN]: String(outcome.exemplarsWritten),
  }
}

function quoted(text: string | undefined): string {
  return JSON.stringify((text ?? '').slice(0, 100))
}
