/**
 * The series of one shard's head: canonical labels ⇄ a 32-bit reference, in typed arrays.
 *
 *     labels of series r   pairs[offsets[r] .. offsets[r+1])    name symbol, value symbol, …
 *     hash of its bytes    hashes[r]
 *     lookup               open addressing, linear probing, by the hash of the canonical label bytes
 *
 * Nothing of it is copied as a whole while it grows: columns have pages, and the places of a table that became too small move to
 * the next some at a time, with each series that is added. A lookup asks both tables meanwhile.
 *
 * References rise from 1 and are never used again, so a reference that a caller kept too long is unknown, never another
 * series. A removed series leaves its four numbers behind.
 */

import { PagedU32 } from '../index/paged.js'
import { SymbolTable } from '../index/symbol-table.js'
import { hashBytes, lengthSize, readLength, writeLength } from '../model/canonical-labels.js'
import { Labels } from '../model/labels.js'

const FREE = 0
/** A place whose series was removed: a search goes on over it. No reference is this large. */
const REMOVED = 0xffffffff
/** A power of two. */
const TABLE_LENGTH_MIN = 256

export class SeriesTable {
  readonly symbols = new SymbolTable()
  /** Not to be changed by others. */
  readonly pairs = new PagedU32()
  readonly offsets = new PagedU32()
  readonly #live = new PagedU32()
  readonly hashes = new PagedU32()
  #table: Uint32Array = new Uint32Array(TABLE_LENGTH_MIN)
  #usedPlaces = 0
  /** The table before, while its places move. */
  #former: Uint32Array | undefined
  #formerMoved = 0
  #movesPerAdd = 0
  /** One more than the last reference. */
  #next = 1
  #liveCount = 0

  get nextRef(): number {
    return this.#next
  }

  get liveCount(): number {
    return this.#liveCount
  }

  get sizeBytes(): number {
    return (
      this.symbols.sizeBytes +
      this.pairs.sizeBytes +
      this.offsets.sizeBytes +
      this.hashes.sizeBytes +
      this.#live.sizeBytes +
      this.#table.byteLength +
      (this.#former?.byteLength ?? 0)
    )
  }

  isLive(ref: number): boolean {
    return ref > 0 && ref < this.#next && this.#live.at(ref) === 1
  }

  /** The series' reference, or 0 when it is unknown. `hash` is `hashBytes` of the range. */
  find(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const ref = this.#findIn(this.#table, bytes, start, end, hash)
    if (ref !== 0 || this.#former === undefined) return ref
    return this.#findIn(this.#former, bytes, start, end, hash)
  }

  /** The reference of a series, made if need be. The bytes are canonical: that was checked. */
  intern(bytes: Uint8Array, start: number, end: number): number {
    const hash = hashBytes(bytes, start, end)
    return this.find(bytes, start, end, hash) || this.add(bytes, start, end, hash)
  }

  /** Adds a series that `find` did not find. The bytes are canonical: that was checked. */
  add(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const ref = this.#next++
    let pairAt = this.offsets.at(ref)
    for (let at = start; at < end; ) {
      const length = readLength(bytes, at)
      at += lengthSize(length)
      this.pairs.set(pairAt++, this.symbols.intern(bytes, at, at + length))
      at += length
    }
    this.offsets.set(ref + 1, pairAt)
    this.hashes.set(ref, hash)
    this.#live.set(ref, 1)
    this.#liveCount++
    if ((this.#usedPlaces + 1) * 2 > this.#table.length) this.#grow()
    this.#place(ref, hash)
    if (this.#former !== undefined) this.#move(this.#former, this.#movesPerAdd)
    return ref
  }

  remove(ref: number): void {
    if (!this.isLive(ref)) return
    const hash = this.hashes.at(ref)
    takeOut(this.#table, ref, hash)
    // What has moved stands in both.
    if (this.#former !== undefined) takeOut(this.#former, ref, hash)
    this.#live.set(ref, 0)
    this.#liveCount--
  }

  labelsOf(ref: number): Labels {
    const flat: string[] = []
    for (let i = this.offsets.at(ref), to = this.offsets.at(ref + 1); i < to; i++)
      flat.push(this.symbols.texts[this.pairs.at(i)])
    return Labels.fromSorted(flat)
  }

  canonicalSize(ref: number): number {
    let size = 0
    for (let i = this.offsets.at(ref), to = this.offsets.at(ref + 1); i < to; i++) {
      const length = this.symbols.lengthOf(this.pairs.at(i))
      size += lengthSize(length) + length
    }
    return size
  }

  /** Writes the series' canonical label bytes and returns where they end. */
  writeCanonical(ref: number, out: Uint8Array, at: number): number {
    for (let i = this.offsets.at(ref), to = this.offsets.at(ref + 1); i < to; i++) {
      const symbol = this.pairs.at(i)
      at = writeLength(out, at, this.symbols.lengthOf(symbol))
      at = this.symbols.copy(symbol, out, at)
    }
    return at
  }

  #equals(ref: number, bytes: Uint8Array, start: number, end: number): boolean {
    let at = start
    for (let i = this.offsets.at(ref), to = this.offsets.at(ref + 1); i < to; i++) {
      if (at >= end) return false
      const length = readLength(bytes, at)
      at += lengthSize(length)
      if (at + length > end || !this.symbols.equals(this.pairs.at(i), bytes, at, at + length)) return false
      at += length
    }
    return at === end
  }

  #findIn(table: Uint32Array, bytes: Uint8Array, start: number, end: number, hash: number): number {
    const mask = table.length - 1
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const ref = table[place]
      if (ref === FREE) return 0
      if (ref !== REMOVED && this.hashes.at(ref) === hash && this.#equals(ref, bytes, start, end)) return ref
    }
  }

  #place(ref: number, hash: number): void {
    const mask = this.#table.length - 1
    let place = hash & mask
    while (this.#table[place] !== FREE) place = (place + 1) & mask
    this.#table[place] = ref
    this.#usedPlaces++
  }

  /** Begins a table that is large enough; the places of removed series do not come along. */
  #grow(): void {
    if (this.#former !== undefined) this.#move(this.#former, this.#former.length)
    let length = TABLE_LENGTH_MIN
    while (length < (this.#liveCount + 1) * 3) length *= 2
    this.#former = this.#table
    this.#formerMoved = 0
    this.#table = new Uint32Array(length)
    this.#usedPlaces = 0
    // All have moved after half as many additions as the table takes.
    this.#movesPerAdd = Math.ceil((this.#former.length * 2) / (length / 2 - this.#liveCount))
  }

  #move(former: Uint32Array, count: number): void {
    const end = Math.min(former.length, this.#formerMoved + count)
    for (let place = this.#formerMoved; place < end; place++) {
      const ref = former[place]
      if (ref !== FREE && ref !== REMOVED) this.#place(ref, this.hashes.at(ref))
    }
    this.#formerMoved = end
    if (end === former.length) this.#former = undefined
  }
}

/** Leaves a mark where the series stood, if it did. */
function takeOut(table: Uint32Array, ref: number, hash: number): void {
  const mask = table.length - 1
  for (let place = hash & mask; table[place] !== FREE; place = (place + 1) & mask) {
    if (table[place] !== ref) continue
    table[place] = REMOVED
    return
  }
}
