/**
 * OpenTelemetry's metrics request, from protobuf or JSON, in one shape: what is absent is undefined or null, 64-bit numbers
 * are texts, numbers or `Long`.
 */
import { isUtf8 } from 'node:buffer'
import { CoordinatorError } from '../../errors.js'
import * as generated from '../../proto/generated/messages.js'
import type { Long64, MessageCodec } from '../../proto/messages.js'
import { parseJsonInTurns } from '../formats/json-in-turns.js'
import { ProtobufReader } from '../protobuf-reader.js'

export type Whole = Long64 | number | string | null | undefined

export interface OtlpRequest {
  readonly resourceMetrics?: readonly ResourceMetrics[] | null
}

export interface ResourceMetrics {
  readonly resource?: { readonly attributes?: readonly KeyValue[] | null } | null
  readonly scopeMetrics?: readonly { readonly metrics?: readonly OtlpMetric[] | null }[] | null
}

export interface OtlpMetric {
  readonly name?: string | null
  readonly description?: string | null
  readonly unit?: string | null
  readonly gauge?: Points<NumberPoint> | null
  readonly sum?: (Points<NumberPoint> & Temporal & { readonly isMonotonic?: boolean | null }) | null
  readonly histogram?: (Points<HistogramPoint> & Temporal) | null
  readonly exponentialHistogram?: (Points<ExponentialPoint> & Temporal) | null
  readonly summary?: Points<SummaryPoint> | null
}

export interface Points<T> {
  readonly dataPoints?: readonly T[] | null
}

export interface Temporal {
  /** 1 delta, 2 cumulative; in JSON also by name. */
  readonly aggregationTemporality?: number | string | null
}

export interface Point {
  readonly attributes?: readonly KeyValue[] | null
  readonly startTimeUnixNano?: Whole
  readonly timeUnixNano?: Whole
  readonly flags?: number | null
  readonly exemplars?: readonly OtlpExemplar[] | null
}

export interface NumberPoint extends Point {
  readonly asDouble?: number | string | null
  readonly asInt?: Whole
}

export interface HistogramPoint extends Point {
  readonly count?: Whole
  readonly sum?: number | string | null
  readonly bucketCounts?: readonly Whole[] | null
  readonly explicitBounds?: readonly (number | string)[] | null
}

export interface ExponentialPoint extends Point {
  readonly count?: Whole
  readonly sum?: number | string | null
  readonly scale?: number | null
  readonly zeroCount?: Whole
  readonly zeroThreshold?: number | string | null
  readonly positive?: Buckets | null
  readonly negative?: Buckets | null
}

export interface Buckets {
  readonly offset?: number | null
  readonly bucketCounts?: readonly Whole[] | null
}

export interface SummaryPoint extends Point {
  readonly count?: Whole
  readonly sum?: number | string | null
  readonly quantileValues?:
    | readonly { readonly quantile?: number | null; readonly value?: number | string | null }[]
    | null
}

export interface OtlpExemplar {
  readonly timeUnixNano?: Whole
  readonly asDouble?: number | string | null
  readonly asInt?: Whole
  /** Bytes from protobuf, hexadecimal text from JSON. */
  readonly spanId?: Uint8Array | string | null
  readonly traceId?: Uint8Array | string | null
  readonly filteredAttributes?: readonly KeyValue[] | null
}

export interface KeyValue {
  readonly key?: string | null
  readonly value?: AnyValue | null
}

export interface AnyValue {
  readonly stringValue?: string | null
  readonly boolValue?: boolean | null
  readonly intValue?: Whole
  readonly doubleValue?: number | string | null
  readonly arrayValue?: { readonly values?: readonly AnyValue[] | null } | null
  readonly kvlistValue?: { readonly values?: readonly KeyValue[] | null } | null
  readonly bytesValue?: Uint8Array | string | null
}

const codecs = generated.otlp as unknown as {
  ExportMetricsServiceRequest: MessageCodec<OtlpRequest>
  Resource: MessageCodec<{ readonly attributes?: readonly KeyValue[] | null }>
  Metric: MessageCodec<OtlpMetric>
}

export const { ExportMetricsServiceRequest: otlpRequestCodec, Resource: resourceCodec, Metric: metricCodec } = codecs

/**
 * Messages that one request may hold, all kinds together. An empty message is two bytes on the wire and a hundred in memory,
 * so they are counted before one of them is made.
 */
const MESSAGE_COUNT_MAX = 1_000_000
const MESSAGES_PER_TURN = 50_000
const DEPTH_MAX = 60

/**
 * Walks over all messages of a request without making them; gives the event loop a turn now and then.
 *
 * @throws {WireError} for bytes that are no such message, {CoordinatorError} `TOO_LARGE` for too many messages and
 * `INVALID_ARGUMENT` for values that are nested too deep and for names and labels that are not UTF-8.
 */
export async function checkOtlpMessages(body: Uint8Array, pause: () => Promise<void>): Promise<void> {
  const open: { readonly reader: ProtobufReader; readonly fields: Fields }[] = [
    { reader: new ProtobufReader(body), fields: REQUEST },
  ]
  let count = 0
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const { reader, fields } = top
    if (!reader.next()) {
      open.pop()
      continue
    }
    const inner = fields[reader.field]
    if (inner === undefined || !reader.isSpan) {
      reader.skip()
      continue
    }
    if (inner === TEXT) {
      const { at, end } = reader.span()
      if (!isUtf8(body.subarray(at, end))) {
        throw new CoordinatorError('INVALID_ARGUMENT', `OTLP: the text at byte ${at} is not UTF-8`)
      }
      continue
    }
    if (++count > MESSAGE_COUNT_MAX) {
      throw new CoordinatorError('TOO_LARGE', `OTLP: more than ${MESSAGE_COUNT_MAX} messages in one request`)
    }
    if (count % MESSAGES_PER_TURN === 0) await pause()
    const { at, end } = reader.span()
    if (inner === LEAF || at === end) continue
    if (open.length > DEPTH_MAX) throw new CoordinatorError('INVALID_ARGUMENT', 'OTLP: values are nested too deep')
    open.push({ reader: new ProtobufReader(body, at, end), fields: inner })
  }
}

/** @throws {CoordinatorError} `INVALID_ARGUMENT` for text that is not the JSON of such a request. */
export async function parseOtlpJson(text: string, pause: () => Promise<void>): Promise<OtlpRequest> {
  let request: unknown
  try {
    request = await parseJsonInTurns(text, pause)
  } catch (error) {
    throw new CoordinatorError('INVALID_ARGUMENT', `OTLP: no JSON: ${(error as Error).message}`)
  }
  if (typeof request !== 'object' || request === null || Array.isArray(request)) {
    throw new CoordinatorError('INVALID_ARGUMENT', 'OTLP: wanted a JSON object with "resourceMetrics"')
  }
  return request as OtlpRequest
}

/** Which fields hold messages, as far down as their number can grow, and which hold names and values of labels. */
interface Fields {
  [field: number]: Fields
}
const LEAF: Fields = {}
/** Decoded as it is, bytes that are not UTF-8 would become one and the same sign: two series would be one. */
const TEXT: Fields = {}
const ANY_VALUE: Fields = { 1: TEXT }
const KEY_VALUE: Fields = { 1: TEXT, 2: ANY_VALUE }
ANY_VALUE[5] = { 1: ANY_VALUE }
ANY_VALUE[6] = { 1: KEY_VALUE }
const EXEMPLAR: Fields = { 7: KEY_VALUE }
const METRIC: Fields = {
  1: TEXT,
  5: { 1: { 5: EXEMPLAR, 7: KEY_VALUE } },
  7: { 1: { 5: EXEMPLAR, 7: KEY_VALUE } },
  9: { 1: { 8: EXEMPLAR, 9: KEY_VALUE } },
  10: { 1: { 1: KEY_VALUE, 8: LEAF, 9: LEAF, 11: EXEMPLAR } },
  11: { 1: { 6: LEAF, 7: KEY_VALUE } },
}
const REQUEST: Fields = { 1: { 1: { 1: KEY_VALUE }, 2: { 1: { 3: KEY_VALUE }, 2: METRIC } } }
