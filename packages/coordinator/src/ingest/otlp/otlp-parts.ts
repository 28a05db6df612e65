/**
 * An OTLP request in parts that each take a short turn of the event loop:
 *
 *     request ─ resource ─ scope ─ metric ─ data points
 *                                          └ so many bytes, or so many points, are one part
 *
 * A part is a metric with some of its points and the resource that they are of. From protobuf it is cut out before it is
 * decoded: the fields around the points, then a run of points, put together as a message of its own. So what a request costs
 * at one time does not depend on how much it holds.
 */
import { CoordinatorError } from '../../errors.js'
import { decodeMessage } from '../../proto/messages.js'
import { ProtobufReader } from '../protobuf-reader.js'
import {
  type KeyValue,
  metricCodec,
  type OtlpMetric,
  type OtlpRequest,
  type Points,
  resourceCodec,
} from './otlp-message.js'

export interface OtlpPart {
  /** The same list for all parts of a resource. */
  readonly attributes: readonly KeyValue[]
  /** `null` behind the last metric of a resource. */
  readonly metric: OtlpMetric | null
}

/** One kind of data, oneof by oneof: gauge, sum, histogram, exponential histogram, summary. */
const DATA_FIELDS: ReadonlySet<number> = new Set([5, 7, 9, 10, 11])
const POINTS_KEYS = ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary'] as const
const PART_SIZE_BYTES = 64 << 10
const PART_POINT_COUNT = 500
/** Of a single data point, a resource, or what stands around the points: these are decoded in one turn. */
const PIECE_SIZE_BYTES_MAX = 256 << 10

/**
 * Cuts the bytes of a request into parts.
 *
 * @throws {WireError} for bytes that are no such message; {CoordinatorError} `TOO_LARGE` for a point that is too large.
 * Parts before it were given out.
 */
export function* partsOfProtobuf(body: Uint8Array): Generator<OtlpPart> {
  const request = new ProtobufReader(body)
  while (request.next()) {
    if (request.field !== 1) {
      request.skip()
      continue
    }
    const { at, end } = request.span()
    const attributes = attributesOf(body, at, end)
    const resource = new ProtobufReader(body, at, end)
    while (resource.next()) {
      if (resource.field !== 2) {
        resource.skip()
        continue
      }
      const scope = resource.span()
      const metrics = new ProtobufReader(body, scope.at, scope.end)
      while (metrics.next()) {
        if (metrics.field !== 2) {
          metrics.skip()
          continue
        }
        const span = metrics.span()
        for (const metric of metricsOf(body, span.at, span.end)) yield { attributes, metric }
      }
    }
    yield { attributes, metric: null }
  }
}

/**
 * The same parts of a request that is an object already, from JSON.
 *
 * @throws {CoordinatorError} `INVALID_ARGUMENT` for what has not the shape of such a request; parts before it were given out.
 */
export function* partsOfMessage(request: OtlpRequest): Generator<OtlpPart> {
  for (const each of list(request.resourceMetrics)) {
    if (typeof each !== 'object' || each === null) throw wrongShape('resourceMetrics')
    checkShape('resource', each.resource, 0)
    const attributes = list(each.resource?.attributes)
    for (const scope of list(each.scopeMetrics)) {
      if (typeof scope !== 'object' || scope === null) throw wrongShape('scopeMetrics')
      for (const metric of list(scope.metrics)) {
        if (typeof metric !== 'object' || metric === null) throw wrongShape('metrics')
        const longest = Math.max(0, ...POINTS_KEYS.map((key) => list(metric[key]?.dataPoints).length))
        for (let from = 0; from === 0 || from < longest; from += PART_POINT_COUNT) {
          const part = longest <= PART_POINT_COUNT ? metric : withPoints(metric, from)
          checkShape('metric', part, 0)
          yield { attributes, metric: part }
        }
      }
    }
    yield { attributes, metric: null }
  }
}

type Shape = 'text' | 'messages' | 'number' | 'numbers'

/** What stands under a key, wherever in a request that is. Of all others no value does harm: a field of it is undefined. */
const SHAPES: ReadonlyMap<string, Shape> = new Map<string, Shape>([
  ...['name', 'description', 'unit', 'key', 'stringValue'].map((key) => [key, 'text'] as const),
  ...['dataPoints', 'attributes', 'filteredAttributes', 'exemplars', 'quantileValues', 'values'].map(
    (key) => [key, 'messages'] as const,
  ),
  ...['bucketCounts', 'explicitBounds'].map((key) => [key, 'numbers'] as const),
  ...['asDouble', 'asInt', 'count', 'zeroCount', 'zeroThreshold', 'scale', 'offset', 'quantile'].map(
    (key) => [key, 'number'] as const,
  ),
  ...['timeUnixNano', 'startTimeUnixNano', 'flags', 'intValue', 'doubleValue'].map((key) => [key, 'number'] as const),
])
const SHAPE_DEPTH_MAX = 100

function checkShape(key: string, value: unknown, depth: number): void {
  if (value === null || value === undefined) return
  const shape = SHAPES.get(key)
  if (depth > SHAPE_DEPTH_MAX) throw wrongShape(key)
  if (shape === undefined) {
    // `sum` and `value` are messages in one place and numbers in another.
    if (typeof value === 'object' && !Array.isArray(value)) checkFields(value, depth)
    else if ((key === 'sum' || key === 'value') && !isNumber(value)) throw wrongShape(key)
  } else if (shape === 'number') {
    if (!isNumber(value)) throw wrongShape(key)
  } else if (shape === 'text') {
    if (typeof value !== 'string') throw wrongShape(key)
  } else {
    if (!Array.isArray(value)) throw wrongShape(key)
    for (const item of value) {
      if (shape === 'numbers') {
        if (!isNumber(item)) throw wrongShape(key)
      } else if (typeof item !== 'object' || item === null || Array.isArray(item)) throw wrongShape(key)
      else checkFields(item, depth)
    }
  }
}

/** A number, or the text of one, as JSON has those of 64 bits and those that it has not. */
function isNumber(value: unknown): boolean {
  if (typeof value === 'number') return true
  // Messages that were decoded from protobuf have `Long`s.
  if (typeof value === 'object' && value !== null)
    return typeof value.toString === 'function' && NUMBER.test(`${value}`)
  return typeof value === 'string' && (NUMBER.test(value) || value === 'NaN' || /^-?Infinity$/.test(value))
}

const NUMBER = /^-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

function checkFields(message: object, depth: number): void {
  for (const [key, value] of Object.entries(message)) checkShape(key, value, depth + 1)
}

function wrongShape(key: string): CoordinatorError {
  return new CoordinatorError(
    'INVALID_ARGUMENT',
    `OTLP: ${JSON.stringify(key.slice(0, 40))} has not the shape of a metrics request`,
  )
}

function withPoints(metric: OtlpMetric, from: number): OtlpMetric {
  const part: Record<string, unknown> = { ...metric }
  for (const key of POINTS_KEYS) {
    const data: Points<unknown> | null | undefined = metric[key]
    if (data != null) part[key] = { ...data, dataPoints: list(data.dataPoints).slice(from, from + PART_POINT_COUNT) }
  }
  return part
}

/** The resource may stand behind its metrics, and more than once: messages merge by standing one behind the other. */
function attributesOf(body: Uint8Array, at: number, end: number): readonly KeyValue[] {
  const pieces: Uint8Array[] = []
  const reader = new ProtobufReader(body, at, end)
  while (reader.next()) {
    if (reader.field !== 1) {
      reader.skip()
      continue
    }
    const span = reader.span()
    pieces.push(body.subarray(span.at, span.end))
  }
  return decodeMessage(resourceCodec, joined('a resource', pieces)).attributes ?? []
}

function* metricsOf(body: Uint8Array, at: number, end: number): Generator<OtlpMetric> {
  const around: Uint8Array[] = []
  const data: { field: number; at: number; end: number }[] = []
  const reader = new ProtobufReader(body, at, end)
  for (let from = at; reader.next(); from = reader.at) {
    if (DATA_FIELDS.has(reader.field)) data.push({ field: reader.field, ...reader.span() })
    else {
      reader.skip()
      around.push(body.subarray(from, reader.at))
    }
  }
  const head = joined('a metric', around)
  if (data.length === 0) yield decodeMessage(metricCodec, head)
  for (const one of data) yield* dataOf(body, head, one)
}

/** One metric for each run of points; each has what stands around the points, such as the temporality. */
function* dataOf(
  body: Uint8Array,
  head: Uint8Array,
  { field, at, end }: { field: number; at: number; end: number },
): Generator<OtlpMetric> {
  const around: Uint8Array[] = []
  const reader = new ProtobufReader(body, at, end)
  for (let from = at; reader.next(); from = reader.at) {
    const isPoint = reader.field === 1
    reader.skip()
    if (!isPoint) around.push(body.subarray(from, reader.at))
  }
  const rest = joined('a metric', around)
  let points: Uint8Array[] = []
  let size = 0
  const take = () => {
    const bytes = Buffer.concat([head, header(field, rest.length + size), rest, ...points])
    points = []
    size = 0
    return decodeMessage(metricCodec, bytes)
  }
  const again = new ProtobufReader(body, at, end)
  for (let from = at; again.next(); from = again.at) {
    again.skip()
    if (again.field !== 1) continue
    const point = body.subarray(from, again.at)
    if (point.length > PIECE_SIZE_BYTES_MAX) throw tooLarge('a data point', point.length)
    if (size > 0 && (size + point.length > PART_SIZE_BYTES || points.length === PART_POINT_COUNT)) yield take()
    points.push(point)
    size += point.length
  }
  yield take()
}

/** Tag and length of a field that holds a message. */
function header(field: number, size: number): Uint8Array {
  const bytes = [(field << 3) | 2]
  for (; size >= 128; size = Math.floor(size / 128)) bytes.push((size % 128) + 128)
  bytes.push(size)
  return Uint8Array.from(bytes)
}

function joined(what: string, pieces: readonly Uint8Array[]): Uint8Array {
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0)
  if (size > PIECE_SIZE_BYTES_MAX) throw tooLarge(what, size)
  return Buffer.concat(pieces)
}

function tooLarge(what: string, size: number): CoordinatorError {
  return new CoordinatorError(
    'TOO_LARGE',
    `OTLP: ${what} of ${size} bytes, at most ${PIECE_SIZE_BYTES_MAX} are accepted`,
  )
}

function list<T>(items: readonly T[] | null | undefined): readonly T[] {
  return Array.isArray(items) ? items : []
}
