/** Native histograms of a sample batch: the few samples that are one, each written whole. Page: docs/formats/commit-log.md. */

import type { ByteReader, ByteWriter } from '../bytes/byte-writer.js'
import type { CounterResetHint, Histogram, Span } from '../model/histogram.js'
import type { HistogramColumn } from '../query/series-batch.js'
import { readSignedVarint, readValues, writeSignedVarint, writeValues } from './columns.js'

const HINTS: readonly CounterResetHint[] = ['unknown', 'reset', 'notReset', 'gauge']
const HINT_MASK = 3
const STALE = 4
const INTEGER = 8
/** Index, flags, schema, four numbers, two empty span lists, three empty columns: a staleness marker is no longer. */
const HISTOGRAM_SIZE_BYTES_MIN = 40

export function writeHistogramColumn(out: ByteWriter, column: HistogramColumn): void {
  out.varint(column.histograms.length)
  let before = 0
  column.histograms.forEach((histogram, i) => {
    out.varint(column.sampleIndexes[i] - before)
    before = column.sampleIndexes[i]
    writeHistogram(out, histogram)
  })
}

export function readHistogramColumn(from: ByteReader, sampleCount: number): HistogramColumn {
  const count = from.count(HISTOGRAM_SIZE_BYTES_MIN)
  const sampleIndexes = new Uint32Array(count)
  const histograms: Histogram[] = []
  let index = 0
  for (let i = 0; i < count; i++) {
    const step = from.varint()
    index += step
    if (index >= sampleCount || (step === 0 && i > 0)) {
      throw from.error(`histogram of sample ${index}, after ${i} histograms of ${sampleCount} samples`)
    }
    sampleIndexes[i] = index
    histograms.push(readHistogram(from))
  }
  return { sampleIndexes, histograms }
}

function writeHistogram(out: ByteWriter, histogram: Histogram): void {
  const hint = HINTS.indexOf(histogram.counterResetHint)
  out.u8(hint | (histogram.stale ? STALE : 0) | (histogram.integer ? INTEGER : 0))
  writeSignedVarint(out, histogram.schema)
  out.f64(histogram.zeroThreshold)
  out.f64(histogram.zeroCount)
  out.f64(histogram.count)
  out.f64(histogram.sum)
  writeSpans(out, histogram.positiveSpans)
  writeSpans(out, histogram.negativeSpans)
  writeBuckets(out, histogram.positiveBuckets)
  writeBuckets(out, histogram.negativeBuckets)
  writeBuckets(out, histogram.customValues)
}

function readHistogram(from: ByteReader): Histogram {
  const flags = from.u8()
  if (flags & ~(HINT_MASK | STALE | INTEGER)) throw from.error(`unknown histogram flags ${flags}`)
  return {
    counterResetHint: HINTS[flags & HINT_MASK],
    stale: (flags & STALE) !== 0,
    integer: (flags & INTEGER) !== 0,
    schema: readSignedVarint(from),
    zeroThreshold: from.f64(),
    zeroCount: from.f64(),
    count: from.f64(),
    sum: from.f64(),
    positiveSpans: readSpans(from),
    negativeSpans: readSpans(from),
    positiveBuckets: readBuckets(from),
    negativeBuckets: readBuckets(from),
    customValues: readBuckets(from),
  }
}

function writeSpans(out: ByteWriter, spans: readonly Span[]): void {
  out.varint(spans.length)
  for (const span of spans) {
    writeSignedVarint(out, span.offset)
    out.varint(span.length)
  }
}

function readSpans(from: ByteReader): Span[] {
  const count = from.count(2)
  return Array.from({ length: count }, () => ({ offset: readSignedVarint(from), length: from.varint() }))
}

function writeBuckets(out: ByteWriter, buckets: Float64Array): void {
  out.varint(buckets.length)
  if (buckets.length > 0) writeValues(out, buckets, buckets.length)
}

function readBuckets(from: ByteReader): Float64Array {
  const count = from.count(8)
  return count === 0 ? new Float64Array() : readValues(from, count)
}
