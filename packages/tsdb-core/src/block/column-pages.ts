/**
 * Pages of a block's values section, read on demand and kept while the memory budget allows.
 *
 * A page holds whole chunks, some 64 KiB of them, so that a column is decoded where it lies. Its columns are verified when it
 * is read; those that do not check are remembered with the reason.
 */
import { readSealedValuesHeader, type SealedValuesHeader, sealedValuesAreNumbers } from '@varve/gorilla-codec'
import type { MemoryBudget } from '../memory-budget.js'
import type { BlockIndex } from './block-index.js'
import type { BlockReader } from './block-reader.js'

const PAGE_SIZE_BYTES = 64 * 1024
/** Neighbouring pages are read at once up to this. */
const READ_SIZE_BYTES_MAX = 1024 * 1024

const HEADER: SealedValuesHeader = { encoding: 0, count: 0, min: 0, max: 0, sum: 0 }

export class ColumnPages {
  readonly #reader: BlockReader
  readonly #index: BlockIndex
  readonly #memory: MemoryBudget
  readonly #firstChunks: Uint32Array
  readonly #pages = new Map<number, Uint8Array>()
  readonly #damages = new Map<number, string>()
  /** One bit a chunk of the pages that were read: no value is NaN. Asking the bytes would bring them into the cache. */
  readonly #numbers: Uint8Array
  #lastPage = 0
  sizeBytes = 0

  /** First chunk of each page. */
  get firstChunks(): Uint32Array {
    return this.#firstChunks
  }

  /** The bits behind `holdsNumbers`. */
  get numbers(): Uint8Array {
    return this.#numbers
  }

  /** Whether any column that was read is damaged. */
  get isDamaged(): boolean {
    return this.#damages.size > 0
  }

  constructor(reader: BlockReader, index: BlockIndex, memory: MemoryBudget) {
    this.#reader = reader
    this.#index = index
    this.#memory = memory
    this.#firstChunks = pageStarts(index)
    this.#numbers = new Uint8Array((index.chunkEnds.length >>> 3) + 1)
  }

  pageOf(chunk: number): number {
    const firsts = this.#firstChunks
    // Asked for series after series.
    const last = this.#lastPage
    if (firsts[last] <= chunk && (last + 1 === firsts.length || chunk < firsts[last + 1])) return last
    let low = 0
    let high = firsts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (firsts[middle] <= chunk) low = middle
      else high = middle - 1
    }
    this.#lastPage = low
    return low
  }

  /** Where the page begins in the values section. */
  startOf(page: number): number {
    const chunk = this.#firstChunks[page]
    return chunk === 0 ? 0 : this.#index.chunkEnds[chunk - 1]
  }

  get(page: number): Uint8Array | undefined {
    const bytes = this.#pages.get(page)
    if (bytes !== undefined) {
      // The map's order is the order of use, oldest first.
      this.#pages.delete(page)
      this.#pages.set(page, bytes)
    }
    return bytes
  }

  /** What is wrong with a chunk of a page that was read. */
  damageOf(chunk: number): string | undefined {
    return this.#damages.size === 0 ? undefined : this.#damages.get(chunk)
  }

  /** Whether a chunk of a page that was read is known to hold numbers only, no NaN. */
  holdsNumbers(chunk: number): boolean {
    return (this.#numbers[chunk >>> 3] & (1 << (chunk & 7))) !== 0
  }

  /** Reads these pages, rising, and puts them into `held` too. */
  async load(pages: readonly number[], held: Map<number, Uint8Array>): Promise<void> {
    for (let i = 0; i < pages.length; ) {
      let end = i + 1
      while (
        end < pages.length &&
        pages[end] === pages[end - 1] + 1 &&
        this.#endOf(pages[end]) - this.startOf(pages[i]) <= READ_SIZE_BYTES_MAX
      ) {
        end++
      }
      await this.#read(pages.slice(i, end), held)
      i = end
    }
  }

  /** Lets go of the pages least used, up to so many bytes; returns how many. */
  shrink(bytesWanted: number): number {
    let freed = 0
    for (const [page, bytes] of this.#pages) {
      if (freed >= bytesWanted) break
      this.#pages.delete(page)
      freed += bytes.length
    }
    this.sizeBytes -= freed
    this.#memory.addCacheBytes(-freed)
    return freed
  }

  async #read(pages: readonly number[], held: Map<number, Uint8Array>): Promise<void> {
    const start = this.startOf(pages[0])
    const first = this.#firstChunks[pages[0]]
    const last = this.#lastChunk(pages[pages.length - 1])
    const all = await this.#reader.readColumns(
      start,
      this.#columnEnds(first, last),
      0,
      this.#columnCount(first, last),
      (place, message) => this.#damages.set(this.#chunkOfColumn(first, last, place), message),
    )
    this.#checkCounts(all, start, first, last)
    for (const page of pages) {
      const bytes = all.slice(this.startOf(page) - start, this.#endOf(page) - start)
      held.set(page, bytes)
      if (this.#pages.has(page)) continue
      this.#pages.set(page, bytes)
      this.sizeBytes += bytes.length
      this.#memory.addCacheBytes(bytes.length)
    }
  }

  /** A column must have as many elements as its time column: a file that lies here would write past the end of a batch. */
  #checkCounts(bytes: Uint8Array, start: number, first: number, last: number): void {
    const { chunkEnds, chunkStartSizes, chunkTimeColumns, timeCounts } = this.#index
    let from = 0
    for (let chunk = first; chunk < last; chunk++) {
      const end = chunkEnds[chunk] - start
      const middle = end - chunkStartSizes[chunk]
      const wanted = timeCounts[chunkTimeColumns[chunk]]
      if (!this.#damages.has(chunk)) {
        const values = readSealedValuesHeader(bytes, from, middle, HEADER).count
        const starts = middle < end ? readSealedValuesHeader(bytes, middle, end, HEADER).count : wanted
        if (values !== wanted || starts !== wanted) {
          this.#damages.set(chunk, `${this.#reader.path}: chunk ${chunk} has ${values} values for ${wanted} timestamps`)
        } else if (sealedValuesAreNumbers(bytes, from, middle)) this.#numbers[chunk >>> 3] |= 1 << (chunk & 7)
      }
      from = end
    }
  }

  #lastChunk(page: number): number {
    return page + 1 < this.#firstChunks.length ? this.#firstChunks[page + 1] : this.#index.chunkEnds.length
  }

  #endOf(page: number): number {
    return this.#index.chunkEnds[this.#lastChunk(page) - 1]
  }

  /** A chunk is one column, or two where start timestamps stand behind its values. */
  #columnCount(first: number, last: number): number {
    let count = last - first
    for (let chunk = first; chunk < last; chunk++) if (this.#index.chunkStartSizes[chunk] > 0) count++
    return count
  }

  #columnEnds(first: number, last: number): Float64Array {
    const { chunkEnds, chunkStartSizes } = this.#index
    const ends = new Float64Array(this.#columnCount(first, last))
    let at = 0
    for (let chunk = first; chunk < last; chunk++) {
      if (chunkStartSizes[chunk] > 0) ends[at++] = chunkEnds[chunk] - chunkStartSizes[chunk]
      ends[at++] = chunkEnds[chunk]
    }
    return ends
  }

  #chunkOfColumn(first: number, last: number, place: number): number {
    for (let chunk = first, column = 0; chunk < last; chunk++) {
      column += this.#index.chunkStartSizes[chunk] > 0 ? 2 : 1
      if (place < column) return chunk
    }
    return last - 1
  }
}

function pageStarts(index: BlockIndex): Uint32Array {
  const starts = [0]
  let start = 0
  for (let chunk = 0; chunk < index.chunkEnds.length; chunk++) {
    if (index.chunkEnds[chunk] - start > PAGE_SIZE_BYTES && chunk > starts[starts.length - 1]) {
      starts.push(chunk)
      start = index.chunkEnds[chunk - 1]
    }
  }
  return Uint32Array.from(starts)
}
