import { Labels } from '@varve/tsdb-core/model'
import { expect, it } from 'vitest'
import { RollupWorld } from '../testing/rollup-world.test.support.js'
import { DirtyWindows } from './dirty-windows.js'

const MINUTE = 60_000
/** More than are told apart in one window. */
const MANY = 50_001

it('up to 50,000 series of a window are told apart, more are all series, and runs that meet are one', () => {
  const dirty = new DirtyWindows(MINUTE, 0)
  for (let ref = 1; ref < MANY; ref++) dirty.add(5 * MINUTE, ref)
  dirty.add(5 * MINUTE - 1, 1)
  expect(dirty.take(9 * MINUTE).map(({ seriesRefs }) => seriesRefs?.size)).toEqual([MANY - 1])
  for (let ref = 1; ref <= MANY; ref++) dirty.add(5 * MINUTE, ref)
  dirty.add(6 * MINUTE, 7)
  dirty.add(8 * MINUTE, 8)
  const whole = { firstEndMs: 5 * MINUTE, lastEndMs: 6 * MINUTE, seriesRefs: null }
  const runs = dirty.take(9 * MINUTE)
  expect(runs).toMatchObject([whole, { firstEndMs: 8 * MINUTE, seriesRefs: new Set([8]) }])
  dirty.putBack(runs[0])
  expect(dirty.take(9 * MINUTE)).toMatchObject([whole])
})

it('growth is counted once when more series than are told apart come late to one window', async () => {
  const start = Date.UTC(2026, 0, 1)
  const world = await RollupWorld.open({ startMs: start, graceMs: 0 })
  await world.putRule('rollup', 'sum', {
    match: 'c_total',
    name: 'out',
    by: ['part'],
    aggregate: 'sum',
    policies: ['1m:90d'],
  })
  const series = Array.from({ length: 20 }, (_, i) =>
    Labels.from({ __name__: 'c_total', i: String(i), part: i < 10 ? 'few' : 'most' }),
  )
  const write = async (some: readonly Labels[], minute: number, value: number) => {
    const timestampMs = start + minute * MINUTE
    await world.append(some.map((labels) => ({ labels, timestampMs, value })))
  }
  await write(series, 0.5, 100)
  await world.advanceTo(start + 2 * MINUTE)
  // Some have their next sample soon, some only after what a late one reaches.
  await write(series.slice(5), 2.5, 107)
  await world.advanceTo(start + 12 * MINUTE)
  await write(series.slice(0, 5), 12.5, 110)
  await world.advanceTo(start + 14 * MINUTE)
  await write(series, 1.5, 104)
  // As if as many others had come.
  for (const runner of world.runners.values()) {
    for (let ref = 1_000; ref < 1_000 + MANY; ref++) runner.markLate(ref, start + 1.5 * MINUTE)
  }
  await world.advanceTo(start + 15 * MINUTE)
  expect(await world.expectExact()).toBeGreaterThan(8)
  await world.database.close()
}, 180_000)
