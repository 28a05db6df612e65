/**
 * The series of one shard's head: canonical labels ⇄ a 32-bit reference, in typed arrays.
 *
 *     labels of series r   pairs[offsets[r] .. offsets[r+1])    name symbol, value symbol, …
 *     hash of its bytes    hashes[r]
 *     lookup               open addressing, linear probing, by the hash of the canonical label bytes
 *
 * References rise from 1 and are never used again, so a reference that a caller kept too long is unknown, never another
 * series. A removed series leaves its four numbers behind.
 */

import { grownU8, grownU32 } from '../index/growable.js'
import { SymbolTable } from '../index/symbol-table.js'
import { hashBytes, lengthSize, readLength, writeLength } from '../model/canonical-labels.js'
import { Labels } from '../model/labels.js'

const FREE = 0
/** A place whose series was removed: a search goes on over it. No reference is this large. */
const REMOVED = 0xffffffff

export class SeriesTable {
  readonly symbols = new SymbolTable()
  /** Not to be changed; they are replaced when they grow. */
  pairs: Uint32Array = new Uint32Array(256)
  offsets: Uint32Array = new Uint32Array(64)
  hashes: Uint32Array = new Uint32Array(64)
  #live: Uint8Array = new Uint8Array(64)
  #table: Uint32Array = new Uint32Array(256)
  #usedPlaces = 0
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
      this.pairs.byteLength +
      this.offsets.byteLength +
      this.hashes.byteLength +
      this.#live.byteLength +
      this.#table.byteLength
    )
  }

  isLive(ref: number): boolean {
    return ref > 0 && ref < this.#next && this.#live[ref] === 1
  }

  /** The series' reference, or 0 when it is unknown. `hash` is `hashBytes` of the range. */
  find(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const table = this.#table
    const mask = table.length - 1
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const ref = table[place]
      if (ref === FREE) return 0
      if (ref !== REMOVED && this.hashes[ref] === hash && this.#equals(ref, bytes, start, end)) return ref
    }
  }

  /** The reference of a series, made if need be. The bytes are canonical: that was checked. */
  intern(bytes: Uint8Array, start: number, end: number): number {
    const hash = hashBytes(bytes, start, end)
    return this.find(bytes, start, end, hash) || this.add(bytes, start, end, hash)
  }

  /** Adds a series that `find` did not find. The bytes are canonical: that was checked. */
  add(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const ref = this.#next++
    this.offsets = grownU32(this.offsets, ref + 2)
    this.hashes = grownU32(this.hashes, ref + 1)
    this.#live = grownU8(this.#live, ref + 1)
    let pairAt = this.offsets[ref]
    for (let at = start; at < end; ) {
      const length = readLength(bytes, at)
      at += lengthSize(length)
      if (pairAt === this.pairs.length) this.pairs = grownU32(this.pairs, pairAt + 2)
      this.pairs[pairAt++] = this.symbols.intern(bytes, at, at + length)
      at += length
    }
    this.offsets[ref + 1] = pairAt
    this.hashes[ref] = hash
    this.#live[ref] = 1
    this.#liveCount++
    if ((this.#usedPlaces + 1) * 2 > this.#table.length) this.#rehash()
    else this.#place(ref, hash)
    return ref
  }

  remove(ref: number): void {
    if (!this.isLive(ref)) return
    const mask = this.#table.length - 1
    let place = this.hashes[ref] & mask
    while (this.#table[place] !== ref) place = (place + 1) & mask
    this.#table[place] = REMOVED
    this.#live[ref] = 0
    this.#liveCount--
  }

  labelsOf(ref: number): Labels {
    const flat: string[] = []
    for (let i = this.offsets[ref]; i < this.offsets[ref + 1]; i++) flat.push(this.symbols.texts[this.pairs[i]])
    return Labels.fromSorted(flat)
  }

  canonicalSize(ref: number): number {
    let size = 0
    for (let i = this.offsets[ref]; i < this.offsets[ref + 1]; i++) {
      const length = this.symbols.lengthOf(this.pairs[i])
      size += lengthSize(length) + length
    }
    return size
  }

  /** Writes the series' canonical label bytes and returns where they end. */
  writeCanonical(ref: number, out: Uint8Array, at: number): number {
    for (let i = this.offsets[ref]; i < this.offsets[ref + 1]; i++) {
      const symbol = this.pairs[i]
      at = writeLength(out, at, this.symbols.lengthOf(symbol))
      at = this.symbols.copy(symbol, out, at)
    }
    return at
  }

  #equals(ref: number, bytes: Uint8Array, start: number, end: number): boolean {
    let at = start
    for (let i = this.offsets[ref]; i < this.offsets[ref + 1]; i++) {
      if (at >= end) return false
      const length = readLength(bytes, at)
      at += lengthSize(length)
      if (at + length > end || !this.symbols.equals(this.pairs[i], bytes, at, at + length)) return false
      at += length
    }
    return at === end
  }

  #place(ref: number, hash: number): void {
    const mask = this.#table.length - 1
    let place = hash & mask
    while (this.#table[place] !== FREE) place = (place + 1) & mask
    this.#table[place] = ref
    this.#usedPlaces++
  }

  /** Also drops the places of removed series. */
  #rehash(): void {
    let length = 256
    while (length < (this.#liveCount + 1) * 3) length *= 2
    this.#table = new Uint32Array(length)
    this.#usedPlaces = 0
    for (let ref = 1; ref < this.#next; ref++) if (this.#live[ref] === 1) this.#place(ref, this.hashes[ref])
  }
}
