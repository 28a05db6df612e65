/**
 * A column of numbers that only grows, in pages: no growth copies more than a page, so that none holds the event loop.
 *
 * A million series have 50 MB of label symbols: as one array, growing it took some 20 ms.
 */
const PAGE_BITS = 14
const PAGE_LENGTH = 1 << PAGE_BITS
const PAGE_MASK = PAGE_LENGTH - 1
const FIRST_LENGTH = 64

export class PagedU32 {
  readonly #pages: Uint32Array[] = [new Uint32Array(FIRST_LENGTH)]
  #length = FIRST_LENGTH

  get sizeBytes(): number {
    return this.#length * 4
  }

  /** The number that was set there; 0 in places before the last that was, and not to be asked for behind it. */
  at(index: number): number {
    return this.#pages[index >>> PAGE_BITS][index & PAGE_MASK]
  }

  /** Pages come one after the other: `index` is at most one behind all that were set before. */
  set(index: number, value: number): void {
    if (index >= this.#length) this.#grow()
    this.#pages[index >>> PAGE_BITS][index & PAGE_MASK] = value
  }

  #grow(): void {
    const length = this.#length
    if (length >= PAGE_LENGTH) {
      this.#pages.push(new Uint32Array(PAGE_LENGTH))
      this.#length += PAGE_LENGTH
      return
    }
    // The first page grows, as most tables are small.
    const page = new Uint32Array(length * 4)
    page.set(this.#pages[0])
    this.#pages[0] = page
    this.#length = length * 4
  }
}
