/** The log on a real disk that runs full: a tmpfs of 2 MiB. Skipped, with a word, where mounting one is not allowed. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { nodeEnv } from '../env/node/index.js'
import { RecordType } from './format.js'
import { CommitLog } from './writer.js'

const folder = mkdtempSync(join(tmpdir(), 'varve-full-'))
const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder]).status === 0
if (!isMounted) console.warn('full-disk.test.ts: skipped, since a tmpfs cannot be mounted here (it takes root)')

beforeAll(() => {
  if (isMounted) expect(spawnSync('mountpoint', ['-q', folder]).status).toBe(0)
})
afterAll(() => {
  if (isMounted) spawnSync('umount', [folder])
  rmSync(folder, { recursive: true })
})

it.skipIf(!isMounted)(
  'a full disk refuses records by name, keeps what it has, and takes records again by itself',
  async () => {
    const env = nodeEnv()
    const directory = `${folder}/commit-log`
    await writeFile(`${folder}/ballast`, new Uint8Array(1024 * 1024))
    const log = await CommitLog.open({ env, directory })
    await log.replay(() => {})
    const acknowledged: number[] = []
    let refusedCount = 0
    const append = async (id: number) => {
      const payload = new Uint8Array(50_000).fill(id)
      await log.append(RecordType.SampleBatch, [payload]).then(
        () => acknowledged.push(id),
        (error) => {
          expect(error).toMatchObject({ code: 'READ_ONLY', message: expect.stringContaining('the disk is full') })
          refusedCount++
        },
      )
    }
    for (let id = 0; id < 40; id++) await append(id)
    expect(refusedCount).toBeGreaterThan(5)
    expect(acknowledged.length).toBeGreaterThan(10)
    await rm(`${folder}/ballast`)
    for (let id = 40; id < 50; id++) await append(id)
    expect(acknowledged.slice(-10)).toEqual([40, 41, 42, 43, 44, 45, 46, 47, 48, 49])
    await log.close()
    const again = await CommitLog.open({ env, directory })
    const found: number[] = []
    const report = await again.replay(({ payload }) => {
      expect(payload.every((byte) => byte === payload[0])).toBe(true)
      found.push(payload[0])
    })
    expect(found).toEqual(acknowledged)
    expect(report.damages).toEqual([])
    await again.close()
  },
)
