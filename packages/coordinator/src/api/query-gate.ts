/**
 * How many queries run at once. The others wait in order, for a bounded time and in a bounded queue; then they are told to
 * come again instead of piling up.
 */
import type { Clock } from '@varve/tsdb-core/env'
import { ApiError } from './envelope.js'

export interface QueryGateOptions {
  readonly clock: Clock
  readonly concurrencyMax: number
  readonly queueLengthMax: number
  readonly waitMsMax: number
}

interface Waiting {
  readonly enter: () => void
}

export class QueryGate {
  readonly #options: QueryGateOptions
  readonly #queue: Waiting[] = []
  #running = 0
  refusedCount = 0

  constructor(options: QueryGateOptions) {
    this.#options = options
  }

  get running(): number {
    return this.#running
  }

  get waiting(): number {
    return this.#queue.length
  }

  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#enter(signal)
    try {
      return await work()
    } finally {
      this.#leave()
    }
  }

  /** For streamed answers: the place is held until `leave` is called, once. */
  async enter(signal: AbortSignal): Promise<{ leave(): void }> {
    await this.#enter(signal)
    let left = false
    return {
      leave: () => {
        if (!left) this.#leave()
        left = true
      },
    }
  }

  async #enter(signal: AbortSignal): Promise<void> {
    const { clock, concurrencyMax, queueLengthMax, waitMsMax } = this.#options
    if (this.#running < concurrencyMax) {
      this.#running++
      return
    }
    if (this.#queue.length >= queueLengthMax) {
      this.refusedCount++
      throw new ApiError('unavailable', `${this.#running} queries run and ${this.#queue.length} wait: come again`)
    }
    await new Promise<void>((resolve, reject) => {
      const give = (error: Error) => {
        const index = this.#queue.indexOf(waiting)
        if (index >= 0) this.#queue.splice(index, 1)
        end()
        reject(error)
      }
      const timer = clock.setTimer(waitMsMax, () => {
        this.refusedCount++
        give(new ApiError('unavailable', `the query waited ${waitMsMax} ms for one of ${concurrencyMax} places`))
      })
      const abort = () => give(new ApiError('canceled', 'query was canceled in query queue'))
      const end = () => {
        timer.cancel()
        signal.removeEventListener('abort', abort)
      }
      const waiting: Waiting = {
        enter: () => {
          end()
          resolve()
        },
      }
      this.#queue.push(waiting)
      if (signal.aborted) abort()
      else signal.addEventListener('abort', abort, { once: true })
    })
  }

  /** The place goes to the next in the queue, or becomes free. */
  #leave(): void {
    const next = this.#queue.shift()
    if (next === undefined) this.#running--
    else next.enter()
  }
}
