import { afterEach, expect, it } from 'vitest'
import type { BlockStore } from '../block/block-store.js'
import type { LocalNamespace } from '../local-namespace.js'
import { Labels } from '../model/labels.js'
import { openTemporaryDatabase, type TemporaryDatabase } from '../testing/index.js'

let temporary: TemporaryDatabase | undefined
afterEach(async () => {
  await temporary?.remove()
  temporary = undefined
})

it('a select over several shards lets go of the blocks of all of them when it is given up', async () => {
  temporary = await openTemporaryDatabase({ namespaces: { default: { shardCount: 4, retentionMs: Infinity } } })
  const namespace = temporary.database.namespace('default') as LocalNamespace
  const labels = Array.from({ length: 40 }, (_, i) => Labels.from({ __name__: 'm', i: String(i) }))
  await namespace.appendSamples(labels.map((one) => ({ labels: one, timestampMs: 1_000, value: 1 })))
  await namespace.flush(Infinity)
  const users = () => (namespace.sealed as BlockStore).blocks.map((block) => block.users)
  expect(users()).toEqual([0, 0, 0, 0])
  const matchers = [{ name: 'i', operator: '!=', value: '' }] as const
  const { batches } = await namespace.select({ matchers, startMs: 0, endMs: 2_000 })
  for await (const batch of batches) {
    expect(batch.seriesCount).toBeGreaterThan(0)
    expect(users()).toEqual([1, 1, 1, 1])
    break
  }
  expect(users()).toEqual([0, 0, 0, 0])
  const unread = await namespace.select({ matchers, startMs: 0, endMs: 2_000 })
  await unread.batches[Symbol.asyncIterator]().return?.()
  expect(users()).toEqual([0, 0, 0, 0])
  // Three shards answer, the fourth fails.
  const [failing] = namespace.shards
  failing.select = () => Promise.reject(new Error('no answer'))
  await expect(namespace.select({ matchers, startMs: 0, endMs: 2_000 })).rejects.toThrow('no answer')
  expect(users()).toEqual([0, 0, 0, 0])
})
