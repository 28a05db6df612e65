/** The columns of a sealed block for a kernel that decodes them itself; see `SealedColumns`. */
import type { SealedPages } from '../query/sealed-columns.js'
import type { SealedParts } from '../read/sample-source.js'
import type { BlockIndex } from './block-index.js'
import type { ColumnPages } from './column-pages.js'

const NOT_LOADED = new Uint8Array(0)

export class SealedBlockParts implements SealedParts {
  readonly #index: BlockIndex
  readonly #pages: ColumnPages
  /** What was loaded last: kept even when the cache lets go of it. */
  #held: { readonly start: number; readonly bytes: Uint8Array[] } = { start: 0, bytes: [] }

  constructor(index: BlockIndex, pages: ColumnPages) {
    this.#index = index
    this.#pages = pages
  }

  get pairs(): Uint32Array {
    return this.#index.pairs
  }

  get pairOffsets(): Uint32Array {
    return this.#index.pairOffsets
  }

  get chunkOffsets(): Uint32Array {
    return this.#index.chunkOffsets
  }

  get chunkEnds(): Float64Array {
    return this.#index.chunkEnds
  }

  get chunkTimes(): Uint32Array {
    return this.#index.chunkTimeColumns
  }

  get numbers(): Uint8Array {
    return this.#pages.numbers
  }

  get times(): Uint8Array {
    return this.#index.times
  }

  get timeOffsets(): Uint32Array {
    return this.#index.timeOffsets
  }

  get timeCounts(): Uint32Array {
    return this.#index.timeCounts
  }

  get pageChunks(): Uint32Array {
    return this.#pages.firstChunks
  }

  symbolText(symbol: number): string {
    return this.#index.symbolText(symbol)
  }

  load(series: Uint32Array, from: number, to: number): Promise<void> | undefined {
    const { chunkOffsets } = this.#index
    const firsts = this.#pages.firstChunks
    const start = this.#pages.pageOf(chunkOffsets[series[from]])
    const bytes: Uint8Array[] = []
    const missing: number[] = []
    // Chunks rise with the series: a page is looked for once.
    let nextChunk = 0
    for (let i = from; i < to; i++) {
      const end = chunkOffsets[series[i] + 1]
      for (let chunk = Math.max(nextChunk, chunkOffsets[series[i]]); chunk < end; chunk = nextChunk) {
        const page = this.#pages.pageOf(chunk)
        nextChunk = page + 1 < firsts.length ? firsts[page + 1] : Number.POSITIVE_INFINITY
        const known = this.#pages.get(page)
        while (bytes.length < page - start) bytes.push(NOT_LOADED)
        bytes.push(known ?? NOT_LOADED)
        if (known === undefined) missing.push(page)
      }
    }
    this.#held = { start, bytes }
    return missing.length === 0 ? undefined : this.#read(missing, start, bytes)
  }

  pages(): SealedPages | undefined {
    return this.#pages.isDamaged ? undefined : this.#held
  }

  async #read(missing: readonly number[], start: number, bytes: Uint8Array[]): Promise<void> {
    const read = new Map<number, Uint8Array>()
    await this.#pages.load(missing, read)
    for (const [page, content] of read) bytes[page - start] = content
  }
}
