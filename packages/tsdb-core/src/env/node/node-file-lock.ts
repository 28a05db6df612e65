/**
 * A lock on a path that dies with its process, without native code.
 *
 * A contender makes an entry of its own beside the path, `<path>.<pid>-<random>`, and only then looks at those of others:
 * when one of them is alive it gives up. Of two contenders at least one sees the other, so that there are never two
 * holders; names are never used twice, so that a dead entry can be removed by anyone without a race.
 *
 * The entry is a listening Unix socket: the kernel closes it with the process, however that ends, and a connection to it
 * tells the living from the dead even when the number of the process was given away again, or means nothing here because
 * the holder lives in another container on the same volume. It is bound under another name and renamed once it listens, so
 * that an entry that refuses connections is always dead. Where sockets cannot be made, the entry is a file that names
 * the boot, the process and its start time.
 */
import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { basename, dirname, join } from 'node:path'
import { FileError, type FileLock } from '../file-system.js'
import { fileErrorOf } from './node-file-error.js'

/** Longest path of a socket: 108 bytes on Linux and 104 on macOS, with the zero at the end. */
const SOCKET_PATH_SIZE_BYTES_MAX = 103
/** Two contenders that saw each other both give up; after a pause of random length one of them is alone. */
const ATTEMPTS = 5
const PAUSE_MS_MAX = 40
const CONNECT_TIMEOUT_MS = 2_000
/** An entry that took longer to make was left behind by a process that ended meanwhile. */
const UNFINISHED_MS_MAX = 60_000

interface Entry {
  readonly path: string
  remove(): Promise<void>
}

interface Holder {
  readonly pid: number
  readonly path: string
}

/** @throws {FileError} `LOCKED`, with the number of the process that holds it, when it is held; by this one too. */
export async function lockFile(path: string): Promise<FileLock> {
  for (let attempt = 1; ; attempt++) {
    const entry = await makeEntry(path)
    let holder: Holder | null
    try {
      holder = await findHolder(path, entry.path)
    } catch (error) {
      await entry.remove()
      throw fileErrorOf('lock', path, error)
    }
    if (holder === null) return { release: () => entry.remove() }
    await entry.remove()
    if (attempt === ATTEMPTS) {
      const who = holder.pid === process.pid ? `this process (${holder.pid})` : `process ${holder.pid}`
      throw new FileError('LOCKED', `${path} is in use by ${who}: ${holder.path} is its lock`)
    }
    await new Promise((resolve) => setTimeout(resolve, (randomBytes(1)[0] / 255) * PAUSE_MS_MAX * attempt))
  }
}

async function makeEntry(path: string): Promise<Entry> {
  const name = `${basename(path)}.${process.pid}-${randomBytes(6).toString('hex')}`
  const final = join(dirname(path), name)
  try {
    return (await makeSocketEntry(final)) ?? (await makeFileEntry(final))
  } catch (error) {
    throw fileErrorOf('lock', path, error)
  }
}

/** Null where the file system or the platform knows no sockets. */
async function makeSocketEntry(final: string): Promise<Entry | null> {
  const early = `${final}.new`
  const server = await withShortPath(early, listenOn)
  if (server === null) return null
  try {
    await fs.rename(early, final)
  } catch (error) {
    server.close()
    throw error
  }
  return {
    path: final,
    async remove() {
      await fs.rm(final, { force: true })
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function listenOn(path: string): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', () => resolve(null))
    server.listen(path, () => {
      server.unref()
      resolve(server)
    })
  })
}

async function makeFileEntry(final: string): Promise<Entry> {
  const early = `${final}.new`
  await fs.writeFile(early, JSON.stringify(await identityOf(process.pid)), { flag: 'wx' })
  await fs.rename(early, final)
  return { path: final, remove: () => fs.rm(final, { force: true }) }
}

/** The first entry of another that is alive. Removes the dead ones. */
async function findHolder(path: string, ownPath: string): Promise<Holder | null> {
  const folder = dirname(path)
  const prefix = `${basename(path)}.`
  for (const name of (await fs.readdir(folder)).sort()) {
    const match = /^(\d+)-[0-9a-f]{12}(\.new)?$/.exec(name.startsWith(prefix) ? name.slice(prefix.length) : '')
    const entryPath = join(folder, name)
    if (match === null || entryPath === ownPath) continue
    if (match[2] !== undefined) {
      // An entry that is being made is not yet a claim; its maker looks at ours after it has become one.
      const made = await fs.lstat(entryPath).catch(() => null)
      if (made === null || Date.now() - made.mtimeMs < UNFINISHED_MS_MAX) continue
    } else if (await isAlive(entryPath)) return { pid: Number(match[1]), path: entryPath }
    await fs.rm(entryPath, { force: true })
  }
  return null
}

async function isAlive(path: string): Promise<boolean> {
  let found: Awaited<ReturnType<typeof fs.lstat>>
  try {
    found = await fs.lstat(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
  if (found.isSocket()) return withShortPath(path, answersConnections)
  const text = await fs.readFile(path, 'utf8').catch(() => '')
  try {
    const written = JSON.parse(text) as ProcessIdentity
    const now = await identityOf(written.pid)
    return now.startTime !== null && now.boot === written.boot && now.startTime === written.startTime
  } catch {
    return false
  }
}

/** Refused means dead. Anything else, such as a full queue or a right that is missing, is taken for alive. */
function answersConnections(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const timer = setTimeout(() => settle(true), CONNECT_TIMEOUT_MS)
    const settle = (alive: boolean) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(alive)
    }
    socket.once('connect', () => settle(true))
    socket.once('error', (error: NodeJS.ErrnoException) => {
      settle(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT')
    })
  })
}

/** Gives `use` a path that fits into a socket's address: on Linux one through an open descriptor of the folder. */
async function withShortPath<T>(path: string, use: (path: string) => Promise<T>): Promise<T> {
  if (Buffer.byteLength(path) <= SOCKET_PATH_SIZE_BYTES_MAX || process.platform !== 'linux') return use(path)
  const folder = await fs.open(dirname(path), 'r')
  try {
    return await use(`/proc/self/fd/${folder.fd}/${basename(path)}`)
  } finally {
    await folder.close()
  }
}

interface ProcessIdentity {
  readonly pid: number
  /** Of the machine's current run; empty where the system does not tell. */
  readonly boot: string
  /** In clock ticks since boot; null when there is no such process. */
  readonly startTime: string | null
}

async function identityOf(pid: number): Promise<ProcessIdentity> {
  const boot = await fs.readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')
  if (boot === '') return { pid, boot, startTime: isRunning(pid) ? 'running' : null }
  const stat = await fs.readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  // The second field is the program's name in brackets and may hold anything; the 22nd is the start time.
  const startTime = stat === null ? null : stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  return { pid, boot: boot.trim(), startTime }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
