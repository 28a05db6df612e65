/**
 * The newest samples in the form that client libraries expose: delimited messages, one for each run of samples of one name.
 *
 *     message         length varint | MetricFamily
 *     MetricFamily    1 name   3 type (3 untyped, 4 histogram, 5 gauge histogram)   4 Metric
 *     Metric          1 LabelPair (1 name, 2 value)   5 Untyped (1 value)   6 timestamp ms   7 Histogram
 *     Histogram       1 count   4 count, double   2 sum   5 schema, sint32   6 zero threshold   7 zero count
 *                     8 zero count, double   9 spans, 10 deltas, 11 counts, negative   12, 13, 14 the same, positive
 *
 * The only form in which another Prometheus can scrape native histograms. Custom buckets have no place in it.
 * Source: github.com/prometheus/client_model, io/prometheus/client/metrics.proto.
 */
import { CUSTOM_BUCKETS_SCHEMA, type Histogram, type Labels, METRIC_NAME } from '@varve/tsdb-core/model'
import { mediaType } from '../ingest/media-type.js'
import { writeSide } from '../proto/histogram-message.js'
import { ProtobufWriter } from '../proto/protobuf-writer.js'

export const PROTOBUF_EXPOSITION =
  'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited'

/** What of a series is exposed. */
export interface FederatedSample {
  readonly labels: Labels
  readonly timestampMs: number
  readonly value: number
  readonly histogram?: Histogram
}

const UNTYPED = 3
const HISTOGRAM = 4
const GAUGE_HISTOGRAM = 5
const METRICS_PER_FAMILY = 1_000

/** Whether the client likes protobuf at least as well as text. */
export function wantsProtobuf(accept: string | undefined): boolean {
  let protobuf = 0
  let text = 0
  for (const range of (accept ?? '').split(',')) {
    const { type, parameters } = mediaType(range)
    const weight = Number(parameters.get('q') ?? 1)
    if (type === 'application/vnd.google.protobuf') {
      const family = parameters.get('proto') === 'io.prometheus.client.MetricFamily'
      if (family && parameters.get('encoding') === 'delimited') protobuf = Math.max(protobuf, weight)
    } else if (type === 'text/plain' || type === 'application/openmetrics-text') text = Math.max(text, weight)
  }
  return protobuf > 0 && protobuf >= text
}

/** `samples` by name; `labelsOf` gives the labels as they are exposed, without the name. */
export async function* protobufExposition(
  samples: readonly FederatedSample[],
  labelsOf: (sample: FederatedSample) => readonly (readonly [string, string])[],
  pause: () => Promise<void>,
): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < samples.length; ) {
    const { metricName: name } = samples[from].labels
    const type = typeOf(samples[from])
    let to = from + 1
    const isSame = (sample: FederatedSample) => sample.labels.metricName === name && typeOf(sample) === type
    while (to < samples.length && to - from < METRICS_PER_FAMILY && isSame(samples[to])) to++
    if (type !== undefined) {
      const family = new ProtobufWriter()
      family.text(1, name)
      family.uint(3, type)
      for (const sample of samples.slice(from, to))
        family.message(4, () => writeMetric(family, sample, labelsOf(sample)))
      yield delimited(family.view())
      await pause()
    }
    from = to
  }
}

/** Undefined for what has no form here. */
function typeOf({ histogram }: FederatedSample): number | undefined {
  if (histogram === undefined) return UNTYPED
  if (histogram.schema === CUSTOM_BUCKETS_SCHEMA) return undefined
  return histogram.counterResetHint === 'gauge' ? GAUGE_HISTOGRAM : HISTOGRAM
}

function writeMetric(
  out: ProtobufWriter,
  { histogram, value, timestampMs }: FederatedSample,
  labels: readonly (readonly [string, string])[],
): void {
  for (const [name, text] of labels) {
    if (name === METRIC_NAME) continue
    out.message(1, () => {
      out.text(1, name)
      out.text(2, text)
    })
  }
  if (histogram === undefined) out.message(5, () => out.double(1, value, true))
  out.int64(6, timestampMs)
  if (histogram !== undefined) out.message(7, () => writeHistogram(out, histogram))
}

function writeHistogram(out: ProtobufWriter, histogram: Histogram): void {
  const { integer, zeroThreshold, zeroCount, positiveSpans, negativeSpans } = histogram
  if (integer) out.uint(1, histogram.count)
  else out.double(4, histogram.count)
  out.double(2, histogram.sum)
  out.sint(5, histogram.schema)
  out.double(6, zeroThreshold)
  if (integer) out.uint(7, zeroCount)
  else out.double(8, zeroCount)
  writeSide(out, 9, negativeSpans, histogram.negativeBuckets, integer)
  writeSide(out, 12, positiveSpans, histogram.positiveBuckets, integer)
  // Without any of these a reader would take it for a classic histogram: an empty span says that it is none.
  if (zeroThreshold === 0 && zeroCount === 0 && positiveSpans.length + negativeSpans.length === 0) {
    out.message(12, () => {})
  }
}

function delimited(message: Uint8Array): Uint8Array {
  const header: number[] = []
  let length = message.length
  for (; length >= 0x80; length = Math.floor(length / 128)) header.push((length & 0x7f) | 0x80)
  header.push(length)
  const bytes = new Uint8Array(header.length + message.length)
  bytes.set(header)
  bytes.set(message, header.length)
  return bytes
}
