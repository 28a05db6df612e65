/**
 * Many columns or chunks in one call, so that a call's fixed cost is paid once for a query or a flush.
 *
 * Ranges are pairs in one array: `ranges[2 * i]` is where item i begins, `ranges[2 * i + 1]` where it ends. A batch stops at
 * its first bad item; the items before it are done. Two implementations give the same bytes and the same errors.
 */
import type {
  DecodeChunks,
  DecodeColumnRun,
  DecodeColumns,
  DecodeRuns,
  EncodeChunks,
  EncodeColumnRun,
  EncodeColumns,
  EncodeLanes,
} from '@varve/native'
import { decodeColumnRun, encodeColumnRun } from './column-run.js'
import { CodecError } from './errors.js'
import { decodeGorilla, GorillaEncoder } from './gorilla.js'
import { encodeSealedLanes } from './lane-columns.js'
import { SAMPLES_PER_CHUNK_MAX } from './limits.js'
import { decodeSealedTimestamps, encodeSealedTimestamps } from './sealed-timestamps.js'
import { decodeSealedPart, decodeSealedValues, encodeSealedValues } from './sealed-values.js'
import { decodeXorChunk, encodeXorChunk } from './xor-chunk.js'

/** The batch calls, each of which returns the offset behind its last item or throws a `CodecError`. */
export interface BatchCodec {
  readonly name: 'typescript' | 'native'
  encodeSealedValuesBatch: EncodeColumns
  encodeSealedTimestampsBatch: EncodeColumns
  encodeSealedLanes: EncodeLanes
  decodeSealedValuesBatch: DecodeColumns
  decodeSealedTimestampsBatch: DecodeColumns
  decodeSealedRuns: DecodeRuns
  encodeGorillaBatch: EncodeChunks
  decodeGorillaBatch: DecodeChunks
  encodeXorChunkBatch: EncodeChunks
  decodeXorChunkBatch: DecodeChunks
  encodeColumnRun: EncodeColumnRun
  decodeColumnRun: DecodeColumnRun
}

/** The reference. */
export const typescriptCodec: BatchCodec = {
  name: 'typescript',
  encodeSealedValuesBatch: encodeColumns(encodeSealedValues),
  encodeSealedTimestampsBatch: encodeColumns(encodeSealedTimestamps),
  encodeSealedLanes: encodeLanes,
  decodeSealedValuesBatch: decodeColumns(decodeSealedValues),
  decodeSealedTimestampsBatch: decodeColumns(decodeSealedTimestamps),
  decodeSealedRuns: decodeRuns,
  encodeGorillaBatch: encodeChunks(encodeGorilla),
  decodeGorillaBatch: decodeChunks(decodeGorilla),
  encodeXorChunkBatch: encodeChunks(encodeXorChunk),
  decodeXorChunkBatch: decodeChunks(decodeXorChunk),
  encodeColumnRun,
  decodeColumnRun,
}

function encodeColumns(
  encode: (column: Float64Array, from: number, to: number, out: Uint8Array, offset: number) => number,
): EncodeColumns {
  return (column, ranges, out, offset, ends) => {
    const count = checkRanges(ranges, ends.length)
    checkDisjoint([out, ends], [column, ranges])
    for (let index = 0; index < count; index++) {
      offset = encode(column, ranges[2 * index], ranges[2 * index + 1], out, offset)
      ends[index] = offset
    }
    return offset
  }
}

function encodeLanes(...parameters: Parameters<EncodeLanes>): number {
  const [matrix, like, , , lanes, out, , ends] = parameters
  checkDisjoint([out, ends], [matrix, like, lanes])
  return encodeSealedLanes(...parameters)
}

function decodeColumns(
  decode: (bytes: Uint8Array, offset: number, end: number, out: Float64Array, outOffset: number) => number,
): DecodeColumns {
  return (bytes, ranges, out, outOffset, counts) => {
    const count = checkRanges(ranges, counts.length)
    checkDisjoint([out, counts], [bytes, ranges])
    for (let index = 0; index < count; index++) {
      const decoded = decode(bytes, ranges[2 * index], ranges[2 * index + 1], out, outOffset)
      counts[index] = decoded
      outOffset += decoded
    }
    return outOffset
  }
}

/**
 * Numbers of one run: the column's page, where the column begins and ends, its length, which values are wanted (first, end),
 * where they go.
 */
export const RUN_SIZE = 7

function decodeRuns(pages: Uint8Array[], runs: Uint32Array, runCount: number, out: Float64Array): number {
  if (!(Number.isInteger(runCount) && runCount >= 0 && runCount * RUN_SIZE <= runs.length)) {
    throw new CodecError('INVALID_ARGUMENT', `${runCount} runs in ${runs.length} numbers`)
  }
  checkDisjoint([out], [runs, ...pages])
  for (let at = 0; at < runCount * RUN_SIZE; at += RUN_SIZE) {
    const bytes = pages[runs[at]] as Uint8Array | undefined
    const count = runs[at + 3]
    const first = runs[at + 4]
    const end = runs[at + 5]
    const outAt = runs[at + 6]
    if (bytes === undefined || first > end || end > count || count > SAMPLES_PER_CHUNK_MAX) {
      const wanted = `values [${first}, ${end}) of a column of ${count} in page ${runs[at]} of ${pages.length}`
      throw new CodecError('INVALID_ARGUMENT', wanted)
    }
    if (outAt + end - first > out.length) {
      throw new CodecError('OUTPUT_TOO_SMALL', `${out.length} slots from ${outAt}: ${end - first} values are wanted`)
    }
    decodeSealedPart(bytes, runs[at + 1], runs[at + 2], count, first, end, out, outAt)
  }
  return 0
}

function encodeChunks(encode: typeof encodeXorChunk): EncodeChunks {
  return (timestampsMs, values, ranges, out, offset, ends) => {
    const count = checkRanges(ranges, ends.length)
    checkDisjoint([out, ends], [timestampsMs, values, ranges])
    for (let index = 0; index < count; index++) {
      offset = encode(timestampsMs, values, ranges[2 * index], ranges[2 * index + 1], out, offset)
      ends[index] = offset
    }
    return offset
  }
}

function decodeChunks(decode: typeof decodeXorChunk): DecodeChunks {
  return (bytes, ranges, timestampsMs, values, outOffset, counts) => {
    const count = checkRanges(ranges, counts.length)
    checkDisjoint([timestampsMs, values, counts], [bytes, ranges])
    for (let index = 0; index < count; index++) {
      const decoded = decode(bytes, ranges[2 * index], ranges[2 * index + 1], timestampsMs, values, outOffset)
      counts[index] = decoded
      outOffset += decoded
    }
    return outOffset
  }
}

/** A whole Gorilla chunk at once, into bytes that have room for the longest. */
function encodeGorilla(
  timestampsMs: Float64Array,
  values: Float64Array,
  from: number,
  to: number,
  out: Uint8Array,
  offset: number,
): number {
  if (!(from <= to && to <= timestampsMs.length && to <= values.length)) {
    const lengths = `${timestampsMs.length} timestamps and ${values.length} values`
    throw new CodecError('INVALID_ARGUMENT', `samples [${from}, ${to}): the columns have ${lengths}`)
  }
  const count = to - from
  if (count > SAMPLES_PER_CHUNK_MAX) {
    throw new CodecError('CHUNK_FULL', `${count} samples: a chunk holds at most ${SAMPLES_PER_CHUNK_MAX}`)
  }
  const sizeMax = gorillaSizeMax(count)
  if (!(offset >= 0 && out.length - offset >= sizeMax)) {
    const room = `${out.length} bytes from offset ${offset}`
    throw new CodecError('OUTPUT_TOO_SMALL', `${room}: ${count} samples may take ${sizeMax}`)
  }
  const encoder = new GorillaEncoder(sizeMax)
  encoder.appendColumns(timestampsMs, values, from, to)
  out.set(encoder.finish(), offset)
  return offset + encoder.sizeBytes
}

/** How many bytes a Gorilla chunk of `count` samples takes at most. */
export function gorillaSizeMax(count: number): number {
  return 20 * count + 16
}

/** How many items the pairs name; the result array must have a slot for each. */
function checkRanges(ranges: Uint32Array, slots: number): number {
  if (ranges.length % 2 !== 0 || slots < ranges.length / 2) {
    throw new CodecError('INVALID_ARGUMENT', `${ranges.length} range bounds and ${slots} result slots: wanted pairs`)
  }
  return ranges.length / 2
}

/** Refuses an output that shares memory with another array: half-written input would be read back. */
function checkDisjoint(outputs: ArrayBufferView[], inputs: ArrayBufferView[]): void {
  for (let index = 0; index < outputs.length; index++) {
    const output = outputs[index]
    for (const other of [...outputs.slice(index + 1), ...inputs]) {
      if (output.buffer !== other.buffer) continue
      const apart =
        output.byteOffset + output.byteLength <= other.byteOffset ||
        other.byteOffset + other.byteLength <= output.byteOffset
      if (!apart) throw new CodecError('INVALID_ARGUMENT', 'an output column overlaps another column')
    }
  }
}
