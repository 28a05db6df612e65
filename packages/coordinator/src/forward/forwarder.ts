/**
 * Sends samples on to another system by remote write 1.0.
 *
 *     store → what was stored (noted) → requests → queue on disk → sender, one request at a time, in order
 *
 * Delivery is at least once: after a crash the samples of the last minutes are sent again, since some of them may have
 * been stored but not queued. A target that says 4xx loses that request, which is counted and logged; 5xx, 429 and silence
 * are repeated for ever, with pauses that the target may name. What cannot be queued, because the disk is full, is kept in
 * memory up to a bound and tried again.
 */
import type { Namespace } from '@varve/tsdb-core'
import { type Clock, sleep, type Timer } from '@varve/tsdb-core/env'
import type { Matchers } from '@varve/tsdb-core/query'
import type { ClientConnection } from '../fanout/client-connection.js'
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
  readonly connection: ClientConnection
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
const RETRY_AFTER_MS_MAX = 60_000
/** A request is cut when its bytes reach this, however few samples it holds: histograms are large. */
const REQUEST_SIZE_BYTES = 4 << 20
/** Of an answer, what is logged. */
const ANSWER_CHARACTERS_MAX = 1024

export class Forwarder {
  readonly #options: ForwarderOptions
  readonly #sources = new Map<string, StoredSamples>()
  readonly #stop = new AbortController()
  readonly #writer = new ProtobufWriter()
  #timer: Timer | undefined
  #collecting: Promise<void> = Promise.resolve()
  #sending: Promise<void> = Promise.resolve()
  #wake: (() => void) | undefined
  #queueFails = false
  /** Sources whose samples of this age may never have been queued. */
  readonly #behind = new Map<StoredSamples, number>()
  sentSampleCount = 0
  refusedSampleCount = 0
  retryCount = 0
  queueFailureCount = 0

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
    for (const source of this.#follow()) if (!this.#options.queue.wasComplete) this.#behind.set(source, REPEATED_MS)
    this.#collecting = this.#collect().then(() => this.#schedule())
    this.#sending = this.#send()
  }

  /** Queues what was stored, sends no more. What is in the queue is sent after the next start. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('the forwarder stops'))
    this.#timer?.cancel()
    for (const source of this.#sources.values()) source.close()
    await this.#collecting
    const complete = await this.#collect()
    this.#wake?.()
    await this.#sending
    await this.#options.queue.close({ complete })
  }

  /** Namespaces that were not there at the last look. */
  #follow(): StoredSamples[] {
    const found: StoredSamples[] = []
    for (const namespace of this.#options.namespaces()) {
      if (this.#sources.has(namespace.name)) continue
      const source = new StoredSamples(namespace)
      this.#sources.set(namespace.name, source)
      found.push(source)
    }
    return found
  }

  #schedule(): void {
    if (this.#stop.signal.aborted) return
    this.#timer = this.#options.clock.setTimer(COLLECT_INTERVAL_MS, () => {
      this.#collecting = this.#collect().then(() => this.#schedule())
    })
  }

  /** False when some of it could not be queued. */
  async #collect(): Promise<boolean> {
    const { logger, name, selectors, clock } = this.#options
    // A namespace that a rule has just made may have been filled before we heard of it: all of it is new.
    if (!this.#stop.signal.aborted) for (const source of this.#follow()) this.#behind.set(source, Infinity)
    try {
      for (const [source, ageMs] of this.#behind) {
        await this.#queue(source.recent(selectors, clock.wallMs(), ageMs))
        this.#behind.delete(source)
      }
      for (const source of this.#sources.values()) {
        await this.#queue(source.take(selectors))
        source.confirm()
      }
      if (this.#queueFails) logger.info({ target: name }, 'samples are queued for forwarding again')
      this.#queueFails = false
      return true
    } catch (error) {
      if (!this.#queueFails)
        logger.error({ target: name, error }, 'samples could not be queued for forwarding: repeated')
      this.#queueFails = true
      this.queueFailureCount++
      return false
    }
  }

  async #queue(samples: AsyncIterable<BatchSeries>): Promise<void> {
    const { samplesPerRequest } = this.#options
    this.#writer.reset()
    let count = 0
    for await (const series of samples) {
      // One series may have more than a request holds.
      for (let from = 0; from < series.values.length; ) {
        const to = Math.min(series.values.length, from + samplesPerRequest - count)
        this.#encode(partOf(series, from, to))
        count += to - from
        from = to
        if (count < samplesPerRequest && this.#writer.size < REQUEST_SIZE_BYTES) continue
        await this.#enqueue(count)
        count = 0
      }
    }
    if (count > 0) await this.#enqueue(count)
  }

  #encode(series: BatchSeries): void {
    let { labels } = series
    for (const [name, value] of Object.entries(this.#options.externalLabels())) {
      if (labels.get(name) === '') labels = labels.with(name, value)
    }
    this.#writer.bytes(1, encodeTimeSeries(series, labels).bytes)
  }

  /** Queues what was encoded. */
  async #enqueue(sampleCount: number): Promise<void> {
    const payload = encodeSnappy(this.#writer.view())
    this.#writer.reset()
    await this.#options.queue.append({ payload, sampleCount })
    this.#wake?.()
  }

  async #send(): Promise<void> {
    const { clock, logger, name, queue } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        const record = await queue.first()
        if (record === null) await this.#woken()
        else if (await this.#deliver(record)) await queue.remove()
      } catch (error) {
        logger.error({ target: name, error }, 'the forward queue could not be read: tried again')
        await sleep(clock, BACKOFF_MS_MAX, signal).catch(() => {}) // Stopped: the loop ends.
      }
    }
  }

  /** Until something is queued, or it is stopped: which it may have been while the queue was looked at. */
  async #woken(): Promise<void> {
    if (this.#stop.signal.aborted) return
    await new Promise<void>((resolve) => (this.#wake = resolve))
    this.#wake = undefined
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
    const { http, url, connection, timeoutMs, logger, name, clock } = this.#options
    const { authority } = connection
    try {
      const response = await http.request({
        method: 'POST',
        url,
        timeoutMs,
        totalMs: timeoutMs,
        ...(authority === undefined ? {} : { authority }),
        signal: this.#stop.signal,
        body: payload,
        headers: {
          'Content-Type': 'application/x-protobuf',
          'Content-Encoding': 'snappy',
          'X-Prometheus-Remote-Write-Version': '0.1.0',
          'User-Agent': 'varve',
          ...(attempt === 0 ? {} : { 'Retry-Attempt': String(attempt) }),
          ...connection.headers(),
        },
      })
      if (response.status >= 200 && response.status < 300) {
        // Taken, whatever else it says and however that ends.
        await response.discard().catch(() => {})
        return 'taken'
      }
      const text = await response.text(64 << 10).then(
        (all) => all.slice(0, ANSWER_CHARACTERS_MAX).trim(),
        () => '',
      )
      if (response.status >= 500 || response.status === 429) {
        return {
          why: `${response.status} ${text}`,
          waitMs: retryAfterMs(response.header('retry-after'), clock.wallMs()),
        }
      }
      logger.error({ target: name, status: response.status, sampleCount, answer: text }, 'the target refused samples')
      return 'refused'
    } catch (error) {
      return { why: (error as Error).message, waitMs: 0 }
    }
  }
}

/** Seconds, or a date. */
export function retryAfterMs(header: string | undefined, nowMs: number): number {
  const text = header?.trim() ?? ''
  const waitMs = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs
  return Number.isNaN(waitMs) ? 0 : Math.min(RETRY_AFTER_MS_MAX, Math.max(0, waitMs))
}

function partOf(series: BatchSeries, from: number, to: number): BatchSeries {
  if (from === 0 && to === series.values.length) return series
  return {
    labels: series.labels,
    timestampsMs: series.timestampsMs.subarray(from, to),
    values: series.values.subarray(from, to),
    histogramAt: (index) => series.histogramAt(from + index),
  }
}
