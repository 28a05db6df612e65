/**
 * The commit log as a database uses it: one for all namespaces, with each epoch of it readable by itself.
 *
 * An epoch is a run of segments that begins at a rotation. References are declared again in each epoch before they are used,
 * so everything before an epoch can be removed once its samples are sealed.
 */
import { ByteWriter } from './bytes/byte-writer.js'
import { type CommitLog, RecordType } from './commit-log/index.js'
import {
  encodeSampleBatch,
  encodeSeriesDeclarations,
  encodeTombstones,
  encodeWatermarks,
  type Tombstones,
} from './commit-log/records.js'
import { encodeWindowBatch, SERIES_PER_WINDOW_RECORD } from './commit-log/window-record.js'
import type { SeriesTable } from './head/series-table.js'
import type { Watermark } from './namespace.js'
import type { SampleBatch } from './shard.js'
import type { WindowBatch } from './window-batch.js'

/** A batch is cut so that its record stays far below the largest that the log takes. */
const SAMPLES_PER_RECORD = 1024 * 1024
/** One histogram may take a few kilobytes. */
const SAMPLES_PER_RECORD_WITH_HISTOGRAMS = 2 * 1024
const SERIES_PER_TOMBSTONES = 1024 * 1024
const DECLARATIONS_SIZE_BYTES = 4 * 1024 * 1024

export interface LogTarget {
  readonly namespaceId: number
  readonly shard: number
  readonly series: SeriesTable
}

/** How a watermark is named in the log. */
export function watermarkKey(policy: string, shard: number): string {
  return `${shard} ${policy}`
}

export class DatabaseLog {
  readonly #log: CommitLog
  readonly #writer = new ByteWriter()
  /** First segment of each epoch that is still there. */
  readonly #epochs: number[] = [0]
  #declarationRounds = 1

  constructor(log: CommitLog) {
    this.#log = log
  }

  /** Samples that are appended from now on stand in this segment or a later one. */
  get segment(): number {
    return this.#epochs[this.#epochs.length - 1]
  }

  /**
   * Rises when series have to be declared again with their next sample: after a rotation, and whenever the log refused
   * records, since what was taken for declared may have been among them.
   */
  get declarationEpoch(): number {
    return this.#declarationRounds + this.#log.counts.refusals
  }

  get sizeBytes(): number {
    let sizeBytes = 0
    for (const segment of this.#log.segments()) sizeBytes += segment.sizeBytes
    return sizeBytes
  }

  /** Resolves once the records are durable. They are encoded before the call returns. */
  append(
    target: LogTarget,
    undeclared: readonly number[],
    batch: SampleBatch,
    watermarks: readonly Watermark[] | undefined,
  ): Promise<void> {
    return this.#orForget(this.#append(target, undeclared, batch, watermarks))
  }

  /** The same of a window of aggregated series. A deferred one waits for others, or for `writeDeferred`. */
  appendWindow(
    target: LogTarget,
    undeclared: readonly number[],
    batch: WindowBatch,
    isDeferred: boolean,
  ): Promise<void> {
    return this.#orForget(this.#appendWindow(target, undeclared, batch, isDeferred))
  }

  writeDeferred(): void {
    this.#log.writeDeferred()
  }

  /** Logs that samples of these series are deleted, as far as they were logged before. */
  appendTombstones(
    target: LogTarget,
    undeclared: readonly number[],
    deleted: Pick<Tombstones, 'startMs' | 'endMs' | 'seriesRefs'>,
  ): Promise<void> {
    return this.#orForget(this.#appendTombstones(target, undeclared, deleted))
  }

  /** A record that could not be appended may have held declarations. */
  async #orForget(appended: Promise<void>): Promise<void> {
    try {
      await appended
    } catch (error) {
      this.#declarationRounds++
      throw error
    }
  }

  async #append(
    target: LogTarget,
    undeclared: readonly number[],
    batch: SampleBatch,
    watermarks: readonly Watermark[] | undefined,
  ): Promise<void> {
    const { namespaceId, shard } = target
    const writer = this.#writer
    const appended: Promise<void>[] = []
    for (const refs of declarationParts(target.series, undeclared)) appended.push(this.#declare(target, refs))
    const pieces = [...parts(batch)]
    for (const [index, piece] of pieces.entries()) {
      const samples = { namespaceId, shard, batch: piece }
      writer.length = 0
      // Watermarks stand with the last samples: those before it without them are windows that are computed again.
      if (watermarks === undefined || index < pieces.length - 1) {
        encodeSampleBatch(writer, samples)
        appended.push(this.#log.append(RecordType.SampleBatch, [writer.view()]))
        continue
      }
      const marks = watermarks.map((mark) => ({
        key: watermarkKey(mark.policy, mark.shard),
        windowEndMs: mark.timestampMs,
        computation: 0,
      }))
      encodeWatermarks(writer, { marks, samples })
      appended.push(this.#log.append(RecordType.Watermarks, [writer.view()]))
    }
    if (appended.length === 1) await appended[0]
    else await settled(appended)
  }

  async #appendWindow(
    target: LogTarget,
    undeclared: readonly number[],
    batch: WindowBatch,
    isDeferred: boolean,
  ): Promise<void> {
    const { namespaceId, shard } = target
    const appended = [...declarationParts(target.series, undeclared)].map((refs) => this.#declare(target, refs))
    for (let from = 0; from < batch.count; from += SERIES_PER_WINDOW_RECORD) {
      const to = Math.min(batch.count, from + SERIES_PER_WINDOW_RECORD)
      const part: WindowBatch = {
        timestampMs: batch.timestampMs,
        count: to - from,
        seriesRefs: batch.seriesRefs.subarray(from, to),
        masks: batch.masks.subarray(from, to),
        columns: batch.columns.map(({ column, values }) => ({ column, values: values.subarray(from, to) })),
      }
      this.#writer.length = 0
      encodeWindowBatch(this.#writer, { namespaceId, shard, batch: part })
      const parts = [this.#writer.view()]
      appended.push(
        isDeferred
          ? this.#log.appendDeferred(RecordType.WindowBatch, parts)
          : this.#log.append(RecordType.WindowBatch, parts),
      )
    }
    if (appended.length === 1) await appended[0]
    else await settled(appended)
  }

  async #appendTombstones(
    target: LogTarget,
    undeclared: readonly number[],
    { startMs, endMs, seriesRefs }: Pick<Tombstones, 'startMs' | 'endMs' | 'seriesRefs'>,
  ): Promise<void> {
    const appended = [...declarationParts(target.series, undeclared)].map((refs) => this.#declare(target, refs))
    const { namespaceId, shard } = target
    for (let from = 0; from < seriesRefs.length; from += SERIES_PER_TOMBSTONES) {
      const part = seriesRefs.subarray(from, from + SERIES_PER_TOMBSTONES)
      this.#writer.length = 0
      encodeTombstones(this.#writer, { namespaceId, shard, startMs, endMs, seriesRefs: part })
      appended.push(this.#log.append(RecordType.Tombstones, [this.#writer.view()]))
    }
    await settled(appended)
  }

  /**
   * Begins an epoch; resolves with its first segment. What was appended before this call stands in earlier segments, what is
   * appended after it declares its series again.
   */
  async rotate(): Promise<number> {
    this.#declarationRounds++
    const segment = await this.#log.rotate()
    this.#epochs.push(segment)
    return segment
  }

  /** Removes the epochs that end before `segment`; returns the first segment that is left. */
  async removeBefore(segment: number): Promise<number> {
    let first = this.#epochs[0]
    while (this.#epochs.length > 1 && this.#epochs[1] <= segment) {
      this.#epochs.shift()
      first = this.#epochs[0]
    }
    await this.#log.removeBefore(first)
    return first
  }

  async close(): Promise<void> {
    await this.#log.close()
  }

  #declare({ namespaceId, shard, series }: LogTarget, refs: readonly number[]): Promise<void> {
    const offsets = new Uint32Array(refs.length + 1)
    refs.forEach((ref, i) => {
      offsets[i + 1] = offsets[i] + series.canonicalSize(ref)
    })
    const canonicalLabels = new Uint8Array(offsets[refs.length])
    refs.forEach((ref, i) => {
      series.writeCanonical(ref, canonicalLabels, offsets[i])
    })
    this.#writer.length = 0
    const seriesRefs = Uint32Array.from(refs)
    encodeSeriesDeclarations(this.#writer, { namespaceId, shard, seriesRefs, canonicalLabels, offsets })
    return this.#log.append(RecordType.SeriesDeclarations, [this.#writer.view()])
  }
}

/** All of them, failed or not; then the first failure, so that none goes unseen. */
async function settled(appended: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(appended)
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

/** Runs of references whose labels together stay far below the largest record. */
function* declarationParts(series: SeriesTable, refs: readonly number[]): Generator<readonly number[]> {
  let from = 0
  let sizeBytes = 0
  for (let i = 0; i < refs.length; i++) {
    sizeBytes += series.canonicalSize(refs[i])
    if (sizeBytes < DECLARATIONS_SIZE_BYTES) continue
    yield refs.slice(from, i + 1)
    from = i + 1
    sizeBytes = 0
  }
  if (from < refs.length) yield from === 0 ? refs : refs.slice(from)
}

function* parts(batch: SampleBatch): Generator<SampleBatch> {
  const countMax = batch.histograms === undefined ? SAMPLES_PER_RECORD : SAMPLES_PER_RECORD_WITH_HISTOGRAMS
  if (batch.count <= countMax) {
    yield batch
    return
  }
  for (let from = 0; from < batch.count; from += countMax) {
    const to = Math.min(batch.count, from + countMax)
    const { histograms } = batch
    const first = histograms === undefined ? 0 : histograms.sampleIndexes.findIndex((index) => index >= from)
    const kept = histograms?.sampleIndexes.filter((index) => index >= from && index < to).map((index) => index - from)
    yield {
      count: to - from,
      seriesRefs: batch.seriesRefs.subarray(from, to),
      timestampsMs: batch.timestampsMs.subarray(from, to),
      values: batch.values.subarray(from, to),
      ...(batch.startTimestampsMs !== undefined && { startTimestampsMs: batch.startTimestampsMs.subarray(from, to) }),
      ...(histograms !== undefined &&
        kept !== undefined &&
        kept.length > 0 && {
          histograms: { sampleIndexes: kept, histograms: histograms.histograms.slice(first, first + kept.length) },
        }),
    }
  }
}
