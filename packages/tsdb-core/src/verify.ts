/** Checks every byte of a data folder against its checksums, and changes nothing. */
import { resolve } from 'node:path'
import { BlockReader } from './block/block-reader.js'
import { verifyCommitLog } from './commit-log/index.js'
import { readWatermarks } from './data-folder.js'
import type { Env } from './env/env.js'
import { FileError, type FileSystem } from './env/file-system.js'
import { nodeEnv } from './env/node/index.js'
import { StorageError } from './errors.js'
import { type Manifest, manifestCopyPath, manifestPath, readManifest } from './manifest.js'
import { restoredPath } from './unfinished-restore.js'

export interface VerifyReport {
  /** One line for each damaged place: file, offset, what was found and what was expected. Empty: all is well. */
  readonly problems: readonly string[]
  /** What a start would put right by itself: a torn end of the log, files left over from a crash. */
  readonly remarks: readonly string[]
  readonly fileCount: number
  readonly sizeBytes: number
}

/**
 * Reads a whole data folder. It must not be open in another process that writes, or its newest files may look torn.
 *
 * @throws {StorageError} `INVALID_ARGUMENT` when there is no data folder at that place.
 */
export async function verifyDatabase(options: { directory: string; env?: Pick<Env, 'files'> }): Promise<VerifyReport> {
  const { files } = options.env ?? nodeEnv()
  const directory = resolve(options.directory)
  if ((await files.stat(`${directory}/identity.json`)) === null) {
    throw new StorageError('INVALID_ARGUMENT', `${directory} is no data folder: identity.json is missing`)
  }
  const verification = new Verification(files, directory)
  if ((await files.stat(restoredPath(directory))) !== null) {
    verification.remarks.push(`${restoredPath(directory)}: a restore was cut off; the next start completes it`)
  }
  await verification.identity()
  await verification.watermarks()
  for (const name of await files.list(`${directory}/namespaces`)) await verification.namespace(name)
  await verification.log()
  return verification
}

class Verification implements VerifyReport {
  readonly problems: string[] = []
  readonly remarks: string[] = []
  fileCount = 0
  sizeBytes = 0
  readonly #files: FileSystem
  readonly #directory: string

  constructor(files: FileSystem, directory: string) {
    this.#files = files
    this.#directory = directory
  }

  async identity(): Promise<void> {
    const path = `${this.#directory}/identity.json`
    await this.#count(path)
    await this.#check(async () => {
      const file = await this.#files.open(path, 'read')
      const bytes = new Uint8Array(await file.size())
      await file.read(bytes, 0)
      await file.close()
      const identity = parsed(bytes)
      if (identity?.product !== 'varve' || identity.version !== 1) {
        throw new StorageError('CORRUPT', `${path}: expected product varve of version 1`)
      }
    })
  }

  async watermarks(): Promise<void> {
    await this.#count(`${this.#directory}/state/watermarks`)
    await this.#check(async () => {
      await readWatermarks(this.#files, this.#directory)
    })
  }

  async namespace(name: string): Promise<void> {
    const directory = `${this.#directory}/namespaces/${name}`
    await this.#count(manifestPath(directory))
    await this.#count(manifestCopyPath(directory))
    let manifest: Manifest | undefined
    await this.#check(async () => {
      const found = await readManifest(this.#files, directory)
      manifest = found?.manifest
      if (found?.damage !== undefined) this.problems.push(found.damage)
      else if (found?.isWhole === false) this.remarks.push(`${manifestCopyPath(directory)}: older than the manifest`)
      if (manifest === undefined) this.remarks.push(`${directory}: no manifest: the namespace was never complete`)
    })
    if (manifest === undefined) return
    const listed = new Set<string>()
    for (const { shard, fileName, startMs, endMs, generation, sizeBytes, digest } of manifest.blocks) {
      const path = `${directory}/${shard}/${fileName}`
      listed.add(path)
      await this.#count(path)
      await this.#check(async () => {
        const reader = await BlockReader.open(this.#files, path, { namespace: name, shard, startMs, endMs, generation })
        try {
          const { footer } = reader
          if (footer.digest !== digest || footer.fileSizeBytes !== sizeBytes) {
            this.problems.push(
              `${path}: another block than the manifest has: digest ${footer.digest} in ${footer.fileSizeBytes} bytes, expected ${digest} in ${sizeBytes}`,
            )
          }
          this.problems.push(...(await reader.verify()))
        } finally {
          await reader.close()
        }
      })
    }
    await this.#leftovers(directory, listed)
  }

  async log(): Promise<void> {
    const directory = `${this.#directory}/commit-log`
    if ((await this.#files.stat(directory)) === null) return
    await this.#check(async () => {
      const report = await verifyCommitLog(this.#files, directory)
      this.fileCount += report.segmentCount
      this.sizeBytes += report.readBytes
      for (const damage of report.damages) this.problems.push(damage.message)
      if (report.tornTailBytes > 0) {
        this.remarks.push(`${directory}: a write of ${report.tornTailBytes} bytes was cut short and never acknowledged`)
      }
    })
  }

  async #leftovers(directory: string, listed: ReadonlySet<string>): Promise<void> {
    for (const shard of await this.#files.list(directory)) {
      if (!/^\d+$/.test(shard)) continue
      for (const fileName of await this.#files.list(`${directory}/${shard}`)) {
        const path = `${directory}/${shard}/${fileName}`
        if (!listed.has(path)) this.remarks.push(`${path}: left over from an interrupted seal or merge`)
      }
    }
  }

  async #count(path: string): Promise<void> {
    const stat = await this.#files.stat(path)
    if (stat === null) return
    this.fileCount++
    this.sizeBytes += stat.sizeBytes
  }

  /** Damage becomes a line; what else goes wrong is the caller's. */
  async #check(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof StorageError || error instanceof FileError)) throw error
      this.problems.push(error.message)
    }
  }
}

function parsed(bytes: Uint8Array): { product?: unknown; version?: unknown } | undefined {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return undefined // Told by the caller, with what was expected.
  }
}
