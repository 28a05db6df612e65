import { Labels } from '@varve/tsdb-core/model'
import { MemoryQueryable } from '@varve/tsdb-core/testing'
import { describe, expect, it } from 'vitest'
import { parseSeriesLine } from '../scripts/series-notation.js'
import { Engine } from './engine.js'
import type { QueryResult } from './result.js'

const engine = new Engine()

function counters(): MemoryQueryable {
  const queryable = new MemoryQueryable({ seriesPerBatch: 3 })
  for (const instance of ['a', 'b', 'c', 'd']) {
    const labels = Labels.from({ __name__: 'requests_total', instance, job: instance < 'c' ? 'api' : 'web' })
    for (let i = 0; i <= 40; i++) queryable.append(labels, i * 16_000, i * (instance.charCodeAt(0) - 96) * 4)
  }
  return queryable
}

function rows(result: QueryResult): Record<string, number[]> {
  const all: [string, number[]][] = []
  for (let i = 0; i < result.series.count; i++) {
    const values: number[] = []
    result.series.forEachSample(i, (_timeMs, value) => values.push(value))
    all.push([result.series.labels(i).toString(), values])
  }
  return Object.fromEntries(all)
}

describe('an argument that is missing or no number', () => {
  const queryable = new MemoryQueryable()
  const whole = { queryable, query: 'up', timeMs: 0, startMs: 0, endMs: 1000, stepMs: 1000 }
  it.each<[string, 'instantQuery' | 'rangeQuery', Record<string, unknown>, RegExp]>([
    ['timeMs', 'instantQuery', { timeMs: undefined }, /^timeMs is undefined, wanted a finite number of milliseconds$/],
    ['timeMs', 'instantQuery', { timeMs: new Date(Number.NaN) }, /^timeMs is Invalid Date, wanted/],
    ['startMs', 'rangeQuery', { startMs: undefined }, /^startMs is undefined, wanted/],
    ['endMs', 'rangeQuery', { endMs: Number.NaN }, /^endMs is NaN, wanted/],
    ['stepMs', 'rangeQuery', { stepMs: '15s' }, /^stepMs is "15s", wanted/],
    ['query', 'instantQuery', { query: undefined }, /^query is undefined, wanted the text of an expression$/],
    ['queryable', 'rangeQuery', { queryable: undefined }, /^queryable is undefined, wanted a Database/],
  ])('%s of %s is named', async (_name, method, change, message) => {
    await expect(engine[method]({ ...whole, ...change } as never)).rejects.toMatchObject({
      name: 'PromqlError',
      code: 'bad_data',
      message: expect.stringMatching(message),
    })
  })
})

describe('Engine', () => {
  it('folds rates into groups over all steps of a range query', async () => {
    const result = await engine.rangeQuery({
      queryable: counters(),
      query: 'sum by (job) (rate(requests_total[64s]))',
      startMs: 320_000,
      endMs: 448_000,
      stepMs: 64_000,
    })
    expect(result.type).toBe('matrix')
    expect(rows(result)).toEqual({ '{job="api"}': [0.75, 0.75, 0.75], '{job="web"}': [1.75, 1.75, 1.75] })
    expect(result.warnings).toEqual([])
    expect(result.infos).toEqual([])
  })

  it('answers an instant query for a range vector with the samples and their own times', async () => {
    const result = await engine.instantQuery({
      queryable: counters(),
      query: 'requests_total{instance="a"}[48s]',
      timeMs: 64_000,
    })
    const samples: number[][] = []
    result.series.forEachSample(0, (timeMs, value) => samples.push([timeMs, value]))
    expect(result.type).toBe('matrix')
    // The window is left-open: the sample at 16 s is outside.
    expect(samples).toEqual([
      [32_000, 8],
      [48_000, 12],
      [64_000, 16],
    ])
  })

  it('reads selectors that want the same once', async () => {
    const query = 'rate(requests_total[1m]) / rate(requests_total[1m])'
    const result = await engine.instantQuery({ queryable: counters(), query, timeMs: 300_000 })
    expect(result.stats.selects).toBe(1)
    expect(Object.values(rows(result))).toEqual([[1], [1], [1], [1]])
  })

  it('names the limit that a query meets', async () => {
    const request = { queryable: counters(), query: 'requests_total', timeMs: 300_000, limits: { samplesMax: 10 } }
    await expect(engine.instantQuery(request)).rejects.toMatchObject({
      code: 'execution',
      message: expect.stringContaining('the limit samplesMax is 10'),
    })
  })

  it('ends with `canceled` when the signal is aborted', async () => {
    const controller = new AbortController()
    controller.abort()
    const request = { queryable: counters(), query: 'requests_total', timeMs: 0, signal: controller.signal }
    await expect(engine.instantQuery(request)).rejects.toMatchObject({ code: 'canceled' })
  })

  it('charges the rows that a quantile keeps, and gives them back', async () => {
    const request = { queryable: counters(), startMs: 0, endMs: 600_000, stepMs: 10_000 }
    const query = 'quantile(0.5, requests_total)'
    await expect(engine.rangeQuery({ ...request, query, limits: { samplesMax: 240 } })).rejects.toMatchObject({
      code: 'execution',
      message: expect.stringContaining('the limit samplesMax is 240'),
    })
    const { stats } = await engine.rangeQuery({ ...request, query })
    // Four series and a group, at 61 steps.
    expect(stats.samplesPeak).toBeGreaterThanOrEqual(5 * 61)
    const again = await engine.rangeQuery({ ...request, query: `${query} + ${query}` })
    expect(again.stats.samplesPeak).toBeLessThan(2 * stats.samplesPeak)
  })

  it('says where in the query a rate was taken of what may be no counter', async () => {
    const queryable = new MemoryQueryable()
    for (let i = 0; i < 5; i++) queryable.append(Labels.from({ __name__: 'temperature' }), i * 15_000, i)
    const result = await engine.instantQuery({ queryable, query: 'max(\n  rate(temperature[1m]))', timeMs: 60_000 })
    expect(result.infos).toEqual([
      'PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "temperature" (2:8)',
    ])
  })

  it('tells one text once, where Prometheus meets it last', async () => {
    const queryable = new MemoryQueryable()
    for (let i = 0; i < 5; i++) queryable.append(Labels.from({ __name__: 't' }), i * 15_000, i)
    const query = 'rate(t[1m]) + rate(t[1m]) + rate(t[1m])'
    const { infos } = await engine.instantQuery({ queryable, query, timeMs: 60_000 })
    expect(infos).toEqual([expect.stringMatching(/: "t" \(1:34\)$/)])
  })

  it('finds from the samples before a window that a counter histogram goes on, then starts anew', async () => {
    const queryable = new MemoryQueryable()
    const { labels, values } = parseSeriesLine('latency {{count:5}}+{{count:3}}x2 {{count:4}}')
    for (const [i, { histogram }] of values.entries()) queryable.append(labels, i * 60_000, histogram!)
    const query = 'histogram_count(sum_over_time(latency[2m]))'
    const result = await engine.instantQuery({ queryable, query, timeMs: 180_000 })
    expect(rows(result)).toEqual({ '{}': [15] })
    expect(result.warnings).toEqual(['PromQL warning: conflicting counter resets during histogram aggregation (1:31)'])
  })
})
