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
