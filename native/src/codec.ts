/**
 * The kernels of native/binding/src/codec.rs and codec_async.rs. Who calls them is packages/gorilla-codec.
 *
 * `ranges` holds pairs, where item i begins and ends. A kernel returns the offset behind its last item, or the failure of the
 * first bad item as one negative number, which `codecFailure` reads; the items before it are written. Outputs may not
 * overlap any other array: that, and a call with wrong types or offsets, throws.
 */
export interface CodecKernels {
  /** The CRC32C of `bytes[start, end)`, going on from `seed`. */
  crc32c(bytes: Uint8Array, start: number, end: number, seed: number): number
  encodeSealedValuesBatch: EncodeColumns
  encodeSealedTimestampsBatch: EncodeColumns
  encodeSealedLanes: EncodeLanes
  decodeSealedValuesBatch: DecodeColumns
  decodeSealedTimestampsBatch: DecodeColumns
  /**
   * Seven numbers a run: which of `pages` a value column is in, where it begins and ends there, how many values it has, the
   * first and the end of those wanted, and where in `out` they go. Returns 0 or the first failure; runs before it are
   * decoded, and maybe some behind it.
   */
  decodeSealedRuns: DecodeRuns
  /** Returns 0, or the failure of the first column whose checksum does not match. */
  verifySealedColumns(bytes: Uint8Array, ranges: Uint32Array): number
  encodeGorillaBatch: EncodeChunks
  decodeGorillaBatch: DecodeChunks
  encodeXorChunkBatch: EncodeChunks
  decodeXorChunkBatch: DecodeChunks
  encodeColumnRun: EncodeColumnRun
  decodeColumnRun: DecodeColumnRun
  encodeSealedValuesAsync(values: Float64Array, ranges: Uint32Array): Promise<EncodedColumns>
  encodeSealedTimestampsAsync(timestampsMs: Float64Array, ranges: Uint32Array): Promise<EncodedColumns>
  /** Decodes at most `room` samples. */
  decodeSealedValuesAsync(bytes: Uint8Array, ranges: Uint32Array, room: number): Promise<DecodedColumns>
  decodeSealedTimestampsAsync(bytes: Uint8Array, ranges: Uint32Array, room: number): Promise<DecodedColumns>
}

export type EncodeColumns = (
  column: Float64Array,
  ranges: Uint32Array,
  out: Uint8Array,
  offset: number,
  ends: Uint32Array,
) => number

/**
 * Columns that stand side by side: `lanes` of rows of `stride` values. A column that equals the same one of `like`, which may be
 * empty, takes no bytes: its end is that of the one before.
 */
export type EncodeLanes = (
  matrix: Float64Array,
  like: Float64Array,
  stride: number,
  rowCount: number,
  lanes: Uint8Array,
  out: Uint8Array,
  offset: number,
  ends: Uint32Array,
) => number

export type DecodeColumns = (
  bytes: Uint8Array,
  ranges: Uint32Array,
  out: Float64Array,
  outOffset: number,
  counts: Uint32Array,
) => number

export type DecodeRuns = (pages: Uint8Array[], runs: Uint32Array, runCount: number, out: Float64Array) => number

export type EncodeChunks = (
  timestampsMs: Float64Array,
  values: Float64Array,
  ranges: Uint32Array,
  out: Uint8Array,
  offset: number,
  ends: Uint32Array,
) => number

export type DecodeChunks = (
  bytes: Uint8Array,
  ranges: Uint32Array,
  timestampsMs: Float64Array,
  values: Float64Array,
  outOffset: number,
  counts: Uint32Array,
) => number

/** Columns of these lengths, whose values stand one behind the other. */
export type EncodeColumnRun = (values: Float64Array, lengths: Uint32Array, out: Uint8Array, offset: number) => number

/** Returns where in `bytes` the columns end. */
export type DecodeColumnRun = (
  bytes: Uint8Array,
  offset: number,
  end: number,
  lengths: Uint32Array,
  out: Float64Array,
  outOffset: number,
) => number

/** What an encoding task brings: all columns one behind the other, and the offset behind each. */
export interface EncodedColumns {
  end: number
  out: Uint8Array
  ends: Uint32Array
}

/** What a decoding task brings: the samples of all columns one behind the other, and how many each had. */
export interface DecodedColumns {
  end: number
  out: Float64Array
  counts: Uint32Array
}

/** Their names, by which the loader sees that a binary was built from these sources. */
export const CODEC_KERNELS: readonly (keyof CodecKernels)[] = [
  'crc32c',
  'encodeSealedValuesBatch',
  'encodeSealedTimestampsBatch',
  'encodeSealedLanes',
  'decodeSealedValuesBatch',
  'decodeSealedTimestampsBatch',
  'decodeSealedRuns',
  'verifySealedColumns',
  'encodeGorillaBatch',
  'decodeGorillaBatch',
  'encodeXorChunkBatch',
  'decodeXorChunkBatch',
  'encodeColumnRun',
  'decodeColumnRun',
  'encodeSealedValuesAsync',
  'encodeSealedTimestampsAsync',
  'decodeSealedValuesAsync',
  'decodeSealedTimestampsAsync',
]

/** The codes of native/codec/src/error.rs, by their number. */
const CODES = [
  undefined,
  'INVALID_ARGUMENT',
  'TIMESTAMP_OUT_OF_RANGE',
  'OUTPUT_TOO_SMALL',
  'CHUNK_FULL',
  'TRUNCATED',
  'CORRUPT_CHUNK',
  'CHECKSUM_MISMATCH',
  'UNSUPPORTED_ENCODING',
] as const

/** Why a kernel failed: the code, and the bit of the buffer at which the wrong field begins, or -1. */
export interface CodecFailure {
  code: Exclude<(typeof CODES)[number], undefined>
  bitOffset: number
}

/** Reads a kernel's result: undefined if it succeeded. */
export function codecFailure(result: number): CodecFailure | undefined {
  if (result >= 0) return undefined
  const code = CODES[-result % 16]
  if (code === undefined) throw new Error(`a codec kernel returned ${result}, which names no code`)
  return { code, bitOffset: Math.floor(-result / 16) - 1 }
}
