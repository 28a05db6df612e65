/**
 * JSON text as bytes that grow: text in between, and series by one call of a kernel.
 */
import type { JsonKernels } from '@varve/native'
import type { LabelTexts } from './label-texts.js'

const NOTHING = Buffer.alloc(0)

/** What stands before each sample of a series, as bytes. */
export interface SampleHeadBytes {
  readonly bytes: Uint8Array
  readonly ends: Uint32Array
}

/** Series that have their samples at the same times. */
export interface SeriesRun {
  readonly values: Float64Array
  /** Where it is 0 there is no sample; empty: all are there. */
  readonly presence: Uint8Array
  /** Where the samples of each series of the answer begin; read for those of the run only. */
  readonly firsts: Uint32Array
  readonly heads: SampleHeadBytes
  /** One moment: a sample stands for itself, not in a list. */
  readonly isInstant: boolean
  /** The series behind the last one. */
  readonly end: number
}

/** Room for a part of an answer and a long series behind it. */
const SIZE_BYTES_MIN = 192 << 10
/** One that had to grow beyond this is not kept. */
const SPARE_SIZE_BYTES_MAX = 1 << 20
/** What the last answer was written into. Memory that was written before costs less than new memory, and sets off no collection. */
let spare: Buffer | undefined

/** Closed at the end, so that the next one has its memory. */
export class JsonBytes {
  readonly #frame = new Float64Array(6)
  readonly #kernels: JsonKernels
  #bytes: Buffer
  length = 0

  constructor(kernels: JsonKernels) {
    this.#kernels = kernels
    this.#bytes = spare ?? Buffer.allocUnsafeSlow(SIZE_BYTES_MIN)
    spare = undefined
  }

  text(text: string): void {
    this.#reserve(text.length * 3)
    this.length += this.#bytes.write(text, this.length)
  }

  /**
   * Writes series from `next` on, until the run ends or `length` is `stop` or more; those without samples are left out. Returns
   * the first that is not written.
   */
  series(run: SeriesRun, texts: LabelTexts, next: number, stop: number): number {
    const { values, presence, firsts, heads, isInstant, end } = run
    const { labels, bytes, starts, ends } = texts
    const frame = this.#frame
    frame[0] = heads.ends.length
    frame[1] = end
    frame[3] = next
    for (;;) {
      frame[2] = Math.min(stop, this.#bytes.length)
      frame[4] = this.length
      const { sets, pairs, offsets } = labels
      const written = this.#kernels.writeRowsJson(
        ...([values, presence, firsts, sets, bytes, starts, ends, pairs, offsets] as const),
        ...([heads.bytes, heads.ends, isInstant, this.#bytes, frame] as const),
      )
      if (!written) throw new Error(`invariant broken: series ${frame[3]} to ${end} of ${sets.length} do not fit`)
      this.length = frame[4]
      if (frame[3] === end || this.length >= stop) return frame[3]
      this.#reserve(Math.max(frame[5], 1))
    }
  }

  /** Hands over what was written, good until something is written again, and begins anew. */
  part(): Uint8Array {
    const bytes = this.#bytes.subarray(0, this.length)
    this.length = 0
    return bytes
  }

  /** A copy of what was written. */
  whole(): Uint8Array {
    const bytes = Buffer.allocUnsafeSlow(this.length)
    bytes.set(this.#bytes.subarray(0, this.length))
    return bytes
  }

  /** Its parts may not be looked at any more, and nothing may be written. */
  close(): void {
    if (this.#bytes.length <= SPARE_SIZE_BYTES_MAX) spare = this.#bytes
    this.#bytes = NOTHING
  }

  #reserve(sizeBytes: number): void {
    const needed = this.length + sizeBytes
    if (needed <= this.#bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, Math.ceil(this.#bytes.length * 1.5)))
    grown.set(this.#bytes.subarray(0, this.length))
    this.#bytes = grown
  }
}
