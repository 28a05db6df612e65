/**
 * The sealed blocks of one namespace on disk: its manifest, its files, and what is done with them.
 *
 * **B1** A reader sees each sample through seal, merge, swap and delete exactly once. *Held by* `acquire`, which takes its
 * list in one turn, and by the swaps, which change list and head in one turn, after the manifest is durable.
 * **B2** A file is in the manifest only once it is synced under its name; a file leaves the disk only once the manifest
 * without it is durable.
 *
 * Only one change runs at a time: the database sees to it.
 */
import type { Clock } from '../env/clock.js'
import { FileError, type FileSystem } from '../env/file-system.js'
import { StorageError } from '../errors.js'
import type { OpenBlock } from '../head/open-block.js'
import { type Deletion, type Manifest, type ManifestBlock, type SealedWindow, writeManifest } from '../manifest.js'
import type { MemoryBudget } from '../memory-budget.js'
import type { NamespaceOptions, Notice } from '../options.js'
import type { DropPolicy } from '../raw-drop.js'
import type { SampleSource } from '../read/sample-source.js'
import { pauser } from '../read/select-series.js'
import type { AcquiredBlocks, SealedBlocks, SealedStats } from '../sealed-blocks.js'
import { BlockReader } from './block-reader.js'
import { blockFileName, parseBlockFileName } from './format.js'
import { type MergePlan, planMerge } from './merge-plan.js'
import { SealedBlock } from './sealed-block.js'
import { writeBlock } from './write-block.js'

export interface BlockStoreParts {
  readonly files: FileSystem
  readonly clock: Clock
  readonly memory: MemoryBudget
  /** Of the namespace. */
  readonly directory: string
  readonly name: string
  readonly id: number
  readonly options: () => NamespaceOptions
  readonly dropPolicy: () => DropPolicy | null
  /** Makes durable that samples up to here may be missing. */
  readonly markDropped: (untilMs: number) => Promise<void>
  readonly notice: (severity: Notice['severity'], message: string) => void
}

/** An open block that was taken out of its head, and how it is read. */
export interface FrozenBlock {
  readonly shard: number
  readonly block: OpenBlock
  readonly source: SampleSource
}

/** A backfill has hundreds of open blocks: each manifest costs two syncs. */
const SEALS_PER_MANIFEST = 64

/** So many different damages are told; more of them say nothing new. */
const TOLD_COUNT_MAX = 1000

export class BlockStore implements SealedBlocks {
  readonly #parts: BlockStoreParts
  readonly #told = new Set<string>()
  #blocks: SealedBlock[] = []
  #sealedWindows: SealedWindow[] = []
  #nextGeneration = 1
  #conflictCount = 0
  readonly #stopShrinking: () => void

  constructor(parts: BlockStoreParts) {
    this.#parts = parts
    this.#stopShrinking = parts.memory.onShortage((bytesWanted) => this.#shrink(bytesWanted))
  }

  /** Makes the folder of a new namespace, durable. */
  async create(): Promise<void> {
    const { files, directory } = this.#parts
    await files.makeDirectory(directory)
    await this.#writeManifest(this.#blocks, this.#sealedWindows)
    await files.syncDirectory(parentOf(directory))
  }

  /** Takes over what the manifest lists, and removes what a crash left behind. */
  async load(manifest: Manifest): Promise<void> {
    const { clock } = this.#parts
    this.#nextGeneration = manifest.nextGeneration
    this.#sealedWindows = [...manifest.sealedWindows]
    // Old enough that late generations found on disk are merged at once.
    const createdMs = clock.monotonicMs() - 3_600_000
    this.#blocks = manifest.blocks.map((entry) => this.#sealedBlock(entry, createdMs))
    this.#sort()
    await this.#removeLeftovers(new Set(manifest.blocks.map((entry) => `${entry.shard}/${entry.fileName}`)))
    await this.#syncNames(new Set(manifest.blocks.map((entry) => entry.shard)))
    for (const block of this.#blocks) {
      if ((await this.#parts.files.stat(block.path)) === null) {
        this.#parts.notice('error', `${block.path}: the manifest lists this block, but the file is missing`)
      }
    }
  }

  /** The process that made these files may have been killed before their names were durable. */
  async #syncNames(shards: ReadonlySet<number>): Promise<void> {
    const { files, directory } = this.#parts
    await files.syncDirectory(directory)
    for (const shard of shards) {
      const folder = `${directory}/${shard}`
      if ((await files.stat(folder)) !== null) await files.syncDirectory(folder)
    }
  }

  /** Makes a list from the files themselves, for a namespace whose manifest cannot be read. */
  async recover(): Promise<void> {
    const { files, directory, name, clock } = this.#parts
    const found: SealedBlock[] = []
    for (const shardName of await files.list(directory)) {
      const shard = Number(shardName)
      if (!Number.isInteger(shard)) continue
      for (const fileName of await files.list(`${directory}/${shardName}`)) {
        const parsed = parseBlockFileName(fileName)
        if (parsed === undefined) continue
        const path = `${directory}/${shardName}/${fileName}`
        this.#nextGeneration = Math.max(this.#nextGeneration, parsed.generation + 1)
        try {
          const reader = await BlockReader.open(files, path, { namespace: name, shard, ...parsed })
          await reader.close()
          const { digest, fileSizeBytes, seriesCount, sampleCount, firstMs, lastMs } = reader.footer
          const entry = {
            ...parsed,
            shard,
            fileName,
            sizeBytes: fileSizeBytes,
            digest,
            seriesCount,
            sampleCount,
            firstMs,
            lastMs,
            deletions: [],
          }
          found.push(this.#sealedBlock(entry, clock.monotonicMs()))
        } catch (error) {
          this.#parts.notice('error', messageOf(error))
        }
      }
    }
    this.#blocks = found
    this.#sort()
    await this.#writeManifest(this.#blocks, this.#sealedWindows)
  }

  get blocks(): readonly SealedBlock[] {
    return this.#blocks
  }

  /** Damage that queries find: each meets it again, the log has it once. */
  #tellOnce(message: string): void {
    if (this.#told.has(message) || this.#told.size === TOLD_COUNT_MAX) return
    this.#told.add(message)
    this.#parts.notice('error', message)
  }

  acquire(shard: number, startMs: number, endMs: number): AcquiredBlocks {
    const blocks = this.#blocks.filter(
      ({ entry }) => entry.shard === shard && entry.firstMs < endMs && entry.lastMs >= startMs,
    )
    for (const block of blocks) {
      block.users++
      block.lastUsedMs = this.#parts.clock.monotonicMs()
    }
    let isReleased = false
    return {
      blockCount: blocks.length,
      sources: async () => {
        const sources: SampleSource[] = []
        const warnings: string[] = []
        const warned = new Set<string>()
        const warn = (message: string) => {
          if (warned.has(message)) return
          warned.add(message)
          warnings.push(message)
          this.#tellOnce(message)
        }
        const pause = pauser(this.#parts.clock)
        for (const block of blocks) {
          try {
            sources.push(await block.source(pause, warn))
          } catch (error) {
            if (!(error instanceof StorageError || error instanceof FileError)) throw error
            warn(`a block could not be read and is left out: ${error.message}`)
          }
        }
        return { sources, warnings }
      },
      release: () => {
        if (isReleased) return
        isReleased = true
        for (const block of blocks) block.release()
      },
    }
  }

  /** The segment before which samples of this window are in sealed blocks. */
  sealedBefore(shard: number, windowStartMs: number): number {
    let segment = 0
    for (const window of this.#sealedWindows) {
      if (window.shard === shard && window.startMs === windowStartMs) segment = Math.max(segment, window.segment)
    }
    return segment
  }

  /**
   * Writes frozen open blocks. `swap` is called with each block in the turn in which readers begin to see its file.
   *
   * `segment`: all samples of their windows that stand in earlier segments of the commit log are in sealed blocks with them.
   */
  async seal(frozen: readonly FrozenBlock[], segment: number, swap: (one: FrozenBlock) => void): Promise<void> {
    for (let from = 0; from < frozen.length; from += SEALS_PER_MANIFEST) {
      const some = frozen.slice(from, from + SEALS_PER_MANIFEST)
      const blocks = [...this.#blocks]
      let windows = this.#sealedWindows
      for (const [index, { shard, block, source }] of some.entries()) {
        const { written } = await this.#write(shard, block.startMs, block.endMs, [source], true)
        if (written !== undefined) blocks.push(written)
        // Until the last block of a window is written, the log is still needed for it.
        const isSame = (other: FrozenBlock) => other.shard === shard && other.block.startMs === block.startMs
        if (frozen.slice(from + index + 1).some(isSame)) continue
        windows = windows.filter((window) => window.shard !== shard || window.startMs !== block.startMs)
        windows.push({ shard, startMs: block.startMs, segment })
      }
      await this.#writeManifest(blocks, windows)
      this.#blocks = blocks
      this.#sealedWindows = windows
      this.#sort()
      for (const one of some) swap(one)
    }
  }

  /** Does the next merge that is worth doing in a shard; false when there is none. */
  async merge(shard: number, options: { eager: boolean; completeBeforeMs: number }): Promise<boolean> {
    const { clock, options: current } = this.#parts
    const { blockSizeMs, retentionMs } = current()
    const policy = this.#parts.dropPolicy()
    const candidates = this.#blocks
      .filter((block) => block.entry.shard === shard)
      .map((block) => ({
        block,
        startMs: block.entry.startMs,
        endMs: block.entry.endMs,
        createdMs: block.createdMs,
        hasDeletions: block.entry.deletions.length > 0 || releasesSamples(block, policy),
        seriesCount: block.entry.seriesCount,
      }))
    const plan = planMerge(candidates, { blockSizeMs, retentionMs, nowMs: clock.monotonicMs(), ...options })
    if (plan === undefined) return false
    return this.#merge(shard, { ...plan, blocks: plan.blocks.map(({ block }) => block) })
  }

  /** Forgets blocks that ended before `cutoffMs`, and the oldest ones while all take more than `sizeBytesMax` (0: any). */
  async expire(cutoffMs: number, sizeBytesMax: number): Promise<void> {
    let gone = this.#blocks.filter(({ entry }) => entry.endMs <= cutoffMs)
    if (sizeBytesMax > 0) {
      const left = this.#blocks.filter((block) => !gone.includes(block)).sort((a, b) => a.entry.endMs - b.entry.endMs)
      let sizeBytes = left.reduce((sum, block) => sum + block.entry.sizeBytes, 0)
      for (const block of left) {
        if (sizeBytes <= sizeBytesMax) break
        gone = [...gone, block]
        sizeBytes -= block.entry.sizeBytes
      }
    }
    if (gone.length > 0) await this.#replace(gone, undefined)
  }

  /** Hides samples of all blocks of the range until a merge leaves them out. */
  async addDeletion(deletion: Deletion): Promise<void> {
    const touched = this.#blocks.filter(
      ({ entry }) => entry.firstMs < deletion.endMs && entry.lastMs >= deletion.startMs,
    )
    if (touched.length === 0) return
    const entries = this.#blocks.map((block) =>
      touched.includes(block) ? { ...block.entry, deletions: [...block.entry.deletions, deletion] } : block.entry,
    )
    await this.#writeEntries(entries, this.#sealedWindows)
    this.#blocks.forEach((block, i) => {
      block.entry = entries[i]
    })
  }

  /** Forgets marks that no segment of the log needs any more. */
  forgetWindows(firstSegment: number): void {
    this.#sealedWindows = this.#sealedWindows.filter((window) => window.segment > firstSegment)
  }

  /** Writes the manifest with options changed. */
  async writeOptions(): Promise<void> {
    await this.#writeManifest(this.#blocks, this.#sealedWindows)
  }

  /** Removes the namespace from disk. */
  async removeAll(): Promise<void> {
    const { files, directory } = this.#parts
    this.#stopShrinking()
    for (const block of this.#blocks) block.remove()
    this.#blocks = []
    await files.removeTree(directory)
    await files.syncDirectory(parentOf(directory))
  }

  /** Copies manifest and files to another folder, the files as hard links. */
  async linkTo(directory: string): Promise<void> {
    const { files } = this.#parts
    await files.makeDirectory(directory)
    const shards = new Set<string>()
    for (const { entry, path } of this.#blocks) {
      const target = `${directory}/${entry.shard}`
      await files.makeDirectory(target)
      await files.link(path, `${target}/${entry.fileName}`)
      shards.add(target)
    }
    for (const target of shards) await files.syncDirectory(target)
    await writeManifest(
      files,
      directory,
      this.#manifest(
        this.#blocks.map((block) => block.entry),
        [],
      ),
    )
  }

  async close(): Promise<void> {
    this.#stopShrinking()
    for (const block of this.#blocks) await block.close()
  }

  stats(): SealedStats {
    let sealedSampleCount = 0
    let sealedSizeBytes = 0
    let firstMs: number | undefined
    let lastMs: number | undefined
    for (const { entry } of this.#blocks) {
      sealedSampleCount += entry.sampleCount
      sealedSizeBytes += entry.sizeBytes
      firstMs = Math.min(firstMs ?? entry.firstMs, entry.firstMs)
      lastMs = Math.max(lastMs ?? entry.lastMs, entry.lastMs)
    }
    const conflictingSampleCount = this.#conflictCount
    return {
      sealedBlockCount: this.#blocks.length,
      sealedSampleCount,
      sealedSizeBytes,
      conflictingSampleCount,
      firstMs,
      lastMs,
    }
  }

  async #merge(shard: number, plan: MergePlan<SealedBlock>): Promise<boolean> {
    const { clock, notice } = this.#parts
    const pause = pauser(clock)
    const sources: SampleSource[] = []
    const problems: string[] = []
    for (const block of plan.blocks) block.users++
    try {
      for (const block of [...plan.blocks].sort((a, b) => a.entry.generation - b.entry.generation)) {
        sources.push(await block.source(pause, (message) => problems.push(message)))
      }
      const { written, conflictCount } = await this.#write(shard, plan.startMs, plan.endMs, sources, false)
      if (problems.length > 0) {
        // What cannot be read stays where it is, for a repair; merging would make the loss final.
        if (written !== undefined) await this.#parts.files.remove(written.path)
        throw new StorageError('CORRUPT', problems.join('; '))
      }
      await this.#replace(plan.blocks, written)
      this.#tellConflicts(conflictCount, plan)
      return true
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'CORRUPT') throw error
      notice('error', `blocks are not merged: ${error.message}`)
      return false
    } finally {
      for (const block of plan.blocks) block.release()
    }
  }

  #tellConflicts(count: number, { startMs, endMs }: MergePlan<SealedBlock>): void {
    if (count === 0) return
    this.#conflictCount += count
    const { name, notice } = this.#parts
    const range = `${new Date(startMs).toISOString()} to ${new Date(endMs).toISOString()}`
    notice('warning', `namespace ${name}, ${range}: ${count} samples contradicted sealed ones; the larger values stay`)
  }

  async #replace(gone: readonly SealedBlock[], written: SealedBlock | undefined): Promise<void> {
    const { files } = this.#parts
    const blocks = this.#blocks.filter((block) => !gone.includes(block))
    if (written !== undefined) blocks.push(written)
    await this.#writeManifest(blocks, this.#sealedWindows)
    this.#blocks = blocks
    this.#sort()
    for (const block of gone) {
      block.remove()
      await files.remove(block.path).catch((error: unknown) => {
        if (!(error instanceof FileError && error.code === 'NOT_FOUND')) throw error
      })
    }
  }

  async #write(
    shard: number,
    startMs: number,
    endMs: number,
    sources: readonly SampleSource[],
    keepsAbsent: boolean,
  ): Promise<{ written: SealedBlock | undefined; conflictCount: number }> {
    const { files, clock, directory, name, options } = this.#parts
    const { resolutionMs } = options()
    const generation = this.#nextGeneration++
    const identity = { namespace: name, shard, startMs, endMs, generation }
    const policy = resolutionMs > 0 ? null : this.#parts.dropPolicy()
    const drop = policy?.forBlock(startMs, endMs) ?? null
    // Durable before a sample is missing (D2): also when this block is not finished.
    if (drop !== null) await this.#parts.markDropped(Math.min(drop.untilMs, endMs - 1))
    const { written, droppedSampleCount, conflictCount } = await writeBlock({
      files,
      directory: `${directory}/${shard}`,
      identity,
      sources,
      aggregated: resolutionMs > 0,
      keepsAbsent,
      drop,
      pause: pauser(clock),
    })
    if (droppedSampleCount > 0) policy?.dropped(droppedSampleCount)
    if (written === undefined) return { written: undefined, conflictCount }
    const { fileName: _, ...facts } = written
    const entry = { shard, fileName: blockFileName(identity), startMs, endMs, generation, ...facts, deletions: [] }
    const block = this.#sealedBlock(entry, clock.monotonicMs())
    block.holdsSamples = policy != null && isHeld(policy, startMs, endMs, drop?.untilMs)
    return { written: block, conflictCount }
  }

  #sealedBlock(entry: ManifestBlock, createdMs: number): SealedBlock {
    const { directory, name, files, memory } = this.#parts
    const { shard, startMs, endMs, generation, fileName } = entry
    const identity = { namespace: name, shard, startMs, endMs, generation }
    return new SealedBlock(entry, identity, `${directory}/${shard}/${fileName}`, files, memory, createdMs)
  }

  #sort(): void {
    this.#blocks.sort((a, b) => a.entry.generation - b.entry.generation)
  }

  async #writeManifest(blocks: readonly SealedBlock[], windows: readonly SealedWindow[]): Promise<void> {
    await this.#writeEntries(
      blocks.map((block) => block.entry),
      windows,
    )
  }

  async #writeEntries(entries: readonly ManifestBlock[], windows: readonly SealedWindow[]): Promise<void> {
    await writeManifest(this.#parts.files, this.#parts.directory, this.#manifest(entries, windows))
  }

  #manifest(blocks: readonly ManifestBlock[], sealedWindows: readonly SealedWindow[]): Manifest {
    const { id, options } = this.#parts
    return { id, options: options(), nextGeneration: this.#nextGeneration, blocks, sealedWindows }
  }

  async #removeLeftovers(listed: ReadonlySet<string>): Promise<void> {
    const { files, directory, notice } = this.#parts
    for (const shard of await files.list(directory)) {
      if (!/^\d+$/.test(shard)) continue
      for (const fileName of await files.list(`${directory}/${shard}`)) {
        if (listed.has(`${shard}/${fileName}`)) continue
        await files.remove(`${directory}/${shard}/${fileName}`)
        notice('info', `removed ${directory}/${shard}/${fileName}, left over from an interrupted seal or merge`)
      }
    }
  }

  /** Pages and indexes of the blocks least used go first. */
  #shrink(bytesWanted: number): void {
    let left = bytesWanted
    for (const block of [...this.#blocks].sort((a, b) => a.lastUsedMs - b.lastUsedMs)) {
      if (left <= 0) return
      left -= block.shrink(left)
    }
  }
}

/** Whether some of the block may be dropped that was not yet. */
function isHeld(policy: DropPolicy, startMs: number, endMs: number, untilMs = Number.NEGATIVE_INFINITY): boolean {
  return untilMs < endMs - 1 && policy.droppableUntilMs(startMs, endMs) !== Number.POSITIVE_INFINITY
}

/** The samples that were held when the block was written are not needed any more. */
function releasesSamples(block: SealedBlock, policy: DropPolicy | null): boolean {
  if (!block.holdsSamples || policy === null) return false
  const { startMs, endMs } = block.entry
  return policy.droppableUntilMs(startMs, endMs) >= endMs - 1
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/'
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
