/**
 * A lease with a clock of its own: it counts as held for two thirds of its time after the *sending* of the last keep-alive
 * that was acknowledged, so its holder always knows of the loss before etcd gives the lease to somebody else.
 */
import { type Clock, type EtcdLease, sleep } from '@varve/tsdb-core/env'

/** The part of a gRPC stream that is used here. */
interface KeepAliveStream {
  write(request: { ID: string }): unknown
  on(event: 'data', callback: (response: { ID: string; TTL: string }) => void): unknown
  on(event: 'error', callback: (error: Error) => void): unknown
  on(event: 'end', callback: () => void): unknown
  cancel(): void
}

export interface EtcdLeaseOptions {
  readonly clock: Clock
  readonly id: string
  readonly ttlMs: number
  /** By the monotonic clock, before the request was sent. */
  readonly grantedMs: number
  openKeepAlive(): Promise<unknown>
  /** Told when an endpoint did not answer, before the next attempt. */
  renewFailed(): void
  revoke(): Promise<void>
}

/** Part of the time to live for which a lease counts as held, and after which it is renewed. */
const HELD_SHARE = 2 / 3
const RENEW_SHARE = 1 / 4

export class EtcdLeaseHolder implements EtcdLease {
  readonly id: string
  readonly #options: EtcdLeaseOptions
  readonly #stop = new AbortController()
  #renewedMs: number
  #lost = false

  constructor(options: EtcdLeaseOptions) {
    this.#options = options
    this.id = options.id
    this.#renewedMs = options.grantedMs
    void this.#run()
  }

  isHeld(): boolean {
    if (this.#lost || this.#stop.signal.aborted) return false
    return this.#options.clock.monotonicMs() < this.#renewedMs + this.#options.ttlMs * HELD_SHARE
  }

  async revoke(): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#stop.abort(new Error('the lease was given back'))
    await this.#options.revoke()
  }

  async #run(): Promise<void> {
    const { clock, ttlMs, renewFailed } = this.#options
    while (!this.#stop.signal.aborted && !this.#lost) {
      await sleep(clock, ttlMs * RENEW_SHARE, this.#stop.signal).catch(() => undefined) // Aborted: the loop ends.
      if (this.#stop.signal.aborted) return
      // Once it was not held for a moment it never is again: somebody else may have had it.
      if (!this.isHeld()) {
        this.#lost = true
        return
      }
      const sentMs = clock.monotonicMs()
      const grantedMs = await this.#renew()
      if (grantedMs === 0) this.#lost = true
      else if (grantedMs === null) renewFailed()
      else if (this.isHeld()) this.#renewedMs = sentMs
    }
  }

  /** The time to live that etcd confirms, 0 when it knows no such lease, null when it does not answer. */
  async #renew(): Promise<number | null> {
    const { clock, id, ttlMs } = this.#options
    let stream: KeepAliveStream | undefined
    try {
      stream = (await this.#options.openKeepAlive()) as KeepAliveStream
      const opened = stream
      return await new Promise<number | null>((resolve) => {
        const deadline = clock.setTimer(ttlMs * RENEW_SHARE, () => resolve(null))
        const settle = (value: number | null) => {
          deadline.cancel()
          resolve(value)
        }
        opened.on('data', (response) => settle(Number(response.TTL) * 1000))
        opened.on('error', () => settle(null))
        opened.on('end', () => settle(null))
        opened.write({ ID: id })
      })
    } catch {
      return null // No endpoint: the caller tries the next one until the lease's own clock has run out.
    } finally {
      stream?.cancel()
    }
  }
}
