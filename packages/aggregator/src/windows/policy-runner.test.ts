import { Labels } from '@varve/tsdb-core/model'
import { describe, expect, it } from 'vitest'
import { RollupWorld, type WorldSample } from '../testing/rollup-world.test.support.js'
import { outputKey, STALE } from './rollup.naive.test.support.js'

const MINUTE = 60_000
const start = Date.UTC(2026, 0, 1)
const labels = (name: string, more: Record<string, string> = {}) => Labels.from({ __name__: name, ...more })
const at = (series: Labels, minutes: number, value: number | typeof STALE): WorldSample => ({
  labels: series,
  timestampMs: start + minutes * MINUTE,
  value,
})
const open = () => RollupWorld.open({ startMs: start, graceMs: 5000 })
const mapping = (match: string, more: object = {}) => ({ match, policies: ['1m:90d'], ...more })
const rollup = (match: string, more: object = {}) => ({
  match,
  name: 'out',
  by: ['job'],
  aggregate: 'sum',
  policies: ['1m:90d'],
  ...more,
})

/** What stands in `1m_90d`, by minutes since the start. */
async function stored(world: RollupWorld, series: Labels, column: string): Promise<[number, number | string][]> {
  const key = outputKey(series, column)
  const outputs = await world.readOutputs('1m_90d', new Map([[key, new Map()]]))
  return [...(outputs.get(key) ?? [])].map(([endMs, value]) => [(endMs - start) / MINUTE, value])
}

describe('windows of a mapping rule', () => {
  it('keep last, min, max, sum, count, and the increase of counters', async () => {
    const world = await open()
    await world.putRule('mapping', 'all', mapping('{__name__!=""}'))
    const counter = labels('c_total')
    await world.append([at(counter, 0.5, 10), at(counter, 0.75, 14), at(counter, 1, 3), at(counter, 1.5, 5)])
    await world.advanceTo(start + 2.2 * MINUTE)
    expect(await stored(world, counter, 'last')).toEqual([
      [1, 3],
      [2, 5],
    ])
    expect(await stored(world, counter, 'min')).toEqual([
      [1, 3],
      [2, 5],
    ])
    expect(await stored(world, counter, 'max')).toEqual([
      [1, 14],
      [2, 5],
    ])
    expect(await stored(world, counter, 'sum')).toEqual([
      [1, 27],
      [2, 5],
    ])
    expect(await stored(world, counter, 'count')).toEqual([
      [1, 3],
      [2, 1],
    ])
    // The first sample ever is a baseline; 14 → 3 is a reset that counts 3; growth between windows is in the later one.
    expect(await stored(world, counter, 'increase')).toEqual([
      [1, 7],
      [2, 2],
    ])
    await world.expectExact()
  })

  it('are left-open: a sample at the end belongs to the window', async () => {
    const world = await open()
    await world.putRule('mapping', 'all', mapping('g'))
    await world.append([at(labels('g'), 1, 1), at(labels('g'), 2, 2)])
    await world.advanceTo(start + 3 * MINUTE)
    expect(await stored(world, labels('g'), 'last')).toEqual([
      [1, 1],
      [2, 2],
    ])
  })

  it('end with one marker when the series has ended, and never fold it in', async () => {
    const world = await open()
    await world.putRule('mapping', 'all', mapping('g'))
    await world.append([at(labels('g'), 0.5, 1), at(labels('g'), 0.75, STALE)])
    for (const minutes of [1.2, 2.2, 3.2, 4.2]) await world.advanceTo(start + minutes * MINUTE)
    expect(await stored(world, labels('g'), 'count')).toEqual([
      [1, 1],
      [2, STALE],
    ])
    await world.expectExact()
  })
})

describe('windows of a rollup rule', () => {
  it('add the last values of gauges and the growth of counters', async () => {
    const world = await open()
    await world.putRule('rollup', 'gauges', rollup('g', { name: 'g:sum' }))
    await world.putRule('rollup', 'counters', rollup('c_total', { name: 'c:sum' }))
    const [a, b] = ['a', 'b'].map((instance) => ({ job: 'x', instance }))
    await world.append([
      ...[at(labels('g', a), 0.2, 1), at(labels('g', a), 0.8, 2), at(labels('g', b), 0.5, 10)],
      ...[at(labels('c_total', a), 0.5, 100), at(labels('c_total', a), 1.5, 107)],
      ...[at(labels('c_total', b), 0.5, 1000), at(labels('c_total', b), 1.5, 1001)],
    ])
    await world.advanceTo(start + 2.2 * MINUTE)
    expect(await stored(world, labels('g:sum', { job: 'x' }), 'value')).toEqual([[1, 12]])
    expect(await stored(world, labels('c:sum', { job: 'x' }), 'increase')).toEqual([
      [1, 0],
      [2, 8],
    ])
    await world.expectExact()
  })

  it('take a label that a series lacks for empty', async () => {
    const world = await open()
    await world.putRule('rollup', 'r', rollup('g'))
    await world.append([at(labels('g', { job: 'x' }), 0.5, 1), at(labels('g', { pod: 'y' }), 0.5, 2)])
    await world.advanceTo(start + 1.2 * MINUTE)
    expect(await stored(world, labels('out', { job: 'x' }), 'value')).toEqual([[1, 1]])
    expect(await stored(world, labels('out'), 'value')).toEqual([[1, 2]])
  })

  it('chain: the outputs of one rule are the inputs of another', async () => {
    const world = await open()
    await world.putRule('rollup', 'fine', rollup('c_total', { name: 'fine', by: ['job', 'code'] }))
    await world.putRule('rollup', 'coarse', {
      input: 'fine',
      name: 'coarse',
      by: ['job'],
      aggregate: 'sum',
      policies: ['1m:90d'],
    })
    for (const [code, factor] of [
      ['200', 1],
      ['500', 10],
    ] as const) {
      const series = labels('c_total', { job: 'x', code, instance: 'i' })
      await world.append([at(series, 0.5, 0), at(series, 1.5, 3 * factor)])
    }
    await world.advanceTo(start + 2.2 * MINUTE)
    expect(await stored(world, labels('coarse', { job: 'x' }), 'increase')).toEqual([
      [1, 0],
      [2, 33],
    ])
    await world.expectExact()
  })

  it('never let two rules write one series: the older rule keeps it', async () => {
    const world = await open()
    await world.putRule('rollup', 'z-first', rollup('g'))
    await world.putRule('rollup', 'a-second', rollup('g', { aggregate: 'max' }))
    await world.append([at(labels('g', { job: 'x', i: '1' }), 0.5, 1), at(labels('g', { job: 'x', i: '2' }), 0.5, 2)])
    await world.advanceTo(start + 1.2 * MINUTE)
    expect(await stored(world, labels('out', { job: 'x' }), 'value')).toEqual([[1, 3]])
    expect(world.problems).toEqual(['a-second: out{job="x"} is written by rollup/z-first already'])
  })
})

describe('late samples', () => {
  it('are computed into their window, and into the next of a counter', async () => {
    const world = await open()
    await world.putRule('mapping', 'all', mapping('c_total'))
    await world.putRule('rollup', 'r', rollup('c_total', { by: [] }))
    const counter = labels('c_total')
    await world.append([at(counter, 0.5, 1), at(counter, 2.5, 10)])
    await world.advanceTo(start + 3.2 * MINUTE)
    expect(await stored(world, counter, 'increase')).toEqual([
      [1, 0],
      [3, 9],
    ])
    await world.append([at(counter, 1.5, 4)])
    await world.advanceTo(start + 3.3 * MINUTE)
    expect(await stored(world, counter, 'increase')).toEqual([
      [1, 0],
      [2, 3],
      [3, 6],
    ])
    expect(await stored(world, labels('out'), 'increase')).toEqual([
      [1, 0],
      [2, 3],
      [3, 6],
    ])
    await world.expectExact()
  })

  it('reach the next sample of a counter, hours later', async () => {
    const world = await open()
    await world.putRule('mapping', 'all', mapping('c_total'))
    const counter = labels('c_total')
    await world.append([at(counter, 0.5, 1)])
    await world.advanceTo(start + 200 * MINUTE)
    await world.append([at(counter, 200.5, 10)])
    await world.advanceTo(start + 210 * MINUTE)
    await world.append([at(counter, 5.5, 4)])
    await world.advanceTo(start + 211 * MINUTE)
    const expected = [
      [1, 0],
      [6, 3],
      [11, STALE],
      [201, 6],
      [206, STALE],
    ]
    expect(await stored(world, counter, 'increase')).toEqual(expected)
    await world.expectExact()
  })

  it('look past a staleness marker for the sample before', async () => {
    const world = await open()
    await world.putRule('mapping', 'all', mapping('c_total'))
    const counter = labels('c_total')
    await world.append([at(counter, 0.5, 100)])
    await world.advanceTo(start + 20 * MINUTE)
    await world.append([at(counter, 17.5, STALE), at(counter, 21.5, 107)])
    await world.advanceTo(start + 25 * MINUTE)
    await world.append([at(counter, 20.5, 105)])
    await world.advanceTo(start + 26 * MINUTE)
    await world.expectExact()
    expect((await stored(world, counter, 'increase')).slice(0, 4)).toEqual([
      [1, 0],
      [6, STALE],
      [21, 5],
      [22, 2],
    ])
  })

  it('take back a marker that was written too early', async () => {
    const world = await open()
    await world.putRule('mapping', 'all', mapping('g'))
    await world.append([at(labels('g'), 0.5, 1)])
    for (let minutes = 1; minutes < 9; minutes++) await world.advanceTo(start + (minutes + 0.2) * MINUTE)
    expect(await stored(world, labels('g'), 'last')).toEqual([
      [1, 1],
      [6, STALE],
    ])
    await world.append([at(labels('g'), 4.5, 2)])
    await world.advanceTo(start + 9.2 * MINUTE)
    expect(await stored(world, labels('g'), 'last')).toEqual([
      [1, 1],
      [5, 2],
    ])
    await world.advanceTo(start + 12.2 * MINUTE)
    expect(await stored(world, labels('g'), 'last')).toEqual([
      [1, 1],
      [5, 2],
      [10, STALE],
    ])
    await world.expectExact()
  })
})

describe('rules that change while running', () => {
  it('hold from the open window on, without a gap or a double', async () => {
    const world = await open()
    await world.putRule('rollup', 'r', rollup('g'))
    const series = ['1', '2'].map((i) => labels('g', { job: 'x', i }))
    for (let minutes = 0; minutes < 4; minutes++)
      await world.append(series.map((one, i) => at(one, minutes + 0.5, i + 1)))
    await world.advanceTo(start + 2.4 * MINUTE)
    await world.putRule('rollup', 'r', rollup('g', { aggregate: 'max' }))
    await world.advanceTo(start + 3.4 * MINUTE)
    await world.putRule('rollup', 'r', null)
    await world.advanceTo(start + 9 * MINUTE)
    expect(await stored(world, labels('out', { job: 'x' }), 'value')).toEqual([
      [1, 3],
      [2, 3],
      [3, 2],
    ])
    // A late sample is computed by the rule of its own time.
    await world.append([at(series[0], 0.7, 5), at(series[0], 2.7, 7), at(series[0], 3.7, 9)])
    await world.advanceTo(start + 10 * MINUTE)
    expect(await stored(world, labels('out', { job: 'x' }), 'value')).toEqual([
      [1, 7],
      [2, 3],
      [3, 7],
    ])
    await world.expectExact()
  })

  it('restarts lose and double nothing', async () => {
    const world = await open()
    await world.putRule('mapping', 'all', mapping('c_total'))
    await world.putRule('rollup', 'r', rollup('c_total', { by: [] }))
    const counter = labels('c_total')
    for (let minutes = 0; minutes < 10; minutes++) {
      await world.append([at(counter, minutes + 0.5, minutes * minutes)])
      await world.advanceTo(start + (minutes + 1.2) * MINUTE)
      if (minutes % 3 === 1) world.restart()
    }
    await world.expectExact()
    expect((await stored(world, labels('out'), 'increase')).map(([, value]) => value)).toEqual([
      0, 1, 3, 5, 7, 9, 11, 13, 15, 17,
    ])
  })
})
