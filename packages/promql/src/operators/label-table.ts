/**
 * Label sets of one query, as ids: one table of texts, one slab of pairs.
 *
 *     set i   pairs[2·offsets[i] .. 2·offsets[i+1])   name id, value id, … sorted by the name's UTF-8 bytes
 *
 * Equal texts have equal ids, so grouping and matching compare numbers and never build strings. Two sets with the same
 * pairs may have different set ids, unless both came from `intern`.
 */
import { compareUtf8, Labels, METRIC_NAME } from '@varve/tsdb-core/model'
import type { SeriesBatch } from '@varve/tsdb-core/query'
import { TextIds } from './text-ids.js'

/** The id of the empty text, which stands for an absent label. */
export const ABSENT_LABEL = 0

export class LabelTable {
  readonly #texts: string[] = ['']
  readonly #textIds = new TextIds()
  /** Small at first: most queries read some series, and zeroed pages cost more than to grow a few times. */
  #pairs = new Uint32Array(1 << 8)
  #offsets = new Uint32Array(1 << 6)
  #count = 0
  /** Open addressing: set id + 1, or 0 for a free slot. Holds interned sets only. */
  #slots = new Int32Array(1 << 6)
  /** By slot, the hash of its set: the table grows without a look at the pairs. */
  #hashes = new Uint32Array(1 << 6)
  #internedCount = 0
  /** The pairs of a set that is being made. */
  #scratch = new Uint32Array(64)

  constructor() {
    this.#textIds.set('', ABSENT_LABEL)
  }

  get count(): number {
    return this.#count
  }

  /** Of texts, whose ids are below this. */
  get textCount(): number {
    return this.#texts.length
  }

  /** Not to be changed. It is replaced as the table grows: fetch it anew after `add`. */
  get pairs(): Uint32Array {
    return this.#pairs
  }

  get offsets(): Uint32Array {
    return this.#offsets
  }

  textId(text: string): number {
    const known = this.#textIds.get(text)
    if (known !== undefined) return known
    const id = this.#texts.length
    this.#texts.push(text)
    this.#textIds.set(text, id)
    return id
  }

  /** The id if the text is known to this query, else -1. */
  findTextId(text: string): number {
    return this.#textIds.get(text) ?? -1
  }

  text(id: number): string {
    return this.#texts[id]
  }

  /** Appends `count` pairs from `pairs[start…]`, given as ids of this table and sorted, and returns the set's id. */
  add(pairs: ArrayLike<number>, start: number, count: number): number {
    const offset = this.#offsets[this.#count]
    this.#reserve(offset + count)
    const target = this.#pairs
    for (let i = 0; i < count * 2; i++) target[offset * 2 + i] = pairs[start + i]
    this.#offsets[this.#count + 1] = offset + count
    return this.#count++
  }

  /** Like `add`, but equal sets get the same id. */
  intern(pairs: ArrayLike<number>, start: number, count: number): number {
    if ((this.#internedCount + 1) * 2 > this.#slots.length) this.#rehash()
    const mask = this.#slots.length - 1
    const hash = hashPairs(pairs, start, count)
    let slot = hash & mask
    for (;;) {
      const held = this.#slots[slot]
      if (held === 0) break
      if (this.#hashes[slot] === hash && this.#equals(held - 1, pairs, start, count)) return held - 1
      slot = (slot + 1) & mask
    }
    const id = this.add(pairs, start, count)
    this.#slots[slot] = id + 1
    this.#hashes[slot] = hash
    this.#internedCount++
    return id
  }

  /** Takes the labels of a batch's series over. Not interned: the series of one select differ. */
  addSeries({ labelPairs, labelOffsets }: SeriesBatch, series: number, symbols: SymbolMap): number {
    return this.addPairs(labelPairs, labelOffsets[series] * 2, labelOffsets[series + 1] * 2, symbols)
  }

  /** The same for names and values in turn, at `[from, to)` of a column of symbols. */
  addPairs(source: Uint32Array, from: number, to: number, symbols: SymbolMap): number {
    const offset = this.#offsets[this.#count]
    const count = (to - from) / 2
    this.#reserve(offset + count)
    const target = this.#pairs
    for (let k = 0; k < count * 2; k++) target[offset * 2 + k] = symbols.textId(source[from + k])
    this.#offsets[this.#count + 1] = offset + count
    return this.#count++
  }

  addLabels(labels: Labels): number {
    const ids = labels.flat.map((text) => this.textId(text))
    return this.intern(ids, 0, labels.size)
  }

  /** Text id of the set's value for a name, `ABSENT_LABEL` if it has none. */
  valueId(set: number, nameId: number): number {
    const pairs = this.#pairs
    for (let i = this.#offsets[set] * 2, end = this.#offsets[set + 1] * 2; i < end; i += 2) {
      if (pairs[i] === nameId) return pairs[i + 1]
    }
    return ABSENT_LABEL
  }

  value(set: number, name: string): string {
    const id = this.#textIds.get(name)
    return id === undefined ? '' : this.#texts[this.valueId(set, id)]
  }

  metricName(set: number): string {
    return this.value(set, METRIC_NAME)
  }

  /** An interned set with only the labels for which `keeps` holds. */
  filter(set: number, keeps: (nameId: number) => boolean): number {
    const start = this.#offsets[set] * 2
    const end = this.#offsets[set + 1] * 2
    const pairs = this.#pairs
    const kept = this.#scratchFor(end - start)
    let length = 0
    for (let i = start; i < end; i += 2) {
      if (!keeps(pairs[i])) continue
      kept[length++] = pairs[i]
      kept[length++] = pairs[i + 1]
    }
    return this.intern(kept, 0, length / 2)
  }

  /** An interned set with `value` for `name`; the empty value removes the label. */
  with(set: number, name: string, value: string): number {
    return this.addLabels(this.labels(set).with(name, value))
  }

  /** The same by ids, without building labels. */
  withId(set: number, nameId: number, valueId: number): number {
    const start = this.#offsets[set] * 2
    const end = this.#offsets[set + 1] * 2
    const pairs = this.#pairs
    const changed = this.#scratchFor(end - start + 2)
    let length = 0
    let placed = valueId === ABSENT_LABEL
    for (let i = start; i < end; i += 2) {
      if (pairs[i] === nameId) continue
      if (!placed && compareUtf8(this.#texts[nameId], this.#texts[pairs[i]]) < 0) {
        changed[length++] = nameId
        changed[length++] = valueId
        placed = true
      }
      changed[length++] = pairs[i]
      changed[length++] = pairs[i + 1]
    }
    if (!placed) {
      changed[length++] = nameId
      changed[length++] = valueId
    }
    return this.intern(changed, 0, length / 2)
  }

  /** The interned twin of a set. */
  canonical(set: number): number {
    const start = this.#offsets[set]
    return this.intern(this.#pairs, start * 2, this.#offsets[set + 1] - start)
  }

  labels(set: number): Labels {
    const flat: string[] = []
    const pairs = this.#pairs
    for (let i = this.#offsets[set] * 2, end = this.#offsets[set + 1] * 2; i < end; i++)
      flat.push(this.#texts[pairs[i]])
    return Labels.fromSorted(flat)
  }

  /** Order of two sets in results, by UTF-8 bytes. */
  compare(a: number, b: number): number {
    const pairs = this.#pairs
    const startA = this.#offsets[a] * 2
    const startB = this.#offsets[b] * 2
    const countA = this.#offsets[a + 1] * 2 - startA
    const countB = this.#offsets[b + 1] * 2 - startB
    const shared = Math.min(countA, countB)
    for (let i = 0; i < shared; i++) {
      const x = pairs[startA + i]
      const y = pairs[startB + i]
      if (x !== y) return compareUtf8(this.#texts[x], this.#texts[y])
    }
    return countA - countB
  }

  #scratchFor(length: number): Uint32Array {
    if (this.#scratch.length < length) this.#scratch = new Uint32Array(length * 2)
    return this.#scratch
  }

  #equals(set: number, pairs: ArrayLike<number>, start: number, count: number): boolean {
    const own = this.#offsets[set] * 2
    if (this.#offsets[set + 1] * 2 - own !== count * 2) return false
    for (let i = 0; i < count * 2; i++) if (this.#pairs[own + i] !== pairs[start + i]) return false
    return true
  }

  #reserve(pairCount: number): void {
    if (pairCount * 2 > this.#pairs.length) this.#pairs = grown(this.#pairs, pairCount * 2)
    if (this.#count + 2 > this.#offsets.length) this.#offsets = grown(this.#offsets, this.#count + 2)
  }

  #rehash(): void {
    const old = this.#slots
    const oldHashes = this.#hashes
    const slots = new Int32Array(old.length * 2)
    const hashes = new Uint32Array(slots.length)
    const mask = slots.length - 1
    for (let i = 0; i < old.length; i++) {
      if (old[i] === 0) continue
      let slot = oldHashes[i] & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = old[i]
      hashes[slot] = oldHashes[i]
    }
    this.#slots = slots
    this.#hashes = hashes
  }
}

/** Text ids for the symbols of one `SelectResult` or sealed block, filled as they are met. */
export class SymbolMap {
  readonly #textOf: (symbol: number) => string
  readonly #table: LabelTable
  #ids = new Int32Array(0)

  constructor(textOf: (symbol: number) => string, table: LabelTable) {
    this.#textOf = textOf
    this.#table = table
  }

  textId(symbol: number): number {
    if (symbol >= this.#ids.length) this.#grow(symbol)
    const known = this.#ids[symbol]
    if (known >= 0) return known
    return (this.#ids[symbol] = this.#table.textId(this.#textOf(symbol)))
  }

  /** Text id of a series' value for a name, `ABSENT_LABEL` if it has none. */
  valueId({ labelPairs, labelOffsets }: SeriesBatch, series: number, nameId: number): number {
    for (let i = labelOffsets[series] * 2, end = labelOffsets[series + 1] * 2; i < end; i += 2) {
      if (this.textId(labelPairs[i]) === nameId) return this.textId(labelPairs[i + 1])
    }
    return ABSENT_LABEL
  }

  #grow(symbol: number): void {
    const ids = new Int32Array(Math.max(64, symbol + 1, this.#ids.length * 2)).fill(-1)
    ids.set(this.#ids)
    this.#ids = ids
  }
}

/** A hash of ids; FNV-1a over words, with a last mixing step since tables use its low bits. */
export function hashPairs(pairs: ArrayLike<number>, start: number, count: number): number {
  let hash = 0x811c9dc5
  for (let i = start, end = start + count * 2; i < end; i++) hash = Math.imul(hash ^ pairs[i], 0x01000193)
  hash ^= hash >>> 15
  return (Math.imul(hash, 0x85ebca6b) ^ (hash >>> 13)) >>> 0
}

function grown(array: Uint32Array, lengthMin: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(Math.max(lengthMin, array.length * 2))
  larger.set(array)
  return larger
}
