/** The kernels for anchored and smoothed windows beside their twins that go window by window. */
import { describe, expect, it } from 'vitest'
import { Annotations } from '../engine/annotations.js'
import { Dice } from '../engine/generated.js'
import { FLOAT } from '../operators/vector-batch.js'
import { findWindows } from '../operators/windows.js'
import type { RangeCallContext, SampleWindow } from './range-function.js'
import { rangeFunctionOf } from './range-functions.js'

const SEED = Number(process.env.SEED ?? 20261122)
const LOOKBACK_MS = 300_000

describe(`anchored and smoothed windows (SEED=${SEED})`, () => {
  it.each([
    ['rate', true],
    ['increase', true],
    ['delta', true],
    ['rate', false],
    ['increase', false],
    ['delta', false],
    ['changes', false],
    ['resets', false],
  ])('%s (smoothed: %s) has the bits of its twin at every step', (name, smoothed) => {
    const dice = new Dice(SEED)
    const found = rangeFunctionOf(name)
    let compared = 0
    for (let round = 0; round < 150; round++) {
      const { timesMs, values } = columnsOf(dice)
      const stepMs = dice.pick([7_000, 15_000, 60_000])
      const grid = { startMs: dice.below(400_000), stepMs, count: 1 + dice.below(60) }
      const rangeMs = dice.pick([10_000, 60_000, 300_000])
      const endsMs = Float64Array.from({ length: grid.count }, (_, s) => grid.startMs + s * stepMs)
      const afterMs = smoothed ? LOOKBACK_MS : 0
      const shape = { grid, endsMs, rangeMs, beforeMs: LOOKBACK_MS, afterMs, historyMs: 0 }
      const windows = findWindows(shape, timesMs, 0, timesMs.length)
      const series = {
        values,
        valueOffset: 0,
        timesMs,
        timeOffset: 0,
        count: values.length,
        startTimesMs: undefined,
        counts: undefined,
      }
      const out = { values: new Float64Array(grid.count), presence: new Uint8Array(grid.count), offset: 0 }
      found.extended?.(series, windows, out, smoothed)
      for (let s = 0; s < grid.count; s++) {
        const [from, to] = [windows.first[s], windows.end[s]]
        const window: SampleWindow = {
          step: s,
          startMs: endsMs[s] - rangeMs,
          endMs: endsMs[s],
          rangeMs,
          evaluationMs: endsMs[s],
          floatTimesMs: [...timesMs.subarray(from, to)],
          floats: [...values.subarray(from, to)],
          floatStartTimesMs: [],
          histogramTimesMs: [],
          histograms: [],
          histogramStartTimesMs: [],
          anchored: !smoothed,
          smoothed,
        }
        const want = from === to ? undefined : found.window(window, CALL)
        const got = out.presence[s] === FLOAT ? out.values[s] : undefined
        expect(Object.is(got, want), `SEED=${SEED} round ${round} step ${s}: ${got}, want ${want}`).toBe(true)
        compared++
      }
    }
    expect(compared).toBeGreaterThan(3_000)
  })
})

const CALL: RangeCallContext = {
  scalars: [],
  annotations: new Annotations(),
  position: { start: 0, end: 0 },
  scalarPositions: [],
  metricName: () => 'x',
}

/** A counter or a gauge with gaps, resets and now and then NaN. */
function columnsOf(dice: Dice): { timesMs: Float64Array; values: Float64Array } {
  const times: number[] = []
  const values: number[] = []
  const odd = dice.chance(0.2)
  let value = dice.below(100)
  for (let timeMs = dice.below(15_000); timeMs < 900_000; timeMs += dice.pick([15_000, 15_000, 14_000, 200_000])) {
    value = dice.chance(0.2) ? dice.below(50) : value + dice.below(20)
    times.push(timeMs)
    values.push(odd && dice.chance(0.1) ? Number.NaN : value)
  }
  return { timesMs: Float64Array.from(times), values: Float64Array.from(values) }
}
