/**
 * What the commit log is asked for and what it reports (DESIGN D12). `CommitLog` itself stands in writer.ts.
 *
 * **I1** `append` resolves once its record is durable as the sync mode says; records lie on disk in the order of the calls.
 * **I2** A segment exists once its header, and all records that were written again into it, are synced under its name.
 * **I3** A file is never written again after a write or a sync of it failed.
 * **I4** `replay` applies the records that are on disk and intact, in order, and reports every one that is not.
 */
import type { Env } from '../env/env.js'
import type { RecordType } from './format.js'

/**
 * What is lost when the machine stops at once. When only the process is killed, no mode loses an acknowledged record.
 *
 * `always`: nothing. `interval`: at most what was acknowledged during the last `syncIntervalMs`. `never`: what the
 * operating system had not written by itself, often the last half minute.
 */
export type SyncMode = 'always' | 'interval' | 'never'

export interface CommitLogOptions {
  readonly env: Pick<Env, 'clock' | 'files' | 'random'>
  /** Made when it is not there. Nobody else may write into it: hold the data directory's lock. */
  readonly directory: string
  readonly syncMode?: SyncMode
  /** With `interval`: the longest time between an acknowledgement and its sync. */
  readonly syncIntervalMs?: number
  /** A segment is closed and the next begun when it has grown beyond this. */
  readonly segmentSizeBytes?: number
}

export const SYNC_INTERVAL_MS_DEFAULT = 100
export const SEGMENT_SIZE_BYTES_DEFAULT = 64 * 1024 * 1024

/** One record, in replay. `payload` is valid only until `apply` returns or its promise resolves. */
export interface LogRecord {
  readonly type: RecordType
  readonly sequence: number
  readonly segment: number
  readonly offset: number
  readonly payload: Uint8Array
}

export interface ReplayOptions {
  /** Called now and then, between two records. */
  readonly onProgress?: (progress: ReplayProgress) => void
}

export interface ReplayProgress {
  readonly readBytes: number
  readonly totalBytes: number
  readonly recordCount: number
}

export interface ReplayReport {
  readonly segmentCount: number
  readonly recordCount: number
  readonly readBytes: number
  /** Bytes at the end of a segment that a crash left of writes that were never known to be durable. Cut off. */
  readonly tornTailBytes: number
  /** Damage that may have cost acknowledged records. Empty after every crash of a sound disk. */
  readonly damages: readonly LogDamage[]
}

/** A place in a segment that could not be read, or records that are not there. */
export interface LogDamage {
  readonly path: string
  readonly offset: number
  readonly sizeBytes: number
  /** Where a copy of the damaged bytes was put; null when there are none. */
  readonly quarantinePath: string | null
  /** Sequences `[first, end)` that are lost with it; equal when it is known that none is. */
  readonly sequenceFirst: number
  readonly sequenceEnd: number
  readonly message: string
}

/** The segment that takes writes, and those before it, are seen by `segments()`. */
export interface SegmentInfo {
  readonly segment: number
  readonly path: string
  readonly sizeBytes: number
}
