import { setTimeout as delay } from 'node:timers/promises'
import type { EtcdWatchEvent } from '@varve/tsdb-core/env'
import { nodeEnv } from '@varve/tsdb-core/env/node'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { EtcdCluster, eventually, hasEtcd } from '../testing/etcd-cluster.test.support.js'
import { Etcd3Client } from './etcd3-client.js'

const text = (value: Uint8Array) => new TextDecoder().decode(value)
const bytes = (value: string) => new TextEncoder().encode(value)

if (!hasEtcd) console.warn('skipped: etcd is not installed (apt-get install etcd-server etcd-client)')

describe.skipIf(!hasEtcd)('the etcd client against a real etcd', () => {
  let etcd: EtcdCluster
  const clients: Etcd3Client[] = []
  const connect = () => {
    const client = new Etcd3Client({ endpoints: etcd.endpoints }, nodeEnv().clock)
    clients.push(client)
    return client
  }
  beforeAll(async () => {
    etcd = await EtcdCluster.start()
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.close()
  })
  afterAll(() => etcd.stop())

  it('puts, gets, lists and deletes, with revisions', async () => {
    const client = connect()
    const first = await client.put('/a/x', bytes('1'))
    await client.put('/a/y', Uint8Array.of(0, 255))
    expect(await client.get('/a/x')).toMatchObject({ key: '/a/x', modRevision: first.revision })
    const listed = await client.range('/a/')
    expect(listed.keyValues.map(({ key }) => key)).toEqual(['/a/x', '/a/y'])
    expect([...listed.keyValues[1].value]).toEqual([0, 255])
    expect(await client.delete('/a/x')).toMatchObject({ deleted: true })
    expect(await client.delete('/a/x')).toMatchObject({ deleted: false })
    expect(await client.get('/a/x')).toBeNull()
  })

  it('lists more keys than fit a page, in order and without loss', async () => {
    const client = connect()
    const names = Array.from({ length: 1203 }, (_, index) => `/many/${String(index).padStart(5, '0')}`)
    for (let from = 0; from < names.length; from += 100) {
      await client.transact(
        [],
        names.slice(from, from + 100).map((put) => ({ put, value: bytes('v') })),
      )
    }
    expect((await client.range('/many/')).keyValues.map(({ key }) => key)).toEqual(names)
  })

  it('carries out a transaction only if all its compares hold', async () => {
    const client = connect()
    const absent = { key: '/fence', createRevision: 0 }
    expect(await client.transact([absent], [{ put: '/fence', value: bytes('a') }])).toMatchObject({ succeeded: true })
    expect(await client.transact([absent], [{ put: '/fence', value: bytes('b') }])).toMatchObject({ succeeded: false })
    expect(text((await client.get('/fence'))!.value)).toBe('a')
  })

  it('tells of a change soon, and of the connection first', async () => {
    const client = connect()
    const events: EtcdWatchEvent[] = []
    const watch = client.watch('/w/', (event) => events.push(event))
    await eventually('connected', () => events.length > 0)
    expect(events[0]).toEqual({ kind: 'connected' })
    await etcd.ctl('put', '/w/x', '1')
    await eventually('changed', () => events.some(({ kind }) => kind === 'changed'))
    await watch.close()
  })

  it('goes on watching after a compaction', async () => {
    const client = connect()
    const events: EtcdWatchEvent[] = []
    client.watch('/c/', (event) => events.push(event))
    await eventually('connected', () => events.length > 0)
    const { revision } = await client.put('/c/x', bytes('1'))
    await etcd.ctl('compact', String(revision))
    events.length = 0
    await client.put('/c/x', bytes('2'))
    await eventually('changed', () => events.some(({ kind }) => kind === 'changed'))
  })

  it('fails with a code while etcd is away, and says connected when it is back', async () => {
    const client = connect()
    const events: EtcdWatchEvent[] = []
    client.watch('/k/', (event) => events.push(event))
    await eventually('connected', () => events.length > 0)
    await etcd.kill(0)
    await expect(client.get('/k/x')).rejects.toMatchObject({ name: 'EtcdError', code: 'UNAVAILABLE' })
    await eventually('lost', () => events.some(({ kind }) => kind === 'lost'))
    events.length = 0
    etcd.run(0)
    await etcd.ready()
    expect(await eventually('connected again', () => events.some(({ kind }) => kind === 'connected'))).toBeLessThan(
      5000,
    )
    await client.put('/k/x', bytes('1'))
    await eventually('changed', () => events.some(({ kind }) => kind === 'changed'))
  })

  it('notices a frozen server', async () => {
    const client = connect()
    const events: EtcdWatchEvent[] = []
    client.watch('/f/', (event) => events.push(event))
    await eventually('connected', () => events.length > 0)
    etcd.signal(0, 'SIGSTOP')
    try {
      await expect(client.get('/f/x')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      await eventually('lost', () => events.some(({ kind }) => kind === 'lost'), 10_000)
    } finally {
      etcd.signal(0, 'SIGCONT')
    }
    events.length = 0
    await eventually('connected again', () => events.some(({ kind }) => kind === 'connected'))
  })

  it('holds a lease by its own clock, and no longer than etcd does', async () => {
    const client = connect()
    const lease = await client.grantLease(3000)
    await client.put('/lease/x', bytes('mine'), { leaseId: lease.id })
    await delay(4000)
    expect(lease.isHeld()).toBe(true)
    expect(await client.get('/lease/x')).not.toBeNull()
    etcd.signal(0, 'SIGSTOP')
    try {
      await eventually('lost by our own clock', () => !lease.isHeld(), 3000)
    } finally {
      etcd.signal(0, 'SIGCONT')
    }
    const other = await client.grantLease(2000)
    await other.revoke()
    expect(other.isHeld()).toBe(false)
  })

  it('refuses endpoints that are no addresses', () => {
    expect(() => new Etcd3Client({ endpoints: ['localhost:2379'] }, nodeEnv().clock)).toThrow(
      /wanted http:\/\/HOST:PORT/,
    )
  })
})

describe.skipIf(!hasEtcd)('the etcd client with a user and a password', () => {
  it('works on after its token was lost, and is refused with a wrong password', async () => {
    const etcd = await EtcdCluster.start()
    const options = { endpoints: etcd.endpoints, username: 'root', password: 'secret' }
    try {
      await etcd.ctl('user', 'add', 'root:secret')
      await etcd.ctl('user', 'grant-role', 'root', 'root')
      await etcd.ctl('auth', 'enable')
      const client = new Etcd3Client(options, nodeEnv().clock)
      const events: EtcdWatchEvent[] = []
      client.watch('/t/', (event) => events.push(event))
      await eventually('connected', () => events.length > 0)
      // Simple tokens live in the server's memory.
      await etcd.kill(0)
      etcd.run(0)
      events.length = 0
      await eventually('connected again', () => events.some(({ kind }) => kind === 'connected'), 8000)
      await client.put('/t/x', bytes('1'))
      await eventually('changed', () => events.some(({ kind }) => kind === 'changed'))
      await client.close()

      const wrong = new Etcd3Client({ ...options, password: 'guess' }, nodeEnv().clock)
      await expect(wrong.get('/t/x')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
      await wrong.close()
    } finally {
      await etcd.stop()
    }
  })
})
