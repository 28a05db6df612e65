/**
 * One budget for all that a database keeps in memory: head, caches, running queries.
 *
 * Sizes are told by who holds them; nothing is measured here. Caches give way before anybody is refused.
 */
import { StorageError } from './errors.js'

const HEAD_SHARE_MAX = 7 / 8

export class MemoryBudget {
  readonly bytesMax: number
  #headBytes = 0
  #queryBytes = 0
  #cacheBytes = 0
  readonly #shrinkers = new Set<(bytesWanted: number) => void>()

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  get usedBytes(): number {
    return this.#headBytes + this.#queryBytes + this.#cacheBytes
  }

  /** Memory that the head holds now, as last counted. */
  setHeadBytes(sizeBytes: number): void {
    this.#headBytes = sizeBytes
  }

  get headBytes(): number {
    return this.#headBytes
  }

  /** A cache grew or shrank by so much. */
  addCacheBytes(sizeBytes: number): void {
    this.#cacheBytes += sizeBytes
    if (sizeBytes > 0 && this.usedBytes > this.bytesMax) this.#shrink(this.usedBytes - this.bytesMax)
  }

  /** Registers a cache that gives back up to so many bytes when asked. Returns a function that ends it. */
  onShortage(shrink: (bytesWanted: number) => void): () => void {
    this.#shrinkers.add(shrink)
    return () => this.#shrinkers.delete(shrink)
  }

  /**
   * The head leaves an eighth to the queries: a flood of writes must not make the store unreadable.
   *
   * @throws {StorageError} `UNAVAILABLE`: sealing makes room; try again.
   */
  checkAppend(): void {
    const headFits = this.#headBytes <= this.bytesMax * HEAD_SHARE_MAX
    if (headFits && this.usedBytes <= this.bytesMax) return
    this.#shrink(this.usedBytes - this.bytesMax)
    if (headFits && this.usedBytes <= this.bytesMax) return
    throw new StorageError(
      'UNAVAILABLE',
      `memory budget used up: ${this.usedBytes} of memoryBytesMax ${this.bytesMax} bytes, ${this.#headBytes} by the head; try again after sealing made room`,
    )
  }

  /** @throws {StorageError} `LIMIT_EXCEEDED` when a query would go over the budget. */
  reserveQuery(sizeBytes: number): void {
    if (this.usedBytes + sizeBytes > this.bytesMax) this.#shrink(this.usedBytes + sizeBytes - this.bytesMax)
    if (this.usedBytes + sizeBytes > this.bytesMax) {
      throw new StorageError(
        'LIMIT_EXCEEDED',
        `query: a batch of ${sizeBytes} bytes does not fit: ${this.usedBytes} of memoryBytesMax ${this.bytesMax} bytes are in use`,
      )
    }
    this.#queryBytes += sizeBytes
  }

  releaseQuery(sizeBytes: number): void {
    this.#queryBytes -= sizeBytes
  }

  #shrink(bytesWanted: number): void {
    for (const shrink of this.#shrinkers) shrink(bytesWanted)
  }
}
