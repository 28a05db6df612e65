export {
  decodeColumnRun,
  decodeSealedRuns,
  decodeSealedTimestampsBatch,
  decodeSealedValuesAsync,
  decodeSealedValuesBatch,
  decodeXorChunkBatch,
  encodeColumnRun,
  encodeSealedLanes,
  encodeSealedTimestampsBatch,
  encodeSealedValuesAsync,
  encodeSealedValuesBatch,
  encodeXorChunkBatch,
} from './batch.js'
export { BitReader } from './bit-reader.js'
export { type BitWriter, finishBits, newBitWriter, reserveBits, writeBits } from './bit-writer.js'
export { crc32c } from './checksum.js'
export { columnRunSizeMax } from './column-run.js'
export { CodecError, type CodecErrorCode } from './errors.js'
export { decodeGorilla, GorillaEncoder } from './gorilla.js'
export { SAMPLES_PER_CHUNK_MAX } from './limits.js'
export {
  decodeSealedTimestamps,
  encodeSealedTimestamps,
  readSealedTimestampsHeader,
  type SealedTimestampsHeader,
  sealedTimestampsSizeMax,
} from './sealed-timestamps.js'
export {
  decodeSealedValues,
  encodeSealedValues,
  readSealedValuesHeader,
  type SealedValuesHeader,
  sealedValuesAreNumbers,
  sealedValuesSizeMax,
  verifySealedColumn,
} from './sealed-values.js'
export { decodeXorChunk, encodeXorChunk, xorChunkSizeMax } from './xor-chunk.js'
export { appendXorValue, newXorDecoderState, newXorEncoderState, readXorValue, type XorState } from './xor-values.js'
