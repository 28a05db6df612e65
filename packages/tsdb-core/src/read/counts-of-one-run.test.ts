import { afterEach, expect, it } from 'vitest'
import type { AggregateColumn } from '../model/aggregate.js'
import { Labels } from '../model/labels.js'
import { openTemporaryDatabase, type TemporaryDatabase } from '../testing/index.js'

const MINUTE = 60_000

let temporary: TemporaryDatabase | undefined
afterEach(async () => {
  await temporary?.remove()
  temporary = undefined
})

it('a window without a count has none beside it, in one run as in several', async () => {
  temporary = await openTemporaryDatabase()
  const { database } = temporary
  await database.createNamespace('1m', { resolutionMs: MINUTE, retentionMs: Infinity, columns: ['sum', 'count'] })
  const namespace = database.namespace('1m')
  const put = async (name: string, column: AggregateColumn, minutes: readonly number[], value: number) => {
    const [ref] = await namespace.resolveLabels([Labels.from({ __name__: name })], column)
    await namespace.append({
      count: minutes.length,
      seriesRefs: new Uint32Array(minutes.length).fill(ref),
      timestampsMs: Float64Array.from(minutes, (minute) => minute * MINUTE),
      values: new Float64Array(minutes.length).fill(value),
    })
  }
  const minutes = [1, 2, 3]
  await put('counted', 'sum', minutes, 8)
  await put('counted', 'count', minutes, 4)
  await put('output', 'value', minutes, 8)
  const countsOf = async (name: string) => {
    const matchers = [{ name: '__name__', operator: '=' as const, value: name }]
    const request = { matchers, startMs: 0, endMs: 10 * MINUTE, column: 'sum' as const, counts: true }
    const counts: number[] = []
    for await (const batch of (await namespace.select(request)).batches) counts.push(...(batch.counts ?? []))
    return counts
  }
  for (const seal of [false, true]) {
    if (seal) await database.flush()
    expect(await countsOf('counted')).toEqual([4, 4, 4])
    expect(await countsOf('output')).toEqual([Number.NaN, Number.NaN, Number.NaN])
  }
})
