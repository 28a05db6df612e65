import type { Histogram } from '@varve/tsdb-core/model'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addHistograms,
  compactHistogram,
  detectReset,
  divideHistogram,
  forEachBucket,
  forEachBucketReversed,
  HistogramTotal,
  histogramFraction,
  histogramProblem,
  histogramQuantile,
  histogramVariance,
  reduceResolution,
  scaleHistogram,
  subtractHistograms,
  trimHistogram,
  upperBound,
} from './index.js'

function histogram(
  fields: Partial<Histogram> & { buckets?: number[]; offset?: number; negative?: number[] } = {},
): Histogram {
  const { buckets = [], offset = 0, negative = [], ...rest } = fields
  const total = [...buckets, ...negative].reduce((a, b) => a + b, 0)
  return {
    schema: 0,
    zeroThreshold: 0.001,
    zeroCount: 0,
    count: total + (rest.zeroCount ?? 0),
    sum: 0,
    counterResetHint: 'unknown',
    positiveSpans: buckets.length > 0 ? [{ offset, length: buckets.length }] : [],
    negativeSpans: negative.length > 0 ? [{ offset: 0, length: negative.length }] : [],
    positiveBuckets: Float64Array.from(buckets),
    negativeBuckets: Float64Array.from(negative),
    customValues: new Float64Array(0),
    stale: false,
    integer: false,
    ...rest,
  }
}

const custom = (bounds: number[], buckets: number[], fields: Partial<Histogram> = {}) =>
  histogram({ schema: -53, zeroThreshold: 0, customValues: Float64Array.from(bounds), buckets, ...fields })

function bucketsOf(h: Histogram): string[] {
  const out: string[] = []
  forEachBucket(h, (b) => {
    if (b.count !== 0)
      out.push(`${b.lowerInclusive ? '[' : '('}${b.lower},${b.upper}${b.upperInclusive ? ']' : ')'}:${b.count}`)
    return true
  })
  return out
}

describe('bounds', () => {
  test('of exponential buckets are powers of the base', () => {
    expect(upperBound(3, 0, new Float64Array(0))).toBe(8)
    expect(upperBound(-2, 0, new Float64Array(0))).toBe(0.25)
    // One unit in the last place below the root of 2, as in Prometheus' table; the last bound of the finest is three below.
    expect(upperBound(1, 1, new Float64Array(0))).toBe(Math.SQRT2 - Number.EPSILON)
    expect(upperBound(-1, 8, new Float64Array(0))).toBe(0.9972960560854698)
    expect(upperBound(-5, 3, new Float64Array(0))).toBe(0.6484197773255048)
    expect(upperBound(2, -1, new Float64Array(0))).toBe(16)
    expect(upperBound(1024, 0, new Float64Array(0))).toBe(Number.MAX_VALUE)
    expect(upperBound(1025, 0, new Float64Array(0))).toBe(Number.POSITIVE_INFINITY)
    expect(upperBound(1024 * 256, 8, new Float64Array(0))).toBe(Number.MAX_VALUE)
  })

  test('of custom buckets are the given ones, with the rest up to infinity', () => {
    expect(bucketsOf(custom([1, 5], [2, 3, 4]))).toEqual(['[-Infinity,1]:2', '(1,5]:3', '(5,Infinity]:4'])
  })

  test('buckets come in the order of their values, both ways', () => {
    const h = histogram({ buckets: [1, 2], negative: [3, 4], zeroCount: 5 })
    const expected = ['[-2,-1):4', '[-1,-0.5):3', '[-0.001,0.001]:5', '(0.5,1]:1', '(1,2]:2']
    expect(bucketsOf(h)).toEqual(expected)
    const counts: number[] = []
    forEachBucketReversed(h, (b) => counts.push(b.count) > 0)
    expect(counts).toEqual([2, 1, 5, 3, 4])
  })
})

describe('sums', () => {
  test('meet in the coarser schema', () => {
    const fine = histogram({ schema: 1, buckets: [1, 2, 3, 4] })
    const coarse = histogram({ buckets: [10, 20] })
    const { histogram: sum } = addHistograms(fine, coarse)!
    // Bucket 0 of schema 1 ends at 1, buckets 1 and 2 at 2, bucket 3 inside (2, 4].
    expect(bucketsOf(sum)).toEqual(['(0.5,1]:11', '(1,2]:25', '(2,4]:4'])
    expect(sum.count).toBe(40)
  })

  test('meet in a zero bucket that cuts no populated bucket', () => {
    const narrow = histogram({ zeroThreshold: 0.25, zeroCount: 1, buckets: [2, 3] }) // (0.5,1] (1,2]
    const wide = histogram({ zeroThreshold: 0.75, zeroCount: 10, buckets: [20], offset: 1 }) // (1,2]
    const { histogram: sum } = addHistograms(narrow, wide)!
    expect(sum.zeroThreshold).toBe(1)
    expect(bucketsOf(sum)).toEqual(['[-1,1]:13', '(1,2]:23'])
  })

  test('of custom buckets keep the bounds that both have', () => {
    const sum = addHistograms(custom([1, 2, 5], [1, 2, 3, 4]), custom([2, 5, 9], [10, 20, 30, 40]))!
    expect(sum.boundsReconciled).toBe(true)
    expect(bucketsOf(sum.histogram)).toEqual(['[-Infinity,2]:13', '(2,5]:23', '(5,Infinity]:74'])
  })

  test('of exponential and custom buckets do not exist', () => {
    expect(addHistograms(custom([1], [1]), histogram())).toBeUndefined()
  })

  test('combine the hints', () => {
    const hint = (a: Histogram['counterResetHint'], b: Histogram['counterResetHint']) => {
      const sum = addHistograms(histogram({ counterResetHint: a }), histogram({ counterResetHint: b }))!
      return [sum.histogram.counterResetHint, sum.counterResetCollision]
    }
    expect(hint('reset', 'reset')).toEqual(['reset', false])
    expect(hint('reset', 'gauge')).toEqual(['gauge', false])
    expect(hint('unknown', 'reset')).toEqual(['unknown', false])
    expect(hint('notReset', 'reset')).toEqual(['unknown', true])
  })

  test('leave the operands as they were', () => {
    const a = histogram({ buckets: [1, 2] })
    const b = histogram({ buckets: [3, 4], offset: 1 })
    addHistograms(a, b)
    subtractHistograms(a, b)
    expect([...a.positiveBuckets, ...b.positiveBuckets]).toEqual([1, 2, 3, 4])
  })

  test('compensated totals keep what rounding loses', () => {
    const total = new HistogramTotal(histogram({ buckets: [1e16], sum: 1e16 }), true)
    for (let i = 0; i < 10; i++) total.add(histogram({ buckets: [1], sum: 1 }))
    expect(total.histogram('unknown')).toMatchObject({ sum: 1e16 + 10, count: 1e16 + 10 })
    expect(total.histogram('unknown').positiveBuckets[0]).toBe(1e16 + 10)
  })

  const arbitrary = fc
    .record({
      schema: fc.integer({ min: -1, max: 2 }),
      threshold: fc.constantFrom(0, 0.001, 0.6, 3),
      zeroCount: fc.integer({ min: 0, max: 5 }),
      offset: fc.integer({ min: -4, max: 6 }),
      buckets: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 8 }),
      negative: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }),
    })
    .map(({ threshold, schema, ...rest }) => {
      // No valid histogram has a populated bucket below its zero threshold: the wider zero bucket takes those in.
      const narrow = histogram({ ...rest, schema, zeroThreshold: 0 })
      return addHistograms(narrow, histogram({ schema, zeroThreshold: threshold }))!.histogram
    })
  const total = (h: Histogram) => h.zeroCount + [...h.positiveBuckets, ...h.negativeBuckets].reduce((a, b) => a + b, 0)

  test('lose no observation, whatever meets whatever, and do not depend on the order', () => {
    fc.assert(
      fc.property(arbitrary, arbitrary, (a, b) => {
        const sum = addHistograms(a, b)!.histogram
        const other = addHistograms(b, a)!.histogram
        expect(bucketsOf(sum)).toEqual(bucketsOf(other))
        expect([sum.count, total(sum)]).toEqual([a.count + b.count, total(a) + total(b)])
      }),
      { numRuns: 2000 },
    )
  })

  test('taken away again leave what was there', () => {
    fc.assert(
      fc.property(arbitrary, arbitrary, (a, b) => {
        fc.pre(a.schema === b.schema && a.zeroThreshold === 0 && b.zeroThreshold === 0)
        const there = addHistograms(a, b)!.histogram
        const back = compactHistogram(subtractHistograms(there, b)!.histogram)
        expect(bucketsOf(back)).toEqual(bucketsOf(a))
      }),
    )
  })
})

test('multiples and quotients', () => {
  const h = histogram({ buckets: [1, 2], zeroCount: 3, sum: 6 })
  expect(scaleHistogram(h, -2)).toMatchObject({ count: -12, sum: -12, zeroCount: -6, counterResetHint: 'gauge' })
  const nothing = divideHistogram(h, 0)
  expect([nothing.count, nothing.positiveBuckets.length]).toEqual([Number.POSITIVE_INFINITY, 0])
})

test('resolution is reduced by merging neighbours', () => {
  const reduced = reduceResolution(histogram({ schema: 1, buckets: [1, 2, 3, 4], negative: [5, 6] }), 0)
  expect(bucketsOf(reduced)).toEqual(['[-2,-1):6', '[-1,-0.5):5', '(0.5,1]:1', '(1,2]:5', '(2,4]:4'])
})

describe('resets', () => {
  const before = histogram({ buckets: [1, 2, 3], zeroCount: 1 })
  test.each([
    ['nothing changed', before, false],
    ['all grew', histogram({ buckets: [2, 3, 4], zeroCount: 2 }), false],
    ['a bucket shrank', histogram({ buckets: [9, 1, 9], zeroCount: 1 }), true],
    ['a bucket is gone', histogram({ buckets: [9, 9], zeroCount: 1 }), true],
    ['the zero count shrank', histogram({ buckets: [9, 9, 9] }), true],
    ['the resolution grew', histogram({ schema: 1, buckets: [9, 9, 9, 9, 9], zeroCount: 1 }), true],
    ['the resolution fell', histogram({ schema: -1, buckets: [1, 5, 0], zeroCount: 1 }), false],
    [
      'the zero bucket grew over a bucket',
      histogram({ zeroThreshold: 1, zeroCount: 2, buckets: [2, 3], offset: 1 }),
      false,
    ],
    [
      'the zero bucket cuts a bucket',
      histogram({ zeroThreshold: 1.5, zeroCount: 9, buckets: [9, 9], offset: 1 }),
      true,
    ],
    ['the hint says so', { ...before, counterResetHint: 'reset' as const }, true],
    ['the hint says no', histogram({ counterResetHint: 'notReset' }), false],
    ['custom bounds came', custom([1], [9, 9]), true],
  ])('%s', (_, now, expected) => expect(detectReset(now, before)).toBe(expected))

  test('custom buckets are compared within the bounds that both have', () => {
    const old = custom([1, 2, 5], [1, 2, 3, 4])
    expect(detectReset(custom([2, 5], [3, 3, 4]), old)).toBe(false)
    expect(detectReset(custom([2, 5], [2, 4, 4]), old)).toBe(true)
  })
})

describe('statistics', () => {
  const h = histogram({ buckets: [0, 4, 4], sum: 16 }) // (1,2] (2,4]

  test('quantiles are interpolated on the scale of the buckets', () => {
    expect(histogramQuantile(0.25, h).value).toBeCloseTo(Math.SQRT2, 12)
    expect(histogramQuantile(0.5, h).value).toBeCloseTo(2, 12)
    expect(histogramQuantile(0.75, h).value).toBeCloseTo(2 * Math.SQRT2, 12)
    expect(histogramQuantile(0.5, custom([2, 4], [4, 4, 0])).value).toBe(2)
    expect(histogramQuantile(-1, h).value).toBe(Number.NEGATIVE_INFINITY)
    expect(histogramQuantile(0.5, histogram()).value).toBeNaN()
  })

  test('NaN observations are told', () => {
    const withNaN = { ...h, count: 10, sum: Number.NaN }
    expect(histogramQuantile(0.1, withNaN).nan).toBe('skew')
    expect(histogramQuantile(0.95, withNaN)).toEqual({ value: Number.NaN, nan: 'result' })
    expect(histogramFraction(0, 100, withNaN)).toEqual({ value: 0.8, hasNaN: true })
  })

  test('a fraction undoes a quantile', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 0.99, noNaN: true }), (quantile) => {
        const { value } = histogramQuantile(quantile, h)
        expect(histogramFraction(Number.NEGATIVE_INFINITY, value, h).value).toBeCloseTo(quantile, 9)
      }),
    )
  })

  test('variance takes each bucket at its middle', () => {
    expect(histogramVariance(custom([2, 4], [1, 1, 0], { sum: 4 }))).toBe(Number.POSITIVE_INFINITY) // The first bucket comes from -Inf.
    expect(histogramVariance(histogram({ buckets: [0, 2], sum: 2 * Math.SQRT2 }))).toBeCloseTo(0, 12)
  })
})

test('trimming splits the bucket at the value, and keeps every observation on one side or the other', () => {
  const h = histogram({ buckets: [1, 4, 8], negative: [2, 4], zeroCount: 3, sum: 10 })
  for (const value of [-5, -1.3, -0.7, 0, 0.0005, 0.8, 1, 1.5, 3, 99]) {
    const below = trimHistogram(h, value, 'below')
    const above = trimHistogram(h, value, 'above')
    expect(below.count + above.count).toBeCloseTo(h.count, 9)
  }
  expect(trimHistogram(h, 99, 'below')).toBe(h)
  expect(bucketsOf(trimHistogram(h, 1.5, 'above'))[0]).toMatch(/^\(1,2\]:1\.66/)
})

describe('validation', () => {
  test.each([
    ['well formed', histogram({ buckets: [1, 2] }), undefined],
    ['schema', histogram({ schema: 9 }), /invalid schema, .* got schema 9/],
    [
      'spans',
      { ...histogram({ buckets: [1, 2] }), positiveSpans: [{ offset: 0, length: 3 }] },
      /spans need 3 buckets, have 2/,
    ],
    [
      'negative count in a bucket',
      histogram({ buckets: [1, -2], count: 5 }),
      /bucket number 2 has observation count of -2/,
    ],
    [
      'integer that does not add up',
      histogram({ buckets: [1, 2], count: 4, integer: true }),
      /3 observations found in buckets/,
    ],
    ['float that does not add up', histogram({ buckets: [1, 2], count: 4 }), undefined],
    ['custom bounds out of order', custom([2, 1], [1]), /strictly increasing/],
    ['too few custom bounds', custom([2], [1, 1, 1]), /custom bounds are too few/],
    ['custom with zero bucket', custom([2], [1], { zeroCount: 1 }), /zero count of 0/],
  ])('%s', (_, h, expected) => {
    if (expected) expect(histogramProblem(h)).toMatch(expected)
    else expect(histogramProblem(h)).toBeUndefined()
  })
})
