import { Labels } from '@varve/tsdb-core/model'
import { MemoryQueryable, STALE } from '@varve/tsdb-core/testing'
import { describe, expect, it } from 'vitest'
import { Engine } from '../engine/engine.js'
import { Dice } from '../engine/generated.js'

const SEED = Number(process.env.SEED ?? 20261123)
const engine = new Engine({ native: false })

/** Counters of a few targets, so that neighbours share their timestamps: with resets, gaps, ends, NaN and starts near zero. */
function storeOf(dice: Dice): MemoryQueryable {
  const store = new MemoryQueryable({ seriesPerBatch: dice.pick([3, 7, 100]) })
  for (let instance = 0; instance < 4; instance++) {
    const jitterMs = dice.pick([0, 7, 400])
    const from = dice.pick([0, 0, 40])
    for (let mode = 0; mode < 9; mode++) {
      const labels = Labels.from({ __name__: 'x_total', instance: `i${instance}`, mode: `m${mode}` })
      let value = dice.pick([0, 1e6, 123.25, 1e308])
      const kind = dice.pick(['plain', 'plain', 'plain', 'resets', 'stale', 'ended', 'nan', 'infinite', 'flat'])
      for (let i = from; i < 120; i++) {
        if (i >= 60 && i < 75 && instance === 2) continue
        if (kind !== 'flat') value += dice.fraction() * (value > 1e300 ? 1e305 : 10)
        if (kind === 'resets' && i % 37 === 36) value = dice.fraction()
        let sample: typeof STALE | number = value
        if (kind === 'stale' && i % 50 === 49) sample = STALE
        if (kind === 'nan' && i % 50 === 20) sample = Number.NaN
        if (kind === 'infinite' && i > 100) sample = Number.POSITIVE_INFINITY
        if (kind === 'ended' && i > 90) {
          store.append(labels, 1_000_000 + i * 15_000 + jitterMs, STALE)
          break
        }
        store.append(labels, 1_000_000 + i * 15_000 + jitterMs, sample)
      }
    }
  }
  return store
}

describe(`sums of growths (SEED=${SEED})`, () => {
  it.each(['sum by (instance)', 'sum by (mode)', 'sum'])('%s is the sum of the rows', async (sum) => {
    const dice = new Dice(SEED)
    let compared = 0
    for (let round = 0; round < 25; round++) {
      const store = storeOf(dice)
      const call = `${dice.pick(['rate', 'increase'])}(x_total[${dice.pick(['45s', '5m', '20m'])}])`
      const times = { startMs: 900_000, endMs: 2_900_000, stepMs: dice.pick([15_000, 60_000, 77_000]) }
      // An operation in between keeps the rows of the call from being folded at once.
      const folded = await engine.rangeQuery({ queryable: store, query: `${sum} (${call})`, ...times })
      const rows = await engine.rangeQuery({ queryable: store, query: `${sum} (${call} * 1)`, ...times })
      expect(folded.series.count).toBe(rows.series.count)
      expect(folded.series.count).toBeGreaterThan(0)
      for (let i = 0; i < folded.series.count; i++) {
        const want = new Map<number, number>()
        rows.series.forEachSample(i, (timeMs, value) => want.set(timeMs, value))
        folded.series.forEachSample(i, (timeMs, value) => {
          const wanted = want.get(timeMs)
          const where = `SEED=${SEED} round ${round}: ${sum} (${call}) ${JSON.stringify(times)} at ${timeMs}`
          expect(wanted, where).toBeDefined()
          const isSame = Object.is(value, wanted) || Math.abs(value - wanted!) <= 1e-12 * Math.abs(wanted!)
          expect(isSame, `${where}: got ${value}, want ${wanted}`).toBe(true)
          want.delete(timeMs)
          compared++
        })
        expect(want.size).toBe(0)
      }
    }
    expect(compared).toBeGreaterThan(1_000)
  })
})
