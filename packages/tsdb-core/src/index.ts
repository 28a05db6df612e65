export { Database, type DatabaseStats } from './database.js'
export type { StorageErrorCode } from './errors.js'
export { StorageError } from './errors.js'
export type { BlockInspection, MetricSize } from './inspect.js'
export { inspectBlock } from './inspect.js'
export type { LateSamples } from './late-samples.js'
export { LATE_MARK } from './late-samples.js'
export type {
  AppendOptions,
  Cardinality,
  LabelledSample,
  NamedCount,
  Namespace,
  NamespaceSelectRequest,
  NamespaceStats,
  SeriesObserver,
  Watermark,
  WindowAppendOptions,
} from './namespace.js'
export type { DatabaseOptions, NamespaceOptions, Notice, SyncMode } from './options.js'
export { BLOCK_SIZE_MS_MAX, DEFAULT_NAMESPACE } from './options.js'
export type { BlockDrop, DropPolicy, DroppedRange } from './raw-drop.js'
export { DROP_MARK } from './raw-drop.js'
export type { RestoreOptions, RestoreReport } from './restore.js'
export { restoreSnapshot } from './restore.js'
export {
  type AppendResult,
  type RecentSamples,
  type Rejection,
  type RejectionReason,
  RUN_STRIDE,
  type SampleBatch,
  type Shard,
} from './shard.js'
export type { VerifyReport } from './verify.js'
export { verifyDatabase } from './verify.js'
export type { WindowBatch, WindowColumn, WindowResult } from './window-batch.js'
