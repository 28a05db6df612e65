/** Limits on new series: how many there may be, and how fast they may come. */
import type { Clock } from './env/clock.js'
import { StorageError } from './errors.js'

/** A burst may take what these seconds allow: a restart of many targets at once is normal. */
const BURST_SECONDS = 10

export class NewSeriesLimit {
  readonly #clock: Clock
  readonly #seriesCountMax: number
  readonly #perSecondMax: number
  #allowance: number
  #refilledMs: number

  constructor(clock: Clock, options: { seriesCountMax: number; newSeriesPerSecondMax: number }) {
    this.#clock = clock
    this.#seriesCountMax = options.seriesCountMax
    this.#perSecondMax = options.newSeriesPerSecondMax
    this.#allowance = this.#perSecondMax * BURST_SECONDS
    this.#refilledMs = clock.monotonicMs()
  }

  /** @throws {StorageError} `LIMIT_EXCEEDED` when one more series is one too many. */
  take(seriesCount: number): void {
    if (seriesCount >= this.#seriesCountMax) {
      throw new StorageError('LIMIT_EXCEEDED', `the head holds seriesCountMax ${this.#seriesCountMax} series already`)
    }
    if (this.#allowance < 1) this.#refill()
    if (this.#allowance < 1) {
      throw new StorageError(
        'LIMIT_EXCEEDED',
        `more than newSeriesPerSecondMax ${this.#perSecondMax} new series a second over ${BURST_SECONDS} seconds`,
      )
    }
    this.#allowance--
  }

  #refill(): void {
    const nowMs = this.#clock.monotonicMs()
    const refill = ((nowMs - this.#refilledMs) / 1000) * this.#perSecondMax
    this.#allowance = Math.min(this.#perSecondMax * BURST_SECONDS, this.#allowance + refill)
    this.#refilledMs = nowMs
  }
}
