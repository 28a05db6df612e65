/**
 * `POST /api/v1/otlp/v1/metrics` and its aliases: OTLP over HTTP, protobuf or JSON, gzip or not.
 *
 * What can be stored is stored; the rest is counted in the answer's partial success, which is a 200 as the protocol has it:
 * a client would drop the whole request otherwise.
 */

import { ProtobufWriter } from '../../proto/protobuf-writer.js'
import type { ByteGate } from '../../server/byte-gate.js'
import { type HttpRequest, type HttpResponse, POST, type Route, textResponse } from '../../server/http.js'
import { textOf } from '../body-text.js'
import { JSON_MEMORY_TIMES } from '../formats/json-in-turns.js'
import { mediaType } from '../media-type.js'
import { ProblemList } from '../problem-list.js'
import { errorResponse, type RemoteWriteCounters } from '../remote-write-handler.js'
import type { WriteRow } from '../row-writer.js'
import type { OpenTenant } from '../tenant-ingest.js'
import { DeltaSums } from './delta-sums.js'
import { checkOtlpMessages, parseOtlpJson } from './otlp-message.js'
import { type OtlpPart, partsOfMessage, partsOfProtobuf } from './otlp-parts.js'
import { OtlpTranslation } from './otlp-rows.js'

/** Prometheus and Cortex; Mimir; VictoriaMetrics. */
export const OTLP_PATHS = ['/api/v1/otlp/v1/metrics', '/otlp/v1/metrics', '/opentelemetry/v1/metrics'] as const

export interface OtlpRoutesOptions {
  readonly open: OpenTenant
  readonly counters: RemoteWriteCounters
  readonly deltas: 'reject' | 'accumulate'
  readonly bodySizeBytesMax: number
  readonly decodedSizeBytesMax: number
  /** Of what bodies become while they are read. */
  readonly gate: ByteGate
  /** Lets the event loop turn between parts of a large request. */
  readonly pause: () => Promise<void>
}

const ROWS_PER_BATCH = 1_000
/** Messages in protobuf become the same objects: a metric, with all of its points, at a time. */
const MEMORY_TIMES = JSON_MEMORY_TIMES

export function otlpRoutes(options: OtlpRoutesOptions): Route[] {
  const deltas = new Map<string, DeltaSums>()
  return OTLP_PATHS.map((path) => ({
    methods: POST,
    path,
    permission: 'write',
    name: 'otlp',
    body: { sizeBytesMax: options.bodySizeBytesMax, decodedSizeBytesMax: options.decodedSizeBytesMax },
    beforeBody: (head) =>
      kindOf(head.header('content-type')) === null
        ? textResponse(415, 'OTLP: wanted application/x-protobuf or application/json')
        : null,
    handle: (request) =>
      options.gate.run(request.signal, request.body.length * MEMORY_TIMES, () => handleOtlp(request, options, deltas)),
  }))
}

async function handleOtlp(
  request: HttpRequest,
  options: OtlpRoutesOptions,
  deltas: Map<string, DeltaSums>,
): Promise<HttpResponse> {
  const { counters } = options
  const kind = kindOf(request.header('content-type')) ?? 'protobuf'
  counters.countRequest('otlp')
  counters.bodyBytes += request.body.length
  try {
    const { rows, exemplars, metadata } = await options.open(request.tenant)
    const problems = new ProblemList()
    let batch: WriteRow[] = []
    let refused = 0
    const refuse = (reason: string, metric: string) => {
      refused++
      problems.add('sample', reason, () => metric)
    }
    const translation = new OtlpTranslation({
      row(row, delta) {
        if (!delta) {
          batch.push(row)
          return
        }
        let sums = deltas.get(request.tenant)
        if (sums === undefined) deltas.set(request.tenant, (sums = new DeltaSums()))
        const { value, timestampMs, startTimestampMs = 0 } = row
        const sum = sums.add(row.labels, { value, timestampMs, startMs: startTimestampMs })
        if (sum === null) return refuse('delta out of order', row.labels.metricName)
        batch.push({ ...row, value: sum.total, startTimestampMs: sum.startMs })
      },
      exemplar: (labels, exemplar) => void exemplars.add(labels, exemplar),
      metadata: (family, entry) => metadata.record(family, entry),
      refuse,
      refusesDeltas: options.deltas === 'reject',
    })
    const store = async () => {
      const outcome = await rows.write(batch)
      batch = []
      counters.samples += outcome.writtenCount
      refused += outcome.refusedCount
      problems.addAll(outcome.problems)
    }
    for (const part of await partsOf(kind, request.body, options.pause)) {
      translation.add(part)
      if (batch.length >= ROWS_PER_BATCH) await store()
      else await options.pause()
    }
    await store()
    for (const { reason, count } of problems.counts()) counters.countRefused(reason, count)
    return success(kind, refused, problems.toString())
  } catch (error) {
    return errorResponse(error, counters)
  }
}

/** All that can be told before anything is stored is checked here: size, number and depth of the messages. */
async function partsOf(
  kind: 'protobuf' | 'json',
  body: Uint8Array,
  pause: () => Promise<void>,
): Promise<Iterable<OtlpPart>> {
  if (kind === 'json') return partsOfMessage(await parseOtlpJson(textOf(body), pause))
  await checkOtlpMessages(body, pause)
  return partsOfProtobuf(body)
}

function kindOf(contentType: string | undefined): 'protobuf' | 'json' | null {
  const { type } = mediaType(contentType ?? '')
  if (type === 'application/x-protobuf') return 'protobuf'
  return type === 'application/json' ? 'json' : null
}

/** `ExportMetricsServiceResponse`: 1 partial success, with 1 rejected data points and 2 the reason. */
function success(kind: 'protobuf' | 'json', refused: number, reason: string): HttpResponse {
  if (kind === 'json') {
    const partialSuccess = { rejectedDataPoints: String(refused), errorMessage: reason }
    return {
      status: 200,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(refused === 0 ? {} : { partialSuccess }),
    }
  }
  const writer = new ProtobufWriter()
  if (refused > 0) {
    writer.message(1, () => {
      writer.uint(1, refused)
      writer.text(2, reason)
    })
  }
  return { status: 200, headers: { 'Content-Type': 'application/x-protobuf' }, body: writer.finish() }
}
