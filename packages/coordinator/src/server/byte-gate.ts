/**
 * Work on large bodies in turn. A body that becomes strings and objects takes many times its size, and on one thread nothing is
 * gained when several of them are half done: they wait in order until those before them leave room. Their bodies are
 * held meanwhile, within the budget of all bodies in flight, so the queue is bounded by that.
 */
export class ByteGate {
  readonly capacityBytes: number
  readonly #queue: Waiting[] = []
  #usedBytes = 0

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  get waitingCount(): number {
    return this.#queue.length
  }

  /**
   * Runs `work` once `sizeBytes` fit beside what runs; more than the whole capacity runs alone.
   *
   * @throws the signal's reason if it is aborted before: `work` is then not begun.
   */
  async run<T>(signal: AbortSignal, sizeBytes: number, work: () => Promise<T>): Promise<T> {
    if (this.#queue.length > 0 || !this.#fits(sizeBytes)) await this.#wait(signal, sizeBytes)
    else this.#usedBytes += sizeBytes
    try {
      return await work()
    } finally {
      this.#usedBytes -= sizeBytes
      this.#admit()
    }
  }

  #fits(sizeBytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + sizeBytes <= this.capacityBytes
  }

  #wait(signal: AbortSignal, sizeBytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = () => {
        const index = this.#queue.indexOf(waiting)
        if (index >= 0) this.#queue.splice(index, 1)
        reject(signal.reason)
        // It may have been the one that the others behind it could not pass.
        this.#admit()
      }
      const enter = () => {
        signal.removeEventListener('abort', abort)
        resolve()
      }
      const waiting: Waiting = { sizeBytes, enter }
      this.#queue.push(waiting)
      if (signal.aborted) abort()
      else signal.addEventListener('abort', abort, { once: true })
    })
  }

  #admit(): void {
    while (this.#queue.length > 0 && this.#fits(this.#queue[0].sizeBytes)) {
      const next = this.#queue.shift() as Waiting
      this.#usedBytes += next.sizeBytes
      next.enter()
    }
  }
}

interface Waiting {
  readonly sizeBytes: number
  readonly enter: () => void
}
