import { Labels } from '@varve/tsdb-core/model'
import { MemoryQueryable } from '@varve/tsdb-core/testing'
import { describe, expect, it } from 'vitest'
import { Engine } from '../engine/engine.js'

const MINUTE_MS = 60_000

describe.each([
  ['Rust', new Engine()],
  ['TypeScript', new Engine({ native: false })],
])('sums of windows that overlap, in %s', (_, engine) => {
  /** The results at the last step, of a series with `spikes` and then the value 1 each minute. */
  async function afterSpikes(spikes: readonly number[], functionName: string): Promise<number> {
    const store = new MemoryQueryable()
    const labels = Labels.from({ __name__: 'm' })
    for (let i = 0; i < 60; i++) store.append(labels, i * MINUTE_MS, spikes[i] ?? 1)
    const query = `${functionName}(m[10m])`
    const { series } = await engine.rangeQuery({
      queryable: store,
      query,
      startMs: 0,
      endMs: 59 * MINUTE_MS,
      stepMs: MINUTE_MS,
    })
    let last = Number.NaN
    series.forEachSample(0, (_timeMs, value) => (last = value))
    return last
  }

  it.each([[[1e20]], [[1e300]], [[1.5e308, 1.5e308]], [[-1e20, 1e20]], [[Number.POSITIVE_INFINITY, 1e20]]])(
    'are right once %j has left the window',
    async (spikes) => {
      expect(await afterSpikes(spikes, 'sum_over_time')).toBe(10)
      expect(await afterSpikes(spikes, 'avg_over_time')).toBe(1)
    },
  )

  it('are 0 where only zeros are left', async () => {
    expect(await afterSpikes([1e20, ...new Array(59).fill(0)], 'sum_over_time')).toBe(0)
  })
})
