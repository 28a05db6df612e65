/** A native histogram as the message of remote write and remote read: the counterpart of ingest/histogram-wire.ts. */
import { type CounterResetHint, type Histogram, halvesOf, type Span, writeStaleAt } from '@varve/tsdb-core/model'
import type { ProtobufWriter } from './protobuf-writer.js'

const HINT_NUMBERS: Readonly<Record<CounterResetHint, number>> = { unknown: 0, reset: 1, notReset: 2, gauge: 3 }
const sumColumn = new Float64Array(1)
const sumHalves = halvesOf(sumColumn)

/** Writes the fields; the caller opens and closes the message. */
export function writeHistogram(writer: ProtobufWriter, histogram: Histogram, timestampMs: number): void {
  const { integer } = histogram
  // The members of a oneof are written although they are zero: which one stands there tells the two kinds apart.
  if (integer) writeOneofUint(writer, 1, histogram.count)
  else writer.double(2, histogram.count, true)
  sumColumn[0] = histogram.sum
  if (histogram.stale) writeStaleAt(sumHalves, 0)
  writer.doubleOf(3, sumHalves, 0)
  writer.sint(4, histogram.schema)
  writer.double(5, histogram.zeroThreshold)
  if (integer) writeOneofUint(writer, 6, histogram.zeroCount)
  else writer.double(7, histogram.zeroCount, true)
  writeSide(writer, 8, histogram.negativeSpans, histogram.negativeBuckets, integer)
  writeSide(writer, 11, histogram.positiveSpans, histogram.positiveBuckets, integer)
  writer.uint(14, HINT_NUMBERS[histogram.counterResetHint])
  writer.int64(15, timestampMs)
  writer.packedDoubles(16, histogram.customValues)
}

/** Spans, then deltas for an integer histogram or counts for a float one, in consecutive fields. */
export function writeSide(
  writer: ProtobufWriter,
  field: number,
  spans: readonly Span[],
  buckets: Float64Array,
  integer: boolean,
): void {
  for (const { offset, length } of spans) {
    writer.message(field, () => {
      writer.sint(1, offset)
      writer.uint(2, length)
    })
  }
  if (integer) {
    writer.packedSints(
      field + 1,
      Array.from(buckets, (count, i) => (i === 0 ? count : count - buckets[i - 1])),
    )
  } else writer.packedDoubles(field + 2, buckets)
}

function writeOneofUint(writer: ProtobufWriter, field: number, value: number): void {
  if (value !== 0) writer.uint(field, value)
  else {
    writer.tag(field, 0)
    writer.zero()
  }
}
