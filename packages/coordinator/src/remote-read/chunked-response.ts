/**
 * The answer of type STREAMED_XOR_CHUNKS: frames, one series each, queries in order and their series sorted by labels.
 *
 *     frame                  length of the payload, varint | CRC-32C of the payload, 4 bytes big-endian | payload
 *     ChunkedReadResponse    1 ChunkedSeries   2 query index
 *     ChunkedSeries          1 labels   2 chunks
 *     Chunk                  1 first ms   2 last ms   3 type (1 XOR, 2 histogram, 3 float histogram)   4 data
 *
 * Go's client takes one series from a frame, so a series is never put together with another. It sorts nothing: series are
 * held as compressed frames, some two bytes a sample, until all of a query are there.
 * Source: prompb/remote.proto, storage/remote/chunked.go of Prometheus.
 */
import { crc32c, encodeXorChunk, xorChunkSizeMax } from '@varve/gorilla-codec'
import type { Histogram, Labels } from '@varve/tsdb-core/model'
import { CHUNK_ENCODING_XOR } from '../prometheus-chunk/format.js'
import { encodeHistogramChunks } from '../prometheus-chunk/histogram-chunk.js'
import { ProtobufWriter, varintSizeOf } from '../proto/protobuf-writer.js'
import type { BatchSeries } from './batch-series.js'
import { type EncodedSeries, writeLabels } from './sampled-response.js'

/** Where Prometheus cuts a chunk too. */
const SAMPLES_PER_CHUNK = 120

const writer = new ProtobufWriter()
const chunk = new Uint8Array(xorChunkSizeMax(SAMPLES_PER_CHUNK))

/** One series as a frame. Memory: the bytes are the caller's. */
export function encodeChunkedSeries(series: BatchSeries, labels: Labels, queryIndex: number): EncodedSeries {
  writer.reset()
  writer.message(1, () => {
    writeLabels(writer, labels)
    const count = series.values.length
    for (let from = 0; from < count; ) {
      const first = series.histogramAt(from)
      if (first !== undefined) {
        from = writeHistogramRun(series, from, first)
        continue
      }
      let to = from + 1
      while (to < count && to - from < SAMPLES_PER_CHUNK && series.histogramAt(to) === undefined) to++
      const size = encodeXorChunk(series.timestampsMs, series.values, from, to, chunk, 0)
      writeChunk(series.timestampsMs[from], series.timestampsMs[to - 1], CHUNK_ENCODING_XOR, chunk.subarray(0, size))
      from = to
    }
  })
  writer.int64(2, queryIndex)
  return { labels, bytes: frameOf(writer.view()) }
}

/** Writes the histograms from `from` on up to the next float, and returns where that stands. */
function writeHistogramRun(series: BatchSeries, from: number, first: Histogram): number {
  const histograms: Histogram[] = [first]
  let to = from + 1
  for (; to < series.values.length; to++) {
    const histogram = series.histogramAt(to)
    if (histogram === undefined) break
    histograms.push(histogram)
  }
  const timestampsMs = series.timestampsMs.subarray(from, to)
  for (const { firstMs, lastMs, encoding, data } of encodeHistogramChunks({ timestampsMs, histograms })) {
    writeChunk(firstMs, lastMs, encoding, data)
  }
  return to
}

function writeChunk(firstMs: number, lastMs: number, type: number, data: Uint8Array): void {
  writer.message(2, () => {
    writer.int64(1, firstMs)
    writer.int64(2, lastMs)
    writer.uint(3, type)
    writer.bytes(4, data)
  })
}

function frameOf(payload: Uint8Array): Uint8Array {
  const lengthSize = varintSizeOf(payload.length)
  const frame = new Uint8Array(lengthSize + 4 + payload.length)
  let length = payload.length
  for (let i = 0; i < lengthSize; i++) {
    frame[i] = (length & 0x7f) | (i < lengthSize - 1 ? 0x80 : 0)
    length = Math.floor(length / 128)
  }
  new DataView(frame.buffer).setUint32(lengthSize, crc32c(payload, 0, payload.length), false)
  frame.set(payload, lengthSize + 4)
  return frame
}
