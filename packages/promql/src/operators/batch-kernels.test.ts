/** Rust beside TypeScript, bit by bit: each function and each fold that has a kernel. */
import { nativeKernels } from '@varve/native'
import type { AggregateColumn } from '@varve/tsdb-core/model'
import type { Queryable } from '@varve/tsdb-core/query'
import { MemoryQueryable, STALE } from '@varve/tsdb-core/testing'
import { describe, expect, it } from 'vitest'
import { Engine } from '../engine/engine.js'
import { Dice, generateSeries } from '../engine/generated.js'

const SEED = Number(process.env.SEED ?? 20261122)
const RANGES = ['rate', 'increase', 'delta', 'sum_over_time', 'avg_over_time', 'min_over_time', 'max_over_time']
const PICKS = ['count_over_time', 'last_over_time']
const FOLDS = ['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar']

const typescript = new Engine({ native: false })
const native = new Engine()

/** Label sets and bits of all samples, or the message of the error. */
async function bitsOf(engine: Engine, queryable: Queryable, query: string, stepMs: number): Promise<unknown[]> {
  const { series } = await engine.rangeQuery({ queryable, query, startMs: 600_000, endMs: 3_600_000, stepMs })
  const lines: unknown[] = []
  for (let i = 0; i < series.count; i++) {
    const cells: bigint[] = []
    series.forEachSample(i, (timeMs, value) => {
      cells.push(BigInt(timeMs), new BigUint64Array(Float64Array.of(value).buffer)[0])
    })
    lines.push(`${series.labels(i)} ${cells.join(' ')}`)
  }
  return lines.sort()
}

/** The same samples, as if each were the column of a window of so long. */
function downsampled(store: MemoryQueryable, column: AggregateColumn, resolutionMs: number): Queryable {
  return Object.assign(Object.create(store) as Queryable, {
    async select(request: Parameters<Queryable['select']>[0]) {
      const { startMs, endMs } = request
      return { ...(await store.select(request)), slices: [{ startMs, endMs, namespace: 'w', resolutionMs, column }] }
    },
  })
}

describe.skipIf(nativeKernels() === undefined)(`the kernels for batches (SEED=${SEED})`, () => {
  /** `batch` 3 leaves series with markers of their own beside others in a batch. */
  function storeOf(dice: Dice, odd: boolean): MemoryQueryable {
    const store = new MemoryQueryable({ seriesPerBatch: dice.pick([1, 3, 100]) })
    for (const { labels, samples } of generateSeries(dice)) {
      const strange = samples.some(({ value }) => typeof value !== 'number' || !Number.isFinite(value))
      if (strange && !odd) continue
      for (const { timeMs, value } of samples) store.append(labels, timeMs, value === 'stale' ? STALE : value)
    }
    return store
  }

  it('make the rows that TypeScript makes, to the bit', async () => {
    const dice = new Dice(SEED)
    for (let round = 0; round < 40; round++) {
      const store = storeOf(dice, true)
      const stepMs = dice.pick([15_000, 60_000, 61_001])
      const range = dice.pick(['30s', '5m', '20m'])
      for (const name of [...RANGES, ...PICKS]) {
        const query = `label_replace(${name}({instance!=""}[${range}]), "name", "$1", "__name__", "(.*)")`
        const want = await bitsOf(typescript, store, query, stepMs)
        expect(await bitsOf(native, store, query, stepMs), `SEED=${SEED} round ${round}: ${query}`).toEqual(want)
      }
      const want = await bitsOf(typescript, store, '{instance!=""}', stepMs)
      expect(await bitsOf(native, store, '{instance!=""}', stepMs), `SEED=${SEED} round ${round}`).toEqual(want)
    }
  })

  it('fold as TypeScript folds, to the bit where no series is left to it', async () => {
    const dice = new Dice(SEED + 1)
    for (let round = 0; round < 40; round++) {
      const store = storeOf(dice, false)
      const stepMs = dice.pick([15_000, 60_000, 61_001])
      for (const fold of FOLDS) {
        for (const inner of ['{instance!=""}', `${dice.pick([...RANGES, ...PICKS])}({instance!=""}[5m])`]) {
          const query = `${fold} by (${dice.pick(['job', 'zone', 'instance, zone'])}) (${inner})`
          const want = await bitsOf(typescript, store, query, stepMs)
          expect(await bitsOf(native, store, query, stepMs), `SEED=${SEED} round ${round}: ${query}`).toEqual(want)
        }
      }
    }
  })

  it('add up what windows hold as TypeScript does', async () => {
    const dice = new Dice(SEED + 3)
    for (let round = 0; round < 40; round++) {
      const store = storeOf(dice, dice.pick([true, false]))
      const stepMs = dice.pick([15_000, 60_000, 61_001])
      // The second is wider than the range at each step.
      for (const resolutionMs of [15_000, 600_000]) {
        for (const [name, column] of [
          ['rate', 'increase'],
          ['increase', 'increase'],
          ['count_over_time', 'count'],
        ] as const) {
          const windows = downsampled(store, column, resolutionMs)
          const range = dice.pick(['30s', '5m'])
          const query = `label_replace(${name}({instance!=""}[${range}]), "name", "$1", "__name__", "(.*)")`
          const want = await bitsOf(typescript, windows, query, stepMs)
          expect(want.length).toBeGreaterThan(0)
          expect(await bitsOf(native, windows, query, stepMs), `SEED=${SEED} round ${round}: ${query}`).toEqual(want)
        }
      }
    }
  })

  it('leave more timestamp columns than there are slots to several calls', async () => {
    const store = new MemoryQueryable({ seriesPerBatch: 1000 })
    const dice = new Dice(SEED + 2)
    for (let i = 0; i < 700; i++) {
      const [{ labels }] = generateSeries(dice)
      for (let timeMs = i; timeMs < 900_000; timeMs += 30_000) {
        store.append(labels.with('id', `${i}`), timeMs, (timeMs / 1000) * i)
      }
    }
    for (const query of ['sum by (job) (rate({id!=""}[2m]))', 'rate({id!=""}[2m])', 'max by (job) ({id!=""})']) {
      const want = await bitsOf(typescript, store, query, 15_000)
      expect(want.length).toBeGreaterThan(0)
      expect(await bitsOf(native, store, query, 15_000), query).toEqual(want)
    }
  })
})
