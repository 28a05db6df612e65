import { Labels } from '@varve/tsdb-core/model'
import { openTemporaryDatabase, type TemporaryDatabase } from '@varve/tsdb-core/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ReferenceChanges } from './reference-changes.js'

const HOUR_MS = 3_600_000
const labelsOf = (name: string) => Labels.from({ __name__: name })

let temporary: TemporaryDatabase
let changes: ReferenceChanges
beforeEach(async () => {
  temporary = await openTemporaryDatabase()
  changes = new ReferenceChanges()
})
afterEach(() => temporary.remove())

const raw = () => temporary.database.namespace('default')
const write = (...names: string[]) =>
  raw().appendSamples(
    names.map((name) => ({ labels: labelsOf(name), timestampMs: temporary.clock.wallMs(), value: 1 })),
  )

/** All series, by the references that a reader of cold series is given. */
async function gathered(): Promise<Map<number, Labels>> {
  const found = new Map<number, Labels>()
  const matchers = [{ name: '__name__', operator: '!=' as const, value: '' }]
  const { batches } = await raw().select({ matchers, startMs: 0, endMs: 8e15, coldRefs: true })
  for await (const { seriesRefs } of batches) for (const ref of seriesRefs!) found.set(ref, raw().labelsOf(ref)!)
  return found
}

/** Those that are not named are gone from the head afterwards: they are too young to go in the first round. */
async function evictAllBut(...names: string[]): Promise<void> {
  for (let round = 0; round < 2; round++) {
    temporary.clock.advance(3 * HOUR_MS)
    await write(...names)
    await raw().flush(temporary.clock.wallMs() - HOUR_MS)
  }
}

function follow(): void {
  raw().observe({
    seriesCreated: (refs) => changes.seriesCreated(refs),
    seriesEvicted: (refs) => changes.seriesEvicted(refs),
  })
}

test('series that stay where they are concern nobody, nor do others that come', async () => {
  await write('goes', 'stays')
  await evictAllBut('stays')
  const known = await gathered()
  expect([...known.keys()].map((ref) => raw().isColdRef(ref)).sort()).toEqual([false, true])
  follow()
  expect(changes.concern(raw(), known)).toBe(false)
  await write('other', 'stays')
  expect(changes.concern(raw(), known)).toBe(false)
})

test('a gathered series that leaves the head has another reference', async () => {
  await write('goes', 'stays')
  const known = await gathered()
  follow()
  await evictAllBut('stays')
  expect(changes.concern(raw(), known)).toBe(true)
  expect(changes.concern(raw(), new Map([...known].filter(([, labels]) => labels.metricName === 'stays')))).toBe(false)
})

test('so has one of sealed blocks that comes back to the head, and one that came and went again', async () => {
  await write('goes', 'stays')
  await evictAllBut('stays')
  const known = await gathered()
  follow()
  await write('goes')
  expect(changes.concern(raw(), known)).toBe(true)
  await evictAllBut('stays')
  expect(changes.concern(raw(), known)).toBe(true)
  // Without series of sealed blocks among the gathered ones, it does not matter who comes.
  expect(changes.concern(raw(), new Map([...known].filter(([ref]) => !raw().isColdRef(ref))))).toBe(false)
})
