/**
 * Bytes that are only ever added, in pages: growing copies nothing, and a position is one number.
 *
 * A run never crosses a page, so a reader gets it as one view.
 */
export const PAGE_BITS = 18
export const PAGE_SIZE_BYTES = 1 << PAGE_BITS

export class ByteArena {
  readonly #pages: Uint8Array[] = []
  #used = PAGE_SIZE_BYTES

  get sizeBytes(): number {
    let size = 0
    for (const page of this.#pages) size += page.length
    return size
  }

  /** Copies `bytes[start, end)`, at most a page, and returns its position. */
  append(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start
    let page = this.#pages[this.#pages.length - 1]
    if (page === undefined || this.#used + length > page.length) {
      if (page !== undefined && page.length < PAGE_SIZE_BYTES && this.#used + length <= PAGE_SIZE_BYTES) {
        // The first page starts small, since many blocks hold little.
        const grown = new Uint8Array(Math.min(PAGE_SIZE_BYTES, Math.max(page.length * 4, this.#used + length)))
        grown.set(page)
        page = this.#pages[this.#pages.length - 1] = grown
      } else {
        page = new Uint8Array(this.#pages.length === 0 ? Math.max(4096, length) : PAGE_SIZE_BYTES)
        this.#pages.push(page)
        this.#used = 0
      }
    }
    page.set(bytes.subarray(start, end), this.#used)
    const position = (this.#pages.length - 1) * PAGE_SIZE_BYTES + this.#used
    this.#used += length
    return position
  }

  pageAt(position: number): Uint8Array {
    return this.#pages[Math.floor(position / PAGE_SIZE_BYTES)]
  }

  /** Number of the page in which a position lies. */
  pageOf(position: number): number {
    return Math.floor(position / PAGE_SIZE_BYTES)
  }

  page(number: number): Uint8Array {
    return this.#pages[number]
  }

  offsetAt(position: number): number {
    return position % PAGE_SIZE_BYTES
  }
}
