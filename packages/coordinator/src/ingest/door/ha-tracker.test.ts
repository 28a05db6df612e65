import type { Clock, EtcdClient } from '@varve/tsdb-core/env'
import { Labels } from '@varve/tsdb-core/model'
import { describe, expect, it } from 'vitest'
import { SILENT } from '../../logging/logger.js'
import { seeded } from '../../testing/seeded.js'
import { HaTracker } from './ha-tracker.js'

const of = (replica: string, cluster = 'c') => Labels.from({ __name__: 'up', cluster, __replica__: replica })

class TestClock {
  nowMs = 1_000_000
  wallMs = () => this.nowMs
  monotonicMs = () => this.nowMs
  advance(ms: number): void {
    this.nowMs += ms
  }
}

/** One key space with compare and swap, which can be away. */
class TestEtcd {
  readonly keys = new Map<string, { value: Uint8Array; modRevision: number }>()
  away = false
  reads = 0
  asked = 0
  #revision = 0

  async get(key: string) {
    this.asked++
    if (this.away) throw new Error('etcd is away')
    this.reads++
    const found = this.keys.get(key)
    return found ? { key, createRevision: 1, ...found } : null
  }

  async transact(
    [compare]: { key: string; createRevision?: number; modRevision?: number }[],
    [operation]: { put: string; value: Uint8Array }[],
  ) {
    if (this.away) throw new Error('etcd is away')
    const found = this.keys.get(compare.key)
    const succeeded =
      compare.modRevision === undefined ? found === undefined : found?.modRevision === compare.modRevision
    if (succeeded) this.keys.set(operation.put, { value: operation.value, modRevision: ++this.#revision })
    return { succeeded, revision: this.#revision }
  }
}

function tracker(clock: TestClock, etcd?: TestEtcd): HaTracker {
  return new HaTracker({
    clusterLabel: 'cluster',
    replicaLabel: '__replica__',
    failoverMs: 30_000,
    clock: clock as unknown as Clock,
    random: seeded(1),
    logger: SILENT,
    clusterCountMax: 3,
    ...(etcd ? { etcd: etcd as unknown as EtcdClient } : {}),
  })
}

describe.each(['alone', 'with etcd'])('HaTracker %s', (where) => {
  const make = (clock: TestClock) => tracker(clock, where === 'with etcd' ? new TestEtcd() : undefined)

  it('elects the first, refuses the other, and fails over when the first is silent', async () => {
    const clock = new TestClock()
    const ha = make(clock)
    for (let i = 0; i < 20; i++) {
      expect(await ha.accepts(of('a'))).toBe(true)
      expect(await ha.accepts(of('b'))).toBe(false)
      clock.advance(5_000)
    }
    clock.advance(26_000)
    expect(await ha.accepts(of('b'))).toBe(true)
    expect(await ha.accepts(of('a'))).toBe(false)
    expect(ha.failoverCount).toBe(1)
  })

  it('elects in each cluster and lets pass what is no pair', async () => {
    const ha = make(new TestClock())
    expect(await ha.accepts(of('a', 'one'))).toBe(true)
    expect(await ha.accepts(of('b', 'two'))).toBe(true)
    expect(await ha.accepts(Labels.from({ __name__: 'up', cluster: 'one' }))).toBe(true)
    expect(await ha.accepts(Labels.from({ __name__: 'up', __replica__: 'b' }))).toBe(true)
  })

  it('refuses more clusters than it may hold', async () => {
    const ha = make(new TestClock())
    for (const cluster of ['1', '2', '3']) await ha.accepts(of('a', cluster))
    expect(() => ha.accepts(of('a', '4'))).toThrowError(/too many HA clusters: "4" is one more than the 3/)
    expect(await ha.accepts(of('a', '1'))).toBe(true)
  })
})

describe('HaTracker with etcd', () => {
  it('agrees with the other coordinator, and asks etcd only now and then', async () => {
    const clock = new TestClock()
    const etcd = new TestEtcd()
    const one = tracker(clock, etcd)
    const two = tracker(clock, etcd)
    expect(await one.accepts(of('a'))).toBe(true)
    expect(await two.accepts(of('b'))).toBe(false)
    expect(await two.accepts(of('a'))).toBe(true)
    const { reads } = etcd
    for (let i = 0; i < 100; i++) one.accepts(of('a'))
    expect(etcd.reads).toBe(reads)
    const stored = [...etcd.keys.values()].map(({ value }) => JSON.parse(new TextDecoder().decode(value)))
    expect(stored).toEqual([{ replica: 'a', receivedAtMs: 1_000_000 }])
  })

  it('keeps the elected one, although the other one asks first each time', async () => {
    const clock = new TestClock()
    const etcd = new TestEtcd()
    const trackers = [tracker(clock, etcd), tracker(clock, etcd)]
    expect(await trackers[0].accepts(of('a'))).toBe(true)
    for (let second = 0; second < 600; second++) {
      clock.advance(1000)
      for (const each of trackers) {
        expect(await each.accepts(of('b')), `${second} s`).toBe(false)
        expect(await each.accepts(of('a')), `${second} s`).toBe(true)
      }
    }
    expect(etcd.reads).toBeLessThan(400)
  })

  it('goes on by what it knows while etcd is away', async () => {
    const clock = new TestClock()
    const etcd = new TestEtcd()
    const ha = tracker(clock, etcd)
    await ha.accepts(of('a'))
    etcd.away = true
    clock.advance(20_000)
    expect(await ha.accepts(of('b'))).toBe(false)
    expect(await ha.accepts(of('a'))).toBe(true)
    clock.advance(60_000)
    expect(await ha.accepts(of('b'))).toBe(true)
  })

  it('asks an etcd that is away now and then, whichever replica sends, and believes it again once it is back', async () => {
    const clock = new TestClock()
    const etcd = new TestEtcd()
    const ha = tracker(clock, etcd)
    await ha.accepts(of('a'))
    etcd.away = true
    const before = etcd.asked
    for (let second = 0; second < 120; second++) {
      clock.advance(1_000)
      expect(await ha.accepts(of('b')), `${second} s`).toBe(false)
      expect(await ha.accepts(of('a')), `${second} s`).toBe(true)
      for (const cluster of ['d', 'e']) await ha.accepts(of('a', cluster))
    }
    expect(etcd.asked - before).toBeLessThan(30)
    etcd.away = false
    const other = tracker(clock, etcd)
    clock.advance(20_000)
    await ha.accepts(of('a'))
    expect(await other.accepts(of('b'))).toBe(false)
  })

  it('strips the replica label of pairs only', () => {
    const ha = tracker(new TestClock())
    expect(String(ha.withoutReplica(of('a')))).toBe('up{cluster="c"}')
    expect(String(ha.withoutReplica(Labels.from({ __name__: 'up', __replica__: 'b' })))).toBe('up{__replica__="b"}')
  })
})
