import { Labels } from '@varve/tsdb-core/model'
import type { Extreme, Queryable, SelectRequest } from '@varve/tsdb-core/query'
import { MemoryQueryable } from '@varve/tsdb-core/testing'
import { expect, test } from 'vitest'
import { Engine } from './engine.js'

const MINUTE = 60_000

function asking(asked: (Extreme | undefined)[]): Queryable {
  const store = new MemoryQueryable()
  for (let i = 1; i <= 5; i++) store.append(Labels.from({ __name__: 'm' }), i * MINUTE, i)
  return {
    select: (request: SelectRequest) => {
      asked.push(request.hints?.extreme)
      return store.select(request)
    },
    labelNames: (request) => store.labelNames(request),
    labelValues: (name, request) => store.labelValues(name, request),
    series: (request) => store.series(request),
  }
}

test.each([
  ['max_over_time(m[10m])', ['max']],
  ['min_over_time(m[10m] offset 1m)', ['min']],
  ['max(max_over_time(m[10m]))', ['max']],
  ['sum_over_time(m[10m])', [undefined]],
  // What was read for one would be wrong for the other.
  ['max_over_time(m[10m]) - last_over_time(m[10m])', ['max', undefined]],
  ['max_over_time(m[10m:1m])', [undefined]],
])('%s tells the store at one moment that the extreme is enough', async (query, wanted) => {
  const asked: (Extreme | undefined)[] = []
  await new Engine().instantQuery({ queryable: asking(asked), query, timeMs: 5 * MINUTE })
  expect(asked).toEqual(wanted)
  asked.length = 0
  const steps = { startMs: 4 * MINUTE, endMs: 5 * MINUTE, stepMs: MINUTE }
  await new Engine().rangeQuery({ queryable: asking(asked), query, ...steps })
  expect(asked).toEqual(wanted.map(() => undefined))
})
