/**
 * JSON text as bytes that grow: text in between, and series by one call of a kernel.
 */
import type { JsonKernels } from '@varve/native'
import type { LabelTexts } from './label-texts.js'

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

export class JsonBytes {
  readonly #frame = new Float64Array(6)
  readonly #kernels: JsonKernels
  readonly #sizeBytesMin: number
  #bytes: Buffer
  length = 0

  /** @param sizeBytesMin room to begin with, and after each `take`. */
  constructor(kernels: JsonKernels, sizeBytesMin: number) {
    this.#kernels = kernels
    this.#sizeBytesMin = sizeBytesMin
    this.#bytes = Buffer.allocUnsafeSlow(sizeBytesMin)
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

  /** Hands over what was written, and begins anew. */
  take(): Uint8Array {
    const bytes = this.#bytes.subarray(0, this.length)
    this.#bytes = Buffer.allocUnsafeSlow(0)
    this.length = 0
    return bytes
  }

  #reserve(sizeBytes: number): void {
    const needed = this.length + sizeBytes
    if (needed <= this.#bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#sizeBytesMin, needed, Math.ceil(this.#bytes.length * 1.5)))
    grown.set(this.#bytes.subarray(0, this.length))
    this.#bytes = grown
  }
}
