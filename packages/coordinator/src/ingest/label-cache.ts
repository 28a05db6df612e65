/**
 * From the label bytes of a request, as they stand on the wire, to a series reference.
 *
 * A sender repeats the same bytes for a series at each scrape, so a series is parsed once and then only recognised:
 *
 *     predicted   `next` of the entry before names the one that followed it last time: one comparison, no hash
 *     looked up   else by the hash of the bytes, open addressing with few probes
 *     unknown     else it is parsed, checked and resolved, and `insert` makes it known
 *
 * Two byte strings may mean one label set (another order, overlong lengths): then both map to the same reference. All state
 * lies in typed arrays which the native scanner reads too (it holds none of its own). When the cache is full it is emptied:
 * every series is then resolved once more, which is idempotent.
 *
 *     entries    stride 5:  offset and length in the arena | hash | reference | next entry + 1
 *     slots      entry + 1, 0 when free; a power of two, at most half full
 */

export const ENTRY_STRIDE = 5
export const ENTRY_OFFSET = 0
export const ENTRY_LENGTH = 1
export const ENTRY_HASH = 2
export const ENTRY_REF = 3
export const ENTRY_NEXT = 4

/** A series found further from its slot is treated as unknown: hash floods cost no more than that. */
export const PROBES_MAX = 32

/** The reference of a series whose samples are to be left out: relabelling or a rule of the door dropped it. */
export const DROPPED_REF = 0xffff_ffff
/** The same, and the sender is told: the series or the sample is against the rules. Never kept in the cache. */
export const REFUSED_REF = 0xffff_fffe

const FORGOTTEN_LENGTH = 0xffff_ffff

export interface LabelCacheOptions {
  /** Random, so that nobody outside can choose colliding labels. */
  readonly seed: number
  /** Of the kept label bytes; some 130 a series. Default 256 MiB, allocated only as it fills. */
  readonly arenaSizeBytesMax?: number
  readonly entryCountMax?: number
}

export class LabelCache {
  readonly seed: number
  arena: Uint8Array
  arenaView: DataView
  entries: Uint32Array
  slots: Int32Array
  entryCount = 0
  /** The last series of the request before, plus 1: the first one of the next request is predicted to follow it. */
  lastEntry = 0
  /** Rises each time the cache is emptied: what was inserted before is then gone. */
  generation = 0
  readonly #arenaSizeBytesMax: number
  readonly #entryCountMax: number
  #arenaUsed = 0

  constructor(options: LabelCacheOptions) {
    this.seed = options.seed >>> 0
    this.#arenaSizeBytesMax = options.arenaSizeBytesMax ?? 256 * 1024 * 1024
    this.#entryCountMax = options.entryCountMax ?? 4 * 1024 * 1024
    this.arena = new Uint8Array(1024 * 1024)
    this.arenaView = viewOf(this.arena)
    this.entries = new Uint32Array(ENTRY_STRIDE * 8192)
    this.slots = new Int32Array(65_536)
  }

  /** The entry of exactly these bytes, or -1. */
  find(bytes: Uint8Array, offset: number, length: number): number {
    const view = viewOf(bytes)
    return findEntry(this, view, offset, length, hashSpan(view, offset, length, this.seed))
  }

  refOf(entry: number): number {
    return this.entries[entry * ENTRY_STRIDE + ENTRY_REF]
  }

  /** Remembers bytes that `find` does not know yet; a second insertion of the same bytes changes the reference. */
  insert(bytes: Uint8Array, offset: number, length: number, ref: number): void {
    const view = viewOf(bytes)
    const hash = hashSpan(view, offset, length, this.seed)
    const known = findEntry(this, view, offset, length, hash)
    if (known >= 0) {
      this.entries[known * ENTRY_STRIDE + ENTRY_REF] = ref
      return
    }
    if (this.#arenaUsed + length > this.#arenaSizeBytesMax || this.entryCount >= this.#entryCountMax) this.clear()
    if (length > this.#arenaSizeBytesMax) return
    this.#reserve(length)
    const entry = this.entryCount
    const at = entry * ENTRY_STRIDE
    if (!claimSlot(this.slots, hash, entry)) return
    this.arena.set(bytes.subarray(offset, offset + length), this.#arenaUsed)
    this.entries[at + ENTRY_OFFSET] = this.#arenaUsed
    this.entries[at + ENTRY_LENGTH] = length
    this.entries[at + ENTRY_HASH] = hash
    this.entries[at + ENTRY_REF] = ref
    this.entries[at + ENTRY_NEXT] = 0
    this.#arenaUsed += length
    this.entryCount++
  }

  /** Forgets everything, for instance when the rules of the door have changed. */
  clear(): void {
    this.slots.fill(0)
    this.entryCount = 0
    this.lastEntry = 0
    this.#arenaUsed = 0
    this.generation++
  }

  /** Makes the entries of these references unknown: their series have left the store. */
  forget(refs: ReadonlySet<number>): void {
    for (let at = 0; at < this.entryCount * ENTRY_STRIDE; at += ENTRY_STRIDE) {
      // No span has this length, so neither prediction nor lookup finds it again; its slot stays taken.
      if (refs.has(this.entries[at + ENTRY_REF])) this.entries[at + ENTRY_LENGTH] = FORGOTTEN_LENGTH
    }
  }

  get sizeBytes(): number {
    return this.arena.byteLength + this.entries.byteLength + this.slots.byteLength
  }

  #reserve(length: number): void {
    if (this.#arenaUsed + length > this.arena.length) {
      const size = Math.max(this.arena.length * 2, this.#arenaUsed + length)
      const arena = new Uint8Array(Math.max(Math.min(size, this.#arenaSizeBytesMax), this.#arenaUsed + length))
      arena.set(this.arena.subarray(0, this.#arenaUsed))
      this.arena = arena
      this.arenaView = viewOf(arena)
    }
    if ((this.entryCount + 1) * ENTRY_STRIDE > this.entries.length) {
      const entries = new Uint32Array(this.entries.length * 2)
      entries.set(this.entries)
      this.entries = entries
    }
    if ((this.entryCount + 1) * 2 > this.slots.length) this.#rehash(this.slots.length * 4)
  }

  #rehash(size: number): void {
    this.slots = new Int32Array(size)
    for (let entry = 0; entry < this.entryCount; entry++) {
      claimSlot(this.slots, this.entries[entry * ENTRY_STRIDE + ENTRY_HASH], entry)
    }
  }
}

/** Rust twin: native/ingest/src/label_cache.rs, the same bits. */
export function hashSpan(view: DataView, offset: number, length: number, seed: number): number {
  let hash = seed ^ Math.imul(length, 0x85ebca6b)
  let at = offset
  for (const end = offset + length - 3; at < end; at += 4) {
    hash = Math.imul(hash ^ view.getInt32(at, true), 0x9e3779b1)
    hash = (hash << 13) | (hash >>> 19)
  }
  for (const end = offset + length; at < end; at++) {
    hash = Math.imul(hash ^ view.getUint8(at), 0x27d4eb2f)
    hash = (hash << 13) | (hash >>> 19)
  }
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

export function findEntry(cache: LabelCache, view: DataView, offset: number, length: number, hash: number): number {
  const { slots, entries, arenaView } = cache
  const mask = slots.length - 1
  for (let probe = 0; probe < PROBES_MAX; probe++) {
    const entry = slots[(hash + probe) & mask] - 1
    if (entry < 0) return -1
    const at = entry * ENTRY_STRIDE
    if (
      entries[at + ENTRY_HASH] === hash &&
      entries[at + ENTRY_LENGTH] === length &&
      spansEqual(view, offset, arenaView, entries[at + ENTRY_OFFSET], length)
    ) {
      return entry
    }
  }
  return -1
}

export function spansEqual(a: DataView, aOffset: number, b: DataView, bOffset: number, length: number): boolean {
  let i = 0
  for (const end = length - 3; i < end; i += 4) {
    if (a.getInt32(aOffset + i, true) !== b.getInt32(bOffset + i, true)) return false
  }
  for (; i < length; i++) if (a.getUint8(aOffset + i) !== b.getUint8(bOffset + i)) return false
  return true
}

function claimSlot(slots: Int32Array, hash: number, entry: number): boolean {
  const mask = slots.length - 1
  for (let probe = 0; probe < PROBES_MAX; probe++) {
    const slot = (hash + probe) & mask
    if (slots[slot] === 0) {
      slots[slot] = entry + 1
      return true
    }
  }
  return false
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
