/**
 * Laws that hold for any query, over queries from the whole grammar: with errors, all kinds of samples, and what is newer than
 * the Prometheus that `packages/coordinator/src/answers-beside-prometheus.test.ts` asks.
 *
 *     SEED=8123 QUERIES=20000 npx vitest run packages/promql/src/engine/wide-queries
 */
import { nativeKernels } from '@varve/native'
import { MemoryQueryable, STALE } from '@varve/tsdb-core/testing'
import { beforeAll, describe, expect, test } from 'vitest'
import { PromqlError } from '../errors.js'
import type { Answer } from '../scripts/answer.js'
import { answerOf, EngineTarget } from '../scripts/engine-target.js'
import { generatedSeries } from '../testing/generated-data.js'
import { SeededRandom } from '../testing/random.js'
import { addSamples, differenceOf, flat, type Samples } from '../testing/same-answers.js'
import { wideSeries } from '../testing/wide-data.js'
import { WideQueryGenerator } from '../testing/wide-query.js'
import { Engine } from './engine.js'
import type { QueryResult } from './result.js'

const SEED = Number(process.env.SEED ?? 1)
const QUERIES = Number(process.env.QUERIES ?? 250)
const START_MS = 1_699_999_200_000
const END_MS = START_MS + 40 * 60_000
const STEP_MS = 67_500
const STEPS = 5

interface Outcome {
  readonly answer?: Answer
  readonly error?: string
  readonly notices: readonly string[]
}

async function outcomeOf(run: () => Promise<QueryResult>): Promise<Outcome> {
  try {
    const result = await run()
    return { answer: answerOf(result), notices: [...result.warnings, ...result.infos].sort() }
  } catch (error) {
    if (error instanceof PromqlError) return { error: `${error.code} ${error.message}`, notices: [] }
    throw error
  }
}

describe(`generated queries of the whole grammar (SEED=${SEED})`, () => {
  const random = new SeededRandom(SEED)
  const period = { startMs: START_MS, endMs: END_MS }
  const queryable = new MemoryQueryable({ seriesPerBatch: 9 })
  const generator = new WideQueryGenerator(random, {
    startS: START_MS / 1000,
    endS: END_MS / 1000,
    without: new Set(),
    newerSyntax: true,
  })
  const engine = new Engine()
  beforeAll(async () => {
    await new EngineTarget(queryable, STALE).load([...generatedSeries(random, period), ...wideSeries(random, period)])
  })

  test('a range query answers what instant queries answer at its steps', { timeout: 3_600_000 }, async () => {
    const problems: string[] = []
    for (let i = 0; i < QUERIES; i++) {
      const query = generator.query()
      // These are of the whole range.
      if (/\b(start|end|range|step)\(\)/.test(query)) continue
      const startMs = START_MS + 15_000 * random.below(150) + (random.chance(0.5) ? 0 : random.below(15_000))
      const endMs = startMs + (STEPS - 1) * STEP_MS
      const range = await outcomeOf(() => engine.rangeQuery({ queryable, query, startMs, endMs, stepMs: STEP_MS }))
      const samples: Samples = new Map()
      const notices = new Set<string>()
      let error: string | undefined
      for (let timeMs = startMs; timeMs <= endMs && error === undefined; timeMs += STEP_MS) {
        const instant = await outcomeOf(() => engine.instantQuery({ queryable, query, timeMs }))
        error = instant.error
        for (const notice of instant.notices) notices.add(notice)
        if (instant.answer !== undefined) addSamples(samples, instant.answer)
      }
      const problem = lawProblem(range, error, samples, notices)
      if (problem !== undefined) problems.push(`${query} from ${startMs}\n  ${problem}`)
    }
    expect(problems).toEqual([])
  })

  test.skipIf(nativeKernels() === undefined)(
    'Rust answers what TypeScript answers',
    { timeout: 3_600_000 },
    async () => {
      const plain = new Engine({ native: false })
      const problems: string[] = []
      for (let i = 0; i < QUERIES; i++) {
        const query = generator.query()
        const startMs = START_MS + 15_000 * random.below(150) + (random.chance(0.5) ? 0 : random.below(15_000))
        const stepMs = random.pick([15_000, 60_000, 7500, 97_000])
        const endMs = startMs + stepMs * random.below(20)
        const [one, other] = await Promise.all(
          [engine, plain].map((asked) =>
            outcomeOf(() => asked.rangeQuery({ queryable, query, startMs, endMs, stepMs })),
          ),
        )
        const problem =
          one.error !== other.error
            ? `${one.error} / ${other.error}`
            : one.notices.join() !== other.notices.join()
              ? `${one.notices} / ${other.notices}`
              : one.answer && other.answer && differenceOf(flat(one.answer), flat(other.answer))
        if (problem) problems.push(`${query} from ${startMs} to ${endMs} by ${stepMs}\n  ${problem}`)
      }
      expect(problems).toEqual([])
    },
  )
})

function lawProblem(
  range: Outcome,
  error: string | undefined,
  samples: Samples,
  notices: ReadonlySet<string>,
): string | undefined {
  if (range.error !== undefined || error !== undefined) {
    // A range query has no ranges and texts, and of several errors at one step another may come first.
    if (range.error?.includes('invalid expression type')) return undefined
    return range.error === undefined || error === undefined ? `range: ${range.error}, instants: ${error}` : undefined
  }
  const difference = differenceOf(flat(range.answer!), samples)
  if (difference !== undefined) return difference
  const own = range.notices.filter((text) => !NOT_OF_STEPS.test(text))
  const theirs = [...notices].filter((text) => !NOT_OF_STEPS.test(text)).sort()
  return own.join() === theirs.join() ? undefined : `range: ${own.join('; ')}\n  instants: ${theirs.join('; ')}`
}

/** They sum up steps, or are of range queries alone. */
const NOT_OF_STEPS = /sort is ineffective|monotonicity|omitted|(ratio|quantile) value/
