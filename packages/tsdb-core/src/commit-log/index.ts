export { ByteReader, ByteWriter } from '../bytes/byte-writer.js'
export type {
  CommitLogOptions,
  LogDamage,
  LogRecord,
  ReplayOptions,
  ReplayProgress,
  ReplayReport,
  SegmentInfo,
  SyncMode,
} from './commit-log.js'
export { RECORD_PAYLOAD_SIZE_BYTES_MAX, RecordType } from './format.js'
export type { NamespaceChange, SeriesDeclarations, ShardSamples, Tombstones, Watermark, Watermarks } from './records.js'
export {
  decodeNamespaceChange,
  decodeSampleBatch,
  decodeSeriesDeclarations,
  decodeTombstones,
  decodeWatermarks,
  encodeNamespaceChange,
  encodeSampleBatch,
  encodeSeriesDeclarations,
  encodeTombstones,
  encodeWatermarks,
} from './records.js'
export { verifyCommitLog } from './verify.js'
export { CommitLog, type RecordToAppend } from './writer.js'
