/** The whole aggregator with a real etcd of three members that asks for a password: away, frozen, compacted, its tokens lost. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Engine } from '@varve/promql'
import { Database } from '@varve/tsdb-core'
import { nodeEnv } from '@varve/tsdb-core/env/node'
import { METRIC_NAME } from '@varve/tsdb-core/model'
import { describe, expect, it } from 'vitest'
import { Aggregator } from './aggregator.js'
import { Etcd3Client } from './etcd/etcd3-client.js'
import { EtcdRuleStore } from './stores/etcd-rule-store.js'
import { EtcdCluster, eventually, hasEtcd } from './testing/etcd-cluster.test.support.js'

const MEMBERS = [0, 1, 2]
const KEY = '/varve/rules/rollup/sum'
/** Windows end every second and are computed half a second later. */
const BEHIND_MS_MAX = 6000

describe.skipIf(!hasEtcd)('an aggregator with a real etcd that has users', () => {
  it('has the new rules within 5 s of its return, and ingest, queries and rollups go on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'varve-aggregator-'))
    const etcd = await EtcdCluster.start(MEMBERS.length)
    const login = ['--user', 'root:secret']
    await etcd.ctl('user', 'add', 'root:secret')
    await etcd.ctl('user', 'grant-role', 'root', 'root')
    await etcd.ctl('auth', 'enable')
    const env = nodeEnv()
    const database = await Database.open({ directory: folder, env, diskReserveBytes: 0 })
    const options = { endpoints: etcd.endpoints, username: 'root', password: 'secret' }
    const client = new Etcd3Client(options, env.clock)
    const aggregator = new Aggregator({
      database,
      env,
      store: new EtcdRuleStore({ client }),
      stateDirectory: `${folder}/state`,
    })
    const stop = new AbortController()
    const lives = live(database, aggregator, stop.signal)
    const rule = (name: string) => JSON.stringify({ match: 'm', name, by: [], aggregate: 'count', policies: ['1s:1d'] })
    const nameOf = () => aggregator.book.entry('rollup/sum')?.versions.at(-1)?.text ?? ''
    const put = async (name: string) => {
      await etcd.ctl(...login, 'put', KEY, rule(name))
      await eventually(`rule ${name}`, () => nameOf() === rule(name), 5000)
    }
    const answers = () =>
      etcd.ctl(...login, 'get', 'x').then(
        () => true,
        () => false,
      )
    try {
      await aggregator.start()
      await put('first')
      await eventually('windows', () => (aggregator.status().policies[0]?.windowCount ?? 0) > 0, 10_000)

      // Simple tokens live in the members' memory: all of them are lost.
      for (const index of MEMBERS) await etcd.kill(index)
      await delay(2500)
      for (const index of MEMBERS) etcd.run(index)
      await eventually('etcd is back', answers, 10_000)
      await put('token:lost')

      for (const index of MEMBERS) etcd.signal(index, 'SIGSTOP')
      await delay(2500)
      for (const index of MEMBERS) etcd.signal(index, 'SIGCONT')
      await eventually('etcd is back', answers, 10_000)
      await put('frozen')

      const { modRevision } = (await client.get(KEY))!
      await etcd.ctl(...login, 'compact', String(modRevision))
      await etcd.kill(0)
      await eventually('etcd goes on', answers, 10_000)
      await put('compacted:without:one')
      await eventually(
        'an output of the last rule',
        async () => (await countOf(database, 'compacted:without:one')) > 0,
        6000,
      )
    } finally {
      stop.abort()
      await lives.catch(() => undefined)
      await aggregator.stop()
      await client.close()
      await database.close()
      await etcd.stop()
      rmSync(folder, { recursive: true, force: true })
    }
    const { appendedCount, queryCount, behindMsMax, gaps } = await lives
    expect(appendedCount).toBeGreaterThan(50)
    expect(queryCount).toBe(appendedCount)
    expect(behindMsMax).toBeLessThan(BEHIND_MS_MAX)
    expect(gaps).toEqual([])
  }, 90_000)
})

async function countOf(database: Database, name: string): Promise<number> {
  const matchers = [{ name: METRIC_NAME, operator: '=' as const, value: name }]
  const { batches } = await database.namespace('1s_1d').select({ matchers, startMs: 0, endMs: 8e15 })
  let count = 0
  for await (const batch of batches) count += batch.values.length
  return count
}

/** Appends, queries and looks at the windows until it is told to stop; then says whether a window is missing. */
async function live(database: Database, aggregator: Aggregator, signal: AbortSignal) {
  const engine = new Engine()
  let appendedCount = 0
  let queryCount = 0
  let behindMsMax = 0
  while (!signal.aborted) {
    await database.append([{ labels: { [METRIC_NAME]: 'm', i: 'a' }, timestampMs: Date.now(), value: appendedCount++ }])
    const { series } = await engine.rangeQuery({
      queryable: aggregator.queryable(),
      query: 'count_over_time(m[5s])',
      startMs: Date.now(),
      endMs: Date.now(),
      stepMs: 1000,
    })
    if (series.count === 1) queryCount++
    const [policy] = aggregator.status().policies
    if (policy !== undefined) behindMsMax = Math.max(behindMsMax, Date.now() - policy.lastWindowEndMs)
    await delay(100)
  }
  // Whatever the rule was called, each second has one window of it.
  const ends = new Set<number>()
  if (database.hasNamespace('1s_1d')) {
    const matchers = [{ name: METRIC_NAME, operator: '!=' as const, value: '' }]
    const { batches } = await database.namespace('1s_1d').select({ matchers, startMs: 0, endMs: 8e15 })
    for await (const { timestampsMs } of batches) for (const timeMs of timestampsMs) ends.add(timeMs)
  }
  const [first] = [...ends].sort((a, b) => a - b)
  const gaps: number[] = []
  for (let endMs = first; endMs <= Math.max(...ends); endMs += 1000) if (!ends.has(endMs)) gaps.push(endMs)
  return { appendedCount, queryCount, behindMsMax, gaps }
}
