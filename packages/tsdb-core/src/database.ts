/**
 * A metrics store in this process: several namespaces over one commit log, one memory budget and one data folder.
 */

import type { LabelledSample, Namespace, NamespaceStats, Watermark } from './namespace.js'
import type { NamespaceOptions } from './options.js'
import type { Queryable } from './query/queryable.js'
import type { AppendResult } from './shard.js'

/** Queries of a database go to its namespace `default`, unless `hints.namespace` names another. */
export interface Database extends Queryable {
  /** @throws {StorageError} `INVALID_ARGUMENT` when there is none of that name: see `namespaces`. */
  namespace(name: string): Namespace
  hasNamespace(name: string): boolean
  /** Names, sorted. */
  namespaces(): readonly string[]
  /** Makes a namespace, durable once resolved. @throws {StorageError} `INVALID_ARGUMENT` when it exists or options are wrong. */
  createNamespace(name: string, options?: Partial<NamespaceOptions>): Promise<Namespace>
  /** Changes retention and columns of a namespace; block size, resolution and shard count stay. */
  changeNamespace(name: string, options: Partial<NamespaceOptions>): Promise<void>
  /** Deletes it with all its samples; its disk space is free once resolved. `default` stays. */
  deleteNamespace(name: string): Promise<void>

  /** Stores samples in `default`. */
  append(samples: Iterable<LabelledSample>): Promise<AppendResult>

  /** The last committed watermark, also after a restart; `undefined` when there was none. */
  watermark(policy: string, shard: number): number | undefined
  watermarks(): readonly Watermark[]

  /** Seals, merges and syncs all that is open, in all namespaces. */
  flush(): Promise<void>
  /** One round of sealing, merging, expiring and log truncation: what happens in the background every few seconds. */
  maintain(): Promise<void>
  /** Makes a consistent copy in a new folder (hard links where possible), while writes go on. `Database.open` opens it. */
  snapshot(directory: string): Promise<void>
  stats(): DatabaseStats
  /** Lets running appends finish, syncs and releases the folder. Everything after fails with `CLOSED`. */
  close(): Promise<void>
}

export interface DatabaseStats {
  readonly namespaces: ReadonlyMap<string, NamespaceStats>
  readonly memoryBytes: number
  readonly memoryBytesMax: number
  readonly logSizeBytes: number
  readonly readOnly: boolean
}
