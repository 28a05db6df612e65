/**
 * What the aggregator asks of a database, besides `select`: namespaces made at run time, windows written whole, its own
 * notes (watermarks, windows to compute again) in the same commit log record, and word of what is appended.
 *
 * Like `Shard` it deals in plain, copyable values only (DESIGN D10).
 */
import type { AggregateColumn } from './model/aggregate.js'
import type { Labels } from './model/labels.js'
import type { Queryable } from './query/queryable.js'

export interface WindowStore {
  /** Raw samples, `default`, or an aggregated namespace; batches carry `seriesRefs`. */
  queryable(namespace: string): Queryable
  /** Makes the namespace if it is not there, and changes the retention of one that is. */
  ensureNamespace(options: AggregatedNamespaceOptions): Promise<void>
  /** References of series of an aggregated namespace, in order; they are made if need be. Stable while the store is open. */
  resolveSeries(namespace: string, series: readonly Labels[]): Promise<Uint32Array>
  /** One commit log record: after a crash all of it is there, or nothing. Resolves once it is durable and readable. */
  commitWindows(commit: WindowCommit): Promise<void>
  /** The last committed value of each note. */
  notes(): ReadonlyMap<string, Uint8Array>
  /**
   * Calls `appended` after each batch of raw samples is durable, before the sender is told, and once for every batch that
   * was replayed from the commit log and is not older than the last committed note. Must not throw and must be quick.
   */
  onAppended(appended: (batch: AppendedSamples) => void): { close(): void }
  /** Labels of a raw series; undefined when it is gone. */
  labelsOf(seriesRef: number): Labels | undefined
}

export interface AggregatedNamespaceOptions {
  readonly name: string
  readonly resolutionMs: number
  /** `Infinity`: kept for ever. */
  readonly retentionMs: number
}

/** Sample k is of series `seriesRefs[k]` at `timestampsMs[k]`. The columns are the store's: read them before returning. */
export interface AppendedSamples {
  readonly count: number
  readonly seriesRefs: Uint32Array
  readonly timestampsMs: Float64Array
}

export interface WindowCommit {
  readonly windows: readonly WindowBatch[]
  readonly notes: readonly { readonly key: string; readonly value: Uint8Array }[]
}

/**
 * Row k is the window of series `seriesRefs[k]` that ends at `windowEndsMs[k]`. It replaces the window whole, whatever
 * columns it had. All rows have all columns of the batch. A staleness marker stands in every column of its row.
 */
export interface WindowBatch {
  readonly namespace: string
  readonly count: number
  readonly seriesRefs: Uint32Array
  readonly windowEndsMs: Float64Array
  readonly columns: readonly { readonly column: AggregateColumn; readonly values: Float64Array }[]
  /** 1 where the window has no output any more: what stood there is removed. */
  readonly removed?: Uint8Array
}
