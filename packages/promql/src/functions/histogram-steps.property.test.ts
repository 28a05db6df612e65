/** The one pass over a series of histograms against the plain way, window by window. */
import { CUSTOM_BUCKETS_SCHEMA, type Histogram, type Span } from '@varve/tsdb-core/model'
import { expect, it } from 'vitest'
import { Annotations } from '../engine/annotations.js'
import { Dice } from '../engine/generated.js'
import { spansOf } from '../histograms/buckets.js'
import { compactHistogram } from '../histograms/index.js'
import { findWindows, windowEnds } from '../operators/windows.js'
import { startsOverlap } from './counter-resets.js'
import { histogramRate } from './histogram-rate.js'
import { growthOfHistograms } from './histogram-steps.js'
import type { HistogramSeries, RangeCallContext } from './range-function.js'

const SEED = Number(process.env.SEED ?? 20261122)
const NONE = new Float64Array(0)

/** A counter whose layout grows, now and then begins anew, and has gaps in its spans and empty buckets. */
function generateCounter(dice: Dice, count: number): Histogram[] {
  const custom = dice.chance(0.25)
  const low = custom ? 0 : -3
  const width = 12
  const bounds = custom ? Float64Array.from({ length: width - 1 }, (_, i) => i * 2) : NONE
  const sides = [new Float64Array(width), new Float64Array(custom ? 0 : width)]
  const known = sides.map((side) => new Uint8Array(side.length))
  const fractions = dice.chance(0.3) ? 8 : 1
  let zeroCount = 0
  let sum = 0
  const side = (s: number): { spans: Span[]; buckets: Float64Array } => {
    const places = [...known[s].keys()].filter((place) => known[s][place] === 1)
    return {
      spans: spansOf(Int32Array.from(places, (place) => place + low)),
      buckets: Float64Array.from(places, (place) => sides[s][place]),
    }
  }
  return Array.from({ length: count }, () => {
    if (dice.chance(0.06)) {
      for (const counts of sides) counts.fill(0)
      if (dice.chance(0.5)) for (const places of known) places.fill(0)
      zeroCount = 0
    }
    for (let events = dice.below(6); events > 0; events--) {
      const s = dice.below(2)
      if (sides[s].length === 0) continue
      const place = dice.below(dice.chance(0.8) ? 4 : width)
      known[s][place] = 1
      sides[s][place] += (1 + dice.below(9)) / fractions
      // An empty bucket beside it may be named too.
      if (dice.chance(0.2)) known[s][Math.min(width - 1, place + 1)] = 1
    }
    if (!custom && dice.chance(0.3)) zeroCount++
    sum += dice.below(10)
    const [positive, negative] = [side(0), side(1)]
    const total = [...sides[0], ...sides[1]].reduce((all, bucket) => all + bucket, zeroCount)
    return {
      schema: custom ? CUSTOM_BUCKETS_SCHEMA : 1,
      zeroThreshold: custom ? 0 : 2 ** -8,
      zeroCount,
      count: total,
      sum,
      counterResetHint: 'unknown',
      positiveSpans: positive.spans,
      negativeSpans: negative.spans,
      positiveBuckets: positive.buckets,
      negativeBuckets: negative.buckets,
      customValues: bounds,
      stale: false,
      integer: fractions === 1,
    }
  })
}

/** A process that starts now and then, and sometimes does not say when. */
function generateStarts(dice: Dice, timesMs: Float64Array): Float64Array {
  const forgetful = dice.chance(0.2)
  let startMs = dice.chance(0.7) ? timesMs[0] - dice.below(400_000) - 1 : 0
  return timesMs.map((timeMs, i) => {
    if (i > 0 && dice.chance(0.1)) startMs = timesMs[i - 1] + 1 + dice.below(timeMs - timesMs[i - 1] - 1)
    return forgetful && dice.chance(0.05) ? 0 : startMs
  })
}

it(`is what each window alone gives (SEED=${SEED})`, () => {
  const dice = new Dice(SEED)
  let compared = 0
  let withStarts = 0
  for (let round = 0; round < 300; round++) {
    const histograms = generateCounter(dice, 2 + dice.below(40))
    const timesMs = Float64Array.from(histograms, (_, i) => i * 15_000 + dice.below(4000))
    const grid = { startMs: 0, stepMs: 7_000 + dice.below(60_000), count: 30 }
    const rangeMs = 20_000 + dice.below(300_000)
    const shape = { grid, endsMs: windowEnds(grid, undefined, 0), rangeMs, beforeMs: 0, afterMs: 0, historyMs: 0 }
    const windows = findWindows(shape, timesMs, 0, timesMs.length)
    const perSecond = dice.chance(0.5)
    const startTimesMs = dice.chance(0.5) ? generateStarts(dice, timesMs) : undefined
    const found = new Map<number, Histogram>()
    const isFast = growthOfHistograms(perSecond)({ histograms, timesMs, startTimesMs }, windows, (step, histogram) =>
      found.set(step, histogram),
    )
    const overlapping = startTimesMs?.some(
      (start, i) => i > 0 && startsOverlap(startTimesMs[i - 1], timesMs[i - 1], start),
    )
    expect(isFast, `round ${round}`).toBe(overlapping !== true)
    if (!isFast) continue
    if (startTimesMs !== undefined) withStarts++
    for (let s = 0; s < grid.count; s++) {
      const [from, to] = [windows.first[s], windows.end[s]]
      const window = windowOf({ histograms, timesMs, startTimesMs }, from, to, shape.endsMs[s], rangeMs)
      const plain = to === from ? undefined : histogramRate(window, CALL, { isCounter: true, perSecond })
      const where = `round ${round}, step ${s}`
      expect(found.has(s), where).toBe(plain !== undefined)
      if (plain === undefined) continue
      expectClose(found.get(s)!, compactHistogram(plain), where)
      compared++
    }
  }
  expect(compared).toBeGreaterThan(3000)
  expect(withStarts).toBeGreaterThan(80)
})

it('leaves to the other way what has no common row', () => {
  const [first, second] = generateCounter(new Dice(SEED), 2)
  const run = (...histograms: Histogram[]) => {
    const timesMs = Float64Array.from(histograms, (_, i) => i * 1000)
    const grid = { startMs: 1000, stepMs: 1000, count: 1 }
    const shape = {
      grid,
      endsMs: windowEnds(grid, undefined, 0),
      rangeMs: 5000,
      beforeMs: 0,
      afterMs: 0,
      historyMs: 0,
    }
    return growthOfHistograms(true)(
      { histograms, timesMs, startTimesMs: undefined },
      findWindows(shape, timesMs, 0, timesMs.length),
      () => {},
    )
  }
  expect(run(first, second)).toBe(true)
  expect(run(first, { ...second, counterResetHint: 'gauge' })).toBe(false)
  expect(run(first, { ...second, schema: 2 })).toBe(false)
  expect(run(first, { ...second, zeroThreshold: 1 })).toBe(false)
  const damaged = (...positiveSpans: Span[]) => ({ ...second, positiveSpans, positiveBuckets: Float64Array.of(1, 2) })
  expect(run(first, damaged({ offset: 0, length: 3 }))).toBe(false)
  expect(run(first, damaged({ offset: 0, length: 1 }, { offset: -1, length: 1 }))).toBe(false)
  expect(run(first, damaged({ offset: 0, length: 1 }, { offset: 2 ** 30, length: 1 }))).toBe(false)
  // Inside the zero bucket.
  expect(run(first, damaged({ offset: -40, length: 2 }))).toBe(false)
})

const CALL: RangeCallContext = {
  scalars: [],
  annotations: new Annotations(),
  position: { start: 0, end: 0 },
  scalarPositions: [],
  metricName: () => 'h',
}

function windowOf(
  { histograms, timesMs, startTimesMs }: HistogramSeries,
  from: number,
  to: number,
  endMs: number,
  rangeMs: number,
) {
  return {
    step: 0,
    startMs: endMs - rangeMs,
    endMs,
    rangeMs,
    evaluationMs: endMs,
    floatTimesMs: [],
    floats: [],
    floatStartTimesMs: [],
    histogramTimesMs: [...timesMs.subarray(from, to)],
    histograms: histograms.slice(from, to),
    histogramStartTimesMs: startTimesMs === undefined ? [] : [...startTimesMs.subarray(from, to)],
    anchored: false,
    smoothed: false,
  }
}

/** The same buckets, and the same numbers but for rounding. */
function expectClose(a: Histogram, b: Histogram, where: string): void {
  const numbers = ({ zeroCount, count, sum, positiveBuckets, negativeBuckets }: Histogram) => [
    zeroCount,
    count,
    sum,
    ...positiveBuckets,
    ...negativeBuckets,
  ]
  const layout = ({
    schema,
    zeroThreshold,
    positiveSpans,
    negativeSpans,
    customValues,
    counterResetHint,
  }: Histogram) => ({
    ...{ schema, zeroThreshold, positiveSpans, negativeSpans, customValues, counterResetHint },
  })
  expect(layout(a), where).toEqual(layout(b))
  const [left, right] = [numbers(a), numbers(b)]
  expect(left.length, where).toBe(right.length)
  left.forEach((number, i) => {
    expect(Math.abs(number - right[i]), where).toBeLessThanOrEqual(1e-12 * Math.abs(right[i]))
  })
}
