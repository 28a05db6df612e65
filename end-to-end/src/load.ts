/**
 * Counters and gauges written the way a Prometheus writes: a batch that is not acknowledged is sent again until it is. What
 * was acknowledged is remembered, to be asked for later.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { remoteWrite, type WrittenSeries } from './remote-writer.js'

export interface AcknowledgedSample {
  readonly timestampMs: number
  readonly value: number
}

export class Load {
  readonly workers = ['0', '1', '2', '3', '4', '5']
  #url: string
  #counts = new Map<string, number>()
  #acknowledged = new Map<string, AcknowledgedSample[]>()
  #running = true
  #done: Promise<void>
  #errors: string[] = []
  #lastAcknowledgedMs = 0

  /** Starts at once: every 100 ms a sample of each series. */
  constructor(url: string) {
    this.#url = url
    this.#done = this.#run()
  }

  static group(worker: string): string {
    return Number(worker) % 2 === 0 ? 'even' : 'odd'
  }

  /** Samples of `load_requests_total` (or another metric) of one worker that Varve said it has. */
  acknowledged(metric: string, worker: string): readonly AcknowledgedSample[] {
    return this.#acknowledged.get(`${metric} ${worker}`) ?? []
  }

  get lastAcknowledgedMs(): number {
    return this.#lastAcknowledgedMs
  }

  /** Answers other than success or "try again": there should be none. */
  get errors(): readonly string[] {
    return this.#errors
  }

  async stop(): Promise<void> {
    this.#running = false
    await this.#done
  }

  async #run(): Promise<void> {
    while (this.#running) {
      const batch = this.#nextBatch()
      while (this.#running && !(await this.#send(batch))) await delay(50)
      await delay(100)
    }
  }

  #nextBatch(): WrittenSeries[] {
    const timestampMs = Date.now()
    return this.workers.flatMap((worker) => {
      const before = this.#counts.get(worker) ?? 0
      // Worker 3 restarts now and then: its counter falls to zero.
      const restarts = worker === '3' && before > 150
      const count = restarts ? 0 : before + 1 + Number(worker)
      this.#counts.set(worker, count)
      const labels = { worker, group: Load.group(worker) }
      return [
        { labels: { __name__: 'load_requests_total', ...labels }, samples: [{ timestampMs, value: count }] },
        {
          labels: { __name__: 'load_queue_length', ...labels },
          samples: [{ timestampMs, value: (timestampMs % 977) / 10 + Number(worker) }],
        },
      ]
    })
  }

  async #send(batch: readonly WrittenSeries[]): Promise<boolean> {
    let answer: { status: number; text: string }
    try {
      answer = await remoteWrite(this.#url, batch)
    } catch {
      return false // Nobody listens at the moment: that is what the test is about.
    }
    if (answer.status >= 500) return false
    if (answer.status >= 300) {
      this.#errors.push(`${answer.status} ${answer.text}`)
      return true
    }
    for (const { labels, samples } of batch) {
      const key = `${labels.__name__} ${labels.worker}`
      const kept = this.#acknowledged.get(key) ?? []
      kept.push(...samples)
      this.#acknowledged.set(key, kept)
      this.#lastAcknowledgedMs = samples[0].timestampMs
    }
    return true
  }
}
