/** Batches of one select share time columns, and with `reusesBatches` their memory, while the open block goes on taking samples. */
import { afterEach, describe, expect, test } from 'vitest'
import { Labels } from '../model/labels.js'
import { openTemporaryDatabase, type TemporaryDatabase } from '../testing/temporary-database.js'

const START_MS = Date.UTC(2024, 0, 1, 2)
const TARGETS = 3
const SERIES = 1_050
/** Between two scrapes, in the block that stays open. */
const LATE = 30.5
const BLOCK_MS = 7_200_000
let world: TemporaryDatabase | undefined

afterEach(async () => {
  await world?.remove()
  world = undefined
})

function database() {
  if (world === undefined) throw new Error('no database is open')
  return world.database
}

const labelsOf = (i: number) => Labels.from({ __name__: 'm', id: String(i).padStart(5, '0') })
/** Series of one target have the same times; the first batch ends amid those of one. Every 70th misses a scrape. */
const timeOf = (i: number, k: number) => START_MS + k * 360_000 + (Math.floor(i / 70) % TARGETS) * 7
const has = (i: number, k: number) => !(i % 70 === 5 && k === 25)
const sampleOf = (i: number, k: number) => i * 1_000 + k + 0.25

async function append(i: Iterable<number>, steps: Iterable<number>): Promise<void> {
  const all = [...steps]
  const samples = [...i].flatMap((one) =>
    all
      .filter((k) => has(one, k))
      .map((k) => ({ labels: labelsOf(one), timestampMs: timeOf(one, k), value: sampleOf(one, k) })),
  )
  const { rejections } = await database().namespace('default').appendSamples(samples)
  expect(rejections).toEqual([])
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

describe.each([false, true])('reusesBatches %s', (reusesBatches) => {
  test('every series comes once with all its samples, though samples arrive between the batches', async () => {
    world = await openTemporaryDatabase({ nowMs: START_MS + 3 * BLOCK_MS })
    // The first 20 steps are one block, which is sealed; the rest is in later blocks, which stay open.
    await append(range(0, SERIES), range(0, 20))
    await world.database.flush()
    await append(range(0, SERIES), range(20, 38))
    const untilMs = timeOf(0, 37)
    const { symbols, batches } = await world.database.namespace('default').select({
      matchers: [{ name: '__name__', operator: '=', value: 'm' }],
      startMs: timeOf(0, 5),
      endMs: untilMs,
      reusesBatches,
    })
    const found = new Map<string, [number, number][]>()
    const columns = new Map<string, string>()
    const readBefore = new Set<number>()
    let batchCount = 0
    for await (const batch of batches) {
      for (let i = 0; i < batch.seriesCount; i++) {
        const pairs = batch.labelPairs.subarray(2 * batch.labelOffsets[i], 2 * batch.labelOffsets[i + 1])
        const column = batch.timestampColumns[i]
        const [from, to] = batch.timestampOffsets.subarray(column, column + 2)
        const times = [...batch.timestampsMs.subarray(from, to)]
        const values = batch.values.subarray(batch.sampleOffsets[i], batch.sampleOffsets[i + 1])
        expect(values.length).toBe(times.length)
        found.set(
          symbols[pairs[3]],
          times.map((time, k) => [time, values[k]]),
        )
        const key = `${batch.timestampTable} ${column}`
        if (columns.has(key) && columns.get(key) !== times.join())
          expect.fail(`column ${key} has other times than before`)
        columns.set(key, times.join())
      }
      // A late sample of every series, amid those that were asked for: who was read before does not have it.
      if (batchCount === 0) {
        for (const id of found.keys()) readBefore.add(Number(id))
        await append(range(0, SERIES), [LATE])
      }
      // Some rows get longer, others are full and are compressed; what was asked for is the same as before.
      await append(
        range(0, SERIES).filter((i) => i % 2 === batchCount % 2),
        range(38 + batchCount, 39 + batchCount),
      )
      batchCount++
    }
    expect(batchCount).toBeGreaterThan(1)
    expect(found.size).toBe(SERIES)
    const wrong: string[] = []
    for (let i = 0; i < SERIES; i++) {
      const wanted = [...range(0, 31), ...(readBefore.has(i) ? [] : [LATE]), ...range(31, 38)]
        .filter((k) => has(i, k) && timeOf(i, k) >= timeOf(0, 5) && timeOf(i, k) < untilMs)
        .map((k) => [timeOf(i, k), sampleOf(i, k)])
      const got = found.get(String(i).padStart(5, '0'))
      if (JSON.stringify(got) !== JSON.stringify(wanted)) wrong.push(`${i}: ${got}, wanted ${wanted}`)
    }
    expect(wrong).toEqual([])
    expect(columns.size).toBeLessThan(SERIES / 10)
  })
})
