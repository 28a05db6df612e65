import { describe, expect, it } from 'vitest'
import { halvesOf, isStaleAt, writeStaleAt } from '../model/sample.js'
import { dropsAll, withoutDropped } from './dropped-samples.js'

const range = (afterMs: number, untilMs: number, histograms = true) => ({ afterMs, untilMs, histograms })

function columns(times: readonly number[], staleAt: readonly number[] = []) {
  const values = Float64Array.from(times, (timeMs) => timeMs * 10)
  const halves = halvesOf(values)
  for (const at of staleAt) writeStaleAt(halves, at)
  return { timestampsMs: Float64Array.from(times), values }
}

const histogram = (count: number) => ({
  schema: 0,
  zeroThreshold: 0,
  zeroCount: 0,
  count,
  sum: 0,
  counterResetHint: 'unknown' as const,
  positiveSpans: [],
  negativeSpans: [],
  positiveBuckets: new Float64Array(),
  negativeBuckets: new Float64Array(),
  customValues: new Float64Array(),
  stale: false,
  integer: true,
})

describe('samples that are dropped', () => {
  it('leave the last value of each run, where the growth to the next sample begins', () => {
    const kept = withoutDropped(columns([1, 2, 3, 4, 5, 6, 7]), [range(0, 3), range(5, 6)], -Infinity)
    expect([...kept.timestampsMs]).toEqual([3, 4, 5, 6, 7])
    expect([...kept.values]).toEqual([30, 40, 50, 60, 70])
  })

  it('leave no value that is too old to be a baseline', () => {
    expect([...withoutDropped(columns([1, 2, 3, 4]), [range(0, 3)], 3).timestampsMs]).toEqual([4])
    expect(withoutDropped(columns([1, 2]), [range(0, 3)], 3).values).toHaveLength(0)
  })

  it('leave the staleness marker behind the last value, with its bits', () => {
    const kept = withoutDropped(columns([1, 2, 3, 4], [3]), [range(0, 9)], -Infinity)
    expect([...kept.timestampsMs]).toEqual([3, 4])
    expect(isStaleAt(halvesOf(kept.values), 1)).toBe(true)
  })

  it('are none of the histograms where only floats are replaced', () => {
    const mixed = {
      ...columns([1, 2, 3, 4]),
      histograms: { sampleIndexes: Uint32Array.of(0, 2), histograms: [histogram(1), histogram(2)] },
    }
    const kept = withoutDropped(mixed, [range(0, 3, false)], -Infinity)
    expect([...kept.timestampsMs]).toEqual([1, 2, 3, 4])
    const all = withoutDropped(mixed, [range(0, 3)], 2)
    expect([...all.timestampsMs]).toEqual([3, 4])
    expect(all.histograms?.histograms.map(({ count }) => count)).toEqual([2])
    expect([...all.histograms!.sampleIndexes]).toEqual([0])
  })

  it('are the whole series only when no baseline is left', () => {
    const drop = (baselineAfterMs: number) => ({ untilMs: 100, baselineAfterMs, rangesOf: () => null })
    expect(dropsAll([range(-1, 100)], drop(100), 0, 100)).toBe(true)
    expect(dropsAll([range(-1, 100)], drop(98), 0, 100)).toBe(false)
    expect(dropsAll([range(0, 100)], drop(100), 0, 100)).toBe(false)
    expect(dropsAll([range(-1, 100, false)], drop(100), 0, 100)).toBe(false)
  })
})
