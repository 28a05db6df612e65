import type { Clock } from '@varve/tsdb-core/env'

/** So many a second, and so many at once: what is taken above that is a debt that is waited for. */
export class TokenBucket {
  readonly #clock: Clock
  readonly #perSecond: number
  readonly #burst: number
  #tokens: number
  #refilledMs: number

  /** `perSecond` 0: no limit. A burst below one second's worth would never let a full second through. */
  constructor(clock: Clock, perSecond: number, burst: number) {
    this.#clock = clock
    this.#perSecond = perSecond
    this.#burst = Math.max(burst, perSecond)
    this.#tokens = this.#burst
    this.#refilledMs = clock.monotonicMs()
  }

  /** Seconds until there is something to take again; 0 when there is. */
  waitSeconds(): number {
    if (this.#perSecond === 0) return 0
    const nowMs = this.#clock.monotonicMs()
    this.#tokens = Math.min(this.#burst, this.#tokens + ((nowMs - this.#refilledMs) / 1000) * this.#perSecond)
    this.#refilledMs = nowMs
    return this.#tokens > 0 ? 0 : Math.max(1, Math.ceil(-this.#tokens / this.#perSecond))
  }

  take(count: number): void {
    if (this.#perSecond > 0) this.#tokens -= count
  }
}
