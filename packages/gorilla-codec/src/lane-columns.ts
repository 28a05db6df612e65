/**
 * Value columns that stand side by side, as the windows of many series do, encoded without being copied apart first.
 *
 *     matrix     row after row of `stride` values; column l is `matrix[row · stride + l]`
 *     lanes      which columns are encoded, one behind the other
 *     like       another matrix, or none: a column that equals the same one there, bit by bit, takes no bytes at all
 *
 * Each is a sealed value column (sealed-values.ts) with a light plan: what is read from the head soon, and encoded anew for its
 * block, is not worth the search for the smallest bytes. Rust twin: native/codec/src/lane_columns.rs.
 */
import { CodecError } from './errors.js'
import { halvesOf } from './float-halves.js'
import { SAMPLES_PER_CHUNK_MAX } from './limits.js'
import { encodeSealedValuesLightly, sealedValuesSizeMax } from './sealed-values.js'

let column = new Float64Array(64)

/** As `encodeSealedLanes` of the package. */
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
  checkLanes(matrix, like, stride, rowCount, lanes, ends)
  if (column.length < rowCount) column = new Float64Array(rowCount)
  const halves = halvesOf(matrix)
  const likeHalves = like.length === 0 ? null : halvesOf(like)
  const to = halvesOf(column)
  let at = offset
  for (let index = 0; index < lanes.length; index++) {
    if (!(Number.isInteger(at) && at >= 0 && out.length - at >= sealedValuesSizeMax(rowCount))) {
      const wanted = `${rowCount} samples may take ${sealedValuesSizeMax(rowCount)}`
      throw new CodecError('OUTPUT_TOO_SMALL', `${out.length} bytes from offset ${at}: ${wanted}`)
    }
    let isSame = likeHalves !== null
    for (let row = 0, from = lanes[index] * 2; row < rowCount; row++, from += stride * 2) {
      const a = (to[row * 2] = halves[from])
      const b = (to[row * 2 + 1] = halves[from + 1])
      isSame &&= a === likeHalves![from] && b === likeHalves![from + 1]
    }
    if (!isSame) at = encodeSealedValuesLightly(column, 0, rowCount, out, at)
    ends[index] = at
  }
  return at
}

function checkLanes(
  matrix: Float64Array,
  like: Float64Array,
  stride: number,
  rowCount: number,
  lanes: Uint8Array,
  ends: Uint32Array,
): void {
  const isCount = Number.isInteger(rowCount) && rowCount >= 1 && rowCount <= SAMPLES_PER_CHUNK_MAX
  const isStride = Number.isInteger(stride) && stride >= 1
  if (!isCount || !isStride || stride * rowCount > matrix.length) {
    throw new CodecError('INVALID_ARGUMENT', `${rowCount} rows of ${stride} values: there are ${matrix.length}`)
  }
  if (like.length !== 0 && like.length < stride * rowCount) {
    throw new CodecError(
      'INVALID_ARGUMENT',
      `${rowCount} rows of ${stride} values to compare: there are ${like.length}`,
    )
  }
  if (ends.length < lanes.length) {
    throw new CodecError('INVALID_ARGUMENT', `${lanes.length} lanes and ${ends.length} result slots`)
  }
  for (const lane of lanes) {
    if (lane >= stride) throw new CodecError('INVALID_ARGUMENT', `lane ${lane} of ${stride}`)
  }
}
