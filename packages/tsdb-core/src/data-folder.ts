/** The data folder of a database: its lock, its identity, and where things stand in it (DESIGN section 7). */

import { readDocument, writeDocument } from './document-file.js'
import { FileError, type FileLock, type FileSystem } from './env/file-system.js'
import { StorageError } from './errors.js'
import type { Watermark } from './namespace.js'
import { finishRestore } from './unfinished-restore.js'

/** Of the folder as a whole; each file has a version of its own. */
const FOLDER_VERSION = 1
const WATERMARKS_VERSION = 1

export class DataFolder {
  readonly directory: string
  readonly #files: FileSystem
  readonly #lock: FileLock

  private constructor(directory: string, files: FileSystem, lock: FileLock) {
    this.directory = directory
    this.#files = files
    this.#lock = lock
  }

  /** @throws {StorageError} `LOCKED`, or `CORRUPT` for a folder of another version. */
  static async open(directory: string, files: FileSystem): Promise<DataFolder> {
    await files.makeDirectory(directory)
    const lock = await lockFolder(files, directory)
    const folder = new DataFolder(directory, files, lock)
    try {
      await finishRestore(files, directory)
      await files.makeDirectory(`${directory}/namespaces`)
      await files.makeDirectory(`${directory}/state`)
      await folder.#checkIdentity()
    } catch (error) {
      await lock.release()
      throw error
    }
    return folder
  }

  get logDirectory(): string {
    return `${this.directory}/commit-log`
  }

  namespaceDirectory(name: string): string {
    return `${this.directory}/namespaces/${name}`
  }

  async namespaceNames(): Promise<string[]> {
    return this.#files.list(`${this.directory}/namespaces`)
  }

  async readWatermarks(): Promise<Watermark[]> {
    return readWatermarks(this.#files, this.directory)
  }

  async writeWatermarks(watermarks: readonly Watermark[]): Promise<void> {
    await writeWatermarks(this.#files, this.directory, watermarks)
  }

  async close(): Promise<void> {
    await this.#lock.release()
  }

  async #checkIdentity(): Promise<void> {
    await writeIdentity(this.#files, this.directory)
  }
}

/** Watermarks as they were when the log was last truncated. @throws {StorageError} `CORRUPT` when they cannot be read. */
export async function readWatermarks(files: FileSystem, directory: string): Promise<Watermark[]> {
  const content = await readDocument(files, watermarksPath(directory), 'watermarks', WATERMARKS_VERSION)
  return (content as Watermark[] | undefined) ?? []
}

export async function writeWatermarks(
  files: FileSystem,
  directory: string,
  watermarks: readonly Watermark[],
): Promise<void> {
  await writeDocument(files, watermarksPath(directory), 'watermarks', WATERMARKS_VERSION, watermarks)
}

/** @throws {StorageError} `LOCKED` when another process has the folder. */
export async function lockFolder(files: FileSystem, directory: string): Promise<FileLock> {
  try {
    return await files.lock(`${directory}/LOCK`)
  } catch (error) {
    if (!(error instanceof FileError && error.code === 'LOCKED')) throw error
    throw new StorageError('LOCKED', `${directory} is in use by another process: ${error.message}`, { cause: error })
  }
}

function watermarksPath(directory: string): string {
  return `${directory}/state/watermarks`
}

/** Writes `identity.json`, or checks the one that is there. */
export async function writeIdentity(files: FileSystem, directory: string): Promise<void> {
  const path = `${directory}/identity.json`
  if ((await files.stat(path)) === null) {
    const bytes = new TextEncoder().encode(`${JSON.stringify({ product: 'varve', version: FOLDER_VERSION })}\n`)
    const temporary = `${path}.tmp`
    if ((await files.stat(temporary)) !== null) await files.remove(temporary)
    const file = await files.open(temporary, 'create')
    await file.write(bytes)
    await file.sync()
    await file.close()
    await files.rename(temporary, path)
    await files.syncDirectory(directory)
    return
  }
  const file = await files.open(path, 'read')
  const bytes = new Uint8Array(await file.size())
  await file.read(bytes, 0)
  await file.close()
  let identity: { product?: unknown; version?: unknown }
  try {
    identity = JSON.parse(new TextDecoder().decode(bytes))
  } catch (error) {
    throw new StorageError('CORRUPT', `${path} is not JSON`, { cause: error })
  }
  if (identity.product !== 'varve' || identity.version !== FOLDER_VERSION) {
    throw new StorageError(
      'CORRUPT',
      `${path}: product ${identity.product}, version ${identity.version}; expected varve, ${FOLDER_VERSION}`,
    )
  }
}
