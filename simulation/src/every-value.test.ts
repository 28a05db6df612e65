/** Random 64-bit patterns in, by columns and by labels, the same bits out: from the head, from the log after a kill, and from sealed blocks. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Database } from '@varve/tsdb-core'
import { SeededRandom } from '@varve/tsdb-core/env/simulated'
import { Labels } from '@varve/tsdb-core/model'
import { expect, it } from 'vitest'

const SERIES_COUNT = 200
const SAMPLES_PER_SERIES = 5_000
const STEP_MS = 1_000
const START_MS = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 2 * 86_400_000

it.each(['columns', 'labels'] as const)(
  'a million random values keep every bit, appended by %s',
  {
    timeout: 120_000,
  },
  async (way) => {
    const directory = await mkdtemp(join(tmpdir(), 'varve-values-'))
    const random = new SeededRandom(Number(process.env.SEED ?? 4))
    const halves = Uint32Array.from({ length: SERIES_COUNT * SAMPLES_PER_SERIES * 2 }, () => random.u32())
    // One in ten is a NaN, with whatever payload was drawn, so that signalling ones are among them.
    for (let i = 0; i < halves.length; i += 20) halves[i + 1] = (0x7ff00000 | (halves[i + 1] & 0x800fffff)) >>> 0
    // A number of JavaScript's has one NaN: payloads go in by columns only.
    if (way === 'labels') {
      const all = new Float64Array(halves.buffer)
      for (let i = 0; i < all.length; i++) if (Number.isNaN(all[i])) all[i] = Number.NaN
    }
    const values = new Float64Array(halves.buffer)
    const bits = new BigUint64Array(halves.buffer)
    const names = Array.from({ length: SERIES_COUNT }, (_, i) => Labels.from({ __name__: 'bits', i: String(i) }))
    const open = () =>
      Database.open({
        directory,
        namespaces: { default: { retentionMs: Number.POSITIVE_INFINITY } },
        syncMode: 'interval',
        maintenanceIntervalMs: 0,
      })
    const check = async (database: Database) => {
      const result = await database.select({
        matchers: [{ name: '__name__', operator: '=', value: 'bits' }],
        startMs: START_MS,
        endMs: START_MS + SAMPLES_PER_SERIES * STEP_MS,
      })
      let checkedCount = 0
      let changedCount = 0
      for await (const batch of result.batches) {
        const found = new BigUint64Array(batch.values.buffer, batch.values.byteOffset, batch.values.length)
        for (let i = 0; i < batch.seriesCount; i++) {
          const pairs = batch.labelPairs.subarray(batch.labelOffsets[i] * 2, batch.labelOffsets[i + 1] * 2)
          const series = Number(Labels.fromSorted(Array.from(pairs, (id) => result.symbols[id])).get('i'))
          for (let k = 0; k < SAMPLES_PER_SERIES; k++) {
            checkedCount++
            if (found[batch.sampleOffsets[i] + k] !== bits[series * SAMPLES_PER_SERIES + k]) changedCount++
          }
        }
      }
      expect({ checkedCount, changedCount }).toEqual({ checkedCount: bits.length, changedCount: 0 })
    }
    try {
      let database = await open()
      const namespace = database.namespace('default')
      const seriesRefs = await namespace.resolveLabels(names)
      for (let k = 0; k < SAMPLES_PER_SERIES; k++) {
        const column = new Float64Array(SERIES_COUNT)
        const columnBits = new BigUint64Array(column.buffer)
        for (let i = 0; i < SERIES_COUNT; i++) columnBits[i] = bits[i * SAMPLES_PER_SERIES + k]
        const timestampMs = START_MS + k * STEP_MS
        if (way === 'labels') {
          await database.append(names.map((labels, i) => ({ labels, timestampMs, value: column[i] })))
          continue
        }
        const timestampsMs = new Float64Array(SERIES_COUNT).fill(timestampMs)
        await namespace.append({ count: SERIES_COUNT, seriesRefs, timestampsMs, values: column })
      }
      await check(database)
      await database.close()
      database = await open()
      await check(database)
      await database.flush()
      await check(database)
      await database.close()
      database = await open()
      await check(database)
      await database.close()
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
    expect(values.length).toBe(1_000_000)
  },
)
