/**
 * The answer of a remote read in its `SAMPLES` form, into columns.
 *
 * Values are copied by their bits: a staleness marker would not survive a plain number in every engine.
 */
import { type Histogram, Labels } from '@varve/tsdb-core/model'
import { decodeHistogram, type HistogramSample } from '../ingest/histogram-wire.js'
import { ProtobufReader } from '../ingest/protobuf-reader.js'
import type { SampleColumns } from './merge-replicas.js'

export interface RemoteSeries extends SampleColumns {
  readonly labels: Labels
}

/** @throws {WireError} for bytes that are not such a message. */
export function decodeReadResponse(bytes: Uint8Array): RemoteSeries[] {
  return [...seriesOfResponse(bytes)]
}

/**
 * The same, with a turn of the event loop now and then: answers are as large as their servers like.
 *
 * @throws as `decodeReadResponse`, and what `pause` throws.
 */
export async function decodeReadResponseInTurns(
  bytes: Uint8Array,
  pause: () => Promise<void>,
): Promise<RemoteSeries[]> {
  const series: RemoteSeries[] = []
  let sampleCount = 0
  for (const one of seriesOfResponse(bytes)) {
    series.push(one)
    sampleCount += one.timestampsMs.length + SAMPLES_PER_SERIES
    if (sampleCount < SAMPLES_PER_TURN) continue
    sampleCount = 0
    await pause()
  }
  return series
}

/** Some milliseconds of decoding. */
const SAMPLES_PER_TURN = 50_000
/** What a series costs besides its samples, in samples. */
const SAMPLES_PER_SERIES = 20

function* seriesOfResponse(bytes: Uint8Array): Generator<RemoteSeries> {
  const response = new ProtobufReader(bytes)
  while (response.next()) {
    if (response.field !== 1) {
      response.skip()
      continue
    }
    const resultSpan = response.span()
    const result = new ProtobufReader(bytes, resultSpan.at, resultSpan.end)
    while (result.next()) {
      if (result.field !== 1) {
        result.skip()
        continue
      }
      const one = decodeSeries(bytes, result.span())
      if (one.timestampsMs.length > 0) yield one
    }
  }
}

function decodeSeries(bytes: Uint8Array, { at, end }: { at: number; end: number }): RemoteSeries {
  const pairs: [string, string][] = []
  let timestampsMs = new Float64Array(16)
  let valueBits = new BigUint64Array(16)
  let count = 0
  const histograms: HistogramSample[] = []
  const reader = new ProtobufReader(bytes, at, end)
  while (reader.next()) {
    if (reader.field === 1) pairs.push(decodeLabel(bytes, reader.span()))
    else if (reader.field === 2) {
      if (count === timestampsMs.length) {
        timestampsMs = grown(timestampsMs, new Float64Array(count * 2))
        valueBits = grown(valueBits, new BigUint64Array(count * 2))
      }
      const span = reader.span()
      const sample = new ProtobufReader(bytes, span.at, span.end)
      while (sample.next()) {
        if (sample.field === 1) valueBits[count] = sample.doubleBits()
        else if (sample.field === 2) timestampsMs[count] = sample.int64()
        else sample.skip()
      }
      count++
    } else if (reader.field === 4) {
      const span = reader.span()
      histograms.push(decodeHistogram(bytes, span.at, span.end))
    } else reader.skip()
  }
  const values = new Float64Array(valueBits.buffer, 0, count)
  const labels = Labels.from(pairs)
  const floats = { timestampsMs: timestampsMs.subarray(0, count), values }
  return { labels, ...(histograms.length === 0 ? floats : withHistograms(floats, histograms)) }
}

/** Floats and histograms of a series, each sorted by time, as one run. At one time the histogram wins. */
function withHistograms(
  { timestampsMs, values }: SampleColumns,
  histograms: readonly HistogramSample[],
): SampleColumns {
  const capacity = timestampsMs.length + histograms.length
  const mergedMs = new Float64Array(capacity)
  const mergedValues = new Float64Array(capacity)
  const merged: (Histogram | undefined)[] = []
  let count = 0
  for (let f = 0, h = 0; f < timestampsMs.length || h < histograms.length; ) {
    const floatMs = f < timestampsMs.length ? timestampsMs[f] : Number.POSITIVE_INFINITY
    const histogramMs = h < histograms.length ? histograms[h].timestampMs : Number.POSITIVE_INFINITY
    mergedMs[count] = Math.min(floatMs, histogramMs)
    if (histogramMs <= floatMs) merged[count] = histograms[h++].histogram
    else mergedValues.set(values.subarray(f, f + 1), count)
    if (floatMs <= histogramMs) f++
    count++
  }
  return { timestampsMs: mergedMs.subarray(0, count), values: mergedValues.subarray(0, count), histograms: merged }
}

function decodeLabel(bytes: Uint8Array, { at, end }: { at: number; end: number }): [string, string] {
  let name = ''
  let value = ''
  const reader = new ProtobufReader(bytes, at, end)
  while (reader.next()) {
    if (reader.field !== 1 && reader.field !== 2) {
      reader.skip()
      continue
    }
    const span = reader.span()
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + span.at, span.end - span.at).toString('utf8')
    if (reader.field === 1) name = text
    else value = text
  }
  return [name, value]
}

function grown<T extends Float64Array | BigUint64Array>(from: T, into: T): T {
  into.set(from as never)
  return into
}
