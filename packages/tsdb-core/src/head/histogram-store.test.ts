import { describe, expect, it } from 'vitest'
import type { CounterResetHint, Histogram } from '../model/histogram.js'
import { HistogramStore } from './histogram-store.js'

function histogram(counterResetHint: CounterResetHint, count = 3): Histogram {
  return {
    schema: 3,
    zeroThreshold: 0.001,
    zeroCount: 1,
    count,
    sum: 4.5,
    counterResetHint,
    positiveSpans: [{ offset: 2, length: 1 }],
    negativeSpans: [],
    positiveBuckets: Float64Array.of(count - 1),
    negativeBuckets: new Float64Array(0),
    customValues: new Float64Array(0),
    stale: false,
    integer: true,
  }
}

describe('HistogramStore', () => {
  it('keeps that a histogram is a gauge, and nothing of the sample before it', () => {
    const store = new HistogramStore()
    for (const [i, hint] of (['unknown', 'reset', 'notReset', 'gauge'] as const).entries()) {
      expect(store.append(7, 1000 * i, 0, histogram(hint), false)).toBe('stored')
    }
    const kept = store.run(7)?.histograms.map(({ counterResetHint }) => counterResetHint)
    expect(kept).toEqual(['unknown', 'unknown', 'unknown', 'gauge'])
  })

  it('takes the same counts again, whatever the hint, and refuses others', () => {
    const store = new HistogramStore()
    store.append(7, 1000, 0, histogram('unknown'), false)
    expect(store.append(7, 1000, 0, histogram('gauge'), false)).toBe('same')
    expect(store.append(7, 1000, 0, histogram('notReset'), false)).toBe('same')
    expect(store.append(7, 1000, 0, histogram('unknown', 4), false)).toBe('conflict')
    expect(store.append(7, 1000, 0, histogram('reset', 4), true)).toBe('stored')
    expect(store.run(7)?.histograms).toEqual([histogram('unknown', 4)])
  })
})
