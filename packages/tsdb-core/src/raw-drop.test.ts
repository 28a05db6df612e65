import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { Database } from './database.js'
import { FileError } from './env/file-system.js'
import { nodeEnv } from './env/node/index.js'

let directory = ''
afterEach(() => rm(directory, { recursive: true, force: true }))

it('a mark of dropped samples that could not be written is written before they go', async () => {
  directory = await mkdtemp(join(tmpdir(), 'varve-'))
  const env = nodeEnv()
  const renamed: string[] = []
  let fails = false
  const files: typeof env.files = {
    ...env.files,
    rename: (from, to) => {
      const isMark = to.endsWith('/watermarks')
      if (isMark && fails) return Promise.reject(new FileError('IO', `cannot rename ${from}`))
      if (isMark || to.endsWith('.block')) renamed.push(isMark ? 'mark' : 'block')
      return env.files.rename(from, to)
    },
  }
  const database = await Database.open({
    directory,
    env: { ...env, files },
    diskReserveBytes: 0,
    maintenanceIntervalMs: 0,
    namespaces: { default: { retentionMs: Number.POSITIVE_INFINITY } },
  })
  const labels = { __name__: 'up' }
  await database.append([1, 2, 3].map((value) => ({ labels, timestampMs: value * 1_000, value })))
  database.setDropPolicy({
    forBlock: (startMs, endMs) => ({
      untilMs: endMs - 1,
      baselineAfterMs: startMs,
      rangesOf: () => [{ afterMs: startMs - 1, untilMs: endMs - 1, histograms: true }],
    }),
    droppableUntilMs: () => Number.MAX_SAFE_INTEGER,
    dropped: () => undefined,
  })
  fails = true
  await expect(database.flush()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(renamed).toEqual([])
  fails = false
  await database.flush()
  expect(renamed.slice(0, 2)).toEqual(['mark', 'block'])
  await database.close()
})
