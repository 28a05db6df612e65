/**
 * Members by the reference of their series, in pages: a map of as many entries hashes all of them anew whenever it grows, which
 * at a hundred thousand series is a long turn of the event loop. References rise one by one, so pages are full mostly.
 */

const PAGE_BITS = 10
const PAGE_LENGTH = 1 << PAGE_BITS

interface Page {
  /** Member + 1; 0: there is none. */
  readonly members: Uint32Array
  count: number
}

export class MemberIndex {
  readonly #pages = new Map<number, Page>()
  size = 0

  /** The member of a series, or -1. */
  get(seriesRef: number): number {
    const page = this.#pages.get(seriesRef >>> PAGE_BITS)
    return page === undefined ? -1 : page.members[seriesRef & (PAGE_LENGTH - 1)] - 1
  }

  set(seriesRef: number, member: number): void {
    const number = seriesRef >>> PAGE_BITS
    let page = this.#pages.get(number)
    if (page === undefined) {
      page = { members: new Uint32Array(PAGE_LENGTH), count: 0 }
      this.#pages.set(number, page)
    }
    const at = seriesRef & (PAGE_LENGTH - 1)
    if (page.members[at] === 0) {
      page.count++
      this.size++
    }
    page.members[at] = member + 1
  }

  /** False: there was none. */
  delete(seriesRef: number): boolean {
    const number = seriesRef >>> PAGE_BITS
    const page = this.#pages.get(number)
    const at = seriesRef & (PAGE_LENGTH - 1)
    if (page === undefined || page.members[at] === 0) return false
    page.members[at] = 0
    this.size--
    // References are never used again: a page that is empty stays so, mostly.
    if (--page.count === 0) this.#pages.delete(number)
    return true
  }
}
