/**
 * A body while it grows, sent or inflated: in pooled memory, and within the budget of all bodies in flight. What it holds is
 * reserved before it is taken, so that a small body that becomes a large one counts as the large one.
 */
import type { ByteBudget } from './admission.js'
import type { BodyPool } from './body-pool.js'

export interface BodyBufferOptions {
  readonly pool: BodyPool
  readonly budget: ByteBudget
  /** Above it a body is too large. */
  readonly sizeBytesMax: number
}

export class BodyBuffer {
  readonly #options: BodyBufferOptions
  /** Reserved by the same request beside this buffer. */
  readonly #besideBytes: number
  #buffer: Uint8Array<ArrayBuffer>
  #reservedBytes: number
  #length = 0

  private constructor(options: BodyBufferOptions, reservedBytes: number, besideBytes: number) {
    this.#options = options
    this.#reservedBytes = reservedBytes
    this.#besideBytes = besideBytes
    this.#buffer = options.pool.take(Math.max(reservedBytes, 1))
  }

  /** Null when the budget has no room for `sizeBytes`, with which it begins. The caller must `release` what it gets. */
  static open(options: BodyBufferOptions, sizeBytes: number, besideBytes = 0): BodyBuffer | null {
    return options.budget.tryReserve(sizeBytes, besideBytes) ? new BodyBuffer(options, sizeBytes, besideBytes) : null
  }

  get reservedBytes(): number {
    return this.#reservedBytes
  }

  get length(): number {
    return this.#length
  }

  /** Until `release`. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }

  /** Copies `chunk` behind what is there, or says why it cannot; then nothing has changed. */
  append(chunk: Uint8Array): 'appended' | 'too-large' | 'overloaded' {
    const { pool, budget, sizeBytesMax } = this.#options
    const length = this.#length + chunk.length
    if (length > sizeBytesMax) return 'too-large'
    if (length > this.#buffer.length) {
      const size = Math.max(length, Math.min(this.#buffer.length * 2, sizeBytesMax))
      const more = size - this.#reservedBytes
      if (!budget.tryReserve(more, this.#reservedBytes + this.#besideBytes)) return 'overloaded'
      this.#reservedBytes += more
      const larger = pool.take(size)
      larger.set(this.#buffer.subarray(0, this.#length))
      pool.giveBack(this.#buffer)
      this.#buffer = larger
    }
    this.#buffer.set(chunk, this.#length)
    this.#length = length
    return 'appended'
  }

  /** Gives memory and budget back, once; the bytes are then another request's. */
  release(): void {
    this.#options.budget.release(this.#reservedBytes)
    this.#options.pool.giveBack(this.#buffer)
  }
}
