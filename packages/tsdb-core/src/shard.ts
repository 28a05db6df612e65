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
 * Samples of many series, in runs of series in a row that have the same times. Each run has four numbers in `runs`: the place
 * behind its last series, how many samples each of them has, and where its times and its values begin.
 *
 *     timestampsMs   t0  t1  t2                                      of the run's n samples
 *     values         v(0, series 0)  v(0, series 1)  …  v(1, series 0)  v(1, series 1)  …  by sample, then series
 *
 * Times rise. Columns may be longer than what is taken of them, and are valid until the next call for the same shard.
 */
export interface RecentSamples {
  readonly runCount: number
  readonly runs: Uint32Array
  readonly timestampsMs: Float64Array
  readonly values: Float64Array
  /** Places of series that were not read, rising: ask `select` for them. They have no samples here. */
  readonly unread: readonly number[]
}

/** Numbers of a run in `RecentSamples.runs`. */
export const RUN_STRIDE = 4

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
