/** Writes the program's own metrics into its own store, as if it scraped itself: there is something to look at at once. */
import type { Clock, Timer } from '@varve/tsdb-core/env'
import type { Logger } from '../logging/logger.js'
import type { MetricMetadata } from '../metadata/metadata-store.js'
import type { MetricSample, Metrics } from './metrics.js'

export interface SelfScrapeOptions {
  readonly clock: Clock
  readonly intervalMs: number
  readonly metrics: Metrics
  readonly logger: Logger
  /** `instance` of the series: the address that the server listens on. */
  readonly instance: string
  readonly append: (samples: readonly SelfSample[]) => Promise<unknown>
  readonly record: (family: string, metadata: MetricMetadata) => void
}

export interface SelfSample {
  readonly labels: Readonly<Record<string, string>>
  readonly timestampMs: number
  readonly value: number
}

export class SelfScrape {
  readonly #options: SelfScrapeOptions
  #timer: Timer | undefined
  #running: Promise<void> = Promise.resolve()
  #stopped = false
  failureCount = 0

  constructor(options: SelfScrapeOptions) {
    this.#options = options
  }

  start(): void {
    this.#running = this.#scrape()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    await this.#running
  }

  async #scrape(): Promise<void> {
    const { clock, intervalMs, metrics, append, record, instance, logger } = this.#options
    const startedMs = clock.monotonicMs()
    try {
      const timestampMs = clock.wallMs()
      const samples = [{ name: 'up', labels: {}, value: 1 }, ...(await metrics.samples())]
      for (const { name, type, help } of await metrics.metadata()) record(name, { type, help, unit: '' })
      await append(samples.map((sample) => selfSample(sample, instance, timestampMs)))
    } catch (error) {
      this.failureCount++
      logger.warn({ error }, 'own metrics could not be stored')
    }
    if (this.#stopped) return
    const delayMs = Math.max(0, intervalMs - (clock.monotonicMs() - startedMs))
    this.#timer = clock.setTimer(delayMs, () => {
      this.#running = this.#scrape()
    })
  }
}

function selfSample({ name, labels, value }: MetricSample, instance: string, timestampMs: number): SelfSample {
  return { labels: { ...labels, __name__: name, job: 'varve', instance }, timestampMs, value }
}
