import type { SeriesBatch } from '@varve/tsdb-core/query'
import { expect, test } from 'vitest'
import { WindowCache } from './window-cache.js'

test('windows of no samples are found again as such, whatever came between', () => {
  const count = 16_384
  const shape = {
    grid: { startMs: 0, stepMs: 1, count },
    endsMs: Float64Array.from({ length: count }, (_, i) => i),
    rangeMs: 100_000,
    beforeMs: 0,
    afterMs: 0,
    historyMs: 0,
  }
  const batchOf = (columns: readonly number[][], timestampTable?: number) =>
    ({
      timestampOffsets: Uint32Array.from([0, ...columns.map((_, i) => columns.slice(0, i + 1).flat().length)]),
      timestampsMs: Float64Array.from(columns.flat()),
      ...(timestampTable !== undefined && { timestampTable }),
    }) as unknown as SeriesBatch
  const cache = new WindowCache(shape, 'none')
  const isEmpty = () => {
    const { first, end } = cache.windows(cache.slotOf(0, true))
    return end.every((to, s) => to <= first[s])
  }
  // All that the column has is the marker with which a series ended.
  const ended = batchOf([[5]])
  cache.begin(ended, shape)
  expect(isEmpty()).toBe(true)
  cache.begin(
    batchOf(
      Array.from({ length: cache.slotsMax }, (_, i) => [i, i + 1]),
      1,
    ),
    shape,
  )
  for (let column = 0; column < cache.slotsMax; column++) cache.slotOf(column)
  cache.begin(ended, shape)
  expect(isEmpty()).toBe(true)
})
