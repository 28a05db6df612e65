import type { Rejection } from '../shard.js'

/** What is allowed at this moment. */
export interface AppendLimits {
  /** Samples before this are too old, samples after `lastMs` too far ahead. */
  readonly firstMs: number
  readonly lastMs: number
  readonly nowMs: number
  /** Segment of the commit log that the samples will be in, or an earlier one. */
  readonly segment: number
}

export interface HeadAppend {
  /** In rising order of their places in the batch. */
  readonly rejections: Rejection[]
  readonly appendedCount: number
}
