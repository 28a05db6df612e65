/**
 * Laws that hold for any query, over generated data and queries.
 *
 * `SEED=8123 npx vitest run packages/promql/src/engine/generated-queries` replays a run; without it the seed is fixed.
 */
import type { Histogram } from '@varve/tsdb-core/model'
import { MemoryQueryable, STALE } from '@varve/tsdb-core/testing'
import { describe, expect, test } from 'vitest'
import { PromqlError } from '../errors.js'
import { compactHistogram } from '../histograms/index.js'
import type { Answer } from '../scripts/answer.js'
import { answerOf, EngineTarget } from '../scripts/engine-target.js'
import { generatedSeries } from '../testing/generated-data.js'
import { QueryGenerator } from '../testing/generated-query.js'
import { SeededRandom } from '../testing/random.js'
import { Engine } from './engine.js'

const SEED = Number(process.env.SEED ?? 20261122)
/** Queries of each law; there are four laws. */
const QUERIES = Number(process.env.QUERIES ?? 1300)
const START_MS = 1_800_000
const STEP_MS = 60_000
const STEPS = 6
const END_MS = START_MS + (STEPS - 1) * STEP_MS
/** Of the larger of two numbers: sums over series come in another order, and prefix sums round differently. */
const TOLERANCE = 1e-9

const random = new SeededRandom(SEED)
const data = generatedSeries(random, { startMs: 0, endMs: 3_000_000 })

async function storeOf(series: typeof data, seriesPerBatch: number): Promise<MemoryQueryable> {
  const store = new MemoryQueryable({ seriesPerBatch })
  await new EngineTarget(store, STALE).load(series)
  return store
}

/** Answer, or the text of the error. */
async function ask(run: () => ReturnType<Engine['instantQuery']>): Promise<Answer | string> {
  try {
    return answerOf(await run())
  } catch (error) {
    if (error instanceof PromqlError && error.code === 'execution') return error.message
    throw error
  }
}

describe(`generated queries (SEED=${SEED})`, () => {
  const engine = new Engine()

  test('a range query answers what instant queries answer at its steps', { timeout: 120_000 }, async () => {
    const queryable = await storeOf(data, 1000)
    const generator = new QueryGenerator(random, { nativeHistograms: true, classicOnly: false, orderFree: false })
    for (let i = 0; i < QUERIES; i++) {
      const query = generator.vector(3)
      const range = await ask(() =>
        engine.rangeQuery({ queryable, query, startMs: START_MS, endMs: END_MS, stepMs: STEP_MS }),
      )
      const samples = new Map<string, number | Histogram>()
      let failed = false
      for (let timeMs = START_MS; timeMs <= END_MS && !failed; timeMs += STEP_MS) {
        const instant = await ask(() => engine.instantQuery({ queryable, query, timeMs }))
        if (typeof instant === 'string') failed = true
        else addSamples(samples, instant)
      }
      if (failed || typeof range === 'string')
        expect(typeof range, `${query}: range ${range}`).toBe(failed ? 'string' : 'object')
      else expectSame(query, flat(range), samples)
    }
  })

  test('the order of series and the size of batches change nothing', { timeout: 120_000 }, async () => {
    const stores = [await storeOf(data, 1000), await storeOf(random.shuffled(data), 7)]
    const generator = new QueryGenerator(random, { nativeHistograms: true, classicOnly: false, orderFree: true })
    for (let i = 0; i < QUERIES; i++) {
      const query = generator.vector(3)
      const [one, other] = await Promise.all(
        stores.map((queryable) =>
          ask(() => engine.rangeQuery({ queryable, query, startMs: START_MS, endMs: END_MS, stepMs: STEP_MS })),
        ),
      )
      if (typeof one === 'string' || typeof other === 'string')
        expect(typeof one, `${query}: ${one} / ${other}`).toBe(typeof other)
      else expectSame(query, flat(one), flat(other))
    }
  })

  test('parts make up the whole', { timeout: 120_000 }, async () => {
    const queryable = await storeOf(data, 1000)
    const generator = new QueryGenerator(random, { nativeHistograms: false, classicOnly: false, orderFree: true })
    for (let i = 0; i < QUERIES; i++) {
      const inner = generator.vector(2)
      const [outer, part] = random.pick([
        ['sum', 'sum'],
        ['min', 'min'],
        ['max', 'max'],
        ['sum', 'count'],
        ['group', 'group'],
      ])
      const query = (text: string) =>
        ask(() => engine.rangeQuery({ queryable, query: text, startMs: START_MS, endMs: END_MS, stepMs: STEP_MS }))
      const whole = await query(`${part}(${inner})`)
      const parts = await query(`${outer}(${part} by (a) (${inner}))`)
      if (typeof whole === 'string' || typeof parts === 'string')
        expect(typeof whole, `${inner}: ${whole}`).toBe(typeof parts)
      // What cancels out in one order leaves a rest in another, which is small beside what was added.
      else expectSame(`${part}(${inner})`, flat(whole), flat(parts), 1e-6)
    }
  })

  test('printing a query and reading it again changes nothing of its answer', { timeout: 120_000 }, async () => {
    const { parseExpression } = await import('../parser/parser.js')
    const { prettyExpression, printExpression } = await import('../printer/print.js')
    const queryable = await storeOf(data, 1000)
    const generator = new QueryGenerator(random, { nativeHistograms: true, classicOnly: false, orderFree: false })
    for (let i = 0; i < QUERIES; i++) {
      const query = generator.vector(3)
      const print = i % 2 === 0 ? printExpression : prettyExpression
      const printed = print(parseExpression(query))
      const [one, other] = await Promise.all(
        [query, printed].map((text) => ask(() => engine.instantQuery({ queryable, query: text, timeMs: START_MS }))),
      )
      if (typeof one === 'string' || typeof other === 'string') expect(one, printed).toEqual(other)
      else expectSame(printed, flat(one), flat(other))
    }
  })
})

function flat(answer: Answer): Map<string, number | Histogram> {
  const samples = new Map<string, number | Histogram>()
  addSamples(samples, answer)
  return samples
}

function addSamples(samples: Map<string, number | Histogram>, { series }: Answer): void {
  for (const { labels, samples: own } of series) {
    for (const { timeMs, value, histogram } of own) samples.set(`${labels} @${timeMs}`, histogram ?? value)
  }
}

function expectSame(
  query: string,
  one: Map<string, number | Histogram>,
  other: Map<string, number | Histogram>,
  tolerance = TOLERANCE,
): void {
  const keys = [...one.keys()].sort()
  if (keys.join() !== [...other.keys()].sort().join())
    expect([query, ...keys]).toEqual([query, ...[...other.keys()].sort()])
  for (const key of keys) {
    const problem = difference(one.get(key)!, other.get(key)!, tolerance)
    if (problem) throw new Error(`${query}\n  ${key}: ${problem}`)
  }
}

function difference(a: number | Histogram, b: number | Histogram, tolerance: number): string | undefined {
  if (typeof a === 'number' && typeof b === 'number') return near(a, b, tolerance) ? undefined : `${a} and ${b}`
  if (typeof a === 'number' || typeof b === 'number') return 'a float and a histogram'
  const [x, y] = [compactHistogram(a), compactHistogram(b)]
  const numbers = (h: Histogram) => [
    h.count,
    h.sum,
    h.zeroCount,
    h.zeroThreshold,
    ...h.positiveBuckets,
    ...h.negativeBuckets,
  ]
  const [p, q] = [numbers(x), numbers(y)]
  const same = p.length === q.length && p.every((n, i) => near(n, q[i], tolerance)) && x.schema === y.schema
  return same ? undefined : `${p} and ${q}`
}

/** Near by the size of the numbers, or by that of what they were made of (the data goes up to some thousands). */
function near(a: number, b: number, tolerance: number): boolean {
  if (Object.is(a, b) || a === b) return true
  const distance = Math.abs(a - b)
  return distance <= tolerance * Math.max(Math.abs(a), Math.abs(b)) || distance <= tolerance * 10
}
