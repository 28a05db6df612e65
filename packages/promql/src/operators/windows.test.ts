import { expect, it } from 'vitest'
import { Dice } from '../engine/generated.js'
import { findWindows } from './windows.js'

const SEED = Number(process.env.SEED ?? 20261123)

it(`windows hold the samples after their start up to their end (SEED=${SEED})`, () => {
  const dice = new Dice(SEED)
  for (let round = 0; round < 400; round++) {
    const from = dice.below(3)
    const count = dice.below(dice.pick([3, 60, 300]))
    const gapsMs = dice.pick([[15], [15, 15, 15, 14, 16], [0, 15, 15, 400], [1, 1_000]])
    let timeMs = 1_000 + dice.below(500)
    const timesMs = Float64Array.from({ length: from + count + 2 }, () => (timeMs += dice.pick(gapsMs)))
    const grid = {
      startMs: 500 + dice.below(1_000),
      stepMs: dice.pick([5, 15, 60, 77, 900]),
      count: 1 + dice.below(120),
    }
    const endsMs = Float64Array.from({ length: grid.count }, (_, s) => grid.startMs + s * grid.stepMs)
    const rangeMs = dice.pick([1, 15, 75, 1_000, 100_000])
    const rangesMs = dice.chance(0.3) ? endsMs.map((_, s) => (s > 20 ? rangeMs : rangeMs * 2)) : undefined
    const [beforeMs, afterMs] = dice.chance(0.3) ? [30, 45] : [0, 0]
    const shape = { grid, endsMs, rangeMs, ...(rangesMs && { rangesMs }), beforeMs, afterMs, historyMs: 0 }
    const { first, end } = findWindows(shape, timesMs, from, from + count)
    for (let s = 0; s < grid.count; s++) {
      const startMs = endsMs[s] - (rangesMs?.[s] ?? rangeMs) - beforeMs
      const inside: number[] = []
      for (let i = 0; i < count; i++) {
        if (timesMs[from + i] > startMs && timesMs[from + i] <= endsMs[s] + afterMs) inside.push(i)
      }
      const where = `round ${round}, step ${s}`
      expect(end[s] - first[s], where).toBe(inside.length)
      if (inside.length > 0) expect(first[s], where).toBe(inside[0])
    }
  }
})
