import { Database } from '@varve/tsdb-core'
import { type Env, sleep } from '@varve/tsdb-core/env'
import { Simulation } from '@varve/tsdb-core/env/simulated'
import { Labels, METRIC_NAME } from '@varve/tsdb-core/model'
import { describe, expect, it } from 'vitest'
import { Aggregator } from './aggregator.js'
import { SimulatedEtcd } from './etcd/simulated-etcd.js'
import { EtcdRuleStore } from './stores/etcd-rule-store.js'

const MINUTE = 60_000

interface Running {
  readonly env: Env
  readonly etcd: SimulatedEtcd
  readonly database: Database
  readonly aggregator: Aggregator
  readonly notices: string[]
}

/** Runs an aggregator over a database in memory, on virtual time. */
async function withAggregator(work: (running: Running) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 1 })
  await simulation.run(async (env) => {
    await env.files.makeDirectory('/data')
    const etcd = new SimulatedEtcd(env.clock, env.random)
    const database = await Database.open({ env, namespaces: { default: { retentionMs: 86_400_000 } } })
    const notices: string[] = []
    const aggregator = new Aggregator({
      database,
      env,
      store: new EtcdRuleStore({ client: etcd.connect() }),
      stateDirectory: '/data/state',
      onNotice: (severity, message) => notices.push(`${severity}: ${message}`),
    })
    await aggregator.start()
    await work({ env, etcd, database, aggregator, notices })
    await aggregator.stop()
    await database.close()
  })
}

const append = ({ database, env }: Running, name: string, value: number) =>
  database.append([{ labels: { [METRIC_NAME]: name, job: 'x' }, timestampMs: env.clock.wallMs(), value }])

async function valuesIn({ database }: Running, namespace: string, name: string): Promise<number[]> {
  const matchers = [{ name: METRIC_NAME, operator: '=' as const, value: name }]
  const values: number[] = []
  const { batches } = await database.namespace(namespace).select({ matchers, startMs: 0, endMs: 8e15 })
  for await (const batch of batches) values.push(...batch.values)
  return values
}

describe('the aggregator', () => {
  it('follows rules in etcd while it runs: put, changed, bad, deleted', () =>
    withAggregator(async (running) => {
      const { env, etcd, aggregator, notices } = running
      const key = '/varve/rules/rollup/r'
      const rule = { match: 'g', name: 'out', by: [], aggregate: 'sum', policies: ['1m:90d'] }
      const minute = async (value: number) => {
        await append(running, 'g', value)
        await sleep(env.clock, MINUTE)
      }
      await sleep(env.clock, 30_000)
      etcd.put(key, JSON.stringify(rule))
      await sleep(env.clock, 1000)
      await minute(1)
      await minute(2)
      expect(await valuesIn(running, '1m_90d', 'out')).toEqual([1, 2])

      etcd.put(key, '{"match": "g{",\n "name": 3}')
      await minute(3)
      const [state] = aggregator.status().rules
      expect(state).toMatchObject({ name: 'r', state: 'active', where: key, matchedSeriesCount: 1 })
      expect(state.problems.map(({ line, path }) => [line, path])).toContainEqual([1, 'match'])
      expect(aggregator.status()).toMatchObject({ rejectedRuleCount: 1, error: null })
      expect(notices.join('\n')).toMatch(/error: rule rollup\/r is bad, the last good one stays in force: line 1/)

      etcd.delete(key)
      await minute(4)
      await minute(5)
      expect(aggregator.status().rules).toEqual([])
      // The window that was open when the rule went is not written any more.
      expect(await valuesIn(running, '1m_90d', 'out')).toEqual([1, 2, 3])
    }))

  it('names both rules that write one series, wherever a person looks, also after another rule was put', () =>
    withAggregator(async (running) => {
      const { env, etcd, aggregator } = running
      const put = (id: string, aggregate: string) => {
        const rule = { match: 'g', name: 'out', by: [], aggregate, policies: ['10s:1d'] }
        etcd.put(`/varve/rules/rollup/${id}`, JSON.stringify(rule))
      }
      put('second-by-name', 'sum')
      await sleep(env.clock, 1000)
      put('first-by-name', 'max')
      for (let second = 0; second < 30; second += 5) {
        await append(running, 'g', 7)
        await sleep(env.clock, 5000)
      }
      etcd.put('/varve/rules/drop/other', '{"match": "other"}')
      await sleep(env.clock, 1000)
      const states = aggregator.status().rules.filter(({ kind }) => kind === 'rollup')
      expect(states.map(({ name, conflicts }) => [name, conflicts?.message ?? null])).toEqual([
        ['first-by-name', 'out is written by rollup/second-by-name already'],
        ['second-by-name', null],
      ])
      const { rules } = aggregator.explain(Labels.from({ [METRIC_NAME]: 'g', job: 'x' }))
      const [loser] = rules.filter(({ id }) => id === 'rollup/first-by-name')
      expect(loser.writes).toEqual([])
      expect(loser.reason).toContain('out in 10s_1d is written by rollup/second-by-name, which is older')
      expect(rules.find(({ id }) => id === 'rollup/second-by-name')?.writes).toHaveLength(1)
    }))

  it('computes a late sample within a few seconds', () =>
    withAggregator(async (running) => {
      const { env, etcd, database } = running
      etcd.put('/varve/rules/mapping/m', '{"match": "g", "policies": ["10s:1d"]}')
      await sleep(env.clock, 1000)
      const lateMs = env.clock.wallMs()
      await sleep(env.clock, 30_000)
      await database.append([{ labels: { [METRIC_NAME]: 'g' }, timestampMs: lateMs, value: 7 }])
      expect(await valuesIn(running, '10s_1d', 'g')).toEqual([])
      await sleep(env.clock, 3000)
      expect(await valuesIn(running, '10s_1d', 'g')).toEqual([7])
      const [policy] = running.aggregator.status().policies
      expect(policy).toMatchObject({ lateSampleCount: 1, dirtyWindowCount: 0 })
    }))

  it('makes and changes namespaces that documents describe', () =>
    withAggregator(async (running) => {
      const { env, etcd, database } = running
      etcd.put('/varve/namespaces/default', '{"retention": "7d"}')
      etcd.put('/varve/namespaces/1h_2y', '{"retention": "2y"}')
      await sleep(env.clock, 2000)
      expect(database.namespace('default').options.retentionMs).toBe(7 * 86_400_000)
      expect(database.hasNamespace('1h_2y')).toBe(true)
    }))

  it('applies a rule to stored history: by its own `from`, and when it is asked to', () =>
    withAggregator(async (running) => {
      const { env, etcd, aggregator } = running
      const startMs = env.clock.wallMs()
      for (let minute = 0; minute < 10; minute++) {
        await append(running, 'g', minute)
        await sleep(env.clock, MINUTE)
      }
      const key = '/varve/rules/rollup/r'
      const rule = { match: 'g', name: 'out', by: [], aggregate: 'sum', policies: ['1m:90d'] }
      etcd.put(key, JSON.stringify(rule))
      await sleep(env.clock, 2 * MINUTE)
      expect(await valuesIn(running, '1m_90d', 'out')).toEqual([])
      await aggregator.backfill({ kind: 'rollup', name: 'r' }, startMs - MINUTE)
      await sleep(env.clock, 5000)
      expect(aggregator.status().backfills).toEqual([])
      expect((await valuesIn(running, '1m_90d', 'out')).slice(0, 10)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
      // Another version, with a `from` of its own: what the first one wrote goes.
      etcd.put(
        key,
        JSON.stringify({ ...rule, name: 'doubled', each: 'count', from: new Date(startMs - MINUTE).toISOString() }),
      )
      await sleep(env.clock, 5000)
      expect((await valuesIn(running, '1m_90d', 'doubled')).slice(0, 10)).toEqual(Array(10).fill(1))
      expect(await valuesIn(running, '1m_90d', 'out')).toEqual([])
      await expect(aggregator.backfill({ kind: 'rollup', name: 'none' }, 0)).rejects.toMatchObject({
        code: 'NOT_FOUND',
      })
    }))

  it('explains a series, and runs a rule dry', () =>
    withAggregator(async (running) => {
      const { env, etcd, aggregator } = running
      etcd.put(
        '/varve/rules/mapping/m',
        '{"match": "{job=\\"x\\"}", "policies": ["1m:1d"], "aggregations": ["last", "max"]}',
      )
      etcd.put('/varve/rules/drop/d', '{"match": "g"}')
      await sleep(env.clock, 1000)
      for (let minute = 0; minute < 20; minute++) {
        await append(running, 'g', minute)
        await sleep(env.clock, 30_000)
      }
      const { rules, isDropped } = aggregator.explain(Labels.from({ __name__: 'g', job: 'x' }))
      expect(rules).toMatchObject([
        { id: 'mapping/m', matches: true, writes: [{ namespace: '1m_1d', what: 'last, max' }] },
        { id: 'drop/d', matches: true, reason: null },
      ])
      expect(isDropped).toBe(true)
      const other = aggregator.explain(Labels.from({ __name__: 'g' }))
      expect(other.rules[0]).toMatchObject({ matches: false, reason: 'job="x": the series has no such label' })
      expect(other.isDropped).toBe(false)
      const document = JSON.stringify({ match: 'g', name: 'out', by: [], aggregate: 'sum', policies: ['5m:30d'] })
      const { policies, matchedSeriesCount } = await aggregator.dryRun('rollup', 'r', document)
      expect(matchedSeriesCount).toBe(1)
      expect(policies).toMatchObject([{ policy: '5m:30d', windowCount: 12, outputSeriesCount: 1 }])
      expect(policies[0].savedSampleCount).toBeGreaterThan(10)
      await expect(aggregator.dryRun('rollup', 'r', '{')).rejects.toMatchObject({ code: 'INVALID_RULE' })
    }))

  it('goes on when its clock jumps', () =>
    withAggregator(async (running) => {
      const { env, etcd } = running
      etcd.put('/varve/rules/mapping/m', '{"match": "g", "policies": ["1m:1d"]}')
      await sleep(env.clock, 1000)
      await append(running, 'g', 1)
      await sleep(env.clock, 10 * MINUTE)
      await append(running, 'g', 2)
      await sleep(env.clock, 2 * MINUTE)
      expect((await valuesIn(running, '1m_1d', 'g')).filter((value) => !Number.isNaN(value))).toEqual([1, 2])
    }))
})
