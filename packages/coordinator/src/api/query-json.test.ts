import { Engine } from '@varve/promql'
import { Database } from '@varve/tsdb-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { goNumber } from './go-json.js'
import { queryJson } from './query-json.js'

let database: Database
beforeAll(async () => {
  database = await Database.open({ namespaces: { default: { retentionMs: Infinity } } })
  const samples = Array.from({ length: 60 }, (_, i) =>
    ['a', 'b', 'c'].map((series, k) => ({
      labels: { __name__: 'x', series },
      timestampMs: 1000 + i * 500,
      // Series c has a gap, so that a row has absent steps.
      value: k === 2 && i > 20 && i < 40 ? NaN : i * (k + 0.1),
    })),
  ).flat()
  await database.append(samples)
})
afterAll(() => database.close())

async function textOf(query: string, options: { limit?: number } = {}) {
  const engine = new Engine()
  const result = await engine.rangeQuery({ queryable: database, query, startMs: 1000, endMs: 31_000, stepMs: 500 })
  let text = ''
  let pauses = 0
  const pause = async () => void pauses++
  for await (const part of queryJson(result, { limit: options.limit ?? 0, stats: 'none', notices: {}, pause }))
    text += typeof part === 'string' ? part : Buffer.from(part).toString()
  return { text, result, pauses }
}

test('rows written from the grid are those written sample by sample', async () => {
  for (const query of ['x', 'sum by (series) (x > 5)', 'sort_desc(x)', '-x', 'absent(nothing)']) {
    const { text, result } = await textOf(query)
    const rows = JSON.parse(text).data.result as { metric: object; values: [number, string][] }[]
    const expected: [number, string][][] = []
    for (let i = 0; i < result.series.count; i++) {
      const values: [number, string][] = []
      result.series.forEachSample(i, (timeMs, value) => values.push([timeMs / 1000, goNumber(value)]))
      if (values.length > 0) expected.push(values)
    }
    expect(rows.map(({ values }) => values)).toEqual(expected)
  }
})

test('a range vector is written as it is read sample by sample', async () => {
  const result = await new Engine().instantQuery({ queryable: database, query: 'x[10s]', timeMs: 25_000 })
  let text = ''
  const pause = async () => undefined
  for await (const part of queryJson(result, { limit: 0, stats: 'none', notices: {}, pause })) {
    text += typeof part === 'string' ? part : Buffer.from(part).toString()
  }
  const rows = JSON.parse(text).data.result as { metric: object; values: [number, string][] }[]
  expect(rows).toHaveLength(3)
  for (const [i, { metric, values }] of rows.entries()) {
    const expected: [number, string][] = []
    result.series.forEachSample(i, (timeMs, value) => expected.push([timeMs / 1000, goNumber(value)]))
    expect(metric).toEqual(Object.fromEntries(result.series.labels(i)))
    expect(values).toEqual(expected)
  }
})

test('a limit counts series and warns', async () => {
  const { text } = await textOf('x', { limit: 2 })
  const answer = JSON.parse(text)
  expect(answer.data.result).toHaveLength(2)
  expect(answer.warnings).toEqual(['results truncated due to limit'])
})

test('answers that are written at once do not meet, and the last part outlives them', async () => {
  const queries = ['x[30s]', '-x', 'label_replace(x, "long", "$1$1$1", "series", "(.*)")', 'x[29s]']
  const inTurn: Buffer[][] = queries.map(() => [])
  const lasts: (string | Uint8Array)[] = []
  const options = { limit: 0, stats: 'none', notices: {}, pause: async () => undefined } as const
  const open = await Promise.all(
    queries.map(async (query, i) => {
      const request = { queryable: database, query }
      const result = query.endsWith(']')
        ? await new Engine().instantQuery({ ...request, timeMs: 31_000 })
        : await new Engine().rangeQuery({ ...request, startMs: 1000, endMs: 31_000, stepMs: i === 1 ? 3 : 5 })
      return { result, parts: queryJson(result, options) }
    }),
  )
  for (let left = open.length; left > 0; ) {
    left = 0
    for (const [i, { parts }] of open.entries()) {
      const part = await parts.next()
      if (part.done) continue
      left++
      lasts[i] = part.value
      inTurn[i].push(Buffer.from(part.value))
    }
  }
  expect(Math.max(...inTurn.map((parts) => parts.length))).toBeGreaterThan(2)
  for (const [i, { result }] of open.entries()) {
    const alone: Buffer[] = []
    for await (const part of queryJson(result, options)) alone.push(Buffer.from(part))
    expect(Buffer.concat(inTurn[i]).toString()).toBe(Buffer.concat(alone).toString())
    expect(Buffer.from(lasts[i])).toEqual(inTurn[i].at(-1))
  }
})
