import { Engine } from '@varve/promql'
import { Labels } from '@varve/tsdb-core/model'
import type { Queryable } from '@varve/tsdb-core/query'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { RollupWorld } from '../testing/rollup-world.test.support.js'
import { ResolutionPlanner } from './resolution-planner.js'
import { ruleKnowledge } from './rule-knowledge.js'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const start = Date.UTC(2026, 0, 1)
const days = 30
/** Between two samples. */
const scrapeMinutes = 3
const end = start + days * DAY

const counter = (instance: string) => Labels.from({ __name__: 'c_total', job: 'x', instance })
const gauge = (instance: string) => Labels.from({ __name__: 'g', job: 'x', instance })

/** Samples of two counters with resets and two gauges, rolled up to 5m and 1h; then most of the raw ones expire: whole blocks, as they do. */
async function makeWorld(expire: boolean): Promise<RollupWorld> {
  const world = await RollupWorld.open({ startMs: start, graceMs: 1000 })
  await world.putRule('mapping', 'all', { match: '{__name__!=""}', policies: ['5m:30d', '1h:1y'] })
  await world.putRule('rollup', 'sum', {
    match: 'c_total',
    name: 'c:sum',
    by: ['job'],
    aggregate: 'sum',
    policies: ['5m:30d'],
  })
  await world.putRule('rollup', 'max', {
    match: 'g',
    name: 'g:max',
    by: ['job'],
    aggregate: 'max',
    policies: ['1h:1y'],
  })
  const counts = [0, 1000]
  for (let minute = scrapeMinutes; minute <= days * 24 * 60; minute += scrapeMinutes) {
    const timestampMs = start + minute * MINUTE - 20_000
    counts.forEach((_, i) => {
      counts[i] = (minute / scrapeMinutes + i * 500) % 1733 === 0 ? 3 : counts[i] + ((minute * 7 + i) % 11)
    })
    world.clock.nowMs = timestampMs
    await world.append(
      ['a', 'b'].flatMap((instance, i) => [
        { labels: counter(instance), timestampMs, value: counts[i] },
        { labels: gauge(instance), timestampMs, value: Math.sin(minute / 50 + i) * 10 },
      ]),
    )
    if (minute % 60 === 0) await world.advanceTo(start + minute * MINUTE + 2000)
  }
  if (expire) {
    const matchers = [{ name: '__name__', operator: '!=' as const, value: '' }]
    await world.database.namespace('default').deleteSamples({ matchers, startMs: 0, endMs: end - 2 * DAY })
    await world.database.namespace('5m_30d').deleteSamples({ matchers, startMs: 0, endMs: end - 4 * DAY })
  }
  return world
}

const plannerOf = (world: RollupWorld, samplesPerPart?: number) =>
  new ResolutionPlanner({
    database: world.database,
    clock: world.clock,
    rules: () => ruleKnowledge(world.book),
    ...(samplesPerPart !== undefined && { samplesPerPart }),
  })

describe('queries over several resolutions', () => {
  let whole: RollupWorld
  let expired: RollupWorld
  const engine = new Engine()

  async function range(
    queryable: Queryable,
    query: string,
    options: { startMs: number; endMs: number; stepMs: number; namespace?: string },
  ) {
    const { series, infos } = await engine.rangeQuery({ queryable, query, ...options })
    const rows = new Map<string, [number, number][]>()
    for (let i = 0; i < series.count; i++) {
      const samples: [number, number][] = []
      series.forEachSample(i, (timeMs, value) => samples.push([timeMs, value]))
      rows.set(String(series.labels(i)), samples)
    }
    return { rows, infos }
  }

  function expectClose(
    got: Map<string, [number, number][]>,
    wanted: Map<string, [number, number][]>,
    tolerance: number,
  ) {
    expect([...got.keys()].sort()).toEqual([...wanted.keys()].sort())
    for (const [key, samples] of wanted) {
      const row = got.get(key)!
      expect(
        row.map(([time]) => time),
        key,
      ).toEqual(samples.map(([time]) => time))
      row.forEach(([time, value], i) => {
        const error = Math.abs(value - samples[i][1])
        const bound = tolerance * Math.max(1, Math.abs(samples[i][1]))
        expect(error, `${key} at ${time}: ${value} instead of ${samples[i][1]}`).toBeLessThanOrEqual(bound)
      })
    }
  }

  beforeAll(async () => {
    whole = await makeWorld(false)
    expired = await makeWorld(true)
  }, 180_000)

  const aligned = { startMs: start + 2 * HOUR, endMs: end - 2 * HOUR, stepMs: HOUR }

  it.each([
    ['min_over_time(g[1h])', 'min_over_time(g[1h])', 0],
    ['max_over_time(g[1h])', 'max_over_time(g[1h])', 0],
    ['count_over_time(g[1h])', 'count_over_time(g[1h])', 0],
    ['last_over_time(g[1h])', 'last_over_time(g[1h])', 0],
    ['sum_over_time(g[1h])', 'sum_over_time(g[1h])', 1e-12],
    ['avg_over_time(g[2h])', 'avg_over_time(g[2h])', 1e-12],
    ['increase(c_total[1h])', 'increase(c_total[1h] anchored)', 1e-12],
    ['rate(c_total[3h])', 'rate(c_total[3h] anchored)', 1e-12],
    ['sum by (job) (increase(c_total[1h]))', 'sum by (job) (increase(c_total[1h] anchored))', 1e-12],
    ['max by (job) (g)', 'max by (job) (g)', 0],
  ])('%s is what raw samples give, over every seam', async (query, rawQuery, tolerance) => {
    const raw = await range(whole.database, rawQuery, aligned)
    expect([...raw.rows.values()][0].length).toBe(days * 24 - 3)
    for (const world of [whole, expired]) {
      const got = await range(plannerOf(world), query, aligned)
      expectClose(got.rows, raw.rows, tolerance)
      expect(got.infos.join()).toContain(query.includes('[') || world === expired ? '1h (1h_1y)' : '5m (5m_30d)')
    }
  })

  it('a large answer is put together part by part, while it is read, and is the same', async () => {
    const samplesPerPart = 1500
    for (const query of [
      'last_over_time({job="x"}[1h])',
      'avg_over_time(g[2h])',
      'increase(c_total[1h])',
      '{job="x"}',
    ]) {
      const atOnce = await range(plannerOf(expired), query, aligned)
      const inParts = await range(plannerOf(expired, samplesPerPart), query, aligned)
      expect(inParts).toEqual(atOnce)
      expect(atOnce.rows.size).toBeGreaterThan(1)
    }
    const matchers = [{ name: 'job', operator: '=' as const, value: 'x' }]
    const hints = {
      function: 'max_over_time',
      rangeMs: HOUR,
      stepMs: HOUR,
      evaluationStartMs: start,
      evaluationEndMs: end,
    }
    const planner = plannerOf(expired, samplesPerPart)
    const { batches } = await planner.select({ matchers, startMs: start, endMs: end, hints })
    let read = 0
    const names = [...expired.database.namespaces()].map((name) => expired.database.namespace(name))
    const spies = names.map((namespace) => vi.spyOn(namespace, 'select'))
    const reads: number[] = []
    for await (const batch of batches) {
      // A few series at a time, and none of the next ones is read before these were taken.
      expect(batch.values.length).toBeLessThan(3 * samplesPerPart)
      const count = spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0)
      reads.push(count - read)
      read = count
    }
    for (const spy of spies) spy.mockRestore()
    expect(reads.length).toBeGreaterThan(2)
    for (const count of reads) expect(count).toBeGreaterThan(0)
  })

  it('reads 5m where 1h is too coarse, and 1h where nothing else is left', async () => {
    const query = 'increase(c_total[30m])'
    const recent = { ...aligned, startMs: end - 3 * DAY }
    const raw = await range(whole.database, 'increase(c_total[30m] anchored)', recent)
    const got = await range(plannerOf(expired), query, recent)
    expectClose(got.rows, raw.rows, 1e-12)
    expect(got.infos.join()).toContain('5m (5m_30d)')
    const old = await range(plannerOf(expired), query, aligned)
    expect(old.infos.join()).toMatch(/resolution 1h \(1h_1y\) from .*, resolution 5m \(5m_30d\)/)
    expect(old.infos.join()).toContain('the range 30m is widened to the resolution 1h')
  })

  it('a range or a lookback below the resolution is widened to it: no panel is empty', async () => {
    const old = { startMs: start + 2 * HOUR, endMs: start + 12 * HOUR, stepMs: 10 * MINUTE }
    const steps = 61
    for (const [query, wanted] of [
      ['g', 'last_over_time(g[1h])'],
      ['max_over_time(g[7m])', 'max_over_time(g[1h])'],
      ['rate(c_total[5m])', 'rate(c_total[1h] anchored)'],
    ]) {
      const { rows, infos } = await range(plannerOf(expired), query, old)
      const raw = await range(whole.database, wanted, old)
      expect(infos.join()).toMatch(/is widened to the resolution 1h/)
      for (const [key, samples] of rows) {
        expect(samples.length, query).toBe(steps)
        // At each full hour the answer is that of raw samples over the hour.
        const [, expected] = [...raw.rows].find(([other]) => other.replace(/^g/, '') === key.replace(/^g/, ''))!
        for (let i = 0; i < steps; i += 6) expect(samples[i][1]).toBeCloseTo(expected[i][1], 9)
      }
    }
  })

  it('a short query of raw samples is passed on as it is', async () => {
    const request = { startMs: end - 2 * HOUR, endMs: end - HOUR, stepMs: MINUTE }
    const got = await range(plannerOf(expired), 'rate(c_total[5m])', request)
    const raw = await range(expired.database, 'rate(c_total[5m])', request)
    expect(got).toEqual(raw)
    expect(got.infos.filter((info) => info.includes('answered'))).toEqual([])
  })

  it('a rolled-up counter is cumulative when read, and its increase is that of its inputs', async () => {
    const request = { startMs: end - 6 * HOUR, endMs: end - HOUR, stepMs: 5 * MINUTE }
    const cumulative = (await range(plannerOf(whole), 'c:sum', request)).rows.get('c:sum{job="x"}')!
    expect(cumulative.length).toBe(61)
    const inputs = await range(whole.database, 'sum by (job) (increase(c_total[5m] anchored))', request)
    const growth = [...inputs.rows.values()][0]
    for (let i = 1; i < cumulative.length; i++) {
      expect(cumulative[i][1] - cumulative[i - 1][1]).toBeCloseTo(growth[i][1], 6)
    }
    const increase = await range(plannerOf(whole), 'increase(c:sum[10m])', request)
    const wanted = await range(whole.database, 'sum by (job) (increase(c_total[10m] anchored))', request)
    expectClose(new Map([['x', [...increase.rows.values()][0]]]), new Map([['x', [...wanted.rows.values()][0]]]), 1e-12)
  })

  it('series that only one namespace has are found beside the others', async () => {
    const got = await range(plannerOf(whole), '{job="x"}', { ...aligned, startMs: end - 3 * DAY })
    expect([...got.rows.keys()].map((key) => key.split('{')[0]).sort()).toEqual([
      'c:sum',
      'c_total',
      'c_total',
      'g',
      'g',
      'g:max',
    ])
  })

  it('a namespace can be forced, and a resolution bounded', async () => {
    const request = { startMs: end - 2 * DAY, endMs: end - HOUR, stepMs: HOUR }
    const forced = await range(plannerOf(whole), 'max_over_time(g[1h])', { ...request, namespace: '5m_30d' })
    const raw = await range(whole.database, 'max_over_time(g[1h])', request)
    expectClose(forced.rows, raw.rows, 0)
    expect(forced.infos.join()).toContain('5m (5m_30d)')
    const { infos } = await engine.rangeQuery({
      queryable: plannerOf(whole),
      query: 'max_over_time(g[1h])',
      ...request,
      resolutionMsMax: 0,
    })
    expect(infos.filter((info) => info.includes('answered'))).toEqual([])
  })

  it('labels are those of all namespaces', async () => {
    const request = { matchers: [{ name: 'job', operator: '=' as const, value: 'x' }], startMs: start, endMs: end }
    expect((await plannerOf(expired).labelValues('__name__', request)).values).toEqual([
      'c:sum',
      'c_total',
      'g',
      'g:max',
    ])
    expect((await plannerOf(expired).series(request)).series).toHaveLength(6)
  })
})
