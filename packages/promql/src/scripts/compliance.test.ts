/** Prometheus' answers to the queries of its compliance suite, over generated data. They are not part of the project. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { Labels } from '@varve/tsdb-core/model'
import { MemoryQueryable, STALE } from '@varve/tsdb-core/testing'
import { beforeAll, describe, expect, test } from 'vitest'
import { Engine } from '../engine/engine.js'
import { PromqlError } from '../errors.js'
import type { Answer } from './answer.js'
import { answerOf } from './engine-target.js'
import { parseFloatText } from './series-notation.js'

type Metric = Record<string, string>
type Point = [seconds: number, value: string]
interface Reply {
  readonly error?: string
  readonly data?: { resultType: string; result: { metric: Metric; value?: Point; values?: Point[] }[] | Point }
}
interface Suite {
  readonly meta: {
    startMs: number
    endMs: number
    qStart: number
    qEnd: number
    step: number
    seed: number
    instances: number
  }
  readonly answers: { query: string; range: Reply; instant: Reply }[]
}

const folder = process.env.VARVE_PROMQL_CASES
const TOLERANCE = 1e-5

describe.skipIf(!folder)(`compliance queries${folder ? '' : ' (skipped: VARVE_PROMQL_CASES is not set)'}`, () => {
  const suite: Suite = folder
    ? JSON.parse(gunzipSync(readFileSync(join(folder, 'compliance-answers.json.gz'))).toString())
    : { meta: {}, answers: [] }
  const { meta, answers } = suite
  const queryable = new MemoryQueryable({ seriesPerBatch: 100 })
  const engine = new Engine()

  beforeAll(async () => {
    const { demoData, STALE: theirStale } = await import(pathToFileURL(join(folder!, 'demo-data.mjs')).href)
    const { startMs, endMs, seed, instances } = meta
    for (const { labels, samples } of demoData({ startMs, endMs, seed, instances })) {
      const own = Labels.from(labels as Metric)
      for (const { t, value } of samples) queryable.append(own, t, value === theirStale ? STALE : value)
    }
  })

  test.each(answers.map(({ query, range, instant }) => [query, range, instant] as const))(
    '%s',
    async (query, range, instant) => {
      const { qStart: startMs, qEnd: endMs, step } = meta
      const inRange = () => engine.rangeQuery({ queryable, query, startMs, endMs, stepMs: step * 1000 })
      const atEnd = () => engine.instantQuery({ queryable, query, timeMs: endMs })
      expect(compare(range, await reply(inRange)), 'range').toBeUndefined()
      expect(compare(instant, await reply(atEnd)), 'instant').toBeUndefined()
    },
  )
})

async function reply(run: () => ReturnType<Engine['instantQuery']>): Promise<Answer | string> {
  try {
    return answerOf(await run())
  } catch (error) {
    if (error instanceof PromqlError) return error.message
    throw error
  }
}

function compare(expected: Reply, actual: Answer | string): string | undefined {
  if (expected.error !== undefined || !expected.data) {
    return typeof actual === 'string' ? undefined : `expected the error ${expected.error}`
  }
  if (typeof actual === 'string') return `error ${actual}`
  const { resultType, result } = expected.data
  if (resultType !== actual.type) return `expected a ${resultType}, got a ${actual.type}`
  const wanted =
    resultType === 'scalar' || resultType === 'string'
      ? [{ metric: {} as Metric, values: [result as Point] }]
      : (result as { metric: Metric; value?: Point; values?: Point[] }[]).map(({ metric, value, values }) => ({
          metric,
          values: values ?? [value!],
        }))
  const found = new Map(actual.series.map((series) => [series.labels.key, series]))
  if (found.size !== wanted.length) return `expected ${wanted.length} series, got ${found.size}`
  for (const { metric, values } of wanted) {
    const labels = Labels.from(metric)
    const series = found.get(labels.key)
    if (!series) return `no series ${labels}`
    if (series.samples.length !== values.length) {
      return `${labels}: expected ${values.length} samples, got ${series.samples.length}`
    }
    for (const [i, [seconds, text]] of values.entries()) {
      const { timeMs, value } = series.samples[i]
      const expectedValue = parseFloatText(text)
      const near = Math.abs(value - expectedValue) <= TOLERANCE * Math.min(Math.abs(value), Math.abs(expectedValue))
      if (timeMs === Math.round(seconds * 1000) && (near || Object.is(value, expectedValue) || value === expectedValue))
        continue
      return `${labels}: expected ${text} at ${seconds}, got ${value} at ${timeMs / 1000}`
    }
  }
  return undefined
}
