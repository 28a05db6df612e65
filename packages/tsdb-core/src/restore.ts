/**
 * Puts a snapshot in place of what a data folder holds.
 *
 * It is copied beside them first: see `unfinished-restore.ts` for what holds when this is cut off.
 */
import { resolve } from 'node:path'
import { lockFolder, readWatermarks, writeIdentity, writeWatermarks } from './data-folder.js'
import { withStorageErrors } from './disk-error.js'
import type { Env } from './env/env.js'
import { FileError, type FileLock, type FileSystem } from './env/file-system.js'
import { nodeEnv } from './env/node/index.js'
import { StorageError } from './errors.js'
import { finishRestore, restoredPath, stagingPath } from './unfinished-restore.js'
import { verifyDatabase } from './verify.js'

const COPY_SIZE_BYTES = 1024 * 1024

export interface RestoreOptions {
  /** A folder that `Database.snapshot` made, or a copy of one, or of the data folder of a store that is closed. */
  readonly snapshot: string
  /** The data folder; made when it is not there. No process may have it open. */
  readonly directory: string
  /** Whether a store that is there is given up. Absent: it is not, and the call fails. */
  readonly replace?: boolean
  readonly env?: Pick<Env, 'files'>
}

export interface RestoreReport {
  readonly fileCount: number
  readonly sizeBytes: number
}

/**
 * Checks a snapshot byte by byte and makes it the content of a data folder; the next opening finds it. Block files are linked
 * where both lie on one disk, and copied otherwise. A crash leaves the folder as it was, or restored.
 *
 * @throws {StorageError} `INVALID_ARGUMENT` when there is no snapshot, or a store in the folder and `replace` not set;
 *   `CORRUPT` when the snapshot is damaged, naming the first damage; `LOCKED` when a process has the folder open. Nothing has
 *   changed then. `READ_ONLY` (disk full), `UNAVAILABLE`: nothing has changed, or the next opening completes it.
 */
export function restoreSnapshot(options: RestoreOptions): Promise<RestoreReport> {
  return withStorageErrors(() => restore(options))
}

async function restore(options: RestoreOptions): Promise<RestoreReport> {
  const { files } = options.env ?? nodeEnv()
  const snapshot = resolve(options.snapshot)
  const directory = resolve(options.directory)
  if (snapshot === directory) {
    throw new StorageError('INVALID_ARGUMENT', `${snapshot} is both the snapshot and the data folder`)
  }
  // A snapshot that was opened since has a log, which a process may be writing.
  const isOpened = (await files.stat(`${snapshot}/commit-log`)) !== null
  const locks: FileLock[] = []
  try {
    if (isOpened) locks.push(await lockFolder(files, snapshot))
    const { problems, fileCount, sizeBytes } = await verifyDatabase({ directory: snapshot, env: { files } })
    if (problems.length > 0) {
      const more = problems.length > 1 ? `, and ${problems.length - 1} more` : ''
      throw new StorageError('CORRUPT', `the snapshot is damaged: ${problems[0]}${more}`)
    }
    await files.makeDirectory(directory)
    locks.push(await lockFolder(files, directory))
    await finishRestore(files, directory)
    await checkReplaceable(files, directory, options.replace ?? false)
    await stage(files, snapshot, directory)
    await finishRestore(files, directory)
    return { fileCount, sizeBytes }
  } finally {
    for (const lock of locks) await lock.release()
  }
}

async function checkReplaceable(files: FileSystem, directory: string, replace: boolean): Promise<void> {
  if (replace) return
  for (const name of ['identity.json', 'commit-log', 'namespaces']) {
    if ((await files.stat(`${directory}/${name}`)) === null) continue
    throw new StorageError('INVALID_ARGUMENT', `${directory} holds a store already, which a restore would replace`)
  }
}

/** Copies the snapshot beside the data, durable, and makes it the folder's content by one rename. */
async function stage(files: FileSystem, snapshot: string, directory: string): Promise<void> {
  const staging = stagingPath(directory)
  try {
    await files.makeDirectory(`${staging}/state`)
    await files.makeDirectory(`${staging}/commit-log`)
    await writeIdentity(files, staging)
    await writeWatermarks(files, staging, await readWatermarks(files, snapshot))
    for (const part of ['commit-log', 'namespaces']) {
      if ((await files.stat(`${snapshot}/${part}`)) !== null) {
        await copyTree(files, `${snapshot}/${part}`, `${staging}/${part}`)
      }
    }
    await files.syncDirectory(staging)
  } catch (error) {
    await files.removeTree(staging)
    throw error
  }
  await files.rename(staging, restoredPath(directory))
  await files.syncDirectory(directory)
}

async function copyTree(files: FileSystem, source: string, target: string): Promise<void> {
  await files.makeDirectory(target)
  for (const name of await files.list(source)) {
    const [from, to] = [`${source}/${name}`, `${target}/${name}`]
    if ((await files.stat(from))?.isDirectory) await copyTree(files, from, to)
    // Block files never change, so both may share one; the log's segments do.
    else if (!name.endsWith('.block') || !(await linked(files, from, to))) await copyFile(files, from, to)
  }
  await files.syncDirectory(target)
}

/** Makes a second name for a file that is durable; false where that cannot be had: another disk, another owner. */
async function linked(files: FileSystem, source: string, target: string): Promise<boolean> {
  try {
    await files.link(source, target)
  } catch (error) {
    if (error instanceof FileError && error.code !== 'NOT_FOUND') return false
    throw error
  }
  try {
    // It may have been copied here a moment ago.
    const file = await files.open(target, 'append')
    await file.sync().finally(() => file.close())
    return true
  } catch (error) {
    if (!(error instanceof FileError)) throw error
    await files.remove(target)
    return false
  }
}

async function copyFile(files: FileSystem, source: string, target: string): Promise<void> {
  const from = await files.open(source, 'read')
  try {
    const to = await files.open(target, 'create')
    try {
      const sizeBytes = await from.size()
      const bytes = new Uint8Array(Math.min(sizeBytes, COPY_SIZE_BYTES))
      for (let offset = 0; offset < sizeBytes; ) {
        const count = await from.read(bytes, offset)
        if (count === 0) break
        await to.write(bytes.subarray(0, count))
        offset += count
      }
      await to.sync()
    } finally {
      await to.close()
    }
  } finally {
    await from.close()
  }
}
