import { describe, expect, it } from 'vitest'
import { LATE_MARK, LateSampleFinder } from './late-samples.js'

describe('late samples in the commit log', () => {
  it('are those after a later watermark, and behind the last but one mark', () => {
    const finder = new LateSampleFinder()
    finder.addSample(1, 5) // No window was computed yet.
    finder.addWatermark({ policy: '1m_90d', shard: 0, timestampMs: 10 })
    finder.addSample(2, 9)
    finder.addWatermark({ policy: LATE_MARK, shard: 0, timestampMs: 99 })
    finder.addSample(3, 8)
    finder.addSample(4, 11)
    finder.addWatermark({ policy: LATE_MARK, shard: 0, timestampMs: 99 })
    expect(finder.found().seriesRefs).toEqual([3])
    finder.addSample(5, 10)
    expect(finder.found()).toEqual({ seriesRefs: [3, 5], timestampsMs: [8, 10] })
    finder.addWatermark({ policy: LATE_MARK, shard: 0, timestampMs: 99 })
    expect(finder.found().seriesRefs).toEqual([5])
  })
})
