import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Database } from './database.js'
import type { Env } from './env/env.js'
import { FileError } from './env/file-system.js'
import { nodeEnv } from './env/node/index.js'
import { restoreSnapshot } from './restore.js'
import { openTemporaryDatabase, readSamples, type TemporaryDatabase } from './testing/index.js'
import { verifyDatabase } from './verify.js'

const ALL = [{ name: '__name__', operator: '=~', value: '.+' }] as const
const RANGE = { matchers: ALL, startMs: 0, endMs: Number.MAX_SAFE_INTEGER }
const MARK = { policy: '1m:1h', shard: 0, timestampMs: 60_000 }

let temporary: TemporaryDatabase | undefined
afterEach(async () => {
  await temporary?.remove()
  temporary = undefined
})

/** A store with a snapshot of `sample 1` and a watermark, and `sample 2` after it; the store is closed. */
async function world(): Promise<{ directory: string; snapshot: string }> {
  temporary = await openTemporaryDatabase({ namespaces: { default: { retentionMs: Number.POSITIVE_INFINITY } } })
  const { database, directory } = temporary
  const namespace = database.namespace('default')
  await append(database, 1)
  const empty = {
    count: 0,
    seriesRefs: new Uint32Array(),
    timestampsMs: new Float64Array(),
    values: new Float64Array(),
  }
  await namespace.append(empty, { watermarks: [MARK] })
  const snapshot = join(directory, 'snapshots', 'first')
  await database.snapshot(snapshot)
  await append(database, 2)
  await namespace.append(empty, { watermarks: [{ ...MARK, timestampMs: 120_000 }] })
  await database.close()
  return { directory, snapshot }
}

async function append(database: Database, value: number): Promise<void> {
  await database.append([{ labels: { __name__: 'up' }, timestampMs: 1_000 * value, value }])
}

/** Values of the only series, and the watermark. */
async function contentOf(directory: string): Promise<{ values: number[]; watermarkMs: number | undefined }> {
  const notices: string[] = []
  const database = await Database.open({
    directory,
    diskReserveBytes: 0,
    onNotice: ({ message }) => notices.push(message),
  })
  try {
    const samples = [...(await readSamples(database, RANGE)).values()].flat()
    const values = samples.map(({ bits }) => new Float64Array(BigUint64Array.of(bits).buffer)[0])
    expect(notices).toEqual([])
    return { values, watermarkMs: database.watermark(MARK.policy, MARK.shard) }
  } finally {
    await database.close()
  }
}

describe('a restore', () => {
  it('makes a new data folder of a snapshot, which stays as it is', async () => {
    const { directory, snapshot } = await world()
    const target = join(directory, 'elsewhere')
    const report = await restoreSnapshot({ snapshot, directory: target })
    expect(report.fileCount).toBeGreaterThan(3)
    expect(await contentOf(target)).toEqual({ values: [1], watermarkMs: 60_000 })
    expect(await readdir(snapshot)).toEqual(['identity.json', 'namespaces', 'state'])
    expect(await contentOf(directory)).toEqual({ values: [1, 2], watermarkMs: 120_000 })
  })

  it('has all raw samples behind its watermark, though newer windows allow to drop them', async () => {
    temporary = await openTemporaryDatabase({ namespaces: { default: { retentionMs: Number.POSITIVE_INFINITY } } })
    const { database, directory } = temporary
    for (const value of [1, 2, 3]) await append(database, value)
    database.setDropPolicy({
      forBlock: (startMs, endMs) => ({
        untilMs: endMs,
        baselineAfterMs: endMs,
        rangesOf: () => [{ afterMs: startMs - 1, untilMs: endMs, histograms: true }],
      }),
      droppableUntilMs: () => 1e15,
      dropped: () => undefined,
    })
    const snapshot = join(directory, 'snapshots', 'first')
    await database.snapshot(snapshot)
    expect((await contentOf(snapshot)).values).toEqual([1, 2, 3])
    // Afterwards they go as before.
    await database.flush()
    const left = [...(await readSamples(database, RANGE)).values()].flat()
    expect(left.length).toBeLessThan(3)
    expect(database.watermark('dropped', 0)).toBeGreaterThan(0)
  })

  it('replaces a store only when told to, also one that has the snapshot in it, and keeps what is not the store', async () => {
    const { directory, snapshot } = await world()
    await writeFile(join(directory, 'state', 'rules.msgpack'), 'kept')
    await expect(restoreSnapshot({ snapshot, directory })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('holds a store already'),
    })
    expect(await contentOf(directory)).toEqual({ values: [1, 2], watermarkMs: 120_000 })
    await restoreSnapshot({ snapshot, directory, replace: true })
    expect(await contentOf(directory)).toEqual({ values: [1], watermarkMs: 60_000 })
    expect(await readFile(join(directory, 'state', 'rules.msgpack'), 'utf8')).toBe('kept')
    expect((await verifyDatabase({ directory })).problems).toEqual([])
    // The same again: nothing of the first restore is in its way.
    await restoreSnapshot({ snapshot, directory, replace: true })
    expect(await contentOf(directory)).toEqual({ values: [1], watermarkMs: 60_000 })
  })

  it('replaces a store whose identity is damaged', async () => {
    const { directory, snapshot } = await world()
    await writeFile(join(directory, 'identity.json'), '{')
    await restoreSnapshot({ snapshot, directory, replace: true })
    expect((await contentOf(directory)).values).toEqual([1])
  })

  it('takes the copy of a closed store with its log, and changes nothing in it', async () => {
    const { directory, snapshot } = await world()
    const copy = join(directory, 'copy')
    await mkdir(copy)
    for (const name of ['identity.json', 'commit-log', 'namespaces', 'state']) {
      await cp(join(directory, name), join(copy, name), { recursive: true })
    }
    await restoreSnapshot({ snapshot, directory, replace: true })
    await restoreSnapshot({ snapshot: copy, directory, replace: true })
    const database = await Database.open({ directory, diskReserveBytes: 0 })
    await append(database, 3)
    await database.close()
    expect(await contentOf(directory)).toEqual({ values: [1, 2, 3], watermarkMs: 120_000 })
    expect(await contentOf(copy)).toEqual({ values: [1, 2], watermarkMs: 120_000 })
  })

  it('of a damaged snapshot names the damage, and changes nothing', async () => {
    const { directory, snapshot } = await world()
    const name = (await readdir(snapshot, { recursive: true })).find((path) => path.endsWith('.block'))
    const path = join(snapshot, name ?? '')
    const bytes = await readFile(path)
    bytes[bytes.length >> 1] ^= 1
    // A new file: the store has another name for the old one.
    await rm(path)
    await writeFile(path, bytes)
    const restore = restoreSnapshot({ snapshot, directory, replace: true })
    await expect(restore).rejects.toMatchObject({ code: 'CORRUPT', message: expect.stringContaining(path) })
    expect((await contentOf(directory)).values).toEqual([1, 2])
  })

  it('waits for no process: a folder in use is refused by name', async () => {
    const { directory, snapshot } = await world()
    const database = await Database.open({ directory, diskReserveBytes: 0 })
    const restore = restoreSnapshot({ snapshot, directory, replace: true })
    await expect(restore).rejects.toMatchObject({ code: 'LOCKED' })
    await database.close()
    const opened = await Database.open({ directory: snapshot, diskReserveBytes: 0 })
    await expect(restoreSnapshot({ snapshot, directory, replace: true })).rejects.toMatchObject({ code: 'LOCKED' })
    await opened.close()
    expect((await contentOf(directory)).values).toEqual([1, 2])
  })

  it('refuses what is no snapshot', async () => {
    const { directory, snapshot } = await world()
    for (const [from, to] of [
      [join(directory, 'nowhere'), directory],
      [snapshot, snapshot],
    ]) {
      const restore = restoreSnapshot({ snapshot: from, directory: to, replace: true })
      await expect(restore).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
  })

  it('copies where links are not to be had, and says when the disk is full', async () => {
    const { directory, snapshot } = await world()
    const { files } = nodeEnv()
    const noLinks: Pick<Env, 'files'> = {
      files: { ...files, link: () => Promise.reject(new FileError('IO', 'EXDEV')) },
    }
    const target = join(directory, 'elsewhere')
    await restoreSnapshot({ snapshot, directory: target, env: noLinks })
    expect((await contentOf(target)).values).toEqual([1])
    const full: Pick<Env, 'files'> = {
      files: { ...files, rename: () => Promise.reject(new FileError('NO_SPACE', 'ENOSPC')) },
    }
    const restore = restoreSnapshot({ snapshot, directory, replace: true, env: full })
    await expect(restore).rejects.toMatchObject({ code: 'READ_ONLY' })
    expect((await contentOf(directory)).values).toEqual([1, 2])
  })
})
