import { Engine, histogramText } from '@varve/promql'
import { type Histogram, Labels } from '@varve/tsdb-core/model'
import { beforeAll, describe, expect, it } from 'vitest'
import { RollupWorld } from '../testing/rollup-world.test.support.js'
import { ResolutionPlanner } from './resolution-planner.js'
import { ruleKnowledge } from './rule-knowledge.js'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const start = Date.UTC(2026, 0, 1)
const minutes = 240
const end = start + minutes * MINUTE

function histogramOf(counts: readonly number[], schema: number): Histogram {
  const count = counts.reduce((a, b) => a + b, 0)
  return {
    schema,
    zeroThreshold: 2 ** -128,
    zeroCount: 0,
    count,
    sum: count * 2,
    counterResetHint: 'unknown',
    positiveSpans: [{ offset: 0, length: counts.length }],
    negativeSpans: [],
    positiveBuckets: Float64Array.from(counts),
    negativeBuckets: new Float64Array(0),
    customValues: new Float64Array(0),
    stale: false,
    integer: true,
  }
}

/** Two counters of different schemas, one of which is reset, beside a float of the same job. */
async function makeWorld(): Promise<RollupWorld> {
  const world = await RollupWorld.open({ startMs: start, graceMs: 1000 })
  await world.putRule('mapping', 'all', { match: '{__name__!=""}', policies: ['5m:30d'] })
  const rule = { match: 'h', by: ['job'], policies: ['5m:30d'] }
  await world.putRule('rollup', 'sum', { ...rule, name: 'h:sum', aggregate: 'sum' })
  await world.putRule('rollup', 'max', { ...rule, name: 'h:max', aggregate: 'max' })
  await world.putRule('rollup', 'mixed', {
    ...rule,
    match: '{job="x"}',
    name: 'x:last',
    aggregate: 'sum',
    each: 'last',
  })
  const counts = [new Array(12).fill(0), new Array(12).fill(0)] as [number[], number[]]
  for (let minute = 1; minute <= minutes; minute++) {
    const timestampMs = start + minute * MINUTE - 20_000
    world.clock.nowMs = timestampMs
    const samples = counts.map((column, i) => {
      if (minute === 97 && i === 1) column.fill(1)
      column[(minute * 7 + i) % 12] += minute % 5
      const labels = Labels.from({ __name__: 'h', job: 'x', pod: String(i) })
      return { labels, timestampMs, histogram: histogramOf(column, 3 - i) }
    })
    const float = { labels: Labels.from({ __name__: 'f', job: 'x' }), timestampMs, value: minute }
    await world.database.namespace('default').appendSamples([...samples, float])
    if (minute % 30 === 0) await world.advanceTo(start + minute * MINUTE + 2000)
  }
  return world
}

describe('native histograms of an aggregated namespace', () => {
  let world: RollupWorld
  const engine = new Engine()
  beforeAll(async () => {
    world = await makeWorld()
  })

  async function range(query: string, namespace?: string, earlierMs = 0) {
    const queryable = new ResolutionPlanner({
      database: world.database,
      clock: world.clock,
      rules: () => ruleKnowledge(world.book),
    })
    const { series, warnings, infos } = await engine.rangeQuery({
      queryable,
      query,
      startMs: start + 30 * MINUTE - earlierMs,
      endMs: end,
      stepMs: 10 * MINUTE,
      ...(namespace && { namespace }),
    })
    const rows: string[] = []
    for (let i = 0; i < series.count; i++) {
      series.forEachSample(i, (timeMs, value, histogram) => {
        const text = histogram ? histogramText(histogram) : String(value)
        rows.push(`${series.labels(i)} ${timeMs} ${text}`)
      })
    }
    return { rows: rows.sort(), warnings, infos }
  }

  async function expectSame(aggregated: string, raw: string, changed: (row: string) => string = (row) => row) {
    const wanted = await range(raw, 'default')
    const got = await range(aggregated, '5m_30d')
    expect(wanted.rows.length).toBeGreaterThan(20)
    expect(got.rows).toEqual(wanted.rows.map(changed))
  }

  it.each([
    ['increase(h[10m])', 'increase(h[10m] anchored)'],
    ['rate(h[20m])', 'rate(h[20m] anchored)'],
    [
      'histogram_quantile(0.99, sum by (job) (increase(h[10m])))',
      'histogram_quantile(0.99, sum by (job) (increase(h[10m] anchored)))',
    ],
    ['count_over_time(h[10m])', 'count_over_time(h[10m])'],
    ['last_over_time(h[10m])', 'last_over_time(h[10m])'],
  ])('%s equals raw %s', async (aggregated, raw) => {
    await expectSame(aggregated, raw)
  })

  it('the sum of counters is one: its growth is the sum of theirs', async () => {
    const raw = 'sum by (job) (increase(h[10m] anchored))'
    await expectSame('sum by (job) (increase({__name__="h:sum"}[10m]))', raw)
    const read = await range('histogram_count({__name__="h:sum"})', '5m_30d')
    const counts = read.rows.map((row) => Number(row.split(' ').at(-1)))
    expect(counts.length).toBeGreaterThan(20)
    expect(counts).toEqual([...counts].sort((a, b) => a - b))
  })

  it('sums and averages of histograms come from the raw samples that are held', async () => {
    for (const query of ['sum_over_time(h[10m])', 'avg_over_time({__name__=~"h|nothing"}[10m])']) {
      const wanted = await range(query, 'default')
      expect(wanted.rows.filter((row) => row.includes('{count:')).length).toBeGreaterThan(20)
      const planned = await range(query, undefined, DAY)
      const rawRows = new Set(wanted.rows)
      expect(planned.infos.join()).toContain('resolution 5m (5m_30d)')
      for (const row of planned.rows.filter((row) => row.includes('{count:'))) rawRows.delete(row)
      expect([...rawRows].filter((row) => row.includes('{count:'))).toEqual([])
      expect(planned.warnings.join()).not.toContain('leaves them out')
    }
  })

  it('says what it leaves out', async () => {
    const { rows, warnings } = await range('sum_over_time(h[10m])', '5m_30d')
    expect(rows).toEqual([])
    expect(warnings.join()).toContain(
      'keeps last, count and increase of native histograms, and sum_over_time leaves them out: max_resolution=0',
    )
    expect(world.problems.filter((text) => text.startsWith('max: '))).toEqual([
      expect.stringContaining('has native histograms: only the sum of their last or their increase is rolled up'),
    ])
    expect(world.problems.filter((text) => text.startsWith('mixed: '))).toEqual([
      expect.stringContaining('native histograms cannot be added to floats, and are left out'),
    ])
    expect((await range('{__name__="h:max"}', '5m_30d')).rows).toEqual([])
    expect((await range('{__name__="x:last"}', '5m_30d')).rows.length).toBeGreaterThan(20)
  })
})
