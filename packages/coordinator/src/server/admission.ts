/**
 * Admission by bytes: what all requests in flight may hold together. Who comes when the budget is spent is told to come
 * again before a byte of its body has been read, so a flood costs a header each and no memory.
 */
export class ByteBudget {
  readonly capacityBytes: number
  #usedBytes = 0
  #refusedCount = 0

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  get refusedCount(): number {
    return this.#refusedCount
  }

  /**
   * `heldBytes` is what the same request has already. One that is larger than the whole budget is let in when nothing else is in
   * flight: it could never come in otherwise.
   */
  tryReserve(sizeBytes: number, heldBytes = 0): boolean {
    if (this.#usedBytes > heldBytes && this.#usedBytes + sizeBytes > this.capacityBytes) {
      this.#refusedCount++
      return false
    }
    this.#usedBytes += sizeBytes
    return true
  }

  release(sizeBytes: number): void {
    this.#usedBytes -= sizeBytes
  }
}
