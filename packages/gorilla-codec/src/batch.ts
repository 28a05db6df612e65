/** The batch calls of the package: each goes to the native codec where it is loaded, to TypeScript otherwise. */
import { codecFailure, nativeKernels } from '@varve/native'
import { typescriptCodec } from './batch-codec.js'
import { CodecError } from './errors.js'
import { batchCodec } from './native-codec.js'

/**
 * Encodes the value columns `values[ranges[2i], ranges[2i + 1])` one behind the other and returns the offset behind the last.
 *
 * Shape: fills `ends[i]` with the offset behind column i; column i + 1 begins there.
 * Memory: `out` needs `sealedValuesSizeMax` bytes for each column from where it begins; no output may overlap an input.
 * @throws {CodecError} as `encodeSealedValues`; the columns before the bad one are written, with their ends.
 */
export function encodeSealedValuesBatch(
  values: Float64Array,
  ranges: Uint32Array,
  out: Uint8Array,
  offset: number,
  ends: Uint32Array,
): number {
  return batchCodec().encodeSealedValuesBatch(values, ranges, out, offset, ends)
}

/**
 * Encodes value columns that stand side by side, one behind the other, and returns the offset behind the last: column l is
 * `matrix[row · stride + l]` for `rowCount` rows, and `lanes` says which are encoded.
 *
 * Shape: fills `ends[i]` with the offset behind column i. A column that equals the same one of `like` (as large a matrix, or
 * empty), bit by bit, takes no bytes. The others are sealed value columns, by a plan that is found fast: a few per cent larger.
 * Memory: `out` needs `sealedValuesSizeMax(rowCount)` bytes for each column from where it begins; no output may overlap an input.
 * @throws {CodecError} `INVALID_ARGUMENT` for lanes or rows that there are not, `OUTPUT_TOO_SMALL`; the columns before are written.
 */
export function encodeSealedLanes(
  matrix: Float64Array,
  like: Float64Array,
  stride: number,
  rowCount: number,
  lanes: Uint8Array,
  out: Uint8Array,
  offset: number,
  ends: Uint32Array,
): number {
  return batchCodec().encodeSealedLanes(matrix, like, stride, rowCount, lanes, out, offset, ends)
}

/** The same as `encodeSealedValuesBatch` for timestamp columns, with `encodeSealedTimestamps`. */
export function encodeSealedTimestampsBatch(
  timestampsMs: Float64Array,
  ranges: Uint32Array,
  out: Uint8Array,
  offset: number,
  ends: Uint32Array,
): number {
  return batchCodec().encodeSealedTimestampsBatch(timestampsMs, ranges, out, offset, ends)
}

/**
 * Decodes the value columns `bytes[ranges[2i], ranges[2i + 1])` one behind the other into `out` from `outOffset` on, and
 * returns the offset behind the last value.
 *
 * Shape: fills `counts[i]` with the number of values of column i.
 * @throws {CodecError} as `decodeSealedValues`, for the first bad column; the columns before it are decoded and counted.
 */
export function decodeSealedValuesBatch(
  bytes: Uint8Array,
  ranges: Uint32Array,
  out: Float64Array,
  outOffset: number,
  counts: Uint32Array,
): number {
  return batchCodec().decodeSealedValuesBatch(bytes, ranges, out, outOffset, counts)
}

/**
 * Decodes parts of value columns, each to its place in `out`: what a query needs of many series in one call.
 *
 * Shape: seven numbers a run in `runs`: which of `pages` the column is in, where it begins and ends there, how many values it
 * has, the first and the end of those wanted, and where in `out` the first of them goes. Natively, many runs whose places
 * rise are shared between threads.
 * @throws {CodecError} as `decodeSealedValues`, for the first bad run, and `CORRUPT_CHUNK` for a column of another length;
 *   the runs before it are decoded.
 */
export function decodeSealedRuns(pages: Uint8Array[], runs: Uint32Array, runCount: number, out: Float64Array): void {
  batchCodec().decodeSealedRuns(pages, runs, runCount, out)
}

/** The same for timestamp columns, with `decodeSealedTimestamps`. */
export function decodeSealedTimestampsBatch(
  bytes: Uint8Array,
  ranges: Uint32Array,
  out: Float64Array,
  outOffset: number,
  counts: Uint32Array,
): number {
  return batchCodec().decodeSealedTimestampsBatch(bytes, ranges, out, outOffset, counts)
}

/**
 * Decodes Prometheus XOR chunks one behind the other into two columns and returns the offset behind the last sample.
 *
 * Shape: fills `counts[i]` with the number of samples of chunk i.
 * @throws {CodecError} as `decodeXorChunk`, for the first bad chunk; the chunks before it are decoded and counted.
 */
export function decodeXorChunkBatch(
  bytes: Uint8Array,
  ranges: Uint32Array,
  timestampsMs: Float64Array,
  values: Float64Array,
  outOffset: number,
  counts: Uint32Array,
): number {
  return batchCodec().decodeXorChunkBatch(bytes, ranges, timestampsMs, values, outOffset, counts)
}

/**
 * Encodes samples as Prometheus XOR chunks one behind the other and returns the offset behind the last.
 *
 * Shape: chunk i holds the samples [ranges[2i], ranges[2i + 1]) and ends at `ends[i]`.
 * @throws {CodecError} as `encodeXorChunk`; the chunks before the bad one are written, with their ends.
 */
export function encodeXorChunkBatch(
  timestampsMs: Float64Array,
  values: Float64Array,
  ranges: Uint32Array,
  out: Uint8Array,
  offset: number,
  ends: Uint32Array,
): number {
  return batchCodec().encodeXorChunkBatch(timestampsMs, values, ranges, out, offset, ends)
}

/**
 * Decodes value columns as `decodeSealedValuesBatch` does, off the main thread where the native codec is loaded: for inputs
 * that would hold the event loop too long. The inputs are copied when the call is made; the outputs are written when it resolves.
 *
 * @throws {CodecError} the promise rejects as the synchronous call throws; then nothing is written.
 */
export async function decodeSealedValuesAsync(
  bytes: Uint8Array,
  ranges: Uint32Array,
  out: Float64Array,
  outOffset: number,
  counts: Uint32Array,
): Promise<number> {
  const kernels = nativeKernels()
  if (kernels === undefined) return typescriptCodec.decodeSealedValuesBatch(bytes, ranges, out, outOffset, counts)
  const decoded = await kernels.decodeSealedValuesAsync(bytes, ranges, Math.max(0, out.length - outOffset))
  const failure = codecFailure(decoded.end)
  if (failure !== undefined) {
    const message = `decoding ${ranges.length / 2} columns failed at bit ${failure.bitOffset}`
    throw new CodecError(failure.code, message, failure.bitOffset)
  }
  out.set(decoded.out, outOffset)
  counts.set(decoded.counts)
  return outOffset + decoded.end
}

/**
 * Encodes value columns as `encodeSealedValuesBatch` does, off the main thread where the native codec is loaded. The inputs
 * are copied when the call is made; the outputs are written when it resolves.
 *
 * @throws {CodecError} the promise rejects as the synchronous call throws; then nothing is written.
 */
export async function encodeSealedValuesAsync(
  values: Float64Array,
  ranges: Uint32Array,
  out: Uint8Array,
  offset: number,
  ends: Uint32Array,
): Promise<number> {
  const kernels = nativeKernels()
  if (kernels === undefined) return typescriptCodec.encodeSealedValuesBatch(values, ranges, out, offset, ends)
  const encoded = await kernels.encodeSealedValuesAsync(values, ranges)
  const failure = codecFailure(encoded.end)
  if (failure !== undefined) {
    throw new CodecError(failure.code, `encoding ${ranges.length / 2} columns failed`, failure.bitOffset)
  }
  if (encoded.end > out.length - offset) {
    throw new CodecError('OUTPUT_TOO_SMALL', `${out.length} bytes from offset ${offset}: wanted ${encoded.end}`)
  }
  out.set(encoded.out, offset)
  for (let index = 0; index < encoded.ends.length; index++) ends[index] = offset + encoded.ends[index]
  return offset + encoded.end
}

/**
 * Encodes columns of these lengths, whose values stand one behind the other, and returns the offset behind them: parts of a
 * larger unit that knows the lengths and has a checksum. A column may be empty.
 *
 * Memory: `out` needs `columnRunSizeMax(lengths)` bytes from `offset` on.
 * @throws {CodecError} `INVALID_ARGUMENT` for a column that is too long or not there, `OUTPUT_TOO_SMALL`.
 */
export function encodeColumnRun(values: Float64Array, lengths: Uint32Array, out: Uint8Array, offset: number): number {
  return batchCodec().encodeColumnRun(values, lengths, out, offset)
}

/**
 * Decodes them from `bytes[offset, end)` into `out`, and returns the offset behind them; the rest of the bytes is not read.
 *
 * @throws {CodecError} `TRUNCATED` or `CORRUPT_CHUNK` with the offset; `OUTPUT_TOO_SMALL`. The columns are then undefined.
 */
export function decodeColumnRun(
  bytes: Uint8Array,
  offset: number,
  end: number,
  lengths: Uint32Array,
  out: Float64Array,
  outOffset: number,
): number {
  return batchCodec().decodeColumnRun(bytes, offset, end, lengths, out, outOffset)
}
