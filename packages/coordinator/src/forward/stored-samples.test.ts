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
