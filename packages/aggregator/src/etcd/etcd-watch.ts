/**
 * A watch as a hint: it tells that something under a prefix may have changed, and never claims to have told everything.
 *
 *     opening ── created ──▶ watching ── error, end, cancelled, silence ──▶ waiting ── 0.2..2 s ──▶ opening
 *
 * Each arrival at `watching` is told as `connected`: the caller lists then, so nothing that happened in between is missed,
 * whatever the stream lost. No revision is kept, so no compaction can end it.
 */
import { type Clock, type EtcdWatchEvent, sleep } from '@varve/tsdb-core/env'
import type { IWatchRequest, IWatchResponse } from 'etcd3'
import { messageOf } from '../errors.js'

const RETRY_MS_MIN = 200
const RETRY_MS_MAX = 2000
/** The server must say within this time that the watch is there: with the wait before it, rules follow an etcd that is back within 5 s. */
const CREATED_DEADLINE_MS = 2000

/** The part of a gRPC stream that is used here. */
export interface WatchStream {
  write(request: IWatchRequest): unknown
  on(event: 'data', callback: (response: IWatchResponse) => void): unknown
  on(event: 'error', callback: (error: Error) => void): unknown
  on(event: 'end', callback: () => void): unknown
  cancel(): void
}

export interface EtcdWatchOptions {
  readonly clock: Clock
  readonly key: Buffer
  readonly end: Buffer
  open(): Promise<unknown>
  changed(event: EtcdWatchEvent): void
}

export class EtcdWatch {
  readonly #options: EtcdWatchOptions
  readonly #stop = new AbortController()
  #stream: WatchStream | null = null

  constructor(options: EtcdWatchOptions) {
    this.#options = options
    void this.#run()
  }

  close(): void {
    this.#stop.abort(new Error('the watch was closed'))
    this.#stream?.cancel()
  }

  async #run(): Promise<void> {
    let retryMs = RETRY_MS_MIN
    while (!this.#stop.signal.aborted) {
      const { reason, wasConnected } = await this.#watchOnce()
      if (this.#stop.signal.aborted) return
      this.#options.changed({ kind: 'lost', reason })
      retryMs = wasConnected ? RETRY_MS_MIN : Math.min(RETRY_MS_MAX, retryMs * 2)
      await sleep(this.#options.clock, retryMs, this.#stop.signal).catch(() => undefined) // Aborted: the loop ends.
    }
  }

  /** Resolves when the stream is over, however it ended. */
  async #watchOnce(): Promise<{ reason: string; wasConnected: boolean }> {
    const { clock, key, end, changed } = this.#options
    let stream: WatchStream
    try {
      stream = (await this.#options.open()) as WatchStream
    } catch (error) {
      return { reason: messageOf(error), wasConnected: false }
    }
    if (this.#stop.signal.aborted) {
      stream.on('error', () => undefined)
      stream.cancel()
      return { reason: 'the watch was closed', wasConnected: false }
    }
    this.#stream = stream
    let wasConnected = false
    const reason = await new Promise<string>((resolve) => {
      const deadline = clock.setTimer(CREATED_DEADLINE_MS, () => {
        if (!wasConnected) resolve(`no answer within ${CREATED_DEADLINE_MS} ms`)
      })
      stream.on('data', (response) => {
        if (response.canceled) return resolve(`cancelled by etcd: ${cancelReason(response)}`)
        if (response.created) {
          wasConnected = true
          deadline.cancel()
          changed({ kind: 'connected' })
        } else if (response.events.length > 0) changed({ kind: 'changed' })
      })
      stream.on('error', (error) => resolve(messageOf(error)))
      stream.on('end', () => resolve('the stream ended'))
      // etcd3's own words for a request: no start revision, so from now on.
      stream.write({ create_request: { key, range_end: end } } as IWatchRequest)
    })
    this.#stream = null
    stream.cancel()
    return { reason, wasConnected }
  }
}

function cancelReason(response: IWatchResponse): string {
  const compacted = Number(response.compact_revision)
  if (compacted > 0) return `compacted up to revision ${compacted}`
  return response.cancel_reason || 'no reason given'
}
