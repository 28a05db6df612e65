/**
 * Copies the block directories of a Prometheus into a namespace: floats and native histograms, without what was deleted.
 *
 * Importing twice, or going on after it was stopped, stores nothing twice: equal samples are one sample.
 */
import { decodeXorChunk } from '@varve/gorilla-codec'
import type { Namespace, SampleBatch } from '@varve/tsdb-core'
import type { FileSystem } from '@varve/tsdb-core/env'
import type { Histogram } from '@varve/tsdb-core/model'
import { CHUNK_ENCODING_XOR } from '../prometheus-chunk/format.js'
import { decodeHistogramChunk } from '../prometheus-chunk/histogram-chunk.js'
import { listBlocks, type PrometheusSeries, readBlock } from './prometheus-block/prometheus-block.js'
import type { DeletedInterval } from './prometheus-block/tombstones.js'

/** One append has at most so many samples. */
const BATCH_SIZE = 20_000
/** The most that one chunk of Prometheus can hold. */
const CHUNK_SAMPLES_MAX = 65_535

export interface ImportOptions {
  readonly files: FileSystem
  /** A Prometheus data directory, or any folder of block directories. */
  readonly directory: string
  readonly namespace: Namespace
  /** After each block and every few thousand samples. */
  readonly onProgress?: (progress: ImportProgress) => void
  readonly signal?: AbortSignal
}

export interface ImportProgress {
  readonly blockIndex: number
  readonly blockCount: number
  readonly sampleCount: number
  readonly sampleCountExpected: number
}

export interface ImportResult {
  readonly blockCount: number
  readonly seriesCount: number
  readonly sampleCount: number
  /** Samples that the namespace refused: outside its retention, or another value is stored at the time. */
  readonly rejectedCount: number
}

/** @throws {ImportError} for blocks that cannot be read; what came before the damage is stored. */
export async function importPrometheusBlocks(options: ImportOptions): Promise<ImportResult> {
  const { files, directory, namespace } = options
  const blocks = await listBlocks(files, directory)
  const sampleCountExpected = blocks.reduce((sum, block) => sum + block.sampleCount, 0)
  const batch = new Batch(namespace)
  let seriesCount = 0
  let toldAt = 0
  for (const [blockIndex, block] of blocks.entries()) {
    for await (const series of readBlock(files, `${directory}/${block.ulid}`)) {
      options.signal?.throwIfAborted()
      const [seriesRef] = await namespace.resolveLabels([series.labels])
      seriesCount++
      await appendSeries(batch, seriesRef, series)
      if (batch.sampleCount - toldAt >= BATCH_SIZE) {
        toldAt = batch.sampleCount
        options.onProgress?.({ blockIndex, blockCount: blocks.length, sampleCount: toldAt, sampleCountExpected })
      }
    }
    await batch.flush()
    options.onProgress?.({
      blockIndex: blockIndex + 1,
      blockCount: blocks.length,
      sampleCount: batch.sampleCount,
      sampleCountExpected,
    })
  }
  return { blockCount: blocks.length, seriesCount, sampleCount: batch.sampleCount, rejectedCount: batch.rejectedCount }
}

async function appendSeries(batch: Batch, seriesRef: number, series: PrometheusSeries): Promise<void> {
  const { decodedMs, decoded } = batch
  for await (const { encoding, data } of series.chunks()) {
    if (encoding === CHUNK_ENCODING_XOR) {
      const count = decodeXorChunk(data, 0, data.length, decodedMs, decoded, 0)
      for (let i = 0; i < count; i++) {
        if (isDeleted(series.deleted, decodedMs[i])) continue
        if (batch.isFull) await batch.flush()
        batch.addFloat(seriesRef, decodedMs[i], decoded, i)
      }
    } else {
      const { timestampsMs, histograms } = decodeHistogramChunk(encoding, data)
      for (let i = 0; i < histograms.length; i++) {
        if (isDeleted(series.deleted, timestampsMs[i])) continue
        if (batch.isFull) await batch.flush()
        batch.addHistogram(seriesRef, timestampsMs[i], histograms[i])
      }
    }
  }
}

function isDeleted(deleted: readonly DeletedInterval[], timestampMs: number): boolean {
  return deleted.some(({ firstMs, lastMs }) => timestampMs >= firstMs && timestampMs <= lastMs)
}

/** Columns of one append, filled sample by sample. */
class Batch {
  /** Working columns for one chunk. */
  readonly decodedMs = new Float64Array(CHUNK_SAMPLES_MAX)
  readonly decoded = new Float64Array(CHUNK_SAMPLES_MAX)
  readonly #namespace: Namespace
  readonly #seriesRefs = new Uint32Array(BATCH_SIZE)
  readonly #timestampsMs = new Float64Array(BATCH_SIZE)
  readonly #values = new Float64Array(BATCH_SIZE)
  #histogramIndexes: number[] = []
  #histograms: Histogram[] = []
  #count = 0
  sampleCount = 0
  rejectedCount = 0

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  get isFull(): boolean {
    return this.#count === BATCH_SIZE
  }

  /** Copies the value from column to column, so that a staleness marker keeps its bits. */
  addFloat(seriesRef: number, timestampMs: number, values: Float64Array, index: number): void {
    this.#values.set(values.subarray(index, index + 1), this.#count)
    this.#add(seriesRef, timestampMs)
  }

  addHistogram(seriesRef: number, timestampMs: number, histogram: Histogram): void {
    this.#values[this.#count] = 0
    this.#histogramIndexes.push(this.#count)
    this.#histograms.push(histogram)
    this.#add(seriesRef, timestampMs)
  }

  async flush(): Promise<void> {
    if (this.#count === 0) return
    const batch: SampleBatch = {
      count: this.#count,
      seriesRefs: this.#seriesRefs,
      timestampsMs: this.#timestampsMs,
      values: this.#values,
      ...(this.#histograms.length === 0
        ? {}
        : {
            histograms: { sampleIndexes: Uint32Array.from(this.#histogramIndexes), histograms: this.#histograms },
          }),
    }
    const { rejections } = await this.#namespace.append(batch)
    this.rejectedCount += rejections.length
    this.sampleCount += this.#count - rejections.length
    this.#count = 0
    this.#histogramIndexes = []
    this.#histograms = []
  }

  #add(seriesRef: number, timestampMs: number): void {
    this.#seriesRefs[this.#count] = seriesRef
    this.#timestampsMs[this.#count] = timestampMs
    this.#count++
  }
}
