/**
 * The section Histograms of a block: for each series and column that has any, its native histograms in chunks.
 *
 *     run        series varint, column u8, chunks varint, then for each chunk:
 *     chunk      size varint, a sealed timestamp column; size varint, a sealed value column of start timestamps (size 0:
 *                none has one); size varint, a histogram chunk
 *
 * Chunks stay encoded until a query reads their time. Page: docs/formats/block.md.
 */
import {
  decodeSealedTimestamps,
  decodeSealedValues,
  encodeSealedTimestamps,
  encodeSealedValues,
  readSealedTimestampsHeader,
  sealedTimestampsSizeMax,
  sealedValuesSizeMax,
} from '@varve/gorilla-codec'
import type { HistogramRun } from '../head/histogram-store.js'
import { decodeHistogramChunk, encodeHistogramChunk } from '../histogram-chunk/histogram-chunk.js'
import { COLUMN_STRIDE } from '../model/columns.js'
import type { Histogram } from '../model/histogram.js'
import type { ByteCursor, ByteSink } from './byte-cursor.js'

/** Two hours at 15 s: a query of a few minutes decodes no more of a series. */
const HISTOGRAMS_PER_CHUNK = 480

export function writeHistogramRun(out: ByteSink, series: number, column: number, run: HistogramRun): void {
  const count = run.histograms.length
  out.varint(series)
  out.u8(column)
  out.varint(Math.ceil(count / HISTOGRAMS_PER_CHUNK))
  for (let from = 0; from < count; from += HISTOGRAMS_PER_CHUNK) {
    const to = Math.min(count, from + HISTOGRAMS_PER_CHUNK)
    writeSized(out, sealedTimes(run.timestampsMs, from, to))
    writeSized(out, sealedStarts(run.startTimestampsMs, from, to))
    writeSized(out, encodeHistogramChunk(run.histograms.slice(from, to)))
  }
}

/** The histograms of one block, by series and column. */
export class HistogramRuns {
  readonly #runs = new Map<number, EncodedChunk[]>()
  /** What the encoded chunks take. */
  readonly sizeBytes: number

  private constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes
  }

  /** @throws {StorageError} `CORRUPT` with the place, for a directory that contradicts itself. */
  static read(from: ByteCursor, runCount: number): HistogramRuns {
    const runs = new HistogramRuns(from.bytes.length)
    for (let i = 0; i < runCount; i++) {
      const series = from.varint()
      const column = from.u8()
      if (column >= COLUMN_STRIDE) throw from.corrupt(`column ${column}`)
      const chunks = Array.from({ length: from.count(3) }, () => readChunk(from))
      runs.#runs.set(series * COLUMN_STRIDE + column, chunks)
    }
    from.end()
    return runs
  }

  has(series: number, column: number): boolean {
    return this.#runs.has(series * COLUMN_STRIDE + column)
  }

  /** How many histograms there are, at most, in `[startMs, endMs)`. */
  count(series: number, column: number, startMs: number, endMs: number): number {
    return this.#overlapping(series, column, startMs, endMs).reduce((sum, chunk) => sum + chunk.count, 0)
  }

  /**
   * Decodes what may lie in `[startMs, endMs)`: whole chunks, so there may be more at either end.
   *
   * @throws {StorageError} `CORRUPT`, {CodecError} for chunks that contradict themselves behind a good checksum.
   */
  decode(series: number, column: number, startMs: number, endMs: number): HistogramRun | undefined {
    const chunks = this.#overlapping(series, column, startMs, endMs)
    if (chunks.length === 0) return undefined
    const run: HistogramRun = { timestampsMs: [], startTimestampsMs: [], histograms: [] }
    for (const chunk of chunks) decodeChunk(chunk, run)
    return run
  }

  /** Decodes everything once: for a check of the whole block. */
  verify(): void {
    for (const chunks of this.#runs.values()) {
      for (const chunk of chunks) decodeChunk(chunk, { timestampsMs: [], startTimestampsMs: [], histograms: [] })
    }
  }

  #overlapping(series: number, column: number, startMs: number, endMs: number): EncodedChunk[] {
    const chunks = this.#runs.get(series * COLUMN_STRIDE + column) ?? []
    return chunks.filter(({ firstMs, lastMs }) => firstMs < endMs && lastMs >= startMs)
  }
}

interface EncodedChunk {
  readonly count: number
  readonly firstMs: number
  readonly lastMs: number
  readonly times: Uint8Array
  readonly starts: Uint8Array
  readonly histograms: Uint8Array
  /** For errors. */
  readonly from: ByteCursor
}

function readChunk(from: ByteCursor): EncodedChunk {
  const times = from.take(from.varint())
  const { count, firstMs, lastMs } = readSealedTimestampsHeader(times, 0, times.length)
  return { count, firstMs, lastMs, times, starts: from.take(from.varint()), histograms: from.take(from.varint()), from }
}

function decodeChunk(chunk: EncodedChunk, run: HistogramRun): void {
  const { times, starts, from } = chunk
  const column = new Float64Array(chunk.count)
  const count = decodeSealedTimestamps(times, 0, times.length, column, 0)
  const decoded: Histogram[] = decodeHistogramChunk(chunk.histograms)
  if (decoded.length !== count) throw from.corrupt(`${decoded.length} histograms at ${count} times`)
  for (let i = 0; i < count; i++) run.timestampsMs.push(column[i])
  column.fill(0)
  if (starts.length > 0) {
    const startCount = decodeSealedValues(starts, 0, starts.length, column, 0)
    if (startCount !== count) throw from.corrupt(`${startCount} start timestamps of ${count} histograms`)
  }
  for (let i = 0; i < count; i++) {
    run.startTimestampsMs.push(column[i])
    run.histograms.push(decoded[i])
  }
}

function sealedTimes(timestampsMs: readonly number[], from: number, to: number): Uint8Array {
  const out = new Uint8Array(sealedTimestampsSizeMax(to - from))
  return out.subarray(0, encodeSealedTimestamps(Float64Array.from(timestampsMs.slice(from, to)), 0, to - from, out, 0))
}

function sealedStarts(startTimestampsMs: readonly number[], from: number, to: number): Uint8Array {
  const column = Float64Array.from(startTimestampsMs.slice(from, to))
  if (column.every((start) => start === 0)) return new Uint8Array()
  const out = new Uint8Array(sealedValuesSizeMax(to - from))
  return out.subarray(0, encodeSealedValues(column, 0, to - from, out, 0))
}

function writeSized(out: ByteSink, bytes: Uint8Array): void {
  out.varint(bytes.length)
  out.raw(bytes)
}
