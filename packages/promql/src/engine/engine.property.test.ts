import { MemoryQueryable, STALE } from '@varve/tsdb-core/testing'
import { describe, expect, it } from 'vitest'
import { PromqlError } from '../errors.js'
import { NAIVE_FUNCTIONS } from '../functions/range-functions.naive.js'
import { Engine } from './engine.js'
import { Dice, type GeneratedSeries, generateQuery, generateSeries, LAST_MS } from './generated.js'
import type { QueryResult } from './result.js'

const SEED = Number(process.env.SEED ?? 20261122)
const engine = new Engine()
/** Windows that overlap take sums that a window alone does not, so their last digits may differ; here these make a label or a step. */
const LAST_DIGIT_DECIDES =
  /(count_values|changes|resets|ceil|sgn|hour).*(deriv|predict_linear|stddev_over)|(deriv|predict_linear|stddev_over).*(%|[<>!=]=?)/

describe(`laws over generated data and queries (SEED=${SEED})`, () => {
  it('gives each range function what its naive twin gives, at every step', async () => {
    const dice = new Dice(SEED)
    let compared = 0
    for (let round = 0; round < 24; round++) {
      const series = generateSeries(dice)
      const store = storeOf(series, 2)
      for (const name of Object.keys(NAIVE_FUNCTIONS)) {
        const rangeMs = dice.pick([60_000, 300_000, 1_234_567, 3_600_000])
        const { stepMs, startMs, endMs } = gridOf(dice)
        const scalars = scalarsOf(name)
        const range = `{instance!=""}[${rangeMs}ms]`
        const call = name === 'quantile_over_time' ? `${scalars[0]}, ${range}` : [range, ...scalars].join(', ')
        const query = `label_replace(${name}(${call}), "name", "$1", "__name__", "(.*)")`
        const result = await engine.rangeQuery({ queryable: store, query, startMs, endMs, stepMs })
        const where = `SEED=${SEED} round ${round}: ${query} ${startMs}..${endMs} step ${stepMs}`
        const got = valuesOf(result)
        const want = naiveValues(series, name, rangeMs, scalars, startMs, endMs, stepMs)
        expect([...got.keys()].sort(), where).toEqual([...want.keys()].sort())
        for (const [at, value] of want) {
          expect(isClose(got.get(at)!, value), `${where} at ${at}: got ${got.get(at)}, want ${value}`).toBe(true)
          compared++
        }
      }
    }
    expect(compared).toBeGreaterThan(5000)
  }, 120_000)

  it('answers a range query as instant queries at its steps', async () => {
    const dice = new Dice(SEED + 1)
    let answered = 0
    for (let round = 0; round < 70; round++) {
      const store = storeOf(generateSeries(dice), 3)
      for (let i = 0; i < 20; i++) {
        const query = generateQuery(dice)
        if (LAST_DIGIT_DECIDES.test(query)) continue
        const { stepMs, startMs, endMs } = gridOf(dice)
        const where = `SEED=${SEED} round ${round}: ${query} ${startMs}..${endMs} step ${stepMs}`
        const range = await outcome(engine.rangeQuery({ queryable: store, query, startMs, endMs, stepMs }))
        const instants = new Map<string, number>()
        let failed: PromqlError | undefined
        for (let timeMs = startMs; timeMs <= endMs; timeMs += stepMs) {
          const instant = await outcome(engine.instantQuery({ queryable: store, query, timeMs }))
          if (instant instanceof PromqlError) failed ??= instant
          else for (const [at, value] of valuesOf(instant)) instants.set(at, value)
        }
        if (range instanceof PromqlError || failed !== undefined) {
          // One step that cannot be answered fails the whole; two different series of one label set may differ in that.
          expect(range instanceof PromqlError ? range.message : undefined, where).toBe(failed?.message)
          continue
        }
        const got = valuesOf(range)
        expect([...got.keys()].sort(), where).toEqual([...instants.keys()].sort())
        for (const [at, value] of instants) {
          expect(isClose(got.get(at)!, value), `${where} at ${at}: range ${got.get(at)}, instant ${value}`).toBe(true)
        }
        answered++
      }
    }
    expect(answered).toBeGreaterThan(900)
  }, 120_000)

  it('does not depend on the order or the batches in which series come', async () => {
    const dice = new Dice(SEED + 2)
    for (let round = 0; round < 60; round++) {
      const series = generateSeries(dice)
      const shuffled = [...series].sort(() => dice.fraction() - 0.5)
      for (let i = 0; i < 25; i++) {
        const query = generateQuery(dice)
        // What is chosen among equals depends on their order.
        if (/topk|bottomk|limitk/.test(query)) continue
        const times = gridOf(dice)
        const one = await outcome(engine.rangeQuery({ queryable: storeOf(series, 100), query, ...times }))
        const other = await outcome(engine.rangeQuery({ queryable: storeOf(shuffled, 1), query, ...times }))
        const where = `SEED=${SEED} round ${round}: ${query}`
        if (one instanceof PromqlError || other instanceof PromqlError) {
          expect(other instanceof PromqlError, where).toBe(one instanceof PromqlError)
          continue
        }
        const got = valuesOf(other)
        const want = valuesOf(one)
        expect([...got.keys()].sort(), where).toEqual([...want.keys()].sort())
        for (const [at, value] of want) expect(isClose(got.get(at)!, value), `${where} at ${at}`).toBe(true)
      }
    }
  }, 120_000)

  it('adds up the parts of a sum to the whole', async () => {
    const dice = new Dice(SEED + 3)
    for (let round = 0; round < 200; round++) {
      const store = storeOf(generateSeries(dice), 2)
      const inner = generateQuery(dice, 2)
      const query = `sum(${inner}) - sum(sum by (job, instance, zone) (${inner}))`
      const result = await outcome(engine.rangeQuery({ queryable: store, query, ...gridOf(dice) }))
      if (result instanceof PromqlError) continue
      for (const [at, value] of valuesOf(result)) {
        const scale = Math.abs(value) < 1e-3 || !Number.isFinite(value)
        expect(scale, `SEED=${SEED} round ${round}: ${query} at ${at}: ${value}`).toBe(true)
      }
    }
  }, 120_000)
})

function storeOf(series: readonly GeneratedSeries[], seriesPerBatch: number): MemoryQueryable {
  const store = new MemoryQueryable({ seriesPerBatch })
  for (const { labels, samples } of series) {
    for (const { timeMs, value } of samples) store.append(labels, timeMs, value === 'stale' ? STALE : value)
  }
  return store
}

function gridOf(dice: Dice): { startMs: number; endMs: number; stepMs: number } {
  const stepMs = dice.pick([15_000, 60_000, 61_001, 600_000])
  const startMs = dice.chance(0.5) ? dice.below(LAST_MS) : 60_000 * dice.below(60)
  return { startMs, endMs: startMs + stepMs * (1 + dice.below(8)), stepMs }
}

function scalarsOf(name: string): number[] {
  if (name === 'quantile_over_time') return [0.75]
  if (name === 'predict_linear') return [300]
  return name === 'double_exponential_smoothing' ? [0.3, 0.6] : []
}

/** `labels@time` → value. */
function valuesOf(result: QueryResult): Map<string, number> {
  const values = new Map<string, number>()
  for (let i = 0; i < result.series.count; i++) {
    const labels = result.series.labels(i).toString()
    result.series.forEachSample(i, (timeMs, value) => values.set(`${labels}@${timeMs}`, value))
  }
  return values
}

function naiveValues(
  all: readonly GeneratedSeries[],
  name: string,
  rangeMs: number,
  scalars: readonly number[],
  startMs: number,
  endMs: number,
  stepMs: number,
): Map<string, number> {
  const values = new Map<string, number>()
  const keepsName = name === 'last_over_time' || name === 'first_over_time'
  for (const { labels, samples } of all) {
    const sorted = [...samples].sort((a, b) => a.timeMs - b.timeMs)
    const floats = sorted
      .filter((sample, i) => sorted[i + 1]?.timeMs !== sample.timeMs)
      .flatMap(({ timeMs, value }) => (typeof value === 'number' ? [{ timeMs, value }] : []))
    const named = labels.with('name', labels.metricName)
    const shown = (keepsName ? named : named.with('__name__', '')).toString()
    for (let timeMs = startMs; timeMs <= endMs; timeMs += stepMs) {
      const inside = floats.filter((sample) => sample.timeMs > timeMs - rangeMs && sample.timeMs <= timeMs)
      if (inside.length === 0) continue
      const window = { samples: inside, startMs: timeMs - rangeMs, endMs: timeMs, evaluationMs: timeMs, scalars }
      const value = NAIVE_FUNCTIONS[name](window)
      if (value !== undefined) values.set(`${shown}@${timeMs}`, value)
    }
  }
  return values
}

/** Equal to rounding: sums of the test data are well below 10^9. */
function isClose(a: number, b: number): boolean {
  if (Object.is(a, b) || a === b) return true
  return Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b), 1e-3)
}

async function outcome(query: Promise<QueryResult>): Promise<QueryResult | PromqlError> {
  try {
    return await query
  } catch (error) {
    if (error instanceof PromqlError) return error
    throw error
  }
}
