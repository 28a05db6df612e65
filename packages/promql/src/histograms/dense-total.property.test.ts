import type { Histogram, Span } from '@varve/tsdb-core/model'
import { describe, expect, it } from 'vitest'
import { Dice } from '../engine/generated.js'
import { HistogramTotal } from './arithmetic.js'
import { DenseTotal } from './dense-total.js'
import { compactHistogram } from './layout.js'
import { HistogramAverage } from './totals.js'

const SEED = Number(process.env.SEED ?? 20261122)

function spansAndCounts(dice: Dice, indexMin: number): { spans: Span[]; counts: Float64Array } {
  const spans: Span[] = []
  const counts: number[] = []
  for (let s = 0; s < dice.below(4); s++) {
    const length = dice.below(5)
    spans.push({ offset: s === 0 ? indexMin + dice.below(20) : dice.below(6), length })
    for (let i = 0; i < length; i++) counts.push(dice.chance(0.2) ? 0 : dice.below(1e6) / 8)
  }
  return { spans, counts: Float64Array.from(counts) }
}

function histogramOf(dice: Dice): Histogram {
  const positive = spansAndCounts(dice, -5)
  const negative = spansAndCounts(dice, -5)
  return {
    schema: 1,
    zeroThreshold: 2 ** -8,
    zeroCount: dice.below(100),
    count: dice.below(1e6),
    sum: dice.below(1e6) / 4,
    counterResetHint: 'gauge',
    positiveSpans: positive.spans,
    negativeSpans: negative.spans,
    positiveBuckets: positive.counts,
    negativeBuckets: negative.counts,
    customValues: new Float64Array(0),
    stale: false,
    integer: false,
  }
}

describe('DenseTotal', () => {
  it(`adds up what HistogramTotal does (SEED=${SEED})`, () => {
    const dice = new Dice(SEED)
    for (let round = 0; round < 2000; round++) {
      const first = histogramOf(dice)
      const dense = DenseTotal.of(first)!
      const total = new HistogramTotal(first, true)
      for (let i = dice.below(6); i > 0; i--) {
        const next = histogramOf(dice)
        expect(dense.add(next)).toBe(true)
        total.add(next)
      }
      expect(dense.histogram('gauge'), `round ${round}`).toEqual(compactHistogram(total.histogram('gauge')))
    }
  })

  it(`averages as HistogramTotal does (SEED=${SEED})`, () => {
    const dice = new Dice(SEED)
    for (let round = 0; round < 2000; round++) {
      const first = histogramOf(dice)
      const average = new HistogramAverage(first)
      const total = new HistogramTotal(first, true)
      const count = 1 + dice.below(6)
      for (let i = 1; i < count; i++) {
        const next = histogramOf(dice)
        expect(average.add(next)).toBe(true)
        total.add(next)
      }
      total.scale((number) => number / count)
      expect(compactHistogram(average.result()), `round ${round}`).toEqual(compactHistogram(total.histogram('gauge')))
    }
  })

  it('goes on with the mean where a sum would overflow, and keeps infinities and NaN', () => {
    const first = { ...histogramOf(new Dice(SEED)), sum: 1e308 }
    const average = new HistogramAverage(first)
    for (const sum of [1.5e308, 0.5e308]) average.add({ ...first, sum })
    expect(average.result().sum / 1e308).toBeCloseTo(1, 12)
    for (const sum of [Number.POSITIVE_INFINITY, Number.NaN]) {
      const odd = new HistogramAverage({ ...first, sum: 1 })
      odd.add({ ...first, sum })
      odd.add({ ...first, sum: 2 })
      expect(odd.result().sum).toBe(sum)
    }
  })

  it('refuses another schema, another zero bucket, damaged spans and buckets far apart, and adds nothing then', () => {
    const dice = new Dice(SEED)
    const first = {
      ...histogramOf(dice),
      positiveSpans: [{ offset: 0, length: 1 }],
      positiveBuckets: Float64Array.of(3),
    }
    const dense = DenseTotal.of(first)!
    const before = dense.histogram('gauge')
    expect(dense.add({ ...first, schema: 2 })).toBe(false)
    expect(dense.add({ ...first, zeroThreshold: 0.5 })).toBe(false)
    expect(dense.add({ ...first, positiveBuckets: Float64Array.of(1, 2) })).toBe(false)
    expect(dense.add({ ...first, positiveSpans: [{ offset: 2 ** 30, length: 1 }] })).toBe(false)
    // Inside the zero bucket.
    expect(dense.add({ ...first, positiveSpans: [{ offset: -40, length: 1 }] })).toBe(false)
    expect(dense.histogram('gauge')).toEqual(before)
  })
})
