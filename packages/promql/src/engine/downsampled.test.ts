/** Columns of aggregated namespaces: see `ResolutionSlice` in tsdb-core's query/queryable.ts. */
import { type AggregateColumn, halvesOf, Labels, writeStaleAt } from '@varve/tsdb-core/model'
import type { Queryable, SeriesBatch } from '@varve/tsdb-core/query'
import { MemoryQueryable } from '@varve/tsdb-core/testing'
import { describe, expect, it } from 'vitest'
import { Engine } from './engine.js'
import type { QueryResult } from './result.js'

const MINUTE = 60_000
const labels = Labels.from({ __name__: 'requests_total' })
const engine = new Engine()

/** A store that answers every select from one column, a sample a minute. */
function columnStore(column: AggregateColumn, values: number[], counts?: number[]): Queryable {
  const memory = new MemoryQueryable()
  for (const [i, value] of values.entries()) memory.append(labels, (i + 1) * MINUTE, value)
  return Object.assign(Object.create(memory) as Queryable, {
    labelNames: memory.labelNames.bind(memory),
    async select(request: Parameters<Queryable['select']>[0]) {
      const result = await memory.select(request)
      async function* batches(): AsyncGenerator<SeriesBatch> {
        for await (const batch of result.batches) {
          const from = batch.timestampsMs.length === 0 ? 0 : batch.timestampsMs[0] / MINUTE - 1
          yield counts === undefined
            ? batch
            : { ...batch, counts: Float64Array.from(counts.slice(from, from + batch.values.length)) }
        }
      }
      const slice = { startMs: request.startMs, endMs: request.endMs, namespace: '1m', resolutionMs: MINUTE, column }
      return { ...result, batches: batches(), slices: [slice] }
    },
  })
}

function only(result: QueryResult): number[] {
  const values: number[] = []
  expect(result.series.count).toBe(1)
  result.series.forEachSample(0, (_timeMs, value) => {
    values.push(value)
  })
  return values
}

describe('queries over downsampled columns', () => {
  it('takes `increase` as the sum of the growth of the windows, and `rate` as that over the range', async () => {
    const queryable = columnStore('increase', [5, 7, 0, 11, 2])
    const increase = await engine.instantQuery({ queryable, query: 'increase(requests_total[3m])', timeMs: 5 * MINUTE })
    expect(only(increase)).toEqual([13])
    const rate = await engine.rangeQuery({
      queryable,
      query: 'rate(requests_total[2m])',
      startMs: MINUTE,
      endMs: 5 * MINUTE,
      stepMs: 2 * MINUTE,
    })
    // One window is enough: there is nothing to extrapolate.
    expect(only(rate)).toEqual([5 / 120, 7 / 120, 13 / 120])
  })

  it('adds counts up', async () => {
    const queryable = columnStore('count', [4, 4, 3, 4])
    const query = 'count_over_time(requests_total[4m])'
    expect(only(await engine.instantQuery({ queryable, query, timeMs: 4 * MINUTE }))).toEqual([15])
  })

  it('weighs averages by the counts beside the sums', async () => {
    const queryable = columnStore('sum', [10, 90, 20], [1, 9, 10])
    const query = 'avg_over_time(requests_total[2m])'
    expect(only(await engine.instantQuery({ queryable, query, timeMs: 3 * MINUTE }))).toEqual([110 / 19])
  })

  it('leaves staleness markers out, with their counts', async () => {
    const values = Float64Array.of(10, 0, 20)
    writeStaleAt(halvesOf(values), 1)
    const batch: SeriesBatch = {
      seriesCount: 1,
      labelOffsets: Uint32Array.of(0, 1),
      labelPairs: Uint32Array.of(0, 1),
      sampleOffsets: Uint32Array.of(0, 3),
      values,
      counts: Float64Array.of(5, 0, 5),
      timestampColumns: Uint32Array.of(0),
      timestampOffsets: Uint32Array.of(0, 3),
      timestampsMs: Float64Array.of(MINUTE, 2 * MINUTE, 3 * MINUTE),
    }
    const slice = { startMs: 0, endMs: 4 * MINUTE, namespace: '1m', resolutionMs: MINUTE, column: 'sum' as const }
    const memory = new MemoryQueryable()
    const queryable: Queryable = Object.assign(Object.create(memory) as Queryable, {
      async select() {
        async function* batches(): AsyncGenerator<SeriesBatch> {
          yield batch
        }
        const symbols = ['__name__', 'requests_total']
        return { symbols, batches: batches(), warnings: [], infos: ['read from 1m'], slices: [slice] }
      },
    })
    const query = 'avg_over_time(requests_total[4m])'
    const result = await engine.instantQuery({ queryable, query, timeMs: 3 * MINUTE })
    expect(only(result)).toEqual([3])
    expect(result.infos).toEqual(['read from 1m'])
  })
})
