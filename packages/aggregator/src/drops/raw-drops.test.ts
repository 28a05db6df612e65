import { Engine } from '@varve/promql'
import { Database } from '@varve/tsdb-core'
import { type Env, sleep } from '@varve/tsdb-core/env'
import { Simulation } from '@varve/tsdb-core/env/simulated'
import { METRIC_NAME } from '@varve/tsdb-core/model'
import { expect, it } from 'vitest'
import { Aggregator } from '../aggregator.js'
import { SimulatedEtcd } from '../etcd/simulated-etcd.js'
import { EtcdRuleStore } from '../stores/etcd-rule-store.js'
import { readAll } from '../testing/rollup-world.test.support.js'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const SERIES = 4

interface Running {
  readonly env: Env
  readonly etcd: SimulatedEtcd
  readonly database: Database
  readonly aggregator: Aggregator
}

async function withAggregator(work: (running: Running) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 1 })
  await simulation.run(async (env) => {
    // The simulated clock begins where it likes: blocks of two hours begin with the test.
    await sleep(env.clock, 2 * HOUR - (env.clock.wallMs() % (2 * HOUR)))
    const etcd = new SimulatedEtcd(env.clock, env.random)
    const database = await Database.open({ env, directory: '/data', diskReserveBytes: 0 })
    const store = new EtcdRuleStore({ client: etcd.connect() })
    const aggregator = new Aggregator({ database, env, store, stateDirectory: '/data/state' })
    await aggregator.start()
    await work({ env, etcd, database, aggregator })
    await aggregator.stop()
    await database.close()
  })
}

const put = ({ etcd }: Running, key: string, document: object) =>
  etcd.put(`/varve/rules/${key}`, JSON.stringify(document))

/** Samples of `dropped_total`, `plain_total` and `alone` every minute. */
async function live({ env, database }: Running, durationMs: number): Promise<void> {
  const untilMs = env.clock.wallMs() + durationMs
  while (env.clock.wallMs() < untilMs) {
    const timestampMs = env.clock.wallMs()
    await database.append(
      ['dropped_total', 'plain_total', 'alone'].flatMap((name) =>
        Array.from({ length: SERIES }, (_, i) => ({
          labels: { [METRIC_NAME]: name, i: String(i) },
          timestampMs,
          value: Math.sin(timestampMs * (i + 1)) + timestampMs / 1000,
        })),
      ),
    )
    await sleep(env.clock, MINUTE)
  }
}

function blockStart({ clock }: Env): number {
  return Math.floor(clock.wallMs() / (2 * HOUR)) * 2 * HOUR
}

async function timesOf({ database }: Running, name: string, namespace = 'default'): Promise<number[]> {
  const all = await readAll(database, namespace, namespace === 'default' ? undefined : 'last')
  const found = all.find(({ labels }) => labels.metricName === name && labels.get('i') === '3')
  return found?.samples.map(({ timestampMs }) => timestampMs) ?? []
}

it(
  'raw samples go with the block once their windows are final, if something replaces them',
  () =>
    withAggregator(async (running) => {
      const { env, database, aggregator } = running
      put(running, 'mapping/some', { match: '{__name__=~".*_total"}', policies: ['1m:90d'] })
      put(running, 'drop/some', { match: '{__name__=~"dropped_total|alone"}' })
      const blockMs = blockStart(env)
      await live(running, 2 * HOUR)
      // Held: queries see all of them.
      const before = await timesOf(running, 'dropped_total')
      expect(before).toEqual(await timesOf(running, 'plain_total'))
      await live(running, HOUR / 2)

      // Not those of the window in which the rule came, nor the last one, where the growth after it begins.
      const endMs = blockMs + 2 * HOUR
      const dropped = before.filter((timeMs) => timeMs > blockMs + MINUTE && timeMs < endMs).slice(0, -1)
      const plain = await timesOf(running, 'plain_total')
      expect(await timesOf(running, 'dropped_total')).toEqual(plain.filter((timeMs) => !dropped.includes(timeMs)))
      expect(dropped.length).toBeGreaterThan(110)
      expect(await timesOf(running, 'alone')).toEqual(plain)
      expect(await timesOf(running, 'dropped_total', '1m_90d')).toHaveLength(149)
      expect(aggregator.status().drops).toEqual({
        droppedUntilMs: endMs - 1,
        droppableUntilMs: expect.any(Number),
        droppedSampleCount: SERIES * dropped.length,
      })
      const rule = aggregator.status().rules.find(({ kind }) => kind === 'drop')
      expect(rule).toMatchObject({ matchedSeriesCount: SERIES, state: 'active' })

      // Queries are answered by what replaces them, and say so.
      const engine = new Engine()
      const queryable = aggregator.queryable()
      for (const query of ['max_over_time(X[10m])', 'count_over_time(X[5m])', 'increase(X[20m])', 'X', 'sum(X)']) {
        const answers = await Promise.all(
          ['dropped_total', 'plain_total'].map(async (name) => {
            const times = { startMs: blockMs + 20 * MINUTE, endMs: env.clock.wallMs() - 5 * MINUTE, stepMs: 5 * MINUTE }
            const namespace = name === 'plain_total' && query.startsWith('increase') ? { namespace: '1m_90d' } : {}
            const range = { ...times, endMs: times.endMs - (times.endMs % (5 * MINUTE)), ...namespace }
            const { series, infos } = await engine.rangeQuery({ queryable, query: query.replace('X', name), ...range })
            const rows = new Map<string, number[]>()
            for (let row = 0; row < series.count; row++) {
              const values: number[] = []
              series.forEachSample(row, (_, value) => values.push(value))
              rows.set(series.labels(row).get('i'), values)
            }
            return { rows, infos: infos.join() }
          }),
        )
        const [dropped, plain] = answers
        expect([...dropped.rows.keys()].sort()).toEqual([...plain.rows.keys()].sort())
        for (const [key, values] of plain.rows) {
          expect(dropped.rows.get(key)?.length, query).toBe(values.length)
          const errors = values.map((value, at) => Math.abs(value - (dropped.rows.get(key)?.[at] ?? Number.NaN)))
          expect(Math.max(...errors), query).toBeLessThan(1e-6)
        }
        expect(dropped.infos).toContain('are dropped by drop/some, and kept by mapping/some')
        expect(plain.infos).not.toContain('dropped')
      }

      // The rule goes: raw samples are kept again, those that are stored by then too.
      running.etcd.delete('/varve/rules/drop/some')
      const deletedMs = env.clock.wallMs()
      await live(running, 4 * HOUR)
      const since = (timeMs: number) => timeMs > deletedMs
      expect((await timesOf(running, 'dropped_total')).filter(since)).toEqual(
        (await timesOf(running, 'plain_total')).filter(since),
      )
      expect(database.stats().namespaces.get('default')?.sealedBlockCount).toBeGreaterThan(0)
    }),
  60_000,
)

it(
  'a late sample counts as long as raw samples are held, and leaves the window as it is after that',
  () =>
    withAggregator(async (running) => {
      const { env, database, aggregator } = running
      put(running, 'mapping/some', { match: '{__name__=~".*_total"}', policies: ['1m:90d'] })
      put(running, 'rollup/sum', {
        match: 'dropped_total',
        name: 'out',
        aggregate: 'count',
        by: [],
        policies: ['1m:90d'],
      })
      put(running, 'drop/some', { match: 'dropped_total' })
      const startMs = blockStart(env)
      await live(running, 2 * HOUR + 5 * MINUTE)
      const late = async (name: string, timestampMs: number) => {
        await database.append([{ labels: { [METRIC_NAME]: name, i: 'late' }, timestampMs, value: 7 }])
        await sleep(env.clock, 5000)
      }
      const countAt = async (endMs: number) => {
        const all = await readAll(database, '1m_90d', 'value')
        const found = all.find(({ labels }) => labels.metricName === 'out')
        return found?.samples.find(({ timestampMs }) => timestampMs === endMs)?.value
      }
      const windowMs = startMs + HOUR
      expect(await countAt(windowMs)).toBe(SERIES)
      await late('dropped_total', windowMs - 1000)
      expect(await countAt(windowMs)).toBe(SERIES + 1)

      await live(running, 25 * MINUTE)
      expect((await timesOf(running, 'dropped_total')).length).toBeLessThan(40)
      await late('dropped_total', windowMs + MINUTE - 1000)
      expect(await countAt(windowMs + MINUTE)).toBe(SERIES)
      expect(aggregator.status().policies[0].frozenRowCount).toBeGreaterThan(0)
      // Of other series late samples count as ever.
      await late('plain_total', windowMs + MINUTE - 1000)
      const all = await readAll(database, '1m_90d', 'last')
      const plain = all.find(({ labels }) => labels.metricName === 'plain_total' && labels.get('i') === 'late')
      expect(plain?.samples[0]).toEqual({ timestampMs: windowMs + MINUTE, value: 7 })
      // Nor does a backfill take away what it cannot make again.
      await aggregator.backfill({ kind: 'rollup', name: 'sum' }, startMs + 2 * MINUTE)
      await sleep(env.clock, MINUTE)
      expect(await countAt(windowMs)).toBe(SERIES + 1)
    }),
  60_000,
)

it(
  'the disk holds what replaces dropped samples, and hardly anything of them',
  () =>
    withAggregator(async (running) => {
      put(running, 'mapping/some', { match: '{__name__=~".*_total"}', policies: ['10m:90d'] })
      put(running, 'drop/some', { match: 'dropped_total' })
      await live(running, 6 * HOUR + HOUR / 2)
      const { database } = running
      const all = await readAll(database, 'default', undefined)
      const sealedUntilMs = Math.floor(running.env.clock.wallMs() / (2 * HOUR)) * 2 * HOUR
      const sealedOf = (name: string) =>
        all
          .filter(({ labels }) => labels.metricName === name)
          .reduce((sum, { samples }) => sum + samples.filter((s) => s.timestampMs < sealedUntilMs).length, 0)
      expect(sealedOf('plain_total')).toBeGreaterThan(SERIES * 350)
      // One value a series and block: the baseline of its counter. What came before the rule was read is kept.
      expect(sealedOf('dropped_total')).toBeLessThanOrEqual(SERIES * (3 + 10))
    }),
  60_000,
)

it(
  'a counter that was silent goes on where it was, over samples that were dropped',
  () =>
    withAggregator(async (running) => {
      const { env, database } = running
      put(running, 'mapping/some', { match: 'slow_total', policies: ['1m:90d'] })
      put(running, 'drop/some', { match: 'slow_total' })
      await sleep(env.clock, 5 * MINUTE)
      const count = async (value: number) => {
        await database.append([{ labels: { [METRIC_NAME]: 'slow_total' }, timestampMs: env.clock.wallMs(), value }])
        await sleep(env.clock, 2 * MINUTE)
      }
      await count(10)
      await count(12)
      await count(17)
      await sleep(env.clock, 5 * HOUR)
      await database.flush()
      await database.flush()
      const raw = await readAll(database, 'default', undefined)
      expect(raw.flatMap(({ samples }) => samples.map(({ value }) => value))).toEqual([17])
      await count(20)
      const [{ samples }] = await readAll(database, '1m_90d', 'increase')
      const values = samples.flatMap(({ value }) => (typeof value === 'number' && !Number.isNaN(value) ? [value] : []))
      expect(values).toEqual([0, 2, 5, 3])
    }),
  60_000,
)
