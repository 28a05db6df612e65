/**
 * Files on Node. Every call runs on libuv's thread pool: a sync that takes long never holds the event loop.
 */
import { constants, watch as watchNames, write as writeSome } from 'node:fs'
import * as fs from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { File, FileError, FileLock, FileStat, FileSystem, OpenMode } from '../file-system.js'
import { during, fileErrorOf } from './node-file-error.js'
import { lockFile } from './node-file-lock.js'

const { O_APPEND, O_CREAT, O_DSYNC, O_RDWR } = constants
/** Elsewhere the flag is not there (Windows), or leaves the bytes in the cache of the disk (macOS). */
const SYNCS_WRITES = process.platform === 'linux'
const FLAGS: Record<OpenMode, string | number> = {
  read: 'r',
  create: 'wx+',
  append: 'a+',
  'append-synced': SYNCS_WRITES ? O_RDWR | O_CREAT | O_APPEND | O_DSYNC : 'a+',
}
const POLL_INTERVAL_MS = 2_000
const NOT_OURS = new Set(['EACCES', 'EPERM'])
/** Some network file systems know no such call; their names are durable when the call that made them returns. */
const NO_DIRECTORY_SYNC = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'])

export function nodeFileSystem(): FileSystem {
  return {
    async open(path, mode) {
      const handle = await during('open', path, fs.open(path, FLAGS[mode]))
      try {
        const { size } = await during('open', path, handle.stat())
        return new NodeFile(path, handle, size, mode === 'append-synced' && SYNCS_WRITES)
      } catch (error) {
        await handle.close()
        throw error
      }
    },
    rename: (from, to) => during('rename', `${from} to ${to}`, fs.rename(from, to)),
    remove: (path) => during('remove', path, fs.unlink(path)),
    removeTree: (path) => during('remove', path, fs.rm(path, { recursive: true, force: true })),
    link: (existing, name) => during('link', `${existing} as ${name}`, fs.link(existing, name)),
    async makeDirectory(path) {
      const first = await during('make directory', path, makeFolders(path))
      // Each folder that was made stands durably in the one above it, and the last one in any case.
      const highest = dirname(first ?? path)
      for (let above = dirname(path); ; above = dirname(above)) {
        await syncDirectory(above).catch((error) => {
          // A folder above ours that may not even be read belongs to somebody else, who made it long ago.
          if (above !== highest || !NOT_OURS.has(codeOf(error))) throw error
        })
        if (above.length <= highest.length) break
      }
    },
    async list(path) {
      return (await during('list', path, fs.readdir(path))).sort()
    },
    stat,
    syncDirectory,
    async freeBytes(path) {
      const disk = await during('ask for free space on', path, fs.statfs(path))
      return disk.bavail * disk.bsize
    },
    lock: (path): Promise<FileLock> => lockFile(path),
    watch,
  }
}

/**
 * Makes the folder and those above it; resolves with the highest that was made. Not by `recursive` of Node: where a file
 * system says that a new folder's parent is not there although it is, as /proc does, that asks for ever.
 */
async function makeFolders(path: string): Promise<string | undefined> {
  try {
    await fs.mkdir(path)
    return path
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && (await fs.stat(path)).isDirectory()) return undefined
    const above = dirname(path)
    if (code !== 'ENOENT' || above === path || (await exists(above))) throw error
    const first = await makeFolders(above)
    const made = await makeFolders(path)
    return first ?? made
  }
}

function exists(path: string): Promise<boolean> {
  return fs.access(path).then(
    () => true,
    () => false,
  )
}

async function stat(path: string): Promise<FileStat | null> {
  try {
    const found = await fs.stat(path)
    return { sizeBytes: found.size, isDirectory: found.isDirectory(), modifiedMs: found.mtimeMs }
  } catch (error) {
    const failure = fileErrorOf('stat', path, error)
    if (failure.code === 'NOT_FOUND') return null
    throw failure
  }
}

async function syncDirectory(path: string): Promise<void> {
  // Windows opens no folders, and keeps names in its journal.
  if (process.platform === 'win32') return
  const handle = await during('open directory', path, fs.open(path, 'r'))
  try {
    await during('sync directory', path, handle.sync())
  } catch (error) {
    if (!NO_DIRECTORY_SYNC.has(codeOf(error))) throw error
  } finally {
    await handle.close()
  }
}

function codeOf(error: unknown): string {
  return ((error as FileError).cause as NodeJS.ErrnoException | undefined)?.code ?? ''
}

class NodeFile implements File {
  readonly syncsWrites: boolean
  readonly #path: string
  readonly #handle: fs.FileHandle
  #endOffset: number

  constructor(path: string, handle: fs.FileHandle, sizeBytes: number, syncsWrites: boolean) {
    this.syncsWrites = syncsWrites
    this.#path = path
    this.#handle = handle
    this.#endOffset = sizeBytes
  }

  async read(target: Uint8Array, offset: number): Promise<number> {
    let count = 0
    while (count < target.length) {
      const reading = this.#handle.read(target, count, target.length - count, offset + count)
      const { bytesRead } = await during('read', this.#path, reading)
      if (bytesRead === 0) break
      count += bytesRead
    }
    return count
  }

  /** By callback: this stands on the path of every append, and a promise of `node:fs` costs twice as much. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      let count = 0
      const next = () => {
        if (count === bytes.length) return resolve()
        writeSome(this.#handle.fd, bytes, count, bytes.length - count, this.#endOffset, (error, writtenBytes) => {
          if (error !== null) return reject(fileErrorOf('write', this.#path, error))
          count += writtenBytes
          this.#endOffset += writtenBytes
          next()
        })
      }
      next()
    })
  }

  sync(): Promise<void> {
    return during('sync', this.#path, this.#handle.datasync())
  }

  async truncate(sizeBytes: number): Promise<void> {
    await during('truncate', this.#path, this.#handle.truncate(sizeBytes))
    this.#endOffset = sizeBytes
  }

  async size(): Promise<number> {
    return (await during('stat', this.#path, this.#handle.stat())).size
  }

  close(): Promise<void> {
    return during('close', this.#path, this.#handle.close())
  }
}

/** Watches the folder for a file too: an editor or an atomic update replaces the file that a watch would stay with. */
function watch(path: string, changed: () => void): { close(): void } {
  let closed = false
  let stop = () => {}
  const start = async () => {
    const found = await stat(path).catch(() => null)
    if (closed) return
    const isFolder = found?.isDirectory === true
    const name = basename(path)
    try {
      const watcher = watchNames(isFolder ? path : dirname(path), { persistent: false }, (_event, changedName) => {
        if (isFolder || changedName === null || changedName === name) changed()
      })
      stop = () => watcher.close()
      watcher.on('error', () => {
        watcher.close()
        if (!closed) poll()
      })
    } catch {
      // No watch is to be had (the folder is not there yet, or the system has run out of them): asking again still works.
      poll()
    }
  }
  const poll = () => {
    const timer = setInterval(changed, POLL_INTERVAL_MS)
    timer.unref()
    stop = () => clearInterval(timer)
  }
  void start()
  return {
    close() {
      closed = true
      stop()
    },
  }
}
