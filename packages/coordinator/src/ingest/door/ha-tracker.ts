/**
 * Pairs of Prometheus servers that scrape the same targets: of each cluster one replica is elected, the other one's
 * requests are acknowledged and not stored.
 *
 *     no replica yet                             the first that comes is elected
 *     same replica                               accepted, and the time of it is noted
 *     another one, the elected was heard of
 *       within the failover time                 not stored
 *       longer ago                               elected instead
 *
 * With etcd all coordinators of one prefix agree: the state of a cluster is one key, changed by compare and swap and looked
 * at again every 15 seconds or so. While etcd is away the last known state decides, by the rules above. Times are of our
 * clock at reception, never those of samples. As Cortex does it (pkg/ha/ha_tracker.go), by its documentation.
 */
import type { Clock, EtcdClient, Random } from '@varve/tsdb-core/env'
import type { Labels } from '@varve/tsdb-core/model'
import { CoordinatorError } from '../../errors.js'
import type { Logger } from '../../logging/logger.js'
import type { ReplicaGate } from './door.js'

export interface HaTrackerOptions {
  readonly clusterLabel: string
  readonly replicaLabel: string
  readonly failoverMs: number
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Absent: this process decides alone. */
  readonly etcd?: EtcdClient
  /** Such as `/varve/ha/default/`. */
  readonly keyPrefix?: string
  readonly clusterCountMax?: number
}

interface Elected {
  replica: string
  receivedMs: number
  /** When it was last compared with etcd, and how long that holds. */
  checkedMs: number
  holdsMs: number
}

/** How often the elected replica's life is written down, at the least. */
const UPDATE_MS_MAX = 15_000
const SWAPS_MAX = 3
/** After etcd did not answer, the next question waits so long: each one may take as long as etcd's client does to give up. */
const ETCD_RETRY_MS = 5_000

export class HaTracker implements ReplicaGate {
  readonly #options: HaTrackerOptions
  readonly #elected = new Map<string, Elected>()
  readonly #checks = new Map<string, Promise<void>>()
  /** By the monotonic clock: until then etcd is not asked. */
  #awayUntilMs = -Infinity
  /** Changes of the elected replica, for a metric. */
  failoverCount = 0

  constructor(options: HaTrackerOptions) {
    this.#options = options
  }

  /** For the API: which replica of which cluster is elected. */
  *[Symbol.iterator](): Iterator<{ cluster: string; replica: string; receivedMs: number }> {
    for (const [cluster, { replica, receivedMs }] of this.#elected) yield { cluster, replica, receivedMs }
  }

  /** Labels without the replica's, when both labels are there: the pair's series are one. */
  withoutReplica(labels: Labels): Labels {
    const { clusterLabel, replicaLabel } = this.#options
    if (labels.get(clusterLabel) === '' || labels.get(replicaLabel) === '') return labels
    return labels.with(replicaLabel, '')
  }

  accepts(labels: Labels): boolean | Promise<boolean> {
    const { clusterLabel, replicaLabel, etcd, clock } = this.#options
    const cluster = labels.get(clusterLabel)
    const replica = labels.get(replicaLabel)
    if (cluster === '' || replica === '') return true
    const known = this.#elected.get(cluster)
    if (known === undefined) this.#checkRoom(cluster)
    if (etcd === undefined) return this.#decideHere(cluster, replica)
    if (known !== undefined) {
      // The elected one is written down by its own requests: by when it was heard, and not by when etcd was asked last,
      // which those of the other one may have done, again and again, until it looked dead.
      if (known.replica === replica && clock.wallMs() - known.receivedMs < known.holdsMs) return true
      if (known.replica !== replica && clock.monotonicMs() - known.checkedMs < known.holdsMs) return false
    }
    if (clock.monotonicMs() < this.#awayUntilMs) return this.#decideHere(cluster, replica)
    return this.#checked(cluster, replica).then(() => this.#elected.get(cluster)?.replica === replica)
  }

  #checkRoom(cluster: string): void {
    const limit = this.#options.clusterCountMax ?? 10_000
    if (this.#elected.size < limit) return
    throw new CoordinatorError(
      'INVALID_ARGUMENT',
      `too many HA clusters: ${JSON.stringify(cluster.slice(0, 100))} is one more than the ${limit} allowed`,
    )
  }

  /** The rules, by what this process knows. */
  #decideHere(cluster: string, replica: string): boolean {
    const nowMs = this.#options.clock.wallMs()
    const known = this.#elected.get(cluster)
    if (known !== undefined && known.replica !== replica && nowMs - known.receivedMs < this.#options.failoverMs) {
      return false
    }
    this.#note(cluster, replica, nowMs)
    return true
  }

  /** One comparison with etcd at a time for a cluster; who comes meanwhile waits for it. */
  #checked(cluster: string, replica: string): Promise<void> {
    const running = this.#checks.get(cluster)
    if (running !== undefined) return running
    const check = this.#compareAndSwap(cluster, replica)
      .catch((error: unknown) => {
        this.#awayUntilMs = this.#options.clock.monotonicMs() + ETCD_RETRY_MS
        this.#options.logger.warn({ error, cluster }, 'HA state was not read from etcd: the last known state decides')
        this.#decideHere(cluster, replica)
      })
      .finally(() => this.#checks.delete(cluster))
    this.#checks.set(cluster, check)
    return check
  }

  async #compareAndSwap(cluster: string, replica: string): Promise<void> {
    const { etcd, clock, failoverMs, keyPrefix = '/varve/ha/' } = this.#options
    if (etcd === undefined) return
    const key = `${keyPrefix}${encodeURIComponent(cluster)}`
    for (let attempt = 0; attempt < SWAPS_MAX; attempt++) {
      const current = await etcd.get(key)
      const state = current === null ? null : parseState(current.value)
      const nowMs = clock.wallMs()
      if (state !== null && state.replica !== replica && nowMs - state.receivedMs < failoverMs) {
        this.#note(cluster, state.replica, state.receivedMs)
        return
      }
      const value = new TextEncoder().encode(JSON.stringify({ replica, receivedAtMs: nowMs }))
      const compare = current === null ? { key, createRevision: 0 } : { key, modRevision: current.modRevision }
      const { succeeded } = await etcd.transact([compare], [{ put: key, value }])
      if (succeeded) {
        this.#note(cluster, replica, nowMs)
        return
      }
    }
    // Others changed it each time: what they wrote last is read at the next request.
    this.#decideHere(cluster, replica)
  }

  #note(cluster: string, replica: string, receivedMs: number): void {
    const { clock, random, logger, failoverMs } = this.#options
    // Much less than the failover: a replica that is written down too seldom looks dead to the other coordinators.
    const updateMs = Math.min(UPDATE_MS_MAX, failoverMs / 2)
    const before = this.#elected.get(cluster)
    if (before !== undefined && before.replica !== replica) {
      this.failoverCount++
      logger.warn({ cluster, replica, before: before.replica }, 'another HA replica is elected')
    }
    this.#elected.set(cluster, {
      replica,
      receivedMs,
      checkedMs: clock.monotonicMs(),
      holdsMs: updateMs + (random.u32() % Math.ceil(updateMs / 3)),
    })
  }
}

/** A value that is none of ours counts as no election: the next request writes a good one. */
function parseState(value: Uint8Array): { replica: string; receivedMs: number } | null {
  try {
    const { replica, receivedAtMs } = JSON.parse(new TextDecoder().decode(value))
    return typeof replica === 'string' && typeof receivedAtMs === 'number'
      ? { replica, receivedMs: receivedAtMs }
      : null
  } catch {
    return null
  }
}
