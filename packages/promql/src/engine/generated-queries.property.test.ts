/**
 * Laws that hold for any query, over generated data and queries.
 *
 * `SEED=8123 npx vitest run packages/promql/src/engine/generated-queries` replays a run; without it the seed is fixed.
 */
import { nativeKernels } from '@varve/native'
import { MemoryQueryable, STALE } from '@varve/tsdb-core/testing'
import { describe, expect, test } from 'vitest'
import { EngineTarget } from '../scripts/engine-target.js'
import { generatedSeries } from '../testing/generated-data.js'
import { QueryGenerator } from '../testing/generated-query.js'
import { SeededRandom } from '../testing/random.js'
import { addSamples, ask, differenceOf, differenceOfAnswers, flat, type Samples } from '../testing/same-answers.js'
import { Engine } from './engine.js'

const SEED = Number(process.env.SEED ?? 20261122)
/** Queries of each law; there are five laws, one of them only where there is a native module. */
const QUERIES = Number(process.env.QUERIES ?? 1300)
const START_MS = 1_800_000
const STEP_MS = 60_000
const STEPS = 6
const END_MS = START_MS + (STEPS - 1) * STEP_MS
const random = new SeededRandom(SEED)
const data = generatedSeries(random, { startMs: 0, endMs: 3_000_000 })

async function storeOf(series: typeof data, seriesPerBatch: number): Promise<MemoryQueryable> {
  const store = new MemoryQueryable({ seriesPerBatch })
  await new EngineTarget(store, STALE).load(series)
  return store
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
      const samples: Samples = new Map()
      let failed = false
      for (let timeMs = START_MS; timeMs <= END_MS && !failed; timeMs += STEP_MS) {
        const instant = await ask(() => engine.instantQuery({ queryable, query, timeMs }))
        if (typeof instant === 'string') failed = true
        else addSamples(samples, instant)
      }
      if (failed || typeof range === 'string')
        expect([query, typeof range]).toEqual([query, failed ? 'string' : 'object'])
      else expect([query, differenceOf(flat(range), samples)]).toEqual([query, undefined])
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
      expect([query, differenceOfAnswers(one, other)]).toEqual([query, undefined])
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
      // What cancels out in one order leaves a rest in another, which is small beside what was added.
      expect([inner, differenceOfAnswers(whole, parts, 1e-6)]).toEqual([inner, undefined])
    }
  })

  test.skipIf(nativeKernels() === undefined)('Rust answers what TypeScript answers', { timeout: 120_000 }, async () => {
    const queryable = await storeOf(data, 9)
    const generator = new QueryGenerator(random, { nativeHistograms: true, classicOnly: false, orderFree: true })
    const engines = [new Engine({ native: false }), engine]
    for (let i = 0; i < QUERIES; i++) {
      const query = generator.vector(3)
      const [one, other] = await Promise.all(
        engines.map((asked) =>
          ask(() => asked.rangeQuery({ queryable, query, startMs: START_MS, endMs: END_MS, stepMs: STEP_MS })),
        ),
      )
      expect([query, differenceOfAnswers(one, other)]).toEqual([query, undefined])
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
      expect([printed, differenceOfAnswers(one, other)]).toEqual([printed, undefined])
    }
  })
})
