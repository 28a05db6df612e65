/**
 * JSON text as bytes that grow: text in between, and the samples of a series by one call of a kernel.
 */
import type { JsonKernels } from '@varve/native'

/** What the kernel may write besides the heads, for each sample. */
const SAMPLE_SIZE_MAX = 35
const NOTHING = new Uint8Array(0)

/** What stands before each sample of a series, as bytes. */
export interface SampleHeadBytes {
  readonly bytes: Uint8Array
  readonly ends: Uint32Array
}

export class JsonBytes {
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

  /** Writes the samples; those whose `presence` is 0 are left out. Returns whether there were any. */
  samples(heads: SampleHeadBytes, values: Float64Array, presence: Uint8Array = NOTHING): boolean {
    this.#reserve(heads.bytes.length + values.length * SAMPLE_SIZE_MAX)
    const before = this.length
    const end = this.#kernels.writeSamplesJson(values, presence, heads.bytes, heads.ends, this.#bytes, before)
    if (end < 0) {
      throw new Error(
        `invariant broken: ${values.length} samples, ${presence.length} presences, ${heads.ends.length} heads`,
      )
    }
    this.length = end
    return end > before
  }

  /** Forgets what was written behind an offset. */
  backTo(length: number): void {
    this.length = length
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
