import { describe, expect, it } from 'vitest'
import { Dice } from '../engine/generated.js'
import { FLOAT } from '../operators/vector-batch.js'
import { findWindows } from '../operators/windows.js'
import { maxFloats, minFloats, timeOfMaxFloats, timeOfMinFloats } from './extremes-over-time.js'

const SEED = Number(process.env.SEED ?? 20261123)

function shapeOf(stepMs: number, count: number, rangeMs: number) {
  const grid = { startMs: 0, stepMs, count }
  const endsMs = Float64Array.from({ length: count }, (_, s) => s * stepMs)
  return { grid, endsMs, rangeMs, beforeMs: 0, afterMs: 0, historyMs: 0 }
}

/** The index of the extreme of samples `[from, to)`: the newest of equals; without numbers the first, for its time the last. */
function plainly(values: Float64Array, from: number, to: number, sign: number, timed: boolean): number {
  let best = -1
  for (let i = from; i < to; i++) {
    if (!Number.isNaN(values[i]) && (best < 0 || sign * values[i] <= sign * values[best])) best = i
  }
  return best >= 0 ? best : timed ? to - 1 : from
}

describe(`extremes of windows (SEED=${SEED})`, () => {
  it('are those of a plain look at each window, for values that rise, fall, jump or are NaN', () => {
    const dice = new Dice(SEED)
    const kinds: ((i: number) => number)[] = [
      (i) => i,
      (i) => -i,
      () => dice.fraction(),
      () => dice.below(3),
      (i) => (dice.chance(0.8) ? Number.NaN : i % 7),
      () => dice.pick([Infinity, -Infinity, 0, Number.NaN]),
    ]
    for (let round = 0; round < 150; round++) {
      const kind = dice.pick(kinds)
      const count = 1 + dice.below(300)
      const offset = dice.below(3)
      const values = Float64Array.from({ length: offset + count }, (_, i) => kind(i))
      let timeMs = dice.below(5_000)
      const timesMs = Float64Array.from({ length: count }, () => (timeMs += 1 + dice.below(dice.pick([20, 20, 2_000]))))
      const shape = shapeOf(dice.pick([7, 100, 1_500]), 1 + dice.below(200), dice.pick([5, 90, 1_000, 20_000]))
      const windows = findWindows(shape, timesMs, 0, count)
      const series = { values, valueOffset: offset, timesMs, timeOffset: 0, count }
      const steps = shape.grid.count
      for (const [extreme, sign, timed] of [
        [maxFloats, -1, false],
        [minFloats, 1, false],
        [timeOfMaxFloats, -1, true],
        [timeOfMinFloats, 1, true],
      ] as const) {
        const out = { values: new Float64Array(steps), presence: new Uint8Array(steps), offset: 0 }
        extreme({ ...series, startTimesMs: undefined, counts: undefined }, windows, out)
        for (let s = 0; s < steps; s++) {
          const [from, to] = [windows.first[s], windows.end[s]]
          expect(out.presence[s]).toBe(to > from ? FLOAT : 0)
          if (to <= from) continue
          const at = plainly(values.subarray(offset), from, to, sign, timed)
          expect(out.values[s], `round ${round}, step ${s}`).toBe(timed ? timesMs[at] / 1000 : values[offset + at])
        }
      }
    }
  })
})
