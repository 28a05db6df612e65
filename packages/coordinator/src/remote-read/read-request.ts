/**
 * A remote read request, checked: what Prometheus asks of us, in our own terms.
 */
import { Labels, type Matcher, type MatchOperator } from '@varve/tsdb-core/model'
import type { SelectHints } from '@varve/tsdb-core/query'
import { CoordinatorError } from '../errors.js'
import { ProtobufReader } from '../ingest/protobuf-reader.js'
import { decodeMessage, type Long64, type ReadQueryMessage, readRequestCodec } from '../proto/messages.js'
import { decodeSnappy } from '../snappy/index.js'

export type ResponseType = 'samples' | 'streamedXorChunks'

export interface ReadRequest {
  readonly queries: readonly ReadQuery[]
  readonly responseType: ResponseType
}

export interface ReadQuery {
  readonly matchers: readonly Matcher[]
  /** Half-open; the wire has both ends inclusive. */
  readonly startMs: number
  readonly endMs: number
  readonly hints: SelectHints
}

/** Of the decoded request: matchers are short. */
const DECODED_SIZE_BYTES_MAX = 4 * 1024 * 1024
const QUERY_COUNT_MAX = 100
/** Matchers, labels of hints and all other fields. */
const FIELD_COUNT_MAX = 20_000
const OPERATORS: readonly MatchOperator[] = ['=', '!=', '=~', '!~']
const TIME_MS_MAX = 2 ** 53 - 2

/**
 * Decodes a snappy block with a `prometheus.ReadRequest`.
 *
 * @throws {CoordinatorError} `INVALID_ARGUMENT` for bytes, matchers or response types that are none; `TOO_LARGE`.
 */
export function decodeReadRequest(body: Uint8Array): ReadRequest {
  const bytes = decodeSnappy(body, DECODED_SIZE_BYTES_MAX)
  checkCounts(bytes)
  const message = decodeMessage(readRequestCodec, bytes)
  return { queries: message.queries.map(toQuery), responseType: responseTypeOf(message.acceptedResponseTypes) }
}

/** Before one of them is made: an empty query is two bytes on the wire, and objects here. */
function checkCounts(bytes: Uint8Array): void {
  let queryCount = 0
  let fieldCount = 0
  const open = [{ reader: new ProtobufReader(bytes), depth: 0 }]
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const { reader, depth } = top
    if (!reader.next()) {
      open.pop()
      continue
    }
    const isQuery = depth === 0 && reader.field === 1 && reader.isSpan
    if (isQuery && ++queryCount > QUERY_COUNT_MAX) {
      throw new CoordinatorError('INVALID_ARGUMENT', `remote read: more than ${QUERY_COUNT_MAX} queries in one request`)
    }
    if (++fieldCount > FIELD_COUNT_MAX) {
      throw new CoordinatorError('TOO_LARGE', `remote read: more than ${FIELD_COUNT_MAX} fields in one request`)
    }
    // Matchers are leaves here; a query's hints can name labels without end.
    if (isQuery || (depth === 1 && reader.field === 4 && reader.isSpan)) {
      const { at, end } = reader.span()
      open.push({ reader: new ProtobufReader(bytes, at, end), depth: depth + 1 })
      continue
    }
    const from = reader.at
    reader.skip()
    if (depth === 0 && reader.at - from > FIELD_COUNT_MAX) {
      throw new CoordinatorError('TOO_LARGE', `remote read: a list of ${reader.at - from} bytes beside the queries`)
    }
  }
}

/** The first of the client's list that is known here; an empty list means samples. */
function responseTypeOf(accepted: readonly number[]): ResponseType {
  if (accepted.length === 0) return 'samples'
  for (const type of accepted) {
    if (type === 0) return 'samples'
    if (type === 1) return 'streamedXorChunks'
  }
  const text = `remote read: none of the response types ${accepted.slice(0, 10).join(', ')} is known: wanted 0 or 1`
  throw new CoordinatorError('INVALID_ARGUMENT', text)
}

function toQuery(query: ReadQueryMessage): ReadQuery {
  const startMs = timeOf(query.startTimestampMs)
  const endMs = timeOf(query.endTimestampMs) + 1
  const { hints } = query
  return {
    matchers: query.matchers.map(({ type, name, value }) => {
      const operator = OPERATORS[type]
      if (operator === undefined) {
        throw new CoordinatorError('INVALID_ARGUMENT', `remote read: matcher type ${type}, wanted 0 to 3`)
      }
      return { name, operator, value }
    }),
    startMs,
    endMs,
    hints: {
      function: hints?.func ?? '',
      stepMs: hints ? timeOf(hints.stepMs) : 0,
      rangeMs: hints ? timeOf(hints.rangeMs) : 0,
      evaluationStartMs: hints ? timeOf(hints.startMs) : startMs,
      evaluationEndMs: hints ? timeOf(hints.endMs) : endMs - 1,
      ...(hints && hints.grouping.length > 0 ? { grouping: { labels: hints.grouping, without: !hints.by } } : {}),
      // Raw samples only: the caller applies its own lookback, which would not span the windows of a rollup.
      resolutionMsMax: 0,
    },
  }
}

function timeOf(value: Long64): number {
  return Math.max(-TIME_MS_MAX, Math.min(TIME_MS_MAX, value.toNumber()))
}

/**
 * External labels, as Prometheus treats its own: a matcher that asks for exactly one of them is met by every series.
 */
export function withoutExternal(matchers: readonly Matcher[], external: Labels): readonly Matcher[] {
  return matchers.filter(
    ({ name, operator, value }) => operator !== '=' || external.get(name) !== value || value === '',
  )
}

export function withExternal(labels: Labels, external: Labels): Labels {
  const missing = [...external].filter(([name]) => labels.get(name) === '')
  return missing.length === 0 ? labels : Labels.from([...labels, ...missing])
}
