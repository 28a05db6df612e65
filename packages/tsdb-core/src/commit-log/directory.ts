/** The folder of a log: which segments it holds, and what the last clean close left behind. */
import { crc32c } from '@varve/gorilla-codec'
import type { FileSystem, OpenMode } from '../env/file-system.js'
import type { LogDamage } from './commit-log.js'
import { segmentOfFileName } from './format.js'
import type { CloseMark, FoundSegment } from './replay.js'

/** Made beside the segments when a log is closed. It holds as long as the segment that it names is the last one. */
const CLOSE_MARK_NAME = 'closed'
const CLOSE_MARK_MAGIC = 'VARVECLO'
const CLOSE_MARK_SIZE_BYTES = 24
const UNFINISHED = '.new'

/** All segments, by number. */
export async function findSegments(files: FileSystem, directory: string): Promise<FoundSegment[]> {
  const found: FoundSegment[] = []
  for (const name of await files.list(directory)) {
    const segment = segmentOfFileName(name)
    if (segment === null) continue
    const path = `${directory}/${name}`
    const stat = await files.stat(path)
    if (stat !== null) found.push({ segment, path, sizeBytes: stat.sizeBytes })
  }
  return found.sort((a, b) => a.segment - b.segment)
}

/** Removes what a crash left of files that were being made. */
export async function removeUnfinished(files: FileSystem, directory: string): Promise<void> {
  for (const name of await files.list(directory)) {
    if (name.endsWith(UNFINISHED)) await files.remove(`${directory}/${name}`)
  }
}

/** Makes a file that has all of its bytes, synced, as soon as it has its name. Gives it open, for more to be appended. */
export async function createWhole(
  files: FileSystem,
  path: string,
  parts: readonly Uint8Array[],
  mode: Extract<OpenMode, 'append' | 'append-synced'> = 'append',
) {
  const early = `${path}${UNFINISHED}`
  const file = await files.open(early, mode)
  try {
    await file.truncate(0)
    for (const part of parts) await file.write(part)
    await file.sync()
    await files.rename(early, path)
    await files.syncDirectory(path.slice(0, path.lastIndexOf('/')))
    return file
  } catch (error) {
    await file.close().catch(ignore)
    await files.remove(early).catch(ignore)
    throw error
  }
}

export async function writeCloseMark(files: FileSystem, directory: string, mark: CloseMark): Promise<void> {
  const bytes = new Uint8Array(CLOSE_MARK_SIZE_BYTES)
  new TextEncoder().encodeInto(CLOSE_MARK_MAGIC, bytes)
  const view = new DataView(bytes.buffer)
  view.setUint32(8, mark.segment, true)
  view.setUint32(12, mark.sequenceEnd % 2 ** 32, true)
  view.setUint32(16, Math.floor(mark.sequenceEnd / 2 ** 32), true)
  view.setUint32(20, crc32c(bytes, 0, 20), true)
  const file = await createWhole(files, `${directory}/${CLOSE_MARK_NAME}`, [bytes])
  await file.close()
}

export interface FoundCloseMark {
  /** Null when there is none, or when it cannot be believed: it can only show that something is missing. */
  readonly mark: CloseMark | null
  readonly damage: LogDamage | null
}

export async function readCloseMark(files: FileSystem, directory: string): Promise<FoundCloseMark> {
  const path = `${directory}/${CLOSE_MARK_NAME}`
  const stat = await files.stat(path)
  if (stat === null) return { mark: null, damage: null }
  const damaged = (problem: string): FoundCloseMark => ({
    mark: null,
    damage: {
      path,
      offset: 0,
      sizeBytes: stat.sizeBytes,
      quarantinePath: null,
      sequenceFirst: 0,
      sequenceEnd: 0,
      message: `${path} at byte 0: ${problem}; nothing is lost with it`,
    },
  })
  if (stat.sizeBytes !== CLOSE_MARK_SIZE_BYTES) {
    return damaged(`close mark of ${stat.sizeBytes} bytes, expected ${CLOSE_MARK_SIZE_BYTES}`)
  }
  const bytes = new Uint8Array(CLOSE_MARK_SIZE_BYTES)
  const file = await files.open(path, 'read')
  try {
    await file.read(bytes, 0)
  } finally {
    await file.close()
  }
  const view = new DataView(bytes.buffer)
  if (new TextDecoder().decode(bytes.subarray(0, 8)) !== CLOSE_MARK_MAGIC) {
    return damaged('close mark without its magic number')
  }
  const expected = view.getUint32(20, true)
  const crc = crc32c(bytes, 0, 20)
  if (crc !== expected) return damaged(`close mark: checksum is ${crc}, expected ${expected}`)
  const sequenceEnd = view.getUint32(12, true) + view.getUint32(16, true) * 2 ** 32
  return { mark: { segment: view.getUint32(8, true), sequenceEnd }, damage: null }
}

/** For what is done on the way out of a failure that is itself reported. */
function ignore(): void {}
