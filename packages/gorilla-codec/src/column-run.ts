/**
 * Columns of values one behind the other, as parts of a larger unit that knows how long each is and has a checksum: such as
 * the buckets of native histograms.
 *
 *     column      kind u8, then by kind; nothing at all for a column of no values
 *       0 integers    an integer column (integer-column.ts)
 *       1 values      size varint, a sealed value column (sealed-values.ts)
 *
 * Bytes: docs/formats/chunk.md, "Column runs". Rust twin: native/codec/src/column_run.rs.
 */
import { ByteReader, corrupt } from './byte-reader.js'
import { writeVarint } from './byte-writer.js'
import { CodecError } from './errors.js'
import { decodeIntegerColumn, encodeIntegerColumn, isIntegerColumn } from './integer-column.js'
import { SAMPLES_PER_CHUNK_MAX } from './limits.js'
import { decodeSealedValues, encodeSealedValues } from './sealed-values.js'

const KIND_INTEGERS = 0
const KIND_VALUES = 1
/** What the size of a sealed column takes at most. */
const SIZE_SIZE_MAX = 5

/** How many bytes a run of columns of these lengths takes at most. */
export function columnRunSizeMax(lengths: Uint32Array): number {
  let size = 0
  for (const length of lengths) size += columnSizeMax(length)
  return size
}

function columnSizeMax(count: number): number {
  return 9 * count + 192
}

/** As `encodeColumnRun` of the package. */
export function encodeColumnRun(values: Float64Array, lengths: Uint32Array, out: Uint8Array, offset: number): number {
  let from = 0
  let at = offset
  for (let index = 0; index < lengths.length; index++) {
    const length = lengths[index]
    const to = from + length
    if (length > SAMPLES_PER_CHUNK_MAX || to > values.length) {
      throw new CodecError('INVALID_ARGUMENT', `a column of ${length} values at ${from} of ${values.length}`)
    }
    if (length === 0) continue
    if (!(Number.isInteger(at) && at >= 0 && out.length - at >= columnSizeMax(length))) {
      const wanted = `a column of ${length} values may take ${columnSizeMax(length)}`
      throw new CodecError('OUTPUT_TOO_SMALL', `${out.length} bytes from offset ${at}: ${wanted}`)
    }
    if (isIntegerColumn(values, from, to)) {
      out[at] = KIND_INTEGERS
      at = encodeIntegerColumn(values, from, to, out, at + 1)
    } else {
      out[at] = KIND_VALUES
      const sealedAt = at + 1 + SIZE_SIZE_MAX
      const end = encodeSealedValues(values, from, to, out, sealedAt)
      at = writeVarint(out, at + 1, end - sealedAt)
      out.copyWithin(at, sealedAt, end)
      at += end - sealedAt
    }
    from = to
  }
  return at
}

/** As `decodeColumnRun` of the package. */
export function decodeColumnRun(
  bytes: Uint8Array,
  offset: number,
  end: number,
  lengths: Uint32Array,
  out: Float64Array,
  outOffset: number,
): number {
  if (!(Number.isInteger(offset) && Number.isInteger(end) && offset >= 0 && offset <= end && end <= bytes.length)) {
    throw new CodecError('INVALID_ARGUMENT', `columns [${offset}, ${end}): there are ${bytes.length} bytes`)
  }
  const reader = new ByteReader(bytes, offset, end)
  let outAt = outOffset
  for (let index = 0; index < lengths.length; index++) {
    const length = lengths[index]
    if (length > SAMPLES_PER_CHUNK_MAX) throw new CodecError('INVALID_ARGUMENT', `a column of ${length} values`)
    if (!(Number.isInteger(outAt) && outAt >= 0 && out.length - outAt >= length)) {
      throw new CodecError('OUTPUT_TOO_SMALL', `${out.length} slots from ${outAt}: the column holds ${length} values`)
    }
    if (length === 0) continue
    const kindAt = reader.at
    const kind = reader.byte()
    if (kind === KIND_INTEGERS) reader.at = decodeIntegerColumn(bytes, reader.at, end, length, out, outAt)
    else if (kind === KIND_VALUES) {
      const start = reader.skip(reader.varint())
      decodeValues(bytes, start, reader.at, out.subarray(outAt, outAt + length))
    } else throw corrupt(kindAt, 'a column of kind 0 or 1')
    outAt += length
  }
  return reader.at
}

/** Decodes a sealed column that has to fill `out`. */
function decodeValues(bytes: Uint8Array, start: number, end: number, out: Float64Array): void {
  try {
    if (decodeSealedValues(bytes, start, end, out, 0) === out.length) return
  } catch (error) {
    if (!(error instanceof CodecError && error.code === 'OUTPUT_TOO_SMALL')) throw error
  }
  throw corrupt(start, `a column of ${out.length} values`)
}
