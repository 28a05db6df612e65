/** From a key to its slot: dense pages of keys, since references come one after the other. */
import { grownU32 } from '../index/growable.js'

export const KEYS_PER_PAGE_BITS = 10
export const KEYS_PER_PAGE = 1 << KEYS_PER_PAGE_BITS

export class SlotTable {
  count = 0
  /** By `key >>> KEYS_PER_PAGE_BITS`: 1 + the slot of each key, 0 where there is none. */
  readonly pages: (Uint32Array | undefined)[] = []
  #keys: Uint32Array = new Uint32Array(64)
  #pageCount = 0

  get sizeBytes(): number {
    return this.#pageCount * KEYS_PER_PAGE * 4 + this.#keys.byteLength
  }

  /** The key's slot, or -1. */
  slotOf(key: number): number {
    const page = this.pages[key >>> KEYS_PER_PAGE_BITS]
    return page === undefined ? -1 : page[key & (KEYS_PER_PAGE - 1)] - 1
  }

  keyOf(slot: number): number {
    return this.#keys[slot]
  }

  /** Makes a slot for a key that has none. */
  add(key: number): number {
    const slot = this.count++
    const pageIndex = key >>> KEYS_PER_PAGE_BITS
    let page = this.pages[pageIndex]
    if (page === undefined) {
      page = this.pages[pageIndex] = new Uint32Array(KEYS_PER_PAGE)
      this.#pageCount++
    }
    page[key & (KEYS_PER_PAGE - 1)] = slot + 1
    this.#keys = grownU32(this.#keys, slot + 1)
    this.#keys[slot] = key
    return slot
  }
}
