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

it('a select says how many series have windows in the range, but not of the column', async () => {
  temporary = await openTemporaryDatabase()
  const { database } = temporary
  await database.createNamespace('1m', { resolutionMs: MINUTE, retentionMs: Infinity, columns: ['last'] })
  const namespace = database.namespace('1m')
  const put = async (name: string, column: AggregateColumn, ...minutes: number[]) => {
    const [ref] = await namespace.resolveLabels([Labels.from({ __name__: name })], column)
    await namespace.append({
      count: minutes.length,
      seriesRefs: new Uint32Array(minutes.length).fill(ref),
      timestampsMs: Float64Array.from(minutes, (minute) => minute * MINUTE),
      values: Float64Array.from(minutes),
    })
  }
  await put('mapped', 'last', 1, 2, 3, 4)
  await put('mapped', 'increase', 1, 2, 3, 4)
  await put('gauge', 'last', 1, 2)
  await put('counter', 'increase', 3, 4)
  await put('output', 'value', 1, 2, 3, 4)
  // The mapping was without the column for a while.
  await put('changed', 'last', 11, 12, 13, 14, 15)
  await put('changed', 'increase', 11, 15)
  const count = async (column: AggregateColumn, from: number, to: number, exactColumn = false) => {
    const result = await namespace.select({
      matchers: [{ name: '__name__', operator: '!=', value: '' }],
      startMs: from * MINUTE,
      endMs: to * MINUTE + 1,
      column,
      exactColumn,
    })
    await result.batches[Symbol.asyncIterator]().return?.()
    expect(result.seriesCountMax).toBeGreaterThanOrEqual(4)
    return result.seriesWithoutColumn
  }
  for (const seal of [false, true]) {
    if (seal) await database.flush()
    expect(await count('last', 1, 4)).toBe(1)
    expect(await count('increase', 1, 4, true)).toBe(2)
    expect(await count('increase', 3, 4, true)).toBe(1)
    expect(await count('max', 1, 2)).toBe(0)
    expect(await count('increase', 12, 14, true)).toBe(1)
    expect(await count('increase', 12, 15, true)).toBe(0)
  }
})

it('a window without the column is read from the one that stands in for it, also beside windows that have it', async () => {
  temporary = await openTemporaryDatabase()
  const { database } = temporary
  await database.createNamespace('1m', { resolutionMs: MINUTE, retentionMs: Infinity, columns: ['last'] })
  const namespace = database.namespace('1m')
  const put = async (column: AggregateColumn, values: readonly (readonly [minute: number, value: number])[]) => {
    const [ref] = await namespace.resolveLabels([Labels.from({ __name__: 'm' })], column)
    await namespace.append({
      count: values.length,
      seriesRefs: new Uint32Array(values.length).fill(ref),
      timestampsMs: Float64Array.from(values, ([minute]) => minute * MINUTE),
      values: Float64Array.from(values, ([, value]) => value),
    })
  }
  // A rule kept `last` alone at first, and for a while in between.
  await put(
    'last',
    [1, 2, 3, 4, 5, 6].map((minute) => [minute, minute] as const),
  )
  await put('max', [
    [3, 30],
    [4, 40],
    [6, 60],
  ])
  await put('count', [
    [3, 3],
    [4, 3],
    [6, 3],
  ])
  const read = async (column: AggregateColumn, exactColumn = false) => {
    const { batches } = await namespace.select({
      matchers: [{ name: '__name__', operator: '=', value: 'm' }],
      startMs: 0,
      endMs: 10 * MINUTE,
      column,
      exactColumn,
      counts: true,
    })
    const samples: number[][] = []
    for await (const { values, timestampsMs, counts } of batches) {
      for (let i = 0; i < values.length; i++) samples.push([timestampsMs[i] / MINUTE, values[i], counts![i]])
    }
    return samples
  }
  for (const seal of [false, true]) {
    if (seal) await database.flush()
    const n = Number.NaN
    expect(await read('max')).toEqual([
      [1, 1, n],
      [2, 2, n],
      [3, 30, 3],
      [4, 40, 3],
      [5, 5, n],
      [6, 60, 3],
    ])
    expect(await read('max', true)).toEqual([
      [3, 30, 3],
      [4, 40, 3],
      [6, 60, 3],
    ])
  }
})
