/** The whole store on a real disk that runs full: a tmpfs of 6 MiB. Skipped, with a word, where mounting one is not allowed. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { Database } from './database.js'
import { Labels } from './model/labels.js'
import { readSamples } from './testing/read-samples.js'
import { verifyDatabase } from './verify.js'

const MIB = 1024 * 1024
const SERIES_COUNT = 1000
const SERIES = Array.from({ length: SERIES_COUNT }, (_, i) => Labels.from({ __name__: 'm', i: `${i}` }))
const RANGE = {
  matchers: [{ name: '__name__', operator: '=', value: 'm' }] as const,
  startMs: 0,
  endMs: Number.MAX_SAFE_INTEGER,
}

const folder = mkdtempSync(join(tmpdir(), 'varve-full-'))
const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', folder]).status === 0
if (!isMounted) console.warn('full-disk.test.ts: skipped, since a tmpfs cannot be mounted here (it takes root)')
afterAll(() => {
  if (isMounted) spawnSync('umount', ['-l', folder])
  rmSync(folder, { recursive: true })
})

function resize(sizeMib: number): void {
  expect(spawnSync('mount', ['-o', `remount,size=${sizeMib}m`, folder]).status).toBe(0)
}

/** Each with a reserve, which is met before the disk is full, and without one: then the disk refuses. */
it.skipIf(!isMounted).each([2 * MIB, 0])(
  'a full disk stops writes by name and nothing else, also over a restart; with room they go on (reserve %d)',
  { timeout: 180_000 },
  async (diskReserveBytes) => {
    const directory = join(folder, `data-${diskReserveBytes}`)
    resize(6)
    const open = () =>
      Database.open({
        directory,
        namespaces: { default: { retentionMs: Number.POSITIVE_INFINITY } },
        segmentSizeBytes: MIB / 2,
        diskReserveBytes,
        maintenanceIntervalMs: 20,
      })
    let database = await open()
    let step = 0
    let refusals = 0
    /** One sample of each series; full mantissas, so that it takes room. */
    const append = async () => {
      const namespace = database.namespace('default')
      const values = Float64Array.from({ length: SERIES_COUNT }, (_, i) => Math.sin(step * SERIES_COUNT + i))
      const timestampsMs = new Float64Array(SERIES_COUNT).fill(1_700_000_000_000 + step * 1_000)
      const seriesRefs = await namespace.resolveLabels(SERIES)
      try {
        await namespace.append({ count: SERIES_COUNT, seriesRefs, timestampsMs, values })
        step++
        return true
      } catch (error) {
        expect(error).toMatchObject({ code: 'READ_ONLY', message: expect.stringMatching(/the disk.* is full/) })
        refusals++
        return false
      }
    }
    const check = async () => {
      const found = await readSamples(database, RANGE)
      expect(found.size).toBe(SERIES_COUNT)
      for (const [i, labels] of SERIES.entries()) {
        if (i % 50 !== 0) continue
        const samples = found.get(labels.key) ?? []
        // A refused batch may be seen; it was not acknowledged, and is written again with the same values.
        expect(samples.length).toBeGreaterThanOrEqual(step)
        for (let k = 0; k < step; k++) {
          const wanted = new BigUint64Array(Float64Array.of(Math.sin(k * SERIES_COUNT + i)).buffer)[0]
          if (samples[k].bits !== wanted) expect.fail(`${labels} sample ${k}: ${samples[k].bits}, wanted ${wanted}`)
        }
      }
    }
    while (refusals < 5) {
      await append()
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    expect(step).toBeGreaterThan(50)
    if (diskReserveBytes > 0) expect(database.stats().readOnly).toBe(true)
    await check()
    await database.close().catch((error) => expect(error).toMatchObject({ code: 'READ_ONLY' }))
    database = await open()
    await check()
    if (diskReserveBytes > 0) expect(await append()).toBe(false)
    resize(24)
    await expect.poll(append, { timeout: 10_000, interval: 20 }).toBe(true)
    for (let i = 0; i < 20; i++) expect(await append()).toBe(true)
    await database.flush()
    await check()
    await database.close()
    expect((await verifyDatabase({ directory })).problems).toEqual([])
    await rm(directory, { recursive: true })
  },
)
