import { afterEach, expect, it } from 'vitest'
import { HeadIndex } from './index/head-index.js'
import type { LocalNamespace } from './local-namespace.js'
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

it('a select reads the blocks that it took with the index that knows their series', async () => {
  const temporary = await openTemporaryDatabase()
  opened.push(temporary)
  const { database, clock } = temporary
  const namespace = database.namespace('default') as LocalNamespace
  const write = async (name: string) => {
    const labels = { [METRIC_NAME]: name }
    await database.append([{ labels, timestampMs: clock.wallMs(), value: 1 }])
  }
  await write('sealed')
  await database.flush()
  await write('open')
  const matchers = [{ name: METRIC_NAME, operator: '!=' as const, value: '' }]
  const asked = namespace.select({ matchers, startMs: 0, endMs: 8e15 })
  // While the sealed block is opened, the open one is sealed, its series is evicted and the index made anew.
  const { head } = namespace.shards[0]
  head.index = new HeadIndex(head.series)
  const { batches } = await asked
  let seriesCount = 0
  for await (const batch of batches) seriesCount += batch.seriesCount
  expect(seriesCount).toBe(2)
})
