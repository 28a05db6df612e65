import type { Histogram } from '@varve/tsdb-core/model'
import { describe, expect, test } from 'vitest'
import { goNumber, goTimestamp, histogramJson, labelsJson } from './go-json.js'

describe('numbers, as Go prints them', () => {
  test.each([
    [0, '0'],
    [-0, '-0'],
    [1, '1'],
    [0.1, '0.1'],
    [0.001, '0.001'],
    [-0.25, '-0.25'],
    [123_456.07, '123456.07'],
    [999_999_999.999, '999999999.999'],
    [0.1 + 0.2, '0.30000000000000004'],
    [1e-6, '0.000001'],
    [9.99e-7, '9.99e-07'],
    [1e-7, '1e-07'],
    [1.5e-10, '1.5e-10'],
    [5e-324, '5e-324'],
    [1e20, '100000000000000000000'],
    [1e21, '1e+21'],
    [-1e21, '-1e+21'],
    [1.7976931348623157e308, '1.7976931348623157e+308'],
    [Infinity, '+Inf'],
    [-Infinity, '-Inf'],
    [NaN, 'NaN'],
  ])('%d is %s', (value, text) => {
    expect(goNumber(value)).toBe(text)
  })

  test('decimals of a few digits are those of the language', () => {
    const different: number[] = []
    for (let i = 1; i < 200_000; i++) {
      const value = ((i * 7_919) % 1_999_999_973) / (i % 2 === 0 ? 1000 : 997)
      if (goNumber(value) !== String(value) || goNumber(-value) !== String(-value)) different.push(value)
    }
    expect(different).toEqual([])
  })

  test.each([
    [0, '0'],
    [1500, '1.500'],
    [1001, '1.001'],
    [10, '0.010'],
    [-1500, '-1.500'],
    [1_700_000_000_000, '1700000000'],
    [9_007_199_254_740_000, '9007199254740'],
  ])('the time %d is %s', (timeMs, text) => {
    expect(goTimestamp(timeMs)).toBe(text)
  })
})

test('labels with names of Object.prototype are written like any other', () => {
  const labels = [
    ['__name__', 'up'],
    ['__proto__', '"<\n'],
  ] as const
  expect(labelsJson(labels)).toBe('{"__name__":"up","__proto__":"\\"<\\n"}')
})

describe('native histograms', () => {
  const empty: Histogram = {
    ...{ schema: 0, zeroThreshold: 0.001, zeroCount: 0, count: 0, sum: 0, counterResetHint: 'unknown' as const },
    ...{ positiveSpans: [], negativeSpans: [], stale: false, integer: true },
    ...{ positiveBuckets: new Float64Array(), negativeBuckets: new Float64Array(), customValues: new Float64Array() },
  }

  test('an empty one has no buckets', () => {
    expect(histogramJson(empty)).toBe('{"count":"0","sum":"0"}')
  })

  test('buckets go from the lowest to the highest, with the rule for their bounds', () => {
    const histogram: Histogram = {
      ...empty,
      ...{ count: 9, sum: 12.5, zeroCount: 2 },
      positiveSpans: [
        { offset: 0, length: 2 },
        { offset: 1, length: 1 },
      ],
      positiveBuckets: Float64Array.of(1, 0, 3),
      negativeSpans: [{ offset: 1, length: 2 }],
      negativeBuckets: Float64Array.of(1, 2),
    }
    expect(JSON.parse(histogramJson(histogram))).toEqual({
      count: '9',
      sum: '12.5',
      buckets: [
        [1, '-4', '-2', '2'],
        [1, '-2', '-1', '1'],
        [3, '-0.001', '0.001', '2'],
        [0, '0.5', '1', '1'],
        [0, '4', '8', '3'],
      ],
    })
  })

  test('custom bounds start at minus infinity and end at plus infinity', () => {
    const histogram: Histogram = {
      ...empty,
      ...{ schema: -53, count: 3, customValues: Float64Array.of(5, 10) },
      positiveSpans: [{ offset: 0, length: 3 }],
      positiveBuckets: Float64Array.of(1, 1, 1),
    }
    expect(JSON.parse(histogramJson(histogram)).buckets).toEqual([
      [3, '-Inf', '5', '1'],
      [0, '5', '10', '1'],
      [0, '10', '+Inf', '1'],
    ])
  })
})
