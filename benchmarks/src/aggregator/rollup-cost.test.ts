import { describe, expect, it } from 'vitest'
import { measureMatching, measureRollupCost } from './rollup-cost.js'
import { measureWindowStore } from './window-store.js'

describe('the cost of rollups', () => {
  it('is measured over outputs that are checked', async () => {
    const cost = await measureRollupCost({ seriesCount: 200, minutes: 1, scrapeMs: 15_000 })
    expect(cost.rowCount).toBeGreaterThan(200)
  })

  it('that of storing windows is measured over columns that are checked', async () => {
    const cost = await measureWindowStore({ seriesCount: 200, windows: 2 })
    expect(cost.logBytesPerSeries).toBeGreaterThan(1)
  })

  it('a new series is matched against a thousand rules within 20 µs', () => {
    expect(measureMatching(1000)).toBeLessThan(20)
  })
})
