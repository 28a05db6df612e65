/**
 * Messages of the wire protocols, decoded into objects by protobufjs' generated code: for what is not on the hot path, and
 * as the judge in tests of what is. `npm run generate:proto -w @varve/coordinator` makes `generated/` from `proto/*.proto`.
 *
 * Decoders throw an `Error` for bytes that are not protobuf; use `decodeMessage` for bytes from the network.
 */
import { WireError } from '../wire-error.js'
import * as generated from './generated/messages.js'

/** 64-bit integers arrive as `Long`. */
export interface Long64 {
  readonly low: number
  readonly high: number
  readonly unsigned: boolean
  toNumber(): number
  toString(): string
}

export interface MessageCodec<T> {
  decode(bytes: Uint8Array): T
  encode(message: object): { finish(): Uint8Array }
}

export interface LabelMessage {
  name: string
  value: string
}

export interface SampleMessage {
  value: number
  timestamp: Long64
  /** Remote write 2.0 only. */
  startTimestamp?: Long64
}

export interface TimeSeriesMessage {
  labels: LabelMessage[]
  samples: SampleMessage[]
  exemplars: { labels: LabelMessage[]; value: number; timestamp: Long64 }[]
  histograms: HistogramMessage[]
}

export interface HistogramMessage {
  countInt?: Long64 | null
  countFloat?: number | null
  sum: number
  schema: number
  zeroThreshold: number
  zeroCountInt?: Long64 | null
  zeroCountFloat?: number | null
  negativeSpans: SpanMessage[]
  negativeDeltas: Long64[]
  negativeCounts: number[]
  positiveSpans: SpanMessage[]
  positiveDeltas: Long64[]
  positiveCounts: number[]
  resetHint: number
  timestamp: Long64
  customValues: number[]
  startTimestamp: Long64
}

export interface SpanMessage {
  offset: number
  length: number
}

export interface WriteRequestMessage {
  timeseries: TimeSeriesMessage[]
  metadata: { type: number; metricFamilyName: string; help: string; unit: string }[]
}

export interface WriteRequestV2Message {
  symbols: string[]
  timeseries: {
    labelsRefs: number[]
    samples: SampleMessage[]
    histograms: HistogramMessage[]
    exemplars: { labelsRefs: number[]; value: number; timestamp: Long64 }[]
    metadata?: { type: number; helpRef: number; unitRef: number } | null
  }[]
}

export interface ReadRequestMessage {
  queries: ReadQueryMessage[]
  acceptedResponseTypes: number[]
}

export interface ReadQueryMessage {
  startTimestampMs: Long64
  endTimestampMs: Long64
  matchers: { type: number; name: string; value: string }[]
  hints?: {
    stepMs: Long64
    func: string
    startMs: Long64
    endMs: Long64
    grouping: string[]
    by: boolean
    rangeMs: Long64
  } | null
}

export interface ReadResponseMessage {
  results: { timeseries: TimeSeriesMessage[] }[]
}

export interface ChunkedReadResponseMessage {
  chunkedSeries: {
    labels: LabelMessage[]
    chunks: { minTimeMs: Long64; maxTimeMs: Long64; type: number; data: Uint8Array }[]
  }[]
  queryIndex: Long64
}

const prometheus = generated.prometheus as unknown as {
  WriteRequest: MessageCodec<WriteRequestMessage>
  TimeSeries: MessageCodec<TimeSeriesMessage>
  Histogram: MessageCodec<HistogramMessage>
  ReadRequest: MessageCodec<ReadRequestMessage>
  ReadResponse: MessageCodec<ReadResponseMessage>
  ChunkedReadResponse: MessageCodec<ChunkedReadResponseMessage>
}
const writeV2 = (generated.io as unknown as { prometheus: { write: { v2: unknown } } }).prometheus.write.v2 as {
  Request: MessageCodec<WriteRequestV2Message>
}

export const {
  WriteRequest: writeRequestCodec,
  TimeSeries: timeSeriesCodec,
  Histogram: histogramCodec,
  ReadRequest: readRequestCodec,
  ReadResponse: readResponseCodec,
  ChunkedReadResponse: chunkedReadResponseCodec,
} = prometheus
export const writeRequestV2Codec = writeV2.Request

/** @throws {WireError} for bytes that are not such a message. */
export function decodeMessage<T>(codec: MessageCodec<T>, bytes: Uint8Array): T {
  try {
    return codec.decode(bytes)
  } catch (error) {
    throw new WireError('INVALID_ARGUMENT', `protobuf: ${error instanceof Error ? error.message : String(error)}`, 0)
  }
}
