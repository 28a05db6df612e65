/** What protobufjs makes of remote-write bodies: the judge of our own readers in tests of hostile bytes. */
import { type Histogram, halvesOf, isStaleAt } from '@varve/tsdb-core/model'
import protobuf from 'protobufjs/minimal.js'
import { type HistogramMessage, timeSeriesCodec } from '../proto/messages.js'
import { FAULT } from '../wire-error.js'

/** `stringVerify` refuses text that is not UTF-8; the published types do not list it. */
const Reader = protobuf.Reader as unknown as { prototype: { string(): string; stringVerify(): string } }

/** Faults for bytes that protobufjs takes: a known field of another type is an unknown one to it, limits are ours. */
export const STRICTER_FAULTS: ReadonlySet<number> = new Set([
  FAULT.WIRE_TYPE,
  FAULT.NOTHING_KNOWN,
  FAULT.TAG,
  FAULT.GROUP,
  FAULT.SYMBOL_RANGE,
  FAULT.ODD_LABEL_REFERENCES,
  FAULT.FIRST_SYMBOL,
])

/** protobufjs steps over an unknown varint of any length. */
export function hasEndlessVarint(body: Uint8Array): boolean {
  return /(?:[89a-f].){10}/.test(Buffer.from(body).toString('hex'))
}

/** Runs with texts that need not be UTF-8: labels that are not are refused later, and for their series only. */
export function withAnyText<T>(run: () => T): T {
  const strict = Reader.prototype.stringVerify
  Reader.prototype.stringVerify = Reader.prototype.string
  try {
    return run()
  } finally {
    Reader.prototype.stringVerify = strict
  }
}

/** The labels of a series from their bytes in the form of remote write 1.0, or null when those are no message. */
export function labelText(span: Uint8Array): string | null {
  try {
    const { labels } = withAnyText(() => timeSeriesCodec.decode(span))
    return JSON.stringify(labels.map(({ name, value }) => [name, value]))
  } catch {
    return null
  }
}

/** All fields in plain values, for a comparison with `expectedHistogram`. */
export function histogramFields(histogram: Histogram): object {
  const { schema, zeroThreshold, zeroCount, count, sum, integer, stale, counterResetHint, customValues } = histogram
  return {
    schema,
    zeroThreshold,
    zeroCount,
    count,
    sum: stale ? 'stale' : sum,
    integer,
    counterResetHint,
    customValues: [...customValues],
    spans: [histogram.negativeSpans, histogram.positiveSpans],
    buckets: [[...histogram.negativeBuckets], [...histogram.positiveBuckets]],
  }
}

/** The fields that a message of remote write has, by what protobufjs read. */
export function expectedHistogram(message: HistogramMessage): object {
  const integer = message.countFloat == null
  const sums = (deltas: readonly unknown[]) => {
    let sum = 0
    return deltas.map((delta) => (sum += Number(String(delta))))
  }
  const spans = (list: { offset: number; length: number }[]) => list.map(({ offset, length }) => ({ offset, length }))
  return {
    schema: message.schema,
    zeroThreshold: message.zeroThreshold,
    zeroCount: message.zeroCountFloat ?? Number(String(message.zeroCountInt ?? 0)),
    count: integer ? Number(String(message.countInt ?? 0)) : message.countFloat,
    sum: isStaleNumber(message.sum) ? 'stale' : message.sum,
    integer,
    counterResetHint: ['unknown', 'reset', 'notReset', 'gauge'][message.resetHint] ?? 'unknown',
    customValues: message.customValues,
    spans: [spans(message.negativeSpans), spans(message.positiveSpans)],
    buckets: integer
      ? [sums(message.negativeDeltas), sums(message.positiveDeltas)]
      : [message.negativeCounts, message.positiveCounts],
  }
}

function isStaleNumber(value: number): boolean {
  return isStaleAt(halvesOf(Float64Array.of(value)), 0)
}
