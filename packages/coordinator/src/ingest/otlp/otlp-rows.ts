/**
 * OpenTelemetry's metrics as Prometheus' series.
 *
 *     gauge, sum              name, name_total for sums that only grow
 *     histogram               name_bucket{le}, name_count, name_sum
 *     exponential histogram   a native histogram
 *     summary                 name{quantile}, name_count, name_sum
 *     resource                job = service.namespace/service.name, instance = service.instance.id, the rest in target_info
 *
 * Source: OpenTelemetry's compatibility specification for Prometheus and OpenMetrics.
 */
import { type Histogram, Labels, METRIC_NAME, type Span } from '@varve/tsdb-core/model'
import type { Exemplar } from '../../exemplars/exemplar-store.js'
import type { MetricMetadata } from '../../metadata/metadata-store.js'
import type { WriteRow } from '../row-writer.js'
import type {
  AnyValue,
  Buckets,
  ExponentialPoint,
  HistogramPoint,
  KeyValue,
  NumberPoint,
  OtlpExemplar,
  OtlpMetric,
  Point,
  SummaryPoint,
  Temporal,
  Whole,
} from './otlp-message.js'
import { prometheusLabelName, prometheusMetricName, prometheusUnit } from './otlp-names.js'
import type { OtlpPart } from './otlp-parts.js'

/** Where translated data points go. */
export interface OtlpSink {
  row(row: WriteRow, delta: boolean): void
  exemplar(labels: Labels, exemplar: Exemplar): void
  metadata(family: string, metadata: MetricMetadata): void
  /** A data point that is left out, and why. */
  refuse(reason: string, metric: string): void
  /** Whether points that are sums since the one before are refused, each as a whole. */
  readonly refusesDeltas: boolean
}

const NO_RECORDED_VALUE = 1
const ZERO_THRESHOLD = 1e-128
const SCALE_MIN = -4
const LABEL_DEPTH_MAX = 20

/** Translates parts in the order in which they come; what belongs to a whole resource is told at its end. */
export class OtlpTranslation {
  readonly #sink: OtlpSink
  #attributes: readonly KeyValue[] | undefined
  #identity: Pairs = []
  #latestMs = 0

  constructor(sink: OtlpSink) {
    this.#sink = sink
  }

  add({ attributes, metric }: OtlpPart): void {
    if (attributes !== this.#attributes) {
      this.#attributes = attributes
      this.#identity = identityOf(attributes)
      this.#latestMs = 0
    }
    if (metric !== null) {
      this.#latestMs = Math.max(this.#latestMs, new Translator(metric, this.#identity, this.#sink).run())
      return
    }
    if (this.#latestMs > 0) targetInfo(attributes, this.#identity, this.#latestMs, this.#sink)
    this.#attributes = undefined
  }
}

type Pairs = readonly (readonly [string, string])[]

class Translator {
  readonly #metric: OtlpMetric
  readonly #identity: Pairs
  readonly #sink: OtlpSink
  readonly #name: string
  #latestMs = 0

  constructor(metric: OtlpMetric, identity: Pairs, sink: OtlpSink) {
    this.#metric = metric
    this.#identity = identity
    this.#sink = sink
    const counter = metric.sum?.isMonotonic === true
    this.#name = prometheusMetricName(metric.name ?? '', {
      unit: metric.unit ?? '',
      counter,
      gauge: metric.gauge != null,
    })
  }

  /** Returns the latest time of its points. */
  run(): number {
    const { gauge, sum, histogram, exponentialHistogram, summary, description, unit } = this.#metric
    if (this.#name === '') {
      this.#sink.refuse('metric without a name', '')
      return 0
    }
    const type = sum?.isMonotonic
      ? 'counter'
      : gauge || sum
        ? 'gauge'
        : histogram || exponentialHistogram
          ? 'histogram'
          : 'summary'
    this.#sink.metadata(this.#name, { type, help: description ?? '', unit: prometheusUnit(unit ?? '') })
    for (const point of list(gauge?.dataPoints)) this.#number(point, false)
    if (sum && this.#temporality(sum)) for (const point of list(sum.dataPoints)) this.#number(point, isDelta(sum))
    if (histogram && this.#temporality(histogram)) {
      for (const point of list(histogram.dataPoints)) this.#histogram(point, isDelta(histogram))
    }
    if (exponentialHistogram && this.#temporality(exponentialHistogram)) {
      for (const point of list(exponentialHistogram.dataPoints)) this.#exponential(point, isDelta(exponentialHistogram))
    }
    for (const point of list(summary?.dataPoints)) this.#summary(point)
    return this.#latestMs
  }

  /** Neither 1 nor 2 is a broken sender: nobody could say what its numbers mean. */
  #temporality(metric: Temporal & { readonly dataPoints?: readonly unknown[] | null }): boolean {
    const temporality = temporalityOf(metric)
    if (temporality === 2 || (temporality === 1 && !this.#sink.refusesDeltas)) return true
    const reason = temporality === 0 ? 'aggregation temporality is not given' : 'delta temporality is not accepted'
    for (const _ of list(metric.dataPoints)) this.#sink.refuse(reason, this.#name)
    return false
  }

  #number(point: NumberPoint, delta: boolean): void {
    const labels = this.#labels(point, this.#name)
    const value = point.asInt != null ? wholeOf(point.asInt) : doubleOf(point.asDouble)
    this.#emit(labels, point, value, delta)
    this.#exemplars(labels, point.exemplars)
  }

  #histogram(point: HistogramPoint, delta: boolean): void {
    const bounds = list(point.explicitBounds).map(Number)
    const counts = list(point.bucketCounts).map(wholeOf)
    if (counts.length > 0 && counts.length !== bounds.length + 1) {
      this.#sink.refuse('histogram with as many buckets as bounds', this.#name)
      return
    }
    let cumulative = 0
    // Bounds without counts are allowed, and say nothing of how the values lie between them.
    if (counts.length > 0) {
      bounds.forEach((bound, i) => {
        cumulative += counts[i]
        this.#emit(this.#labels(point, `${this.#name}_bucket`, [['le', decimal(bound)]]), point, cumulative, delta)
      })
    }
    const count = wholeOf(point.count)
    const infinity = this.#labels(point, `${this.#name}_bucket`, [['le', '+Inf']])
    this.#emit(infinity, point, count, delta)
    this.#emit(this.#labels(point, `${this.#name}_count`), point, count, delta)
    if (point.sum != null) this.#emit(this.#labels(point, `${this.#name}_sum`), point, doubleOf(point.sum), delta)
    this.#exemplars(infinity, point.exemplars)
  }

  #exponential(point: ExponentialPoint, delta: boolean): void {
    const scale = point.scale ?? 0
    if (scale < SCALE_MIN) {
      this.#sink.refuse('exponential histogram with a scale below -4', this.#name)
      return
    }
    if (delta) {
      this.#sink.refuse('exponential histogram with delta temporality', this.#name)
      return
    }
    if (![point.positive, point.negative].every((buckets) => isOffset(buckets?.offset))) {
      this.#sink.refuse('exponential histogram whose offset is no 32-bit number', this.#name)
      return
    }
    const labels = this.#labels(point, this.#name)
    // A point without a value is a staleness marker, which counts nothing.
    const stale = ((point.flags ?? 0) & NO_RECORDED_VALUE) !== 0
    const positive = bucketsOf(stale ? null : point.positive)
    const negative = bucketsOf(stale ? null : point.negative)
    const histogram: Histogram = {
      schema: scale,
      zeroThreshold: doubleOf(point.zeroThreshold) || ZERO_THRESHOLD,
      zeroCount: stale ? 0 : wholeOf(point.zeroCount),
      count: stale ? 0 : wholeOf(point.count),
      sum: doubleOf(point.sum),
      counterResetHint: 'unknown',
      positiveSpans: positive.spans,
      positiveBuckets: positive.counts,
      negativeSpans: negative.spans,
      negativeBuckets: negative.counts,
      customValues: new Float64Array(0),
      stale,
      integer: true,
    }
    const timestampMs = this.#time(point)
    const startTimestampMs = millisecondsOf(point.startTimeUnixNano)
    this.#sink.row({ labels, timestampMs, value: 0, histogram, startTimestampMs }, false)
    this.#exemplars(labels, point.exemplars)
  }

  #summary(point: SummaryPoint): void {
    for (const { quantile, value } of list(point.quantileValues)) {
      const labels = this.#labels(point, this.#name, [['quantile', decimal(Number(quantile ?? 0))]])
      this.#emit(labels, point, doubleOf(value), false)
    }
    this.#emit(this.#labels(point, `${this.#name}_sum`), point, doubleOf(point.sum), false)
    this.#emit(this.#labels(point, `${this.#name}_count`), point, wholeOf(point.count), false)
  }

  #emit(labels: Labels, point: Point, value: number, delta: boolean): void {
    const timestampMs = this.#time(point)
    const startTimestampMs = millisecondsOf(point.startTimeUnixNano)
    const stale = ((point.flags ?? 0) & NO_RECORDED_VALUE) !== 0
    this.#sink.row({ labels, timestampMs, value, stale, startTimestampMs }, delta)
  }

  #exemplars(labels: Labels, exemplars: readonly OtlpExemplar[] | null | undefined): void {
    for (const exemplar of list(exemplars)) {
      const pairs: [string, string][] = attributePairs(list(exemplar.filteredAttributes))
      const trace = hex(exemplar.traceId)
      const span = hex(exemplar.spanId)
      if (trace !== '') pairs.push(['trace_id', trace])
      if (span !== '') pairs.push(['span_id', span])
      const value = exemplar.asInt != null ? wholeOf(exemplar.asInt) : doubleOf(exemplar.asDouble)
      const timestampMs = millisecondsOf(exemplar.timeUnixNano)
      this.#sink.exemplar(labels, { labels: Labels.from(new Map(pairs)), value, timestampMs })
    }
  }

  #time(point: Point): number {
    const timestampMs = millisecondsOf(point.timeUnixNano)
    this.#latestMs = Math.max(this.#latestMs, timestampMs)
    return timestampMs
  }

  #labels(point: Point, name: string, more: Pairs = []): Labels {
    const pairs = new Map<string, string>([...attributePairs(list(point.attributes)), ...this.#identity, ...more])
    pairs.set(METRIC_NAME, name)
    return Labels.from(pairs)
  }
}

/** `job` and `instance`, where the resource tells them. */
function identityOf(attributes: readonly KeyValue[]): Pairs {
  const texts = new Map(attributes.map(({ key, value }) => [key ?? '', textOf(value)]))
  const service = texts.get('service.name') ?? ''
  const namespace = texts.get('service.namespace') ?? ''
  const instance = texts.get('service.instance.id') ?? ''
  const pairs: [string, string][] = []
  if (service !== '') pairs.push(['job', namespace === '' ? service : `${namespace}/${service}`])
  if (instance !== '') pairs.push(['instance', instance])
  return pairs
}

const IDENTITY: ReadonlySet<string> = new Set(['service.name', 'service.namespace', 'service.instance.id'])

/** What else is known of the resource, as labels of one series that is 1. */
function targetInfo(attributes: readonly KeyValue[], identity: Pairs, timestampMs: number, sink: OtlpSink): void {
  const rest = attributePairs(attributes.filter(({ key }) => !IDENTITY.has(key ?? '')))
  if (identity.length === 0 || rest.length === 0) return
  const pairs = new Map<string, string>([...rest, ...identity, [METRIC_NAME, 'target_info']])
  sink.metadata('target_info', { type: 'gauge', help: 'Target metadata', unit: '' })
  sink.row({ labels: Labels.from(pairs), timestampMs, value: 1 }, false)
}

/** Attributes as labels. Those whose names become one are joined by semicolons, in the order of their keys. */
function attributePairs(attributes: readonly KeyValue[]): [string, string][] {
  const pairs = new Map<string, string>()
  const sorted = [...attributes].sort((a, b) => ((a.key ?? '') < (b.key ?? '') ? -1 : 1))
  for (const { key, value } of sorted) {
    const name = prometheusLabelName(key ?? '')
    if (name === '') continue
    const known = pairs.get(name)
    const text = textOf(value)
    pairs.set(name, known === undefined ? text : `${known};${text}`)
  }
  return [...pairs]
}

function textOf(value: AnyValue | null | undefined): string {
  const plain = plainOf(value, 0)
  return typeof plain === 'string' ? plain : plain === null ? '' : JSON.stringify(plain)
}

function plainOf(value: AnyValue | null | undefined, depth: number): unknown {
  if (value == null || depth > LABEL_DEPTH_MAX) return null
  if (value.stringValue != null) return value.stringValue
  if (value.boolValue != null) return value.boolValue
  if (value.intValue != null) return wholeOf(value.intValue)
  if (value.doubleValue != null) return doubleOf(value.doubleValue)
  if (value.bytesValue != null) {
    return typeof value.bytesValue === 'string' ? value.bytesValue : Buffer.from(value.bytesValue).toString('base64')
  }
  if (value.arrayValue != null) return list(value.arrayValue.values).map((item) => plainOf(item, depth + 1))
  if (value.kvlistValue != null) {
    return Object.fromEntries(
      list(value.kvlistValue.values).map((item) => [item.key ?? '', plainOf(item.value, depth + 1)]),
    )
  }
  return null
}

/** OTLP's bucket i ends where Prometheus' bucket i + 1 does. Empty buckets at both ends are left out. */
function bucketsOf(buckets: Buckets | null | undefined): { spans: Span[]; counts: Float64Array } {
  const counts = list(buckets?.bucketCounts).map(wholeOf)
  let from = 0
  let to = counts.length
  while (from < to && counts[from] === 0) from++
  while (to > from && counts[to - 1] === 0) to--
  if (from === to) return { spans: [], counts: new Float64Array(0) }
  return {
    spans: [{ offset: (buckets?.offset ?? 0) + from + 1, length: to - from }],
    counts: Float64Array.from(counts.slice(from, to)),
  }
}

function isOffset(offset: number | null | undefined): boolean {
  return offset == null || (Number.isInteger(offset) && Math.abs(offset) < 2 ** 31)
}

/** A bound as Go writes it here: never with an exponent, which would make another label of it. */
function decimal(value: number): string {
  const text = String(value)
  const parts = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text)
  if (parts === null) return text === 'Infinity' ? '+Inf' : text === '-Infinity' ? '-Inf' : text
  const [, sign, first, rest = '', exponent] = parts
  const digits = first + rest
  const places = Number(exponent)
  return places < 0 ? `${sign}0.${'0'.repeat(-places - 1)}${digits}` : sign + digits.padEnd(places + 1, '0')
}

/** 0 unknown, 1 delta, 2 cumulative. */
function temporalityOf({ aggregationTemporality: given }: Temporal): 0 | 1 | 2 {
  if (given === 1 || given === 'AGGREGATION_TEMPORALITY_DELTA') return 1
  return given === 2 || given === 'AGGREGATION_TEMPORALITY_CUMULATIVE' ? 2 : 0
}

function isDelta(metric: Temporal): boolean {
  return temporalityOf(metric) === 1
}

/** Whole milliseconds: by integer division, since a nanosecond time has more digits than a number holds. */
function millisecondsOf(nanoseconds: Whole): number {
  if (nanoseconds == null) return 0
  const text = String(nanoseconds)
  return /^\d{1,20}$/.test(text) ? Number(BigInt(text) / 1_000_000n) : 0
}

function wholeOf(value: Whole): number {
  return value == null ? 0 : Number(typeof value === 'object' ? value.toString() : value)
}

/** JSON writes NaN and infinities as texts. */
function doubleOf(value: number | string | null | undefined): number {
  return value == null ? 0 : Number(value)
}

function hex(bytes: Uint8Array | string | null | undefined): string {
  return bytes == null ? '' : typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('hex')
}

function list<T>(items: readonly T[] | null | undefined): readonly T[] {
  return Array.isArray(items) ? items : []
}
