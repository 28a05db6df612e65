/**
 * The answer of type SAMPLES: one `prometheus.ReadResponse`, a result for each query in order, series sorted by labels.
 *
 *     ReadResponse 1 QueryResult    QueryResult 1 TimeSeries    TimeSeries 1 labels  2 samples  4 histograms
 */
import { halvesOf, type Labels, sortByLabels } from '@varve/tsdb-core/model'
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

/** So much is put together in one turn of the event loop. */
const COPIED_AT_ONCE_BYTES = 1 << 20
/** Tag and length. */
const FRAME_SIZE_MAX = 6

/** `results[q]` are the series of query q, in any order; `pause` lets the event loop turn. */
export async function encodeReadResponse(
  results: readonly (readonly EncodedSeries[])[],
  pause: () => Promise<void>,
): Promise<Uint8Array> {
  const sizes = results.map((series) =>
    series.reduce((sum, { bytes }) => sum + frameOf(bytes.length).length + bytes.length, 0),
  )
  const response = new Uint8Array(sizes.reduce((sum, size) => sum + FRAME_SIZE_MAX + size, 0))
  let at = 0
  const append = (bytes: ArrayLike<number>) => {
    response.set(bytes, at)
    at += bytes.length
  }
  for (const [i, series] of results.entries()) {
    append(frameOf(sizes[i]))
    let turnAt = at
    for (const { bytes } of await sortByLabels(series, ({ labels }) => labels, pause)) {
      append(frameOf(bytes.length))
      append(bytes)
      if (at - turnAt < COPIED_AT_ONCE_BYTES) continue
      turnAt = at
      await pause()
    }
  }
  return response.subarray(0, at)
}

/** Tag and length of a message of so many bytes, as field 1. */
function frameOf(size: number): number[] {
  const frame = [(1 << 3) | 2]
  for (; size >= 0x80; size >>>= 7) frame.push((size & 0x7f) | 0x80)
  frame.push(size)
  return frame
}

export function writeLabels(out: ProtobufWriter, labels: Labels): void {
  for (const [name, value] of labels) {
    out.message(1, () => {
      out.text(1, name)
      out.text(2, value)
    })
  }
}
