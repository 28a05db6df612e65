/** The `FileSystem` of one incarnation over a simulated disk: each call takes virtual time, and may fail or never return. */
import type { File, FileSystem } from '../file-system.js'
import { FileError, type FileErrorCode } from '../file-system.js'
import type { EventSchedule } from './event-schedule.js'
import type { DiskOperation, Inode, SimulatedDisk } from './simulated-disk.js'
import { partsOf } from './simulated-disk.js'

const MESSAGES: Record<FileErrorCode, string> = {
  NOT_FOUND: 'ENOENT',
  EXISTS: 'EEXIST',
  NO_SPACE: 'ENOSPC',
  LOCKED: 'EAGAIN',
  IO: 'EIO',
}

export function simulatedFileSystem(simulation: EventSchedule, disk: SimulatedDisk): FileSystem {
  const { random } = simulation

  /** Carries `effect` out after a drawn time, unless the call is to fail or the power goes. */
  const call = <T>(
    operation: DiskOperation,
    path: string,
    effect: () => T,
    failed: (code: FileErrorCode) => void = () => {},
  ): Promise<T> =>
    new Promise((resolve, reject) => {
      const isSync = operation === 'sync' || operation === 'syncDirectory'
      const delayMs = ((random.below(1000) + 1) / 1000) * (isSync ? disk.syncMsMax : disk.callMsMax)
      simulation.at(delayMs, () => {
        const verdict = disk.admit(operation, path)
        if (verdict === 'crash') {
          // The power goes before the call has an effect, or after it and before its caller hears of it.
          if (random.chance(0.5)) ignoreErrors(effect)
          simulation.stop()
          return
        }
        if (verdict !== 'go') {
          failed(verdict)
          reject(new FileError(verdict, `cannot ${operation} ${path}: ${MESSAGES[verdict]}`))
          return
        }
        try {
          resolve(effect())
        } catch (error) {
          reject(error)
        }
      })
    })

  const found = (operation: string, path: string): Inode => {
    const inode = disk.find(path)
    if (inode === null) throw new FileError('NOT_FOUND', `cannot ${operation} ${path}: ENOENT`)
    return inode
  }

  const openFile = (path: string, inode: Inode): File => {
    let endOffset = inode.content!.sizeBytes
    let closed = false
    const checkOpen = () => {
      if (closed) throw new FileError('IO', `${path} was closed`)
    }
    /** The first `count` bytes, as far as the disk has room. */
    const writePart = (bytes: Uint8Array, count: number) => {
      const room = disk.capacityBytes - disk.usedBytes()
      const part = bytes.subarray(0, Math.max(0, Math.min(count, room)))
      disk.write(inode, endOffset, part)
      endOffset += part.length
      inode.modifiedMs = simulation.clock.wallMs()
      disk.notify(path)
      return part.length
    }
    return {
      syncsWrites: false,
      read: (target, offset) =>
        call('read', path, () => {
          checkOpen()
          const { bytes, sizeBytes } = inode.content!
          const count = Math.max(0, Math.min(target.length, sizeBytes - offset))
          target.set(bytes.subarray(offset, offset + count))
          return count
        }),
      write: (bytes) =>
        call(
          'write',
          path,
          () => {
            checkOpen()
            if (writePart(bytes, bytes.length) < bytes.length) {
              throw new FileError('NO_SPACE', `cannot write ${path}: ENOSPC`)
            }
          },
          // A write that fails may have written a part.
          () => void writePart(bytes, random.below(bytes.length + 1)),
        ),
      sync: () =>
        call(
          'sync',
          path,
          () => {
            checkOpen()
            disk.sync(inode)
          },
          () => disk.failSync(inode),
        ),
      truncate: (sizeBytes) =>
        call('truncate', path, () => {
          checkOpen()
          disk.truncate(inode, sizeBytes)
          endOffset = sizeBytes
        }),
      size: () => call('read', path, () => inode.content!.sizeBytes),
      close: () =>
        call('read', path, () => {
          checkOpen()
          closed = true
        }),
    }
  }

  const removeTree = async (path: string): Promise<void> => {
    const inode = disk.find(path)
    if (inode === null) return
    if (inode.entries !== null) for (const name of [...inode.entries.keys()]) await removeTree(`${path}/${name}`)
    await call('remove', path, () => {
      const { folder, name } = disk.folderOf(path)
      disk.changeNames([{ folder, name, target: null }], path)
    })
  }

  return {
    async open(path, mode) {
      if (mode === 'read' || (mode.startsWith('append') && disk.find(path) !== null)) {
        return call('read', path, () => openFile(path, found('open', path)))
      }
      return call('create', path, () => {
        const there = disk.find(path)
        if (there !== null && mode === 'create') throw new FileError('EXISTS', `cannot create ${path}: EEXIST`)
        return openFile(path, there ?? disk.makeFile(path, simulation.clock.wallMs()))
      })
    },
    rename: (from, to) =>
      call('rename', `${from} to ${to}`, () => {
        const inode = found('rename', from)
        const source = disk.folderOf(from)
        const target = disk.folderOf(to)
        const changes = [
          { folder: source.folder, name: source.name, target: null },
          { folder: target.folder, name: target.name, target: inode },
        ]
        disk.changeNames(changes, from, to)
      }),
    remove: (path) =>
      call('remove', path, () => {
        found('remove', path)
        const { folder, name } = disk.folderOf(path)
        disk.changeNames([{ folder, name, target: null }], path)
      }),
    removeTree,
    link: (existing, name) =>
      call('link', `${existing} as ${name}`, () => {
        const inode = found('link', existing)
        if (disk.find(name) !== null) throw new FileError('EXISTS', `cannot link ${name}: EEXIST`)
        const place = disk.folderOf(name)
        disk.changeNames([{ folder: place.folder, name: place.name, target: inode }], name)
      }),
    async makeDirectory(path) {
      const parts = partsOf(path)
      const made: number[] = []
      for (let depth = 1; depth <= parts.length; depth++) {
        const folder = `/${parts.slice(0, depth).join('/')}`
        if (disk.find(folder) !== null) continue
        made.push(depth)
        await call('makeDirectory', folder, () => {
          if (disk.find(folder) === null) disk.makeFolder(folder)
        })
      }
      // As on a real disk: all are made, then those above them are synced, the deepest first.
      for (let depth = parts.length; depth >= Math.min(parts.length, made[0] ?? parts.length); depth--) {
        const above = `/${parts.slice(0, depth - 1).join('/')}`
        await call('syncDirectory', above, () => disk.syncNames(found('sync', above)))
      }
    },
    list: (path) =>
      call('read', path, () => {
        const inode = found('list', path)
        if (inode.entries === null) throw new FileError('NOT_FOUND', `cannot list ${path}: ENOTDIR`)
        return [...inode.entries.keys()].sort()
      }),
    stat: (path) =>
      call('read', path, () => {
        const inode = disk.find(path)
        if (inode === null) return null
        const isDirectory = inode.content === null
        return { sizeBytes: inode.content?.sizeBytes ?? 0, isDirectory, modifiedMs: inode.modifiedMs }
      }),
    syncDirectory: (path) => call('syncDirectory', path, () => disk.syncNames(found('sync', path))),
    freeBytes: (path) => call('read', path, () => Math.max(0, disk.capacityBytes - disk.usedBytes())),
    lock: (path) =>
      call('read', path, () => {
        if (!disk.lock(path)) throw new FileError('LOCKED', `${path} is in use by this simulated process`)
        return {
          // Letting go is no I/O, and cannot fail.
          release: async () => disk.unlock(path),
        }
      }),
    watch(path, changed) {
      return { close: disk.watch(path, () => void simulation.at(random.below(10), changed)) }
    },
  }
}

function ignoreErrors(effect: () => unknown): void {
  try {
    effect()
  } catch {
    // The caller is gone: nobody is there to hear of it.
  }
}
