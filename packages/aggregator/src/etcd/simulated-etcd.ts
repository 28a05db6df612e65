/**
 * An etcd that lies, on the clock and the seed of a simulated platform.
 *
 * Keys and transactions are exact, as etcd's are. What it may do to clients, switched on one by one: not answer, answer
 * late, carry out a call and lose the answer, lose, repeat and reorder watch events, end watches at a compaction, forget
 * leases, and come back with an older state (a restored backup).
 */
import {
  type Clock,
  type EtcdClient,
  type EtcdCompare,
  EtcdError,
  type EtcdKeyValue,
  type EtcdLease,
  type EtcdOperation,
  type EtcdRange,
  type EtcdWatchEvent,
  type Random,
  sleep,
} from '@varve/tsdb-core/env'

export interface EtcdFaults {
  /** No call is answered, watches are lost. */
  down: boolean
  /** Each call takes up to this long. */
  delayMsMax: number
  /** Shares of 1. */
  lostAnswers: number
  lostEvents: number
  repeatedEvents: number
  /** Events arrive up to this much later, each by itself, so in any order. */
  eventDelayMsMax: number
}

const CALL_DEADLINE_MS = 2000
const RECONNECT_MS = 500

interface Watch {
  readonly prefix: string
  readonly changed: (event: EtcdWatchEvent) => void
  connected: boolean
}

export class SimulatedEtcd {
  readonly faults: EtcdFaults = {
    down: false,
    delayMsMax: 0,
    lostAnswers: 0,
    lostEvents: 0,
    repeatedEvents: 0,
    eventDelayMsMax: 0,
  }
  readonly #clock: Clock
  readonly #random: Random
  readonly #watches = new Set<Watch>()
  #entries = new Map<string, EtcdKeyValue>()
  #leases = new Map<string, { keys: Set<string>; expiresMs: number; ttlMs: number }>()
  #revision = 1
  #leaseCount = 0

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  connect(): EtcdClient {
    return new SimulatedEtcdClient(this)
  }

  /** What is stored, as an operator's `etcdctl get --prefix` shows it, whatever the faults. */
  entries(): ReadonlyMap<string, EtcdKeyValue> {
    return this.#entries
  }

  /** As an operator's `etcdctl put`, whatever the faults. */
  put(key: string, value: Uint8Array | string): void {
    this.transact([], [{ put: key, value: typeof value === 'string' ? new TextEncoder().encode(value) : value }])
  }

  delete(key: string): void {
    this.transact([], [{ delete: key }])
  }

  /** Ends all watches, as a compaction ends those that are behind. */
  compact(): void {
    for (const watch of this.#watches) this.#lose(watch, `compacted up to revision ${this.#revision}`)
  }

  /** The processes of all clients died: nobody is told anything any more. */
  dropClients(): void {
    this.#watches.clear()
  }

  goDown(): void {
    this.faults.down = true
    for (const watch of this.#watches) this.#lose(watch, 'connection refused')
  }

  comeBack(): void {
    this.faults.down = false
  }

  /** A backup: `restore` puts it back, revision included. */
  backup(): () => void {
    const entries = new Map(this.#entries)
    const revision = this.#revision
    return () => {
      this.#entries = new Map(entries)
      this.#revision = revision
      for (const watch of this.#watches) this.#lose(watch, 'the member was restarted')
    }
  }

  forgetLeases(): void {
    for (const [id] of this.#leases) this.revokeLease(id)
  }

  range(prefix: string): EtcdRange {
    const keyValues = [...this.#entries.values()].filter(({ key }) => key.startsWith(prefix))
    return { revision: this.#revision, keyValues: keyValues.sort((a, b) => (a.key < b.key ? -1 : 1)) }
  }

  transact(compares: readonly EtcdCompare[], then: readonly EtcdOperation[]): { succeeded: boolean; revision: number } {
    this.#expireLeases()
    for (const compare of compares) {
      const entry = this.#entries.get(compare.key)
      const holds =
        'createRevision' in compare
          ? (entry?.createRevision ?? 0) === compare.createRevision
          : (entry?.modRevision ?? 0) === compare.modRevision
      if (!holds) return { succeeded: false, revision: this.#revision }
    }
    const touched: string[] = []
    if (then.some((operation) => 'put' in operation || this.#entries.has(operation.delete))) this.#revision++
    for (const operation of then) {
      if ('delete' in operation) {
        if (this.#entries.delete(operation.delete)) touched.push(operation.delete)
        continue
      }
      const { put: key, value, leaseId } = operation
      const createRevision = this.#entries.get(key)?.createRevision ?? this.#revision
      this.#entries.set(key, { key, value: value.slice(), createRevision, modRevision: this.#revision })
      if (leaseId !== undefined) this.#leases.get(leaseId)?.keys.add(key)
      touched.push(key)
    }
    for (const key of touched) this.#tell(key)
    return { succeeded: true, revision: this.#revision }
  }

  /** Answers a client's call, or not, as the faults say. */
  async answer<T>(call: () => T): Promise<T> {
    const { delayMsMax } = this.faults
    const delayMs = delayMsMax > 0 ? this.#random.u32() % (delayMsMax + 1) : 0
    await sleep(this.#clock, Math.min(delayMs, CALL_DEADLINE_MS))
    if (this.faults.down || delayMs > CALL_DEADLINE_MS) throw new EtcdError('UNAVAILABLE', 'no answer within 2 s')
    const result = call()
    if (this.#happens(this.faults.lostAnswers)) throw new EtcdError('UNAVAILABLE', 'the answer was lost')
    return result
  }

  watch(prefix: string, changed: (event: EtcdWatchEvent) => void): { close(): void } {
    const watch: Watch = { prefix, changed, connected: false }
    this.#watches.add(watch)
    this.#connect(watch)
    return { close: () => this.#watches.delete(watch) }
  }

  grantLease(ttlMs: number): string {
    const id = String(++this.#leaseCount)
    this.#leases.set(id, { keys: new Set(), ttlMs, expiresMs: this.#clock.monotonicMs() + ttlMs })
    return id
  }

  /** Whether etcd knew the lease still. */
  keepAlive(id: string): boolean {
    this.#expireLeases()
    const lease = this.#leases.get(id)
    if (lease) lease.expiresMs = this.#clock.monotonicMs() + lease.ttlMs
    return lease !== undefined
  }

  revokeLease(id: string): void {
    const lease = this.#leases.get(id)
    if (!lease) return
    this.#leases.delete(id)
    for (const key of lease.keys) this.delete(key)
  }

  #expireLeases(): void {
    const nowMs = this.#clock.monotonicMs()
    for (const [id, lease] of this.#leases) if (lease.expiresMs <= nowMs) this.revokeLease(id)
  }

  #happens(share: number): boolean {
    return share > 0 && this.#random.u32() < share * 2 ** 32
  }

  #tell(key: string): void {
    for (const watch of this.#watches) {
      if (!watch.connected || !key.startsWith(watch.prefix) || this.#happens(this.faults.lostEvents)) continue
      const copies = this.#happens(this.faults.repeatedEvents) ? 2 : 1
      for (let copy = 0; copy < copies; copy++) {
        const { eventDelayMsMax } = this.faults
        const delayMs = eventDelayMsMax > 0 ? this.#random.u32() % (eventDelayMsMax + 1) : 0
        this.#later(watch, delayMs, () => watch.connected && watch.changed({ kind: 'changed' }))
      }
    }
  }

  #lose(watch: Watch, reason: string): void {
    if (!watch.connected) return
    watch.connected = false
    watch.changed({ kind: 'lost', reason })
    this.#connect(watch)
  }

  #connect(watch: Watch): void {
    this.#later(watch, RECONNECT_MS, () => {
      if (this.faults.down) return this.#connect(watch)
      watch.connected = true
      watch.changed({ kind: 'connected' })
    })
  }

  #later(watch: Watch, delayMs: number, run: () => void): void {
    this.#clock.setTimer(delayMs, () => {
      if (this.#watches.has(watch)) run()
    })
  }
}

class SimulatedEtcdClient implements EtcdClient {
  readonly #etcd: SimulatedEtcd
  readonly #watches: { close(): void }[] = []

  constructor(etcd: SimulatedEtcd) {
    this.#etcd = etcd
  }

  range(prefix: string): Promise<EtcdRange> {
    return this.#etcd.answer(() => this.#etcd.range(prefix))
  }

  get(key: string): Promise<EtcdKeyValue | null> {
    return this.#etcd.answer(() => this.#etcd.entries().get(key) ?? null)
  }

  put(key: string, value: Uint8Array, options?: { leaseId?: string }): Promise<{ revision: number }> {
    const leaseId = options?.leaseId
    return this.#etcd.answer(() =>
      this.#etcd.transact([], [{ put: key, value, ...(leaseId !== undefined && { leaseId }) }]),
    )
  }

  delete(key: string): Promise<{ revision: number; deleted: boolean }> {
    return this.#etcd.answer(() => {
      const deleted = this.#etcd.entries().has(key)
      return { ...this.#etcd.transact([], [{ delete: key }]), deleted }
    })
  }

  transact(compares: readonly EtcdCompare[], then: readonly EtcdOperation[]) {
    return this.#etcd.answer(() => this.#etcd.transact(compares, then))
  }

  watch(prefix: string, changed: (event: EtcdWatchEvent) => void): { close(): Promise<void> } {
    const watch = this.#etcd.watch(prefix, changed)
    this.#watches.push(watch)
    return { close: async () => watch.close() }
  }

  async grantLease(ttlMs: number): Promise<EtcdLease> {
    const id = await this.#etcd.answer(() => this.#etcd.grantLease(ttlMs))
    let revoked = false
    return {
      id,
      isHeld: () => !revoked && this.#etcd.keepAlive(id),
      revoke: async () => {
        revoked = true
        await this.#etcd.answer(() => this.#etcd.revokeLease(id))
      },
    }
  }

  async close(): Promise<void> {
    for (const watch of this.#watches) watch.close()
  }
}
