/**
 * Sends samples on to another system by remote write 1.0.
 *
 *     store → what was stored (noted) → requests → queue on disk → sender, one request at a time, in order
 *
 * Delivery is at least once: after a restart the samples of the last minutes are sent again, since some of them may have
 * been stored but not queued. A target that says 4xx loses that request, which is counted and logged; 5xx, 429 and silence
 * are repeated for ever, with pauses that the target may name.
 */
import type { Namespace } from '@varve/tsdb-core'
import { type Clock, sleep, type Timer } from '@varve/tsdb-core/env'
import type { Matchers } from '@varve/tsdb-core/query'
import type { Logger } from '../logging/logger.js'
import { ProtobufWriter } from '../proto/protobuf-writer.js'
import type { BatchSeries } from '../remote-read/batch-series.js'
import { encodeTimeSeries } from '../remote-read/sampled-response.js'
import type { HttpClient } from '../server/http-client.js'
import { encodeSnappy } from '../snappy/index.js'
import type { ForwardQueue } from './forward-queue.js'
import type { QueueRecord } from './queue-format.js'
import { StoredSamples } from './stored-samples.js'

export interface ForwarderOptions {
  readonly name: string
  readonly url: string
  readonly headers: () => Record<string, string>
  readonly timeoutMs: number
  readonly selectors: readonly Matchers[]
  readonly samplesPerRequest: number
  /** What is sent on; asked again and again, since rules make namespaces while everything runs. */
  readonly namespaces: () => Iterable<Namespace>
  readonly queue: ForwardQueue
  readonly http: HttpClient
  readonly clock: Clock
  readonly logger: Logger
  readonly externalLabels: () => Readonly<Record<string, string>>
}

const COLLECT_INTERVAL_MS = 1_000
/** How far back samples are sent again after a restart. */
const REPEATED_MS = 5 * 60_000
const BACKOFF_MS_MIN = 30
const BACKOFF_MS_MAX = 5_000

export class Forwarder {
  readonly #options: ForwarderOptions
  readonly #sources = new Map<string, StoredSamples>()
  readonly #stop = new AbortController()
  readonly #writer = new ProtobufWriter()
  #timer: Timer | undefined
  #collecting: Promise<void> = Promise.resolve()
  #sending: Promise<void> = Promise.resolve()
  #wake: (() => void) | undefined
  sentSampleCount = 0
  refusedSampleCount = 0
  retryCount = 0

  constructor(options: ForwarderOptions) {
    this.#options = options
  }

  get name(): string {
    return this.#options.name
  }

  get queueSizeBytes(): number {
    return this.#options.queue.sizeBytes
  }

  /** Samples that will not arrive: the queue was full, or too many came between two looks. */
  get droppedSampleCount(): number {
    let missed = this.#options.queue.droppedSampleCount
    for (const source of this.#sources.values()) missed += source.missedCount
    return missed
  }

  start(): void {
    this.#follow()
    this.#collecting = this.#collect((source) =>
      source.recent(this.#options.selectors, this.#options.clock.wallMs(), REPEATED_MS),
    ).then(() => this.#schedule())
    this.#sending = this.#send()
  }

  /** Queues what was stored, sends no more. What is in the queue is sent after the next start. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('the forwarder stops'))
    this.#timer?.cancel()
    for (const source of this.#sources.values()) source.close()
    await this.#collecting
    await this.#collect()
    this.#wake?.()
    await this.#sending
    await this.#options.queue.close()
  }

  #follow(): void {
    if (this.#stop.signal.aborted) return
    for (const namespace of this.#options.namespaces()) {
      if (!this.#sources.has(namespace.name)) this.#sources.set(namespace.name, new StoredSamples(namespace))
    }
  }

  #schedule(): void {
    if (this.#stop.signal.aborted) return
    this.#timer = this.#options.clock.setTimer(COLLECT_INTERVAL_MS, () => {
      this.#collecting = this.#collect().then(() => this.#schedule())
    })
  }

  async #collect(
    samplesOf: (source: StoredSamples) => AsyncIterable<BatchSeries> = (source) => source.take(this.#options.selectors),
  ): Promise<void> {
    const { logger, name, samplesPerRequest } = this.#options
    this.#follow()
    try {
      let part: BatchSeries[] = []
      let count = 0
      for (const source of this.#sources.values()) {
        for await (const series of samplesOf(source)) {
          part.push(series)
          count += series.values.length
          if (count < samplesPerRequest) continue
          await this.#enqueue(part, count)
          part = []
          count = 0
        }
      }
      if (count > 0) await this.#enqueue(part, count)
    } catch (error) {
      logger.error({ target: name, error }, 'samples could not be queued for forwarding')
    }
  }

  async #enqueue(part: readonly BatchSeries[], sampleCount: number): Promise<void> {
    const external = Object.entries(this.#options.externalLabels())
    const writer = this.#writer
    writer.reset()
    for (const series of part) {
      let labels = series.labels
      for (const [name, value] of external) if (labels.get(name) === '') labels = labels.with(name, value)
      writer.bytes(1, encodeTimeSeries(series, labels).bytes)
    }
    await this.#options.queue.append({ payload: encodeSnappy(writer.finish()), sampleCount })
    this.#wake?.()
  }

  async #send(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      const record = await this.#options.queue.first()
      if (record === null) {
        await new Promise<void>((resolve) => (this.#wake = resolve))
        this.#wake = undefined
      } else if (await this.#deliver(record)) await this.#options.queue.remove()
    }
  }

  /** False when it was stopped before the target took it or refused it for good. */
  async #deliver(record: QueueRecord): Promise<boolean> {
    const { clock, logger, name } = this.#options
    const { signal } = this.#stop
    let backoffMs = BACKOFF_MS_MIN
    for (let attempt = 0; !signal.aborted; attempt++) {
      const outcome = await this.#attempt(record, attempt)
      if (outcome === 'taken') {
        this.sentSampleCount += record.sampleCount
        return true
      }
      if (outcome === 'refused') {
        this.refusedSampleCount += record.sampleCount
        return true
      }
      this.retryCount++
      if (attempt === 5) logger.warn({ target: name, why: outcome.why }, 'forwarding waits for its target')
      await sleep(clock, Math.max(backoffMs, outcome.waitMs), signal).catch(() => {}) // Stopped: the loop ends.
      backoffMs = Math.min(BACKOFF_MS_MAX, backoffMs * 2)
    }
    return false
  }

  async #attempt(
    { payload, sampleCount }: QueueRecord,
    attempt: number,
  ): Promise<'taken' | 'refused' | { why: string; waitMs: number }> {
    const { http, url, headers, timeoutMs, logger, name } = this.#options
    try {
      const response = await http.request({
        method: 'POST',
        url,
        timeoutMs,
        signal: this.#stop.signal,
        body: payload,
        headers: {
          'Content-Type': 'application/x-protobuf',
          'Content-Encoding': 'snappy',
          'X-Prometheus-Remote-Write-Version': '0.1.0',
          'User-Agent': 'varve',
          ...(attempt === 0 ? {} : { 'Retry-Attempt': String(attempt) }),
          ...headers(),
        },
      })
      const text = (await response.text(64 << 10)).slice(0, 1024).trim()
      if (response.status >= 200 && response.status < 300) return 'taken'
      if (response.status >= 500 || response.status === 429) {
        return { why: `${response.status} ${text}`, waitMs: retryAfterMs(response.header('retry-after')) }
      }
      logger.error({ target: name, status: response.status, sampleCount, answer: text }, 'the target refused samples')
      return 'refused'
    } catch (error) {
      return { why: (error as Error).message, waitMs: 0 }
    }
  }
}

/** Seconds; a date is rare and the usual pause does as well. */
function retryAfterMs(header: string | undefined): number {
  const seconds = Number(header ?? 0)
  return Number.isFinite(seconds) ? Math.min(60, Math.max(0, seconds)) * 1000 : 0
}
