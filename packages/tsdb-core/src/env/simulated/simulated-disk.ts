/**
 * A disk that knows the difference between written and durable.
 *
 * Each file has the content that programs see, and the content that is durable; what lies between is a list of unsynced
 * writes. Each name has the same two sides. A crash leaves one of the states that a real disk could be in:
 *
 * - what was synced is there, byte for byte;
 * - of unsynced writes each page may be there, be missing (zeros, or the old bytes), be torn, or hold stale bytes of
 *   another file, and the file may be any length between the durable and the written one;
 * - unsynced names (made, renamed, removed) are there or not, a rename always as a whole;
 * - what a *failed* sync was to make durable never becomes durable by a later sync: the system took the pages for clean.
 *
 * Every call that changes or syncs something has an index, counted from 0; `crashAt` and `failAt` name it.
 */
import { FileError, type FileErrorCode } from '../file-system.js'
import type { SeededRandom } from './seeded-random.js'

export type DiskOperation =
  | 'create'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'rename'
  | 'remove'
  | 'link'
  | 'makeDirectory'
  | 'syncDirectory'
  | 'read'

const PAGE_SIZE_BYTES = 512
const KEEP_PROBABILITIES = [0, 0.1, 0.5, 0.9, 1] as const

export interface Inode {
  readonly id: number
  /** Of a file; null for a folder. */
  content: Content | null
  /** Of a folder: what programs see, and what is durable. */
  entries: Map<string, Inode> | null
  durableEntries: Map<string, Inode> | null
  modifiedMs: number
}

interface Content {
  bytes: Uint8Array
  sizeBytes: number
  durable: Uint8Array
  /** What changed since the durable content: ranges that were written, and the shortest that the file has been. */
  unsynced: [start: number, end: number][]
  unsyncedSizeMin: number
}

interface NameChange {
  readonly folder: Inode
  readonly name: string
  readonly target: Inode | null
}

/** The changes of one call: after a crash all of them are there, or none. */
type NameOperation = readonly NameChange[]

export interface DiskFault {
  readonly operation?: DiskOperation
  /** A part of the path. */
  readonly path?: string
  readonly code: FileErrorCode
  /** Leave out so many calls that fit before it strikes. */
  readonly skip?: number
  /** How often it strikes; `Infinity` for always. */
  readonly count?: number
}

export class SimulatedDisk {
  capacityBytes = 2 ** 40
  /** Longest times of a sync and of any other call; each draws its own. */
  syncMsMax = 5
  callMsMax = 0.2
  /** Index of the next call that changes or syncs something. */
  operationCount = 0
  /** Told of each call that changes or syncs something. */
  onOperation: (operation: DiskOperation, path: string) => void = () => {}
  /** What was called, for messages of failing tests. */
  lastOperations: string[] = []
  readonly #root = newFolder(0)
  #inodeCount = 1
  #unsyncedNames: NameOperation[] = []
  #faults: { fault: DiskFault; skip: number; count: number }[] = []
  #crashIndex = -1
  #failIndex = -1
  #failCode: FileErrorCode = 'IO'
  /** Written ranges that a failed sync gave up, and that were not written again since. */
  readonly #doomed = new Map<Inode, [start: number, end: number][]>()
  #locks = new Set<string>()
  #watches = new Set<{ path: string; changed: () => void }>()

  /** The call with this index does not return: see `Simulation.run`. -1 for never. */
  crashAt(operationIndex: number): void {
    this.#crashIndex = operationIndex
  }

  /** The call with this index fails. */
  failAt(operationIndex: number, code: FileErrorCode): void {
    this.#failIndex = operationIndex
    this.#failCode = code
  }

  fail(fault: DiskFault): void {
    this.#faults.push({ fault, skip: fault.skip ?? 0, count: fault.count ?? 1 })
  }

  clearFaults(): void {
    this.#faults = []
    this.#crashIndex = -1
    this.#failIndex = -1
  }

  /** How often the faults of `fail` may still strike. */
  get faultsLeft(): number {
    return this.#faults.reduce((sum, { count }) => sum + count, 0)
  }

  /** Counts the call in, and says what becomes of it. */
  admit(operation: DiskOperation, path: string): 'go' | 'crash' | FileErrorCode {
    const verdict = this.#judge(operation, path)
    if (verdict !== 'go' && operation !== 'read') this.lastOperations.push(`${this.lastOperations.pop()}: ${verdict}`)
    return verdict
  }

  #judge(operation: DiskOperation, path: string): 'go' | 'crash' | FileErrorCode {
    if (operation !== 'read') {
      const index = this.operationCount++
      this.onOperation(operation, path)
      this.lastOperations.push(`${index} ${operation} ${path}`)
      if (this.lastOperations.length > 40) this.lastOperations.shift()
      if (index === this.#crashIndex) return 'crash'
      if (index === this.#failIndex) return this.#failCode
    }
    for (const entry of this.#faults) {
      const { fault } = entry
      if (fault.operation !== undefined && fault.operation !== operation) continue
      if (fault.path !== undefined && !path.includes(fault.path)) continue
      if (entry.skip > 0) entry.skip--
      else if (entry.count > 0) {
        entry.count--
        return fault.code
      }
    }
    return 'go'
  }

  usedBytes(): number {
    const seen = new Set<Inode>()
    let sum = 0
    const visit = (inode: Inode) => {
      if (seen.has(inode)) return
      seen.add(inode)
      if (inode.content !== null) sum += inode.content.sizeBytes
      else for (const child of inode.entries!.values()) visit(child)
    }
    visit(this.#root)
    return sum
  }

  // Names.

  find(path: string): Inode | null {
    let inode: Inode = this.#root
    for (const name of partsOf(path)) {
      const next = inode.entries?.get(name)
      if (next === undefined) return null
      inode = next
    }
    return inode
  }

  folderOf(path: string): { folder: Inode; name: string } {
    const parts = partsOf(path)
    const name = parts.pop() ?? ''
    const folder = this.find(`/${parts.join('/')}`)
    if (folder === null || folder.entries === null) {
      throw new FileError('NOT_FOUND', `cannot open ${path}: its folder is not there`)
    }
    return { folder, name }
  }

  makeFile(path: string, nowMs: number): Inode {
    const inode: Inode = {
      id: this.#inodeCount++,
      content: {
        bytes: new Uint8Array(256),
        sizeBytes: 0,
        durable: new Uint8Array(),
        unsynced: [],
        unsyncedSizeMin: 0,
      },
      entries: null,
      durableEntries: null,
      modifiedMs: nowMs,
    }
    const { folder, name } = this.folderOf(path)
    this.changeNames([{ folder, name, target: inode }], path)
    return inode
  }

  makeFolder(path: string): void {
    const { folder, name } = this.folderOf(path)
    this.changeNames([{ folder, name, target: newFolder(this.#inodeCount++) }], path)
  }

  changeNames(operation: NameOperation, ...paths: string[]): void {
    for (const { folder, name, target } of operation) {
      if (target === null) folder.entries!.delete(name)
      else folder.entries!.set(name, target)
    }
    this.#unsyncedNames.push(operation)
    this.notify(...paths)
  }

  syncNames(folder: Inode): void {
    // In order: a later change of a name must not be made durable before an earlier one.
    const rest: NameOperation[] = []
    for (const operation of this.#unsyncedNames) {
      if (operation.some((change) => change.folder === folder)) makeDurable(operation)
      else rest.push(operation)
    }
    this.#unsyncedNames = rest
  }

  // Content.

  write(inode: Inode, offset: number, bytes: Uint8Array): void {
    const content = inode.content!
    const end = offset + bytes.length
    if (end > content.bytes.length) {
      const grown = new Uint8Array(Math.max(end, content.bytes.length * 2))
      grown.set(content.bytes.subarray(0, content.sizeBytes))
      content.bytes = grown
    }
    content.bytes.fill(0, Math.min(content.sizeBytes, offset), offset > content.sizeBytes ? offset : content.sizeBytes)
    content.bytes.set(bytes, offset)
    content.sizeBytes = Math.max(content.sizeBytes, end)
    if (bytes.length === 0) return
    content.unsynced.push([offset, end])
    const doomed = this.#doomed.get(inode)
    if (doomed !== undefined)
      this.#doomed.set(
        inode,
        doomed.flatMap((range) => without(range, offset, end)),
      )
  }

  truncate(inode: Inode, sizeBytes: number): void {
    const content = inode.content!
    if (sizeBytes > content.sizeBytes) {
      this.write(inode, content.sizeBytes, new Uint8Array(sizeBytes - content.sizeBytes))
      return
    }
    content.bytes.fill(0, sizeBytes, content.sizeBytes)
    content.sizeBytes = sizeBytes
    content.unsyncedSizeMin = Math.min(content.unsyncedSizeMin, sizeBytes)
    content.unsynced = content.unsynced
      .map(([start, end]): [number, number] => [start, Math.min(end, sizeBytes)])
      .filter(([start, end]) => start < end)
  }

  sync(inode: Inode): void {
    const content = inode.content!
    const durable = content.bytes.slice(0, content.sizeBytes)
    // Pages that a failed sync gave up keep their old durable bytes.
    for (const [start, end] of this.#doomed.get(inode) ?? []) {
      for (let at = start; at < Math.min(end, durable.length); at++) durable[at] = content.durable[at] ?? 0
    }
    content.durable = durable
    content.unsynced = []
    content.unsyncedSizeMin = content.sizeBytes
  }

  /** A sync that fails: what it was to make durable is taken for clean, and no later sync will write it. */
  failSync(inode: Inode): void {
    const content = inode.content!
    this.#doomed.set(inode, [...(this.#doomed.get(inode) ?? []), ...content.unsynced])
    content.unsynced = []
  }

  /** Changes of names that a crash may undo. */
  get unsyncedNameCount(): number {
    return this.#unsyncedNames.length
  }

  /** A crash that keeps all that was written, but for one change of names: by its place among those that are not synced. */
  crashWithoutName(random: SeededRandom, lostIndex: number): void {
    this.#unsyncedNames.splice(lostIndex, 1)
    this.crash(random, 1)
  }

  /** Turns the disk into one of the states that it may be in after a crash. */
  crash(random: SeededRandom, keepProbability: number = random.pick(KEEP_PROBABILITIES)): void {
    // Half of the disks keep the order of name changes, as a journal does; the others do not.
    const prefix = random.chance(0.5) ? random.below(this.#unsyncedNames.length + 1) : -1
    this.#unsyncedNames.forEach((operation, index) => {
      const kept = keepProbability === 1 || (prefix >= 0 ? index < prefix : random.chance(keepProbability))
      if (kept && keepProbability > 0) makeDurable(operation)
    })
    this.#unsyncedNames = []
    const stale = this.#anyContent(random)
    const visit = (inode: Inode) => {
      if (inode.content !== null) this.#crashContent(inode, inode.content, random, keepProbability, stale)
      else {
        inode.entries = new Map(inode.durableEntries)
        for (const child of inode.entries.values()) visit(child)
      }
    }
    visit(this.#root)
    this.#doomed.clear()
    this.#locks.clear()
    this.#watches.clear()
  }

  #crashContent(
    inode: Inode,
    content: Content,
    random: SeededRandom,
    keepProbability: number,
    stale: Uint8Array,
  ): void {
    const written = content.bytes.subarray(0, content.sizeBytes)
    const sizeMin = Math.min(content.durable.length, content.unsyncedSizeMin, content.sizeBytes)
    const sizeMax = Math.max(content.durable.length, content.sizeBytes)
    const changed = [...content.unsynced, ...(this.#doomed.get(inode) ?? [])]
    if (changed.length === 0 && sizeMin === sizeMax) return
    let sizeBytes = content.durable.length
    if (keepProbability === 1) sizeBytes = content.sizeBytes
    else if (keepProbability > 0) {
      sizeBytes = random.pick([sizeMin, sizeMax, sizeMin + random.below(sizeMax - sizeMin + 1)])
    }
    // A truncation that was not synced may be undone, but what was durable stays as long as it is not cut off.
    if (content.unsyncedSizeMin >= content.durable.length) sizeBytes = Math.max(sizeBytes, content.durable.length)
    const left = new Uint8Array(sizeBytes)
    left.set(content.durable.subarray(0, sizeBytes))
    for (const [start, end] of changed) {
      for (let at = start; at < Math.min(end, sizeBytes); ) {
        const pageEnd = Math.min(end, sizeBytes, (Math.floor(at / PAGE_SIZE_BYTES) + 1) * PAGE_SIZE_BYTES)
        crashPage(left, written, stale, at, pageEnd, random, keepProbability)
        at = pageEnd
      }
    }
    content.bytes = left.slice()
    content.durable = left
    content.sizeBytes = sizeBytes
    content.unsynced = []
    content.unsyncedSizeMin = sizeBytes
  }

  #anyContent(random: SeededRandom): Uint8Array {
    const contents: Uint8Array[] = []
    const visit = (inode: Inode) => {
      if (inode.content !== null) contents.push(inode.content.bytes.slice(0, inode.content.sizeBytes))
      else for (const child of inode.entries!.values()) visit(child)
    }
    visit(this.#root)
    return contents.length > 0 ? random.pick(contents) : new Uint8Array()
  }

  // Locks and watches: the process's, so that they end with it.

  lock(path: string): boolean {
    if (this.#locks.has(path)) return false
    this.#locks.add(path)
    return true
  }

  unlock(path: string): void {
    this.#locks.delete(path)
  }

  releaseLocks(): void {
    this.#locks.clear()
    this.#watches.clear()
  }

  watch(path: string, changed: () => void): () => void {
    const entry = { path, changed }
    this.#watches.add(entry)
    return () => this.#watches.delete(entry)
  }

  notify(...paths: string[]): void {
    for (const watch of this.#watches) {
      if (paths.some((path) => path === watch.path || path.slice(0, path.lastIndexOf('/')) === watch.path)) {
        watch.changed()
      }
    }
  }

  // For tests: damage, and looking at what is there.

  /** Flips one bit, in what is seen and in what is durable. */
  flipBit(path: string, bitIndex: number): void {
    const content = this.find(path)!.content!
    const offset = bitIndex >> 3
    content.bytes[offset] ^= 1 << (bitIndex & 7)
    if (offset < content.durable.length) content.durable[offset] ^= 1 << (bitIndex & 7)
  }

  /** Replaces a file's content, durably. */
  replace(path: string, bytes: Uint8Array): void {
    const content = this.find(path)!.content!
    content.bytes = bytes.slice()
    content.durable = bytes.slice()
    content.sizeBytes = bytes.length
    content.unsynced = []
    content.unsyncedSizeMin = bytes.length
  }

  read(path: string): Uint8Array {
    const content = this.find(path)!.content!
    return content.bytes.slice(0, content.sizeBytes)
  }

  /** Paths of all files, sorted. */
  paths(): string[] {
    const found: string[] = []
    const visit = (inode: Inode, path: string) => {
      if (inode.content !== null) found.push(path)
      else for (const [name, child] of inode.entries!) visit(child, `${path}/${name}`)
    }
    visit(this.#root, '')
    return found.sort()
  }

  /** A second disk in the same state, unsynced changes included; without locks, faults and crash point. */
  fork(): SimulatedDisk {
    const copy = new SimulatedDisk()
    const copies = new Map<Inode, Inode>([[this.#root, copy.#root]])
    const copied = (inode: Inode): Inode => {
      let twin = copies.get(inode)
      if (twin === undefined) {
        twin = { ...inode, content: inode.content === null ? null : copyContent(inode.content) }
        copies.set(inode, twin)
        copyEntries(inode, twin)
      }
      return twin
    }
    const copyEntries = (inode: Inode, twin: Inode) => {
      if (inode.entries === null) return
      twin.entries = new Map([...inode.entries].map(([name, child]) => [name, copied(child)]))
      twin.durableEntries = new Map([...inode.durableEntries!].map(([name, child]) => [name, copied(child)]))
    }
    copyEntries(this.#root, copy.#root)
    copy.#inodeCount = this.#inodeCount
    copy.capacityBytes = this.capacityBytes
    copy.operationCount = this.operationCount
    copy.#unsyncedNames = this.#unsyncedNames.map((operation) =>
      operation.map(({ folder, name, target }) => ({
        folder: copied(folder),
        name,
        target: target === null ? null : copied(target),
      })),
    )
    for (const [inode, ranges] of this.#doomed) copy.#doomed.set(copied(inode), [...ranges])
    return copy
  }
}

function without([start, end]: [number, number], from: number, to: number): [number, number][] {
  const parts: [number, number][] = [
    [start, Math.min(end, from)],
    [Math.max(start, to), end],
  ]
  return parts.filter((part) => part[0] < part[1])
}

function newFolder(id: number): Inode {
  return { id, content: null, entries: new Map(), durableEntries: new Map(), modifiedMs: 0 }
}

function copyContent(content: Content): Content {
  return { ...content, bytes: content.bytes.slice(), durable: content.durable.slice(), unsynced: [...content.unsynced] }
}

function makeDurable(operation: NameOperation): void {
  for (const { folder, name, target } of operation) {
    if (target === null) folder.durableEntries!.delete(name)
    else folder.durableEntries!.set(name, target)
  }
}

/** Kept, lost, torn in the middle, or stale bytes of something else. */
function crashPage(
  left: Uint8Array,
  written: Uint8Array,
  stale: Uint8Array,
  start: number,
  end: number,
  random: SeededRandom,
  keepProbability: number,
): void {
  const keep = (to: number) => left.set(written.subarray(start, Math.min(to, written.length)), start)
  if (random.chance(keepProbability)) {
    keep(end)
    return
  }
  const fate = keepProbability === 0 ? 0 : random.below(4)
  if (fate === 1) keep(start + random.below(end - start))
  else if (fate === 2) {
    const from = random.below(Math.max(1, stale.length))
    left.set(stale.subarray(from, from + end - start), start)
  } else if (fate === 3) for (let at = start; at < end; at++) left[at] = random.u32()
}

export function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}
