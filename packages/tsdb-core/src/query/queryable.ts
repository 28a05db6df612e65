/**
 * What a query engine asks of a store, and all that it may know of it.
 *
 * Implemented by `Database` (over its shards), by the resolution planner over several namespaces, by remote sources, and
 * in memory by `@varve/tsdb-core/testing`.
 */
import type { AggregateColumn } from '../model/aggregate.js'
import type { Labels } from '../model/labels.js'
import type { Matcher } from '../model/matcher.js'
import type { SealedColumns } from './sealed-columns.js'
import type { SeriesBatch } from './series-batch.js'

export interface Queryable {
  /**
   * Samples of all series that match, in batches of at most a few thousand series and in no particular order.
   *
   * A series comes in one batch only, with all its samples in the range. A series without samples in the range may be
   * left out. Batches belong to the caller and stay valid, unless `reusesBatches` says otherwise. Iterating yields to the event loop between batches.
   *
   * @throws {StorageError} `LIMIT_EXCEEDED`, `CANCELLED`, `CORRUPT` is never thrown for one damaged unit: see `warnings`.
   */
  select(request: SelectRequest): Promise<SelectResult>

  /** Sorted by UTF-8 bytes. Without matchers: of all series with samples in the range. */
  labelNames(request: LabelRequest): Promise<LabelResult>
  labelValues(name: string, request: LabelRequest): Promise<LabelResult>
  /** The label sets alone, sorted. */
  series(request: LabelRequest): Promise<SeriesResult>
}

/** All of these must match, and one of them must not match the empty value. */
export type Matchers = readonly Matcher[]

export interface SelectRequest {
  readonly matchers: Matchers
  /** Half-open, as all storage ranges: `[startMs, endMs)`. */
  readonly startMs: number
  readonly endMs: number
  readonly hints?: SelectHints
  readonly signal?: AbortSignal
  /** Whoever asks is done with a batch when they ask for the next: the store may use the memory of its columns again. */
  readonly reusesBatches?: boolean
}

export type Extreme = 'min' | 'max'

/** What the engine knows of its purpose. A store may ignore all of it. */
export interface SelectHints {
  /** The PromQL function around the selector, `''` for an instant selector. */
  readonly function: string
  /** Of the query; 0 for an instant query. */
  readonly stepMs: number
  /** Of the range selector; for an instant selector the lookback. */
  readonly rangeMs: number
  /** First and last evaluation time, with offset and `@` already applied. */
  readonly evaluationStartMs: number
  readonly evaluationEndMs: number
  /** Labels that the aggregation around it keeps (or drops): others need not be told apart by the engine. */
  readonly grouping?: { readonly labels: readonly string[]; readonly without: boolean }
  /** Only which samples there are is wanted, and which are staleness markers: any other value may be any number. */
  readonly presenceOnly?: boolean
  /**
   * Only the least or the greatest value of each series in the range is wanted, NaN only where there is nothing else: other
   * samples may be left out, and the extreme may stand at the time of one of them.
   */
  readonly extreme?: Extreme
  /** Force one namespace, or read nothing coarser than this. */
  readonly namespace?: string
  readonly resolutionMsMax?: number
}

export interface SelectResult {
  /** Text of the symbol ids in all batches. It may grow while batches are read; an id never changes its text. */
  readonly symbols: readonly string[]
  readonly batches: AsyncIterable<SeriesBatch>
  /**
   * The same samples in another shape, where all of them lie in one sealed block: read either, and end `batches` in any case. Stays
   * in the process; whoever makes a result of others leaves it out.
   */
  readonly sealed?: SealedColumns
  /** Complete when `batches` has ended. */
  readonly warnings: readonly string[]
  readonly infos: readonly string[]
  /** Which resolution served which slice, oldest first; absent when all samples are raw. Known before the first batch. */
  readonly slices?: readonly ResolutionSlice[]
  /**
   * Of a namespace with a resolution: how many of the series may have windows in the range, but none of the column
   * that was asked for. Known before the first batch; absent where nobody asked for a column.
   */
  readonly seriesWithoutColumn?: number
  /** No more series than this. Known before the first batch; absent where it is not. */
  readonly seriesCountMax?: number
}

/**
 * Samples in `[startMs, endMs)` come from this namespace; each stands for the window `(t - resolutionMs, t]`.
 *
 * What the engine does with them. All slices of one result have the same `column`, so it is the result's:
 *
 *     absent, value, last   as with raw samples
 *     min, max              as with raw samples, for min_over_time and max_over_time
 *     sum                   sum_over_time adds them; avg_over_time divides the sum of `values` by the sum of `counts`
 *     count                 count_over_time adds them
 *     increase              each sample is the growth since the sample before it, resets accounted for: `increase` is the
 *                           sum of those in `(t - range, t]`, `rate` that over the range, without extrapolation; there is a
 *                           result when there is one sample
 *
 * Raw slices (`resolutionMs` 0) of such a result are turned into the same column by the planner, so there is no seam to
 * mind. At an evaluation time t the range, or the lookback, is at least the resolution of the slice in which t lies, and
 * the planner has read that far back; it says so in `infos`.
 */
export interface ResolutionSlice {
  readonly startMs: number
  readonly endMs: number
  readonly namespace: string
  /** 0 for raw samples. */
  readonly resolutionMs: number
  readonly column: AggregateColumn
}

export interface LabelRequest {
  readonly matchers: Matchers
  readonly startMs: number
  readonly endMs: number
  /** At most so many answers, with a warning when there were more. 0: no limit. */
  readonly limit?: number
  readonly signal?: AbortSignal
}

export interface LabelResult {
  readonly values: readonly string[]
  readonly warnings: readonly string[]
}

export interface SeriesResult {
  readonly series: readonly Labels[]
  readonly warnings: readonly string[]
}
