/** One sealed block of a namespace: opened when it is first read, closed when nobody reads it and it is gone or cold. */
import type { FileSystem } from '../env/file-system.js'
import { StorageError } from '../errors.js'
import { MatchCache } from '../index/match-cache.js'
import { matchSeries } from '../index/match-series.js'
import type { ManifestBlock } from '../manifest.js'
import type { MemoryBudget } from '../memory-budget.js'
import { compileMatcher } from '../query/label-matcher.js'
import type { BlockIndex } from './block-index.js'
import { BlockReader } from './block-reader.js'
import { BlockSource } from './block-source.js'
import { ColumnPages } from './column-pages.js'
import type { BlockIdentity } from './format.js'
import type { HistogramRuns } from './histogram-runs.js'

interface Opened {
  readonly reader: BlockReader
  readonly index: BlockIndex
  readonly pages: ColumnPages
  readonly histograms: HistogramRuns | undefined
}

export class SealedBlock {
  entry: ManifestBlock
  readonly identity: BlockIdentity
  readonly path: string
  /** Queries that use it now. */
  users = 0
  /** On the monotonic clock. */
  lastUsedMs = 0
  /** It has samples that a drop policy holds for a while: it is written again once they may go. Forgotten at a restart. */
  holdsSamples = false
  readonly createdMs: number
  #removed = false
  readonly #files: FileSystem
  readonly #memory: MemoryBudget
  #opening: Promise<Opened> | undefined
  #opened: Opened | undefined
  #deleted: Map<number, number[]> | undefined
  #deletedFor: ManifestBlock['deletions'] | undefined

  constructor(
    entry: ManifestBlock,
    identity: BlockIdentity,
    path: string,
    files: FileSystem,
    memory: MemoryBudget,
    createdMs: number,
  ) {
    this.entry = entry
    this.identity = identity
    this.path = path
    this.createdMs = createdMs
    this.#files = files
    this.#memory = memory
  }

  /** What a query reads. @throws {StorageError} `CORRUPT` when the block cannot be read. */
  async source(pause: () => Promise<void> | undefined, warn: (message: string) => void): Promise<BlockSource> {
    const { reader, index, pages, histograms } = await this.#open(pause)
    return new BlockSource({
      index,
      pages,
      startMs: this.entry.startMs,
      endMs: this.entry.endMs,
      flags: reader.footer.flags,
      histograms,
      deleted: this.#deletedRanges(index),
      warn,
    })
  }

  /** Lets go of answers and cached pages, then of the index when nobody uses the block; returns how many bytes. */
  shrink(bytesWanted: number): number {
    const opened = this.#opened
    if (opened === undefined) return 0
    // Found again in less time than a page is read.
    let freed = opened.index.matches.clear()
    if (freed < bytesWanted) freed += opened.pages.shrink(bytesWanted - freed)
    if (freed >= bytesWanted || this.users > 0) return freed
    this.#close(opened)
    return freed + sizeOf(opened)
  }

  /** Its file is gone, or about to be: closed as soon as nobody reads it. */
  remove(): void {
    this.#removed = true
    this.#closeIfUnused()
  }

  release(): void {
    this.users--
    this.#closeIfUnused()
  }

  async close(): Promise<void> {
    const opened = this.#opened
    if (opened !== undefined) await this.#close(opened)
  }

  #closeIfUnused(): void {
    if (this.#removed && this.users === 0 && this.#opened !== undefined) this.#close(this.#opened)
  }

  #close(opened: Opened): Promise<void> {
    this.#opened = undefined
    this.#opening = undefined
    opened.pages.shrink(Number.POSITIVE_INFINITY)
    opened.index.matches.clear()
    this.#memory.addCacheBytes(-sizeOf(opened))
    return opened.reader.close()
  }

  async #open(pause: () => Promise<void> | undefined): Promise<Opened> {
    this.#opening ??= this.#readAll(pause).catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  async #readAll(pause: () => Promise<void> | undefined): Promise<Opened> {
    const reader = await BlockReader.open(this.#files, this.path, this.identity)
    try {
      const { digest, fileSizeBytes } = reader.footer
      if (digest !== this.entry.digest || fileSizeBytes !== this.entry.sizeBytes) {
        throw new StorageError(
          'CORRUPT',
          `${this.path}: another block than the manifest has: digest ${digest} in ${fileSizeBytes} bytes, expected ${this.entry.digest} in ${this.entry.sizeBytes}`,
        )
      }
      const matches = new MatchCache((deltaBytes) => this.#memory.addCacheBytes(deltaBytes))
      const index = await reader.readIndex(pause, matches)
      const histograms = reader.footer.histogramSeriesCount > 0 ? await reader.readHistograms() : undefined
      const opened = { reader, index, pages: new ColumnPages(reader, index, this.#memory), histograms }
      this.#memory.addCacheBytes(sizeOf(opened))
      this.#opened = opened
      return opened
    } catch (error) {
      await reader.close()
      throw error
    }
  }

  #deletedRanges(index: BlockIndex): Map<number, number[]> | undefined {
    const { deletions } = this.entry
    if (deletions.length === 0) return undefined
    if (this.#deletedFor === deletions) return this.#deleted
    const ranges = new Map<number, number[]>()
    for (const { matchers, startMs, endMs } of deletions) {
      for (const series of matchSeries(index, matchers.map(compileMatcher))) {
        const known = ranges.get(series)
        if (known === undefined) ranges.set(series, [startMs, endMs])
        else known.push(startMs, endMs)
      }
    }
    this.#deletedFor = deletions
    this.#deleted = ranges
    return ranges
  }
}

function sizeOf({ index, histograms }: Opened): number {
  return index.sizeBytes + (histograms?.sizeBytes ?? 0)
}
