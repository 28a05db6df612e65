/**
 * A native histogram of remote write 1.0 and 2.0, from its message to the model's form.
 *
 *     1 count, uint64 | 2 count, double   3 sum   4 schema, sint32   5 zero threshold   6, 7 zero count   14 reset hint
 *     8 negative spans   9 negative deltas, sint64   10 negative counts, double   11, 12, 13 the same, positive
 *     15 timestamp, int64 ms   16 custom bounds   17 start timestamp, int64 ms (2.0)
 *
 * Integer histograms carry deltas between buckets, float ones absolute counts; which of the two it is, says the count.
 * Source: prompb/types.proto and prompb/io/prometheus/write/v2/types.proto of Prometheus, by their field numbers.
 */
import { type CounterResetHint, type Histogram, isStaleAt, type Span } from '@varve/tsdb-core/model'
import { ProtobufReader } from './protobuf-reader.js'

export interface HistogramSample {
  readonly timestampMs: number
  readonly startTimestampMs: number
  readonly histogram: Histogram
}

const HINTS: readonly CounterResetHint[] = ['unknown', 'reset', 'notReset', 'gauge']
const sumBits = new BigUint64Array(1)
const sumValue = new Float64Array(sumBits.buffer)
const sumHalves = new Uint32Array(sumBits.buffer)

/**
 * Decodes the message at `[at, end)`. Whether the histogram makes sense is not looked at: see `histogramProblem` of the PromQL package.
 *
 * @throws {WireError} with the offset of the field.
 */
export function decodeHistogram(bytes: Uint8Array, at: number, end: number): HistogramSample {
  const reader = new ProtobufReader(bytes, at, end)
  let timestampMs = 0
  let startTimestampMs = 0
  let integer = true
  let count = 0
  let zeroCount = 0
  let schema = 0
  let zeroThreshold = 0
  let hint: CounterResetHint = 'unknown'
  sumBits[0] = 0n
  const negative = new Side()
  const positive = new Side()
  const customValues: number[] = []
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        count = reader.uint()
        integer = true
        break
      case 2:
        count = reader.double()
        integer = false
        break
      case 3:
        sumBits[0] = reader.doubleBits()
        break
      case 4:
        schema = reader.sint32()
        break
      case 5:
        zeroThreshold = reader.double()
        break
      case 6:
        zeroCount = reader.uint()
        break
      case 7:
        zeroCount = reader.double()
        break
      case 8:
        negative.spans.push(decodeSpan(reader))
        break
      case 9:
        reader.varints(negative.deltas, 'sint64')
        break
      case 10:
        reader.doubles(negative.counts)
        break
      case 11:
        positive.spans.push(decodeSpan(reader))
        break
      case 12:
        reader.varints(positive.deltas, 'sint64')
        break
      case 13:
        reader.doubles(positive.counts)
        break
      case 14:
        hint = HINTS[reader.uint32()] ?? 'unknown'
        break
      case 15:
        timestampMs = reader.int64()
        break
      case 16:
        reader.doubles(customValues)
        break
      case 17:
        startTimestampMs = reader.int64()
        break
      default:
        reader.skip()
    }
  }
  return {
    timestampMs,
    startTimestampMs,
    histogram: {
      schema,
      zeroThreshold,
      zeroCount,
      count,
      sum: sumValue[0],
      counterResetHint: hint,
      positiveSpans: positive.spans,
      negativeSpans: negative.spans,
      positiveBuckets: positive.buckets(integer),
      negativeBuckets: negative.buckets(integer),
      customValues: Float64Array.from(customValues),
      stale: isStaleAt(sumHalves, 0),
      integer,
    },
  }
}

class Side {
  readonly spans: Span[] = []
  readonly deltas: number[] = []
  readonly counts: number[] = []

  buckets(integer: boolean): Float64Array {
    if (!integer) return Float64Array.from(this.counts)
    let count = 0
    return Float64Array.from(this.deltas, (delta) => (count += delta))
  }
}

function decodeSpan(reader: ProtobufReader): Span {
  const { at, end } = reader.span()
  const fields = new ProtobufReader(reader.bytes, at, end)
  let offset = 0
  let length = 0
  while (fields.next()) {
    if (fields.field === 1) offset = fields.sint32()
    else if (fields.field === 2) length = fields.uint32()
    else fields.skip()
  }
  return { offset, length }
}
