/** A window's rows are deferred, slice by slice: its watermark must wait for all of them. */
import { Labels } from '@varve/tsdb-core/model'
import { expect, it, onTestFinished } from 'vitest'
import { RollupWorld } from '../testing/rollup-world.test.support.js'

const MINUTE = 60_000
const start = Date.UTC(2026, 0, 1)
/** Several slices. */
const SERIES = 2100

it('a slice that does not become durable leaves the watermark where it was, and its window is computed again', async () => {
  const world = await RollupWorld.open({ startMs: start, graceMs: 5000 })
  onTestFinished(() => world.database.close())
  await world.putRule('mapping', 'all', { match: 'g', policies: ['1m:90d'] })
  await world.putRule('rollup', 'sum', { match: 'g', name: 'out', by: [], aggregate: 'sum', policies: ['1m:90d'] })
  const [[name, runner]] = world.runners
  const labels = Array.from({ length: SERIES }, (_, i) => Labels.from({ __name__: 'g', i: String(i) }))
  const minute = async (index: number) => {
    const timestampMs = start + (index + 0.5) * MINUTE
    world.clock.nowMs = timestampMs
    await world.append(labels.map((each, i) => ({ labels: each, timestampMs, value: i + index })))
    world.clock.nowMs = start + (index + 1) * MINUTE + 6000
  }
  for (let index = 0; index < 3; index++) {
    await minute(index)
    await world.advanceTo(world.clock.nowMs)
  }

  const target = world.database.namespace(name)
  const { appendWindow } = target
  for (const failing of [0, 1, 2]) {
    await minute(3 + failing)
    let slice = 0
    target.appendWindow = async (batch, options) => {
      expect(options).toEqual({ deferred: true })
      const result = await appendWindow.call(target, batch, options)
      if (slice++ !== failing) return result
      const durable = Promise.reject(new Error('the disk is full'))
      durable.catch(() => undefined)
      return { ...result, durable }
    }
    await expect(runner.computeDue()).rejects.toThrow('the disk is full')
    expect(slice).toBe(3)
    expect(world.database.watermark(name, 0)).toBe(start + (3 + failing) * MINUTE)
    target.appendWindow = appendWindow
    await world.advanceTo(world.clock.nowMs)
    expect(world.database.watermark(name, 0)).toBe(start + (4 + failing) * MINUTE)
  }
  expect(await world.expectExact()).toBeGreaterThan(6 * SERIES)
})
