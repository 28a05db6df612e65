/**
 * A named store with its own retention, block size and resolution: what callers append to and select from.
 *
 * A raw namespace is a set of samples: equal timestamps are settled by one total order (DESIGN D5). In a namespace with a
 * resolution a window is replaced whole by what is written later.
 */
import type { AggregateColumn } from './model/aggregate.js'
import type { Histogram } from './model/histogram.js'
import type { Labels } from './model/labels.js'
import type { NamespaceOptions } from './options.js'
import type {
  LabelRequest,
  LabelResult,
  Matchers,
  Queryable,
  SelectRequest,
  SelectResult,
  SeriesResult,
} from './query/queryable.js'
import type { AppendResult, RecentSamples, SampleBatch } from './shard.js'
import type { WindowBatch, WindowResult } from './window-batch.js'

export interface Namespace extends Queryable {
  readonly name: string
  readonly options: NamespaceOptions

  /**
   * Makes series known and returns their references, in order.
   *
   * `canonicalLabels` holds canonical label bytes back to back (model/canonical-labels.ts); series i is
   * `[offsets[i], offsets[i+1])`, so `offsets` has one more element than there are series. Without `offsets` objects: cache
   * the references and the steady state has neither strings nor objects.
   *
   * A reference is valid until `close`, or until its series has been idle so long that it was evicted from the head. A
   * caller learns of that by the rejection `UNKNOWN_SERIES` of `append` (resolve again and repeat that sample) or earlier
   * by `SeriesObserver.seriesEvicted`. A reference is never given to another series while the database is open.
   *
   * @throws {StorageError} `INVALID_ARGUMENT` for bytes that are not canonical (nothing is made known), `LIMIT_EXCEEDED`
   *   for more series than the limits allow (those before it in the batch stay known).
   */
  resolve(canonicalLabels: Uint8Array, offsets: Uint32Array): Promise<Uint32Array>

  /**
   * The same from labels. In a namespace with a resolution each column of a series has its own reference: with `column`
   * that of this column, without that of the column `value`.
   */
  resolveLabels(series: readonly Labels[], column?: AggregateColumn): Promise<Uint32Array>

  /** The reference of a column of the series whose column `value` has this one. */
  columnRef(seriesRef: number, column: AggregateColumn): number

  /**
   * Stores a batch of columns; see `SampleBatch`. The columns belong to the caller again once it has resolved.
   *
   * Resolves once the stored samples are durable as `syncMode` says; every later `select` sees them. Refused samples are
   * in `rejections`, all others are stored. `TOO_OLD`: older than the retention; `TOO_FAR_AHEAD`: over `futureMsMax` ahead
   * of the clock; `DUPLICATE`: the head holds another value for that timestamp (an identical one is a success).
   *
   * @throws {StorageError} `UNAVAILABLE` (memory budget: try again), `READ_ONLY` (disk full), `CLOSED`. Nothing of the
   *   batch is acknowledged then; repeating it is harmless.
   */
  append(batch: SampleBatch, options?: AppendOptions): Promise<AppendResult>

  /**
   * Stores one window of many series of a namespace with a resolution: what `append` does of as many samples, at a fraction
   * of its cost when windows come in their order and series in the same order as before. See `WindowBatch`.
   *
   * Its columns belong to the caller again once it has resolved: the window is then durable as `syncMode` says, or, when it was
   * deferred, once `WindowResult.durable` has resolved.
   * @throws {StorageError} as `append`; `INVALID_ARGUMENT` for a namespace of raw samples.
   */
  appendWindow(batch: WindowBatch, options?: WindowAppendOptions): Promise<WindowResult>

  /** Begins to write deferred windows, which otherwise wait for other appends or for more of them. */
  writeDeferred(): void

  /**
   * Stores samples given as objects: convenient for small amounts; `append` is the fast way.
   *
   * @throws {StorageError} as `append`; `INVALID_ARGUMENT` for a sample that is none (its value no number, its time not whole
   *   milliseconds, no metric name), naming its place. Then none of the call is stored, nor its series made known.
   */
  appendSamples(samples: Iterable<LabelledSample>): Promise<AppendResult>

  /**
   * As `Queryable.select`; in a namespace with a resolution `request.column` picks the aggregate.
   *
   * Batches carry `seriesRefs`: the references of `resolve`. Without `hints` a series that only sealed blocks have gets a
   * reference too, for `labelsOf` and as a key, though nothing can be appended to it; with `hints` it has 0.
   */
  select(request: NamespaceSelectRequest): Promise<SelectResult>

  /**
   * Reads samples of `[startMs, endMs)` of these series of raw samples from the head, without selectors and labels: for
   * whoever reads what has just come in again and again. Null: not all of the range lies in one open block, ask `select`.
   * The columns are valid until the next call for this namespace.
   */
  readRecent(seriesRefs: Uint32Array, startMs: number, endMs: number): Promise<RecentSamples | null>

  /**
   * As in `Queryable`; what is left out of the request is all series, the whole range of time, no limit. A range counts by
   * whole blocks: a series with samples only beside it, in a block that it touches, may be listed.
   */
  labelNames(request?: Partial<LabelRequest>): Promise<LabelResult>
  labelValues(name: string, request?: Partial<LabelRequest>): Promise<LabelResult>
  series(request?: Partial<LabelRequest>): Promise<SeriesResult>

  /** Labels of a known series, or `undefined` when the reference is unknown. Builds an object: not for hot paths. */
  labelsOf(seriesRef: number): Labels | undefined

  /** Whether `select` with `coldRefs` gave this reference to a series that only sealed blocks had: it gets another one with its next sample. */
  isColdRef(seriesRef: number): boolean

  /** References of all series that the head holds, rising. A copy. */
  headSeries(): Uint32Array

  /** Be told of new series, stored samples and evicted series. Returns a function that ends it. */
  observe(observer: SeriesObserver): () => void

  /** Most frequent label names, pairs and metric names among the series of the head. */
  cardinality(limit: number): Promise<Cardinality>

  /** Deletes samples of matching series in `[startMs, endMs)`: gone for `select` once resolved, from disk at the next merge. */
  deleteSamples(request: { matchers: Matchers; startMs: number; endMs: number }): Promise<void>

  /** Seals all open blocks that end at or before `beforeMs` (`Infinity`: all) and merges what has late data. */
  flush(beforeMs: number): Promise<void>

  stats(): NamespaceStats
}

export interface AppendOptions {
  /**
   * Committed in the same log record as the samples: after a crash either both are there or neither. Not committed when a sample
   * was refused that may be repeated (`UNKNOWN_SERIES`, `TOO_FAR_AHEAD`): give them with it again.
   */
  readonly watermarks?: readonly Watermark[]
}

export interface WindowAppendOptions {
  /** Shares its write and its sync with what is appended next: for many windows, of which only the last is waited for. */
  readonly deferred?: boolean
}

/** How far a policy's windows are final, for one shard of its source. */
export interface Watermark {
  readonly policy: string
  readonly shard: number
  readonly timestampMs: number
}

export interface LabelledSample {
  readonly labels: Labels | Readonly<Record<string, string>>
  readonly timestampMs: number
  /** Absent when `histogram` is given. */
  readonly value?: number
  readonly histogram?: Histogram
  readonly startTimestampMs?: number
}

export interface NamespaceSelectRequest extends SelectRequest {
  /**
   * In a namespace with a resolution: the column to read where a series has it, else `value` (ordinary series, the output
   * of rollup rules, have this one only), else `last`. Default: `value`.
   */
  readonly column?: AggregateColumn
  /** Leave series out that do not have the column, instead of reading another one. */
  readonly exactColumn?: boolean
  /** Fills `counts` of the batches from the column `count`; NaN where a window has none. */
  readonly counts?: boolean
  /**
   * Give series of which only sealed blocks have samples in the range a reference too, instead of 0. A cold one (`isColdRef`) is remembered until the store is
   * closed: for who tells series apart by reference, like the aggregator, and not for queries.
   */
  readonly coldRefs?: boolean
  /** The same, but only for series that the head has: for who knows samples by the references with which they were stored. */
  readonly headRefs?: boolean
}

/** Called synchronously while a batch is stored: be quick and do not throw. Arrays are valid during the call only. */
export interface SeriesObserver {
  /** New in the head. Series that were there before `observe` are in `headSeries`. */
  seriesCreated?(seriesRefs: Uint32Array): void
  /** Samples of one batch that were stored and are durable, before the sender is told: the first `count` of each column. */
  samplesStored?(seriesRefs: Uint32Array, timestampsMs: Float64Array, count: number): void
  /** Idle series whose references are valid during this call for `labelsOf`, and for nothing afterwards. Many come in several calls. */
  seriesEvicted?(seriesRefs: Uint32Array): void
}

export interface Cardinality {
  readonly seriesCount: number
  /** Different names and values together. */
  readonly labelPairCount: number
  /** Series. */
  readonly byMetricName: readonly NamedCount[]
  /** Different values. */
  readonly byLabelName: readonly NamedCount[]
  /** Characters of all different values. */
  readonly sizeByLabelName: readonly NamedCount[]
  /** Series, by `name=value`. */
  readonly byLabelPair: readonly NamedCount[]
}

export interface NamedCount {
  readonly name: string
  readonly count: number
}

export interface NamespaceStats {
  readonly headSeriesCount: number
  readonly openBlockCount: number
  readonly headSampleCount: number
  readonly headSizeBytes: number
  readonly sealedBlockCount: number
  readonly sealedSampleCount: number
  readonly sealedSizeBytes: number
  readonly appendedSampleCount: number
  readonly rejectedSampleCount: number
  /**
   * Samples, since the store was opened, whose timestamp a sealed block had with another value: they were stored, and merging found
   * it. The larger value stays (staleness marker < other NaN < numbers < histograms), whichever came first.
   */
  readonly conflictingSampleCount: number
  /** Oldest and newest sample that is held; `undefined` when there is none. Deleted ones count until the next merge. */
  readonly firstMs: number | undefined
  readonly lastMs: number | undefined
}
