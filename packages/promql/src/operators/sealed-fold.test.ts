/** Folds over the columns of a sealed block beside those over its batches, and beside TypeScript. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { nativeKernels } from '@varve/native'
import { halvesOf, Labels, writeStaleAt } from '@varve/tsdb-core/model'
import type { Queryable } from '@varve/tsdb-core/query'
import { openTemporaryDatabase, type TemporaryDatabase } from '@varve/tsdb-core/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { Engine } from '../engine/engine.js'
import { Dice, generateSeries } from '../engine/generated.js'

const SEED = Number(process.env.SEED ?? 20261123)
const HOUR_MS = 3_600_000
const START_MS = Date.UTC(2024, 0, 1)
const FUNCTIONS = ['rate', 'increase', 'delta', 'sum_over_time', 'avg_over_time', 'min_over_time', 'max_over_time']
const INNER = [...FUNCTIONS, 'count_over_time', 'last_over_time']
const FOLDS = ['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar']

const ROWS = [
  ...INNER.map((name) => `${name}({instance!=""}[5m])`),
  'deriv({instance!=""}[5m])',
  'predict_linear({instance!=""}[10m], 600)',
  'predict_linear({instance!=""}[10m] offset 3m, -17)',
]

const native = new Engine()
const typescript = new Engine({ native: false })

let world: TemporaryDatabase | undefined
afterEach(async () => {
  await world?.remove()
  world = undefined
})

interface Series {
  readonly labels: Labels
  readonly samples: readonly { readonly timeMs: number; readonly value: number | 'stale' }[]
}

/** A database whose samples, from `START_MS` on, are all in one block. */
async function sealed(all: readonly Series[]): Promise<TemporaryDatabase> {
  world = await openTemporaryDatabase({
    nowMs: START_MS + 3 * HOUR_MS,
    namespaces: { default: { retentionMs: Number.POSITIVE_INFINITY, blockSizeMs: 2 * HOUR_MS } },
  })
  const namespace = world.database.namespace('default')
  const refs = await namespace.resolveLabels(all.map(({ labels }) => labels))
  for (const [i, { samples }] of all.entries()) {
    const values = Float64Array.from(samples, ({ value }) => (value === 'stale' ? 0 : value))
    const halves = halvesOf(values)
    samples.forEach(({ value }, k) => {
      if (value === 'stale') writeStaleAt(halves, k)
    })
    const timestampsMs = Float64Array.from(samples, ({ timeMs }) => START_MS + timeMs)
    const seriesRefs = new Uint32Array(samples.length).fill(refs[i])
    const { rejections } = await namespace.append({ count: samples.length, seriesRefs, timestampsMs, values })
    expect(rejections).toEqual([])
  }
  await world.database.flush()
  return world
}

/** The same store without its sealed columns. */
function inBatches(store: Queryable): Queryable {
  return Object.assign(Object.create(store) as Queryable, {
    async select(request: Parameters<Queryable['select']>[0]) {
      const { sealed, ...result } = await store.select(request)
      // One extreme of a window is read from headers.
      expect(sealed === undefined).toBe(request.hints?.extreme !== undefined)
      return result
    },
  })
}

/** The same store, and how many batches were read of it. */
function countingBatches(store: Queryable): [Queryable, () => number] {
  let count = 0
  async function* counted<T>(batches: AsyncIterable<T>): AsyncGenerator<T> {
    for await (const batch of batches) {
      count++
      yield batch
    }
  }
  const counting = Object.assign(Object.create(store) as Queryable, {
    async select(request: Parameters<Queryable['select']>[0]) {
      const { sealed, ...result } = await store.select(request)
      const batches = (places: Uint32Array) => counted(sealed!.batches(places))
      return { ...result, batches: counted(result.batches), sealed: sealed && { ...sealed, batches } }
    },
  })
  return [counting, () => count]
}

interface Times {
  readonly fromMs: number
  readonly untilMs: number
  readonly stepMs: number
}

/** Label sets and bits of all samples, notes, and what was read. */
async function answerOf(engine: Engine, queryable: Queryable, query: string, { fromMs, untilMs, stepMs }: Times) {
  const times = { startMs: START_MS + fromMs, endMs: START_MS + untilMs, stepMs }
  const { series, warnings, infos, stats } = await engine.rangeQuery({ queryable, query, ...times })
  const lines: string[] = []
  for (let i = 0; i < series.count; i++) {
    const cells: bigint[] = []
    series.forEachSample(i, (timeMs, value) => {
      cells.push(BigInt(timeMs), new BigUint64Array(Float64Array.of(value).buffer)[0])
    })
    lines.push(`${series.labels(i)} ${cells.join(' ')}`)
  }
  return { lines: lines.sort(), notes: [...warnings, ...infos], read: [stats.seriesRead, stats.samplesRead] }
}

/** Targets that are scraped at times of their own; some series begin, end with a marker or without, or are reset. */
function fleet(dice: Dice, targets: number): Series[] {
  const all: Series[] = []
  for (let target = 0; target < targets; target++) {
    const offsetMs = dice.below(15_000)
    const times = Array.from({ length: 240 }, (_, k) => offsetMs + k * 15_000 + (target % 7 === 0 ? dice.below(9) : 0))
    for (let one = 0; one < 4; one++) {
      const labels = Labels.from({
        __name__: one === 3 ? 'load' : 'work_total',
        instance: `i${target}`,
        mode: `m${one}`,
        dc: target % 10 === 0 ? 'b' : 'a',
      })
      const [from, to] = dice.chance(0.05) ? [dice.below(100), 110 + dice.below(130)] : [0, 240]
      const ends = dice.chance(0.05)
      let total = dice.below(1000)
      const samples = times.slice(from, to).map((timeMs, k) => {
        total = dice.chance(0.003) ? 0 : total + dice.fraction() * 10
        const isLast = k === to - from - 1
        return { timeMs, value: ends && isLast ? ('stale' as const) : total }
      })
      all.push({ labels, samples })
    }
  }
  return all
}

const OVER_FLEET = [
  'sum by (instance) (rate(work_total[5m]))',
  'sum by (dc) (rate(work_total[5m]))',
  'avg(increase(work_total[2m]))',
  'sum without (mode) (avg_over_time({instance!=""}[10m]))',
  'max by (mode) (max_over_time({instance!=""}[5m]))',
  'count by (dc, mode) ({instance!=""})',
  'group({mode="m2"})',
  'stddev by (dc) ({instance!=""})',
  'sum(rate(load[5m]))',
  'avg by (dc) ({mode=~"m[01]"})',
  'quantile by (dc) (0.9, load)',
  'topk(3, rate(work_total[5m]))',
  'predict_linear({instance!=""}[5m], 60)',
  'work_total{mode="m1"} / on (instance) work_total{mode="m2"}',
]

describe.skipIf(nativeKernels() === undefined)(`folds over sealed columns (SEED=${SEED})`, () => {
  it('answer what folds over batches answer, to the bit, and TypeScript where nothing is left to it', async () => {
    const dice = new Dice(SEED)
    for (let round = 0; round < 4; round++) {
      const odd = round % 2 === 1
      const series = generateSeries(dice).filter(
        ({ samples }) => odd || samples.every(({ value }) => typeof value === 'number' && Number.isFinite(value)),
      )
      const { database } = await sealed(series)
      const times = { fromMs: 600_000, untilMs: HOUR_MS, stepMs: dice.pick([15_000, 60_000, 61_001]) }
      for (const fold of FOLDS) {
        for (const inner of [
          '{instance!=""}',
          ...INNER.map((name) => `${name}({instance!=""}[${dice.pick(['1m', '5m'])}])`),
        ]) {
          const query = `${fold} by (${dice.pick(['job', 'zone', 'instance, zone'])}) (${inner})`
          const where = `SEED=${SEED} round ${round}: ${query}`
          const got = await answerOf(native, database, query, times)
          expect(got, where).toEqual(await answerOf(native, inBatches(database), query, times))
          if (!odd) expect(got, where).toEqual(await answerOf(typescript, database, query, times))
        }
      }
      for (const inner of ['{instance!=""}', ...ROWS]) {
        const query = `label_replace(${inner}, "name", "$1", "__name__", "(.*)")`
        const where = `SEED=${SEED} round ${round}: ${query}`
        for (const each of [times, { ...times, stepMs: 20 * 60_000 }]) {
          const got = await answerOf(native, database, query, each)
          expect(got, where).toEqual(await answerOf(typescript, database, query, each))
        }
      }
      const quantile = await answerOf(native, database, 'quantile by (job) (0.7, {instance!=""})', times)
      expect(quantile).toEqual(await answerOf(typescript, database, 'quantile by (job) (0.7, {instance!=""})', times))
      await world?.remove()
    }
  })

  it('answer the same for more series than one call takes, and more timestamp columns than there are slots', async () => {
    const { database } = await sealed(fleet(new Dice(SEED + 1), 150))
    const times = [
      { fromMs: 10 * 60_000, untilMs: HOUR_MS, stepMs: 15_000 },
      { fromMs: 20 * 60_000, untilMs: HOUR_MS, stepMs: 60_000 },
      { fromMs: 50 * 60_000, untilMs: 50 * 60_000, stepMs: 60_000 },
      // 109 slots.
      { fromMs: 20 * 60_000, untilMs: 40 * 60_000, stepMs: 1000 },
    ]
    for (const [i, query] of OVER_FLEET.entries()) {
      for (const each of i < 3 ? times : times.slice(0, 3)) {
        const got = await answerOf(native, database, query, each)
        expect(got, query).toEqual(await answerOf(native, inBatches(database), query, each))
        expect(got.lines.length, query).toBeGreaterThan(0)
      }
    }
  })

  it('read one series like many: not in batches, where no value is NaN', async () => {
    const all = fleet(new Dice(SEED + 5), 40)
    const { database } = await sealed(all)
    const times = { fromMs: 10 * 60_000, untilMs: HOUR_MS, stepMs: 15_000 }
    const whole = ({ samples }: Series) => samples.every(({ value }) => value !== 'stale')
    for (const series of [all.find(whole), all.find((one) => !whole(one))] as Series[]) {
      const selector = `{instance="${series.labels.get('instance')}", mode="${series.labels.get('mode')}"}`
      for (const query of [selector, `rate(${selector}[5m])`, `sum(${selector})`]) {
        const [store, batchesRead] = countingBatches(database)
        const got = await answerOf(native, store, query, times)
        expect(got.lines.length, query).toBe(1)
        expect(got, query).toEqual(await answerOf(native, inBatches(database), query, times))
        if (whole(series)) expect(batchesRead(), query).toBe(0)
      }
    }
  })

  it('say the same of what is no counter', async () => {
    const { database } = await sealed(fleet(new Dice(SEED + 2), 3))
    const times = { fromMs: 10 * 60_000, untilMs: HOUR_MS, stepMs: 60_000 }
    const { notes } = await answerOf(native, database, 'sum(rate({instance!=""}[5m]))', times)
    expect(notes).toEqual([expect.stringContaining('metric might not be a counter')])
    expect(notes).toEqual((await answerOf(typescript, database, 'sum(rate({instance!=""}[5m]))', times)).notes)
  })

  it('leave a block with a damaged column to batches, which tell of it', async () => {
    const { database, directory } = await sealed(fleet(new Dice(SEED + 3), 20))
    await database.close()
    const folder = join(directory, 'namespaces/default/0')
    const [name] = (await readdir(folder)).filter((file) => file.endsWith('.block'))
    const bytes = await readFile(join(folder, name))
    bytes[Math.floor(bytes.length / 3)] ^= 1
    await writeFile(join(folder, name), bytes)
    const times = { fromMs: 10 * 60_000, untilMs: HOUR_MS, stepMs: 60_000 }
    const query = 'sum by (instance) (rate(work_total[5m]))'
    // The damage is found while the query runs.
    const got = await answerOf(native, await world!.reopen(), query, times)
    expect(got.notes).toEqual([expect.stringContaining(name)])
    const again = await answerOf(native, world!.database, query, times)
    const wanted = await answerOf(typescript, world!.database, query, times)
    expect(got).toEqual(wanted)
    expect(again).toEqual(wanted)
  })

  it('end with the limit of series that they read', async () => {
    const { database } = await sealed(fleet(new Dice(SEED + 4), 5))
    const request = { queryable: database, query: 'count({instance!=""})', timeMs: START_MS + HOUR_MS }
    await expect(native.instantQuery({ ...request, limits: { seriesMax: 10 } })).rejects.toThrow('seriesMax is 10')
    const { stats } = await native.instantQuery(request)
    expect(stats.samplesPeak).toBeLessThan(10)
  })

  it.each(['sum by (dc) (rate(work_total[5m]))', 'quantile(0.5, work_total)', 'rate(work_total[5m])', 'work_total'])(
    'end what they read of the store when %s is given up',
    async (query) => {
      const { database } = await sealed(fleet(new Dice(SEED + 5), 5))
      for (const breakOff of ['load', 'abort'] as const) {
        const controller = new AbortController()
        let ends = 0
        const queryable: Queryable = Object.assign(Object.create(database) as Queryable, {
          async select(request: Parameters<Queryable['select']>[0]) {
            const { sealed, batches, ...result } = await database.select(request)
            const iterator = batches[Symbol.asyncIterator]()
            const end = async () => {
              ends++
              return (await iterator.return?.()) ?? { done: true as const, value: undefined }
            }
            const load = () => {
              if (breakOff === 'load') return Promise.reject(new Error('the disk is gone'))
              controller.abort()
              return undefined
            }
            return {
              ...result,
              batches: { [Symbol.asyncIterator]: () => ({ next: () => iterator.next(), return: end }) },
              ...(sealed && { sealed: Object.assign(Object.create(sealed), sealed, { load }) }),
            }
          },
        })
        const times = { startMs: START_MS + 600_000, endMs: START_MS + HOUR_MS, stepMs: 60_000 }
        const asked = native.rangeQuery({ queryable, query, ...times, signal: controller.signal })
        await expect(asked).rejects.toMatchObject({ code: breakOff === 'load' ? 'internal' : 'canceled' })
        expect(ends, breakOff).toBeGreaterThan(0)
      }
    },
  )
})
