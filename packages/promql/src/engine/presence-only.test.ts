import { Labels } from '@varve/tsdb-core/model'
import type { Queryable, SelectRequest } from '@varve/tsdb-core/query'
import { MemoryQueryable } from '@varve/tsdb-core/testing'
import { expect, test } from 'vitest'
import { Engine } from './engine.js'

/** A store that, where it may, answers with other values than it has, and notes what it was asked. */
function careless(asked: boolean[]): Queryable {
  const store = new MemoryQueryable()
  for (const instance of ['a', 'b', 'c']) {
    store.append(Labels.from({ __name__: 'm', instance }), 60_000, 7)
    store.append(Labels.from({ __name__: 'm', instance }), 120_000, 8)
  }
  const select = async (request: SelectRequest) => {
    const presenceOnly = request.hints?.presenceOnly === true
    asked.push(presenceOnly)
    const result = await store.select(request)
    async function* batches() {
      for await (const batch of result.batches) {
        yield presenceOnly ? { ...batch, values: new Float64Array(batch.values.length) } : batch
      }
    }
    return { ...result, batches: batches() }
  }
  return {
    select,
    labelNames: (request) => store.labelNames(request),
    labelValues: (name, request) => store.labelValues(name, request),
    series: (request) => store.series(request),
  }
}

test.each([
  ['count(m)', [true], 3],
  ['group by (instance) (m)', [true], 1],
  // Others look at the same samples, which are read once.
  ['sum(m) / count(m)', [false], 8],
  ['count(m) + on () max(m)', [false], 11],
  ['count(m) + count(m)', [true], 6],
  ['count(m > 7)', [false], 3],
  ['sum(m)', [false], 24],
])('%s', async (query, wanted, value) => {
  const asked: boolean[] = []
  const result = await new Engine().instantQuery({ queryable: careless(asked), query, timeMs: 130_000 })
  expect(asked).toEqual(wanted)
  let got = Number.NaN
  result.series.forEachSample(0, (_, sample) => (got = sample))
  expect(got).toBe(value)
})
