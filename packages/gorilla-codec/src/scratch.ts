/**
 * Working columns of the encoders and decoders, as long as the longest chunk. They live as long as the program, since
 * touching fresh memory costs more than decoding into it. A codec call never yields, so calls cannot meet in them.
 */
import { SAMPLES_PER_CHUNK_MAX } from './limits.js'

let pool: { numbers: Float64Array[]; words: Uint32Array[]; narrow: Int32Array } | undefined

function columns(): { numbers: Float64Array[]; words: Uint32Array[]; narrow: Int32Array } {
  pool ??= {
    numbers: Array.from({ length: 4 }, () => new Float64Array(SAMPLES_PER_CHUNK_MAX)),
    words: Array.from({ length: 4 }, () => new Uint32Array(SAMPLES_PER_CHUNK_MAX)),
    narrow: new Int32Array(SAMPLES_PER_CHUNK_MAX + 8),
  }
  return pool
}

/** Four float columns; who uses which is said where they are taken. */
export function scratchNumbers(index: 0 | 1 | 2 | 3): Float64Array {
  return columns().numbers[index]
}

/** Four columns of 32-bit words. */
export function scratchWords(index: 0 | 1 | 2 | 3): Uint32Array {
  return columns().words[index]
}

/** One column of signed 32-bit numbers, for runs that are narrow enough. */
export function scratchNarrow(): Int32Array {
  return columns().narrow
}
