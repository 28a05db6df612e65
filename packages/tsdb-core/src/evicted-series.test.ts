import { afterEach, expect, it } from 'vitest'
import { METRIC_NAME } from './model/labels.js'
import { openTemporaryDatabase } from './testing/temporary-database.js'

const opened: { remove(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of opened.splice(0)) await one.remove()
})

it('a series that was evicted and came back is read under the reference that it has now', async () => {
  const temporary = await openTemporaryDatabase()
  opened.push(temporary)
  const { database, clock } = temporary
  const namespace = database.namespace('default')
  const matchers = [{ name: METRIC_NAME, operator: '=' as const, value: 'm' }]
  const write = () => database.append([{ labels: { [METRIC_NAME]: 'm' }, timestampMs: clock.wallMs(), value: 1 }])
  const refs = async () => {
    const found: number[] = []
    const { batches } = await namespace.select({ matchers, startMs: 0, endMs: 8e15, coldRefs: true })
    for await (const { seriesRefs } of batches) found.push(...seriesRefs!)
    return found
  }
  await write()
  const [before] = await refs()
  // Too young for the first round, evicted by the second; the index names it for a while longer.
  await database.flush()
  clock.advance(1000)
  await write()
  await database.flush()
  expect(namespace.labelsOf(before)).toBeUndefined()
  for (const samples of ['sealed', 'in the head too']) {
    if (samples !== 'sealed') {
      clock.advance(1000)
      await write()
    }
    const now = await refs()
    expect(now).toHaveLength(1)
    expect(namespace.labelsOf(now[0])?.metricName).toBe('m')
  }
})

it('a series of the head has its reference also where only sealed blocks have samples of it', async () => {
  const temporary = await openTemporaryDatabase()
  opened.push(temporary)
  const { database, clock } = temporary
  const namespace = database.namespace('default')
  await database.append([{ labels: { [METRIC_NAME]: 'm' }, timestampMs: clock.wallMs(), value: 1 }])
  const [live] = namespace.headSeries()
  await database.flush()
  expect([...namespace.headSeries()]).toEqual([live])
  const matchers = [{ name: METRIC_NAME, operator: '=' as const, value: 'm' }]
  const request = { matchers, startMs: 0, endMs: 8e15 }
  const { batches } = await namespace.select({ ...request, coldRefs: true })
  for await (const { seriesRefs } of batches) expect([...seriesRefs!]).toEqual([live])
})

it('a query makes the store remember no series that only sealed blocks have', async () => {
  const temporary = await openTemporaryDatabase()
  opened.push(temporary)
  const { database, clock } = temporary
  const namespace = database.namespace('default')
  for (let round = 0; round < 2; round++) {
    await database.append([{ labels: { [METRIC_NAME]: 'm' }, timestampMs: clock.wallMs(), value: 1 }])
    await database.flush()
    clock.advance(1000)
  }
  const request = { matchers: [{ name: METRIC_NAME, operator: '=' as const, value: 'm' }], startMs: 0, endMs: 8e15 }
  const refsOf = async (coldRefs: boolean) => {
    const { batches } = await namespace.select({ ...request, coldRefs })
    for await (const { seriesRefs } of batches) return [...seriesRefs!]
    return []
  }
  expect(await refsOf(false)).toEqual([0])
  const [ref] = await refsOf(true)
  expect(namespace.isColdRef(ref)).toBe(true)
  expect(namespace.labelsOf(ref)?.metricName).toBe('m')
})
