/**
 * A shard is an address (DESIGN D10): all access to its data is through this interface of plain, copyable values, so that
 * it can live in this thread, in a worker or on another node. Never reach around it.
 */
import type { LabelRequest, LabelResult, SelectRequest, SelectResult } from './query/queryable.js'

export interface Shard {
  /**
   * Makes series known and returns their references, in order.
   *
   * `canonicalLabels` holds the series' canonical label bytes back to back; series i is `[offsets[i], offsets[i+1])`.
   * A reference stays valid while the database is open and the series lives; `append` tells which have gone.
   */
  resolve(canonicalLabels: Uint8Array, offsets: Uint32Array): Promise<Uint32Array>
  /** Resolves once the batch is durable as the sync mode says, and every later `select` sees it. */
  append(batch: SampleBatch): Promise<AppendResult>
  select(request: SelectRequest): Promise<SelectResult>
  labelNames(request: LabelRequest): Promise<LabelResult>
  labelValues(name: string, request: LabelRequest): Promise<LabelResult>
  /** Seals and writes what is open and older than `beforeMs`; all of it when `Infinity`. */
  flush(beforeMs: number): Promise<void>
}

/** Sample k: `seriesRefs[k]`, `timestampsMs[k]`, `values[k]`. Columns may be longer than `count`. */
export interface SampleBatch {
  readonly count: number
  readonly seriesRefs: Uint32Array
  readonly timestampsMs: Float64Array
  readonly values: Float64Array
  /** 0 where a sample has none. */
  readonly startTimestampsMs?: Float64Array
  readonly histograms?: import('./query/series-batch.js').HistogramColumn
}

/**
 * Series i has samples `[sampleOffsets[i], sampleOffsets[i + 1])` of the columns, in the order of time. Columns may be longer
 * than that, and are valid until the next call for the same shard.
 */
export interface RecentSamples {
  readonly sampleOffsets: Uint32Array
  readonly timestampsMs: Float64Array
  readonly values: Float64Array
  /** Places of series that were not read: ask `select` for them. */
  readonly unread: readonly number[]
}

export interface AppendResult {
  readonly appendedCount: number
  /** Samples that were not stored; each with its place in the batch and the reason. Good samples of the batch are stored. */
  readonly rejections: readonly Rejection[]
}

export interface Rejection {
  readonly sampleIndex: number
  readonly reason: RejectionReason
}

/** `DUPLICATE`: another value is stored for this timestamp. `UNKNOWN_SERIES`: resolve again and repeat. */
export type RejectionReason = 'TOO_OLD' | 'TOO_FAR_AHEAD' | 'DUPLICATE' | 'UNKNOWN_SERIES'
