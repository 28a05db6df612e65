/**
 * Which series of which sources are one series of the result.
 *
 * Sources with one index (the open blocks of a head) have the same series numbers; series of different indexes are the
 * same when their labels are. With one index there is nothing to join, and labels are read only when they are wanted.
 */
import { grownU32 } from '../index/growable.js'
import type { SampleSource } from './sample-source.js'
import type { SymbolCollector } from './symbol-collector.js'

/** Series `matched` of one index, with the sources (by place in the query's list) that share it. */
export interface SourceFamily {
  readonly sources: readonly number[]
  readonly matched: Uint32Array
}

const EMPTY: Uint32Array = new Uint32Array(0)
const NO_SOURCES: Uint16Array = new Uint16Array(0)

/** Group g has entries `[offsets[g], offsets[g+1])`. */
export class SeriesGroups {
  count = 0
  offsets: Uint32Array = EMPTY
  sources: Uint16Array = NO_SOURCES
  series: Uint32Array = EMPTY
  readonly #all: readonly SampleSource[]
  readonly #symbols: SymbolCollector
  /** With several families: labels of group g, as ids of the result, at `[pairOffsets[g], pairOffsets[g+1])`. */
  #pairs: Uint32Array | undefined
  #pairOffsets: Uint32Array = EMPTY
  #scratch: Uint32Array = EMPTY

  constructor(sources: readonly SampleSource[], symbols: SymbolCollector) {
    this.#all = sources
    this.#symbols = symbols
  }

  /** Joins the families; `pause` is awaited now and then. */
  async build(families: readonly SourceFamily[], pause: () => Promise<void> | undefined): Promise<void> {
    const used = families.filter((family) => family.matched.length > 0)
    if (used.length === 1) this.#single(used[0])
    else if (used.length > 1) await this.#join(used, pause)
  }

  /** Appends the group's labels as ids of the result and returns where they end. `out` is grown by the caller's callback. */
  readPairs(group: number, out: Uint32Array, at: number): Uint32Array {
    const first = this.offsets[group]
    if (this.#pairs !== undefined) {
      const from = this.#pairOffsets[group]
      const to = this.#pairOffsets[group + 1]
      const grown = grownU32(out, at + to - from)
      grown.set(this.#pairs.subarray(from, to), at)
      return grown
    }
    const source = this.sources[first]
    const from = this.#all[source]
    const series = this.series[first]
    const grown = grownU32(out, at + from.pairsLength(series))
    const count = from.readPairs(series, grown, at)
    this.#symbols.map(source, grown, at, at + count)
    return grown
  }

  /** How many numbers `readPairs` writes. */
  pairsLength(group: number): number {
    if (this.#pairs !== undefined) return this.#pairOffsets[group + 1] - this.#pairOffsets[group]
    const first = this.offsets[group]
    return this.#all[this.sources[first]].pairsLength(this.series[first])
  }

  #single(family: SourceFamily): void {
    const width = family.sources.length
    this.count = family.matched.length
    this.offsets = new Uint32Array(this.count + 1)
    this.sources = new Uint16Array(this.count * width)
    this.series = new Uint32Array(this.count * width)
    for (let g = 0, at = 0; g < this.count; g++) {
      for (const source of family.sources) {
        this.sources[at] = source
        this.series[at++] = family.matched[g]
      }
      this.offsets[g + 1] = at
    }
  }

  async #join(families: readonly SourceFamily[], pause: () => Promise<void> | undefined): Promise<void> {
    let total = 0
    let entryCount = 0
    for (const family of families) {
      total += family.matched.length
      entryCount += family.matched.length * family.sources.length
    }
    let tableLength = 64
    while (tableLength < total * 2) tableLength *= 2
    const table = new Uint32Array(tableLength)
    const hashes = new Uint32Array(total)
    const groupOf = new Uint32Array(total)
    const counts = new Uint32Array(total)
    this.#pairs = new Uint32Array(1024)
    this.#pairOffsets = new Uint32Array(total + 1)
    let row = 0
    for (const family of families) {
      for (const series of family.matched) {
        const length = this.#mapped(family.sources[0], series)
        const group = this.#groupOf(length, table, hashes)
        groupOf[row++] = group
        counts[group] += family.sources.length
        if ((row & 0x3ff) === 0) await pause()
      }
    }
    this.offsets = new Uint32Array(this.count + 1)
    for (let g = 0; g < this.count; g++) this.offsets[g + 1] = this.offsets[g] + counts[g]
    this.sources = new Uint16Array(entryCount)
    this.series = new Uint32Array(entryCount)
    const next = this.offsets.slice()
    row = 0
    for (const family of families) {
      for (const series of family.matched) {
        const group = groupOf[row++]
        for (const source of family.sources) {
          const at = next[group]++
          this.sources[at] = source
          this.series[at] = series
        }
      }
    }
  }

  #groupOf(length: number, table: Uint32Array, hashes: Uint32Array): number {
    const wanted = this.#scratch
    let hash = length
    for (let i = 0; i < length; i++) {
      hash = Math.imul(hash ^ wanted[i], 0x9e3779b1)
      hash ^= hash >>> 15
    }
    hash >>>= 0
    const mask = table.length - 1
    let place = hash & mask
    for (; table[place] !== 0; place = (place + 1) & mask) {
      const group = table[place] - 1
      if (hashes[group] === hash && this.#hasPairs(group, length)) return group
    }
    const group = this.count++
    table[place] = group + 1
    hashes[group] = hash
    const at = this.#pairOffsets[group]
    this.#pairs = grownU32(this.#pairs as Uint32Array, at + length)
    for (let i = 0; i < length; i++) this.#pairs[at + i] = wanted[i]
    this.#pairOffsets[group + 1] = at + length
    return group
  }

  #hasPairs(group: number, length: number): boolean {
    const from = this.#pairOffsets[group]
    if (this.#pairOffsets[group + 1] - from !== length) return false
    const pairs = this.#pairs as Uint32Array
    for (let i = 0; i < length; i++) if (pairs[from + i] !== this.#scratch[i]) return false
    return true
  }

  /** Labels of a source's series as ids of the result, in `#scratch`. */
  #mapped(source: number, series: number): number {
    const from = this.#all[source]
    this.#scratch = grownU32(this.#scratch, from.pairsLength(series))
    const count = from.readPairs(series, this.#scratch, 0)
    this.#symbols.map(source, this.#scratch, 0, count)
    return count
  }
}
