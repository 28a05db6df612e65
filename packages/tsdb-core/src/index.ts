export type { StorageErrorCode } from './errors.js'
export { StorageError } from './errors.js'
export type { AppendResult, Rejection, RejectionReason, SampleBatch, Shard } from './shard.js'
export type {
  AggregatedNamespaceOptions,
  AppendedSamples,
  WindowBatch,
  WindowCommit,
  WindowStore,
} from './window-store.js'
