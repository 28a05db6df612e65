/** What a caller would do about it; `bitOffset` says where. Rust carries the same codes: native/codec/src/error.rs. */
export type CodecErrorCode =
  | 'INVALID_ARGUMENT' // change the call
  | 'TIMESTAMP_OUT_OF_RANGE' // drop the sample: its timestamp is no integer within ±2^53, or falls
  | 'OUTPUT_TOO_SMALL' // bring a larger column or buffer
  | 'CHUNK_FULL' // begin another chunk
  | 'TRUNCATED' // the bytes end too early: read them again, or repair
  | 'CORRUPT_CHUNK' // the bytes are not what any encoder writes: repair from a replica
  | 'CHECKSUM_MISMATCH' // the bytes changed since they were written: repair from a replica
  | 'UNSUPPORTED_ENCODING' // written by a newer program: upgrade

/** A chunk that cannot be encoded or decoded. */
export class CodecError extends Error {
  readonly code: CodecErrorCode
  /** Bits from the start of the buffer to the field that is wrong; -1 where the call is wrong, not the bytes. */
  readonly bitOffset: number

  constructor(code: CodecErrorCode, message: string, bitOffset = -1, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CodecError'
    this.code = code
    this.bitOffset = bitOffset
  }
}
