/**
 * The answer of type SAMPLES: one `prometheus.ReadResponse`, a result for each query in order, series sorted by labels.
 *
 *     ReadResponse 1 QueryResult    QueryResult 1 TimeSeries    TimeSeries 1 labels  2 samples  4 histograms
 */
import { compareLabels, halvesOf, type Labels } from '@varve/tsdb-core/model'
import { writeHistogram } from '../proto/histogram-message.js'
import { ProtobufWriter } from '../proto/protobuf-writer.js'
import type { BatchSeries } from './batch-series.js'

export interface EncodedSeries {
  readonly labels: Labels
  readonly bytes: Uint8Array
}

const writer = new ProtobufWriter()

/** One series as a `TimeSeries` message. */
export function encodeTimeSeries(series: BatchSeries, labels: Labels): EncodedSeries {
  writer.reset()
  writeLabels(writer, labels)
  const halves = halvesOf(series.values)
  for (let i = 0; i < series.values.length; i++) {
    const histogram = series.histogramAt(i)
    const timestampMs = series.timestampsMs[i]
    if (histogram !== undefined) writer.message(4, () => writeHistogram(writer, histogram, timestampMs))
    else {
      writer.message(2, () => {
        writer.doubleOf(1, halves, i)
        writer.int64(2, timestampMs)
      })
    }
  }
  return { labels, bytes: writer.finish() }
}

/** `results[q]` are the series of query q; they are sorted in place. */
export function encodeReadResponse(results: EncodedSeries[][]): Uint8Array {
  const response = new ProtobufWriter()
  for (const series of results) {
    series.sort((a, b) => compareLabels(a.labels, b.labels))
    response.message(1, () => {
      for (const { bytes } of series) response.bytes(1, bytes)
    })
  }
  return response.finish()
}

export function writeLabels(out: ProtobufWriter, labels: Labels): void {
  for (const [name, value] of labels) {
    out.message(1, () => {
      out.text(1, name)
      out.text(2, value)
    })
  }
}
