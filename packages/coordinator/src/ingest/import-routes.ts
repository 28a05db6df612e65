/**
 * Samples as text: lines of JSON, Prometheus' text formats, InfluxDB's line protocol.
 *
 *     POST /api/v1/import                                    JSON lines, as /api/v1/export gives them
 *     POST /api/v1/import/prometheus[/metrics/job/JOB[/instance/INSTANCE]]    text; the path's labels are added
 *     POST /write, /api/v2/write, /api/v1/influxdb/write, /api/v1/push/influx/write      line protocol; ?precision=
 *
 * `?namespace=` stores into another raw namespace than the tenant's own.
 *
 * Rows are stored in batches while the text is read. A line that is not in its format ends the request with a 400 that names
 * it; the lines before it are then stored, and sending them again is harmless.
 */
import type { Clock } from '@varve/tsdb-core/env'
import type { MetricMetadata } from '../metadata/metadata-store.js'
import type { ByteGate } from '../server/byte-gate.js'
import { type HttpRequest, type HttpResponse, POST, type Route, textResponse } from '../server/http.js'
import { textOf } from './body-text.js'
import { parseInfluxLines, parsePrecision } from './formats/influx-line.js'
import { JSON_MEMORY_TIMES } from './formats/json-in-turns.js'
import { parseJsonLines } from './formats/json-lines.js'
import { parsePrometheusText } from './formats/prometheus-text.js'
import { mediaType } from './media-type.js'
import { errorResponse, type RemoteWriteCounters } from './remote-write-handler.js'
import type { WriteRow } from './row-writer.js'
import type { OpenTenant, TenantIngest } from './tenant-ingest.js'

export interface ImportRoutesOptions {
  readonly open: OpenTenant
  readonly clock: Clock
  readonly counters: RemoteWriteCounters
  readonly bodySizeBytesMax: number
  readonly decodedSizeBytesMax: number
  /** Of what bodies become while they are read. */
  readonly gate: ByteGate
  /** Lets the event loop turn between parts of a large request. */
  readonly pause: () => Promise<void>
}

/** `null` stands for a while without a row: the event loop may turn. */
type Rows = Iterable<WriteRow | null> | AsyncIterable<WriteRow | null>
type Parse = (text: string, request: HttpRequest, tenant: TenantIngest) => Rows

const ROWS_PER_BATCH = 1_000
/** A text takes twice its body at most. */
const TEXT_MEMORY_TIMES = 2
/** Whose metadata is taken from one text: as many as are kept at all. */
const FAMILY_COUNT_MAX = 20_000

export function importRoutes(options: ImportRoutesOptions): Route[] {
  const { clock } = options
  const route = (path: string, name: string, parse: Parse, memoryTimes = TEXT_MEMORY_TIMES): Route => ({
    methods: POST,
    path,
    permission: 'write',
    name,
    body: { sizeBytesMax: options.bodySizeBytesMax, decodedSizeBytesMax: options.decodedSizeBytesMax },
    handle: (request) =>
      options.gate.run(request.signal, request.body.length * memoryTimes, () =>
        handleImport(request, options, name, parse),
      ),
  })
  const text: Parse = (body, request, tenant) => textRows(body, request, tenant, clock.wallMs())
  const influx: Parse = (body, request) => {
    const precision = parsePrecision(request.query.get('precision') ?? '')
    if (precision === null) throw new InvalidPrecision()
    return parseInfluxLines(body, { nowMs: clock.wallMs(), precision })
  }
  return [
    route('/api/v1/import', 'import_json', (body) => parseJsonLines(body, options.pause), JSON_MEMORY_TIMES),
    route('/api/v1/import/prometheus', 'import_text', text),
    route('/api/v1/import/prometheus/metrics/job/:job', 'import_text', text),
    route('/api/v1/import/prometheus/metrics/job/:job/instance/:instance', 'import_text', text),
    route('/write', 'import_influx', influx),
    route('/api/v2/write', 'import_influx', influx),
    route('/api/v1/influxdb/write', 'import_influx', influx),
    route('/api/v1/push/influx/write', 'import_influx', influx),
  ]
}

class InvalidPrecision extends Error {}

async function handleImport(
  request: HttpRequest,
  options: ImportRoutesOptions,
  name: string,
  parse: Parse,
): Promise<HttpResponse> {
  const { counters } = options
  counters.countRequest(name)
  counters.bodyBytes += request.body.length
  try {
    const tenant = await options.open(request.tenant)
    const namespace = request.query.get('namespace') ?? ''
    const rows = namespace === '' ? tenant.rows : tenant.rowsInto(namespace)
    const reasons: string[] = []
    const store = async (batch: readonly WriteRow[]) => {
      const { writtenCount, problems } = await rows.write(batch)
      counters.samples += writtenCount
      for (const { reason, count } of problems.counts()) counters.countRefused(reason, count)
      if (!problems.isEmpty && reasons.length < 5) reasons.push(problems.toString())
    }
    let batch: WriteRow[] = []
    for await (const row of parse(textOf(request.body), request, tenant)) {
      if (row === null) {
        await options.pause()
        continue
      }
      batch.push(row)
      if (batch.length < ROWS_PER_BATCH) continue
      await store(batch)
      batch = []
    }
    await store(batch)
    return reasons.length === 0 ? { status: 204 } : textResponse(400, reasons.join('\n').slice(0, 1024))
  } catch (error) {
    if (error instanceof InvalidPrecision) return textResponse(400, 'wanted precision to be one of ns, us, ms, s, m, h')
    return errorResponse(error, counters)
  }
}

/** Rows of a text; its metadata and exemplars go into the tenant's stores on the way. */
function* textRows(
  body: string,
  request: HttpRequest,
  tenant: TenantIngest,
  nowMs: number,
): Generator<WriteRow | null> {
  const openMetrics = mediaType(request.header('content-type') ?? '').type === 'application/openmetrics-text'
  const extraLabels = [...request.pathParameters].filter(([, value]) => value !== '')
  const families = new Map<string, MetricMetadata>()
  for (const item of parsePrometheusText(body, { nowMs, openMetrics, extraLabels })) {
    if (item === null) {
      yield null
      continue
    }
    if (item.kind === 'metadata') {
      const known = families.get(item.family)
      if (known === undefined && families.size === FAMILY_COUNT_MAX) continue
      families.set(item.family, { ...UNKNOWN, ...known, ...item.metadata })
      continue
    }
    if (item.exemplar !== undefined) tenant.exemplars.add(item.row.labels, item.exemplar)
    yield item.row
  }
  for (const [family, metadata] of families) tenant.metadata.record(family, metadata)
}

const UNKNOWN: MetricMetadata = { type: 'unknown', help: '', unit: '' }
