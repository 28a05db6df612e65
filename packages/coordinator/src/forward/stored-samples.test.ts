import { Labels } from '@varve/tsdb-core/model'
import { openTemporaryDatabase } from '@varve/tsdb-core/testing'
import { expect, test } from 'vitest'
import { StoredSamples } from './stored-samples.js'

const NOW_MS = Date.UTC(2026, 10, 22, 12, 30)

test('samples that were sealed before anybody looked are told, too, and those of other series are not', async () => {
  const temporary = await openTemporaryDatabase({ nowMs: NOW_MS })
  try {
    const namespace = temporary.database.namespace('default')
    const timestampMs = NOW_MS - 60_000
    await namespace.appendSamples([{ labels: { __name__: 'before' }, timestampMs, value: 0 }])
    const stored = new StoredSamples(namespace)
    await namespace.appendSamples([
      { labels: { __name__: 'm', i: '1' }, timestampMs, value: 1 },
      { labels: { __name__: 'm', i: '2' }, timestampMs: timestampMs + 1, value: 2 },
    ])
    await temporary.database.flush()
    const told: string[] = []
    for await (const { labels, values } of stored.take([])) told.push(`${labels} ${[...values].join(' ')}`)
    expect(told.sort()).toEqual(['m{i="1"} 1', 'm{i="2"} 2'])
    stored.close()
  } finally {
    await temporary.remove()
  }
})

test('samples of a series that was evicted before anybody looked are told, once, also when it came back', async () => {
  const temporary = await openTemporaryDatabase({ nowMs: NOW_MS })
  try {
    const { database, clock } = temporary
    const namespace = database.namespace('default')
    const write = (name: string, value: number) =>
      namespace.appendSamples([{ labels: { __name__: name }, timestampMs: clock.wallMs(), value }])
    // At the same time as what is to be told: known to nobody any more, and not to be told.
    await write('before', 1)
    const stored = new StoredSamples(namespace)
    await write('gone', 2)
    await write('back', 3)
    const [ref] = await namespace.resolveLabels([Labels.from({ __name__: 'gone' })])
    await database.flush()
    clock.advance(3 * 3_600_000)
    await write('other', 4)
    await database.flush()
    expect(namespace.labelsOf(ref)).toBeUndefined()
    await write('back', 5)
    const take = async () => {
      const told: string[] = []
      for await (const { labels, values } of stored.take([])) told.push(`${labels} ${[...values].join(' ')}`)
      return told.sort()
    }
    const all = ['back 3', 'back 5', 'gone 2', 'other 4']
    expect(await take()).toEqual(all)
    // Not confirmed: they come again.
    expect(await take()).toEqual(all)
    stored.confirm()
    expect(await take()).toEqual([])
    stored.close()
  } finally {
    await temporary.remove()
  }
})
