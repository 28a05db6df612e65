/**
 * The head's inverted index: for each label pair the series that carry it, growing as series are made known.
 *
 * A pair is a number; its first series stands in a column, and only pairs of two series and more have a list. So unique
 * values (ids, pod names) cost no object each.
 */
import type { SeriesTable } from '../head/series-table.js'
import { grownU32 } from './growable.js'
import type { LabelIndex, LabelValues } from './label-index.js'
import { MatchCache } from './match-cache.js'

export class HeadIndex implements LabelIndex {
  readonly matches = new MatchCache()
  readonly #series: SeriesTable
  /** Name symbol → its values. */
  readonly #labels = new Map<number, HeadLabel>()
  #all: Uint32Array = new Uint32Array(64)
  #count = 0
  #lastName: string | undefined
  #lastSymbol = 0

  constructor(series: SeriesTable) {
    this.#series = series
  }

  get sizeBytes(): number {
    let size = this.#all.byteLength + this.matches.sizeBytes
    for (const label of this.#labels.values()) size += label.sizeBytes
    return size
  }

  /** Adds a series whose reference is larger than all before. */
  add(ref: number): void {
    this.matches.clear()
    const { pairs, offsets } = this.#series
    for (let i = offsets.at(ref), to = offsets.at(ref + 1); i < to; i += 2) {
      let label = this.#labels.get(pairs.at(i))
      if (label === undefined)
        this.#labels.set(pairs.at(i), (label = new HeadLabel(this.#series.symbols.texts, this.#series)))
      label.add(pairs.at(i + 1), ref)
    }
    this.#all = grownU32(this.#all, this.#count + 1)
    this.#all[this.#count++] = ref
  }

  all(): Uint32Array {
    return this.#all.subarray(0, this.#count)
  }

  label(name: string): LabelValues | undefined {
    const symbol = this.#series.symbols.find(name)
    return symbol < 0 ? undefined : this.#labels.get(symbol)
  }

  labelNames(): string[] {
    return [...this.#labels.keys()].map((symbol) => this.#series.symbols.texts[symbol])
  }

  valueIndexOf(ref: number, name: string): number {
    // Asked for one name and many series: a name that has been found keeps its symbol.
    if (name !== this.#lastName) {
      const found = this.#series.symbols.find(name)
      if (found < 0) return -1
      this.#lastName = name
      this.#lastSymbol = found
    }
    const symbol = this.#lastSymbol
    const label = this.#labels.get(symbol)
    if (label === undefined) return -1
    const { pairs, offsets } = this.#series
    for (let i = offsets.at(ref), to = offsets.at(ref + 1); i < to; i += 2) {
      if (pairs.at(i) === symbol) return label.indexOfSymbol(pairs.at(i + 1))
    }
    return -1
  }
}

class HeadLabel implements LabelValues {
  readonly #texts: readonly string[]
  readonly #series: SeriesTable
  /** Value symbol → value index. */
  readonly #indexes = new Map<number, number>()
  #symbols: Uint32Array = new Uint32Array(4)
  #firsts: Uint32Array = new Uint32Array(4)
  #counts: Uint32Array = new Uint32Array(4)
  #lists: (Uint32Array | undefined)[] = []
  #listsLength = 0
  count = 0

  constructor(texts: readonly string[], series: SeriesTable) {
    this.#texts = texts
    this.#series = series
  }

  get sizeBytes(): number {
    return this.#symbols.byteLength * 3 + this.#listsLength * 4 + this.count * 40
  }

  add(symbol: number, ref: number): void {
    const known = this.#indexes.get(symbol)
    if (known === undefined) {
      const place = this.count++
      this.#indexes.set(symbol, place)
      this.#symbols = grownU32(this.#symbols, this.count)
      this.#firsts = grownU32(this.#firsts, this.count)
      this.#counts = grownU32(this.#counts, this.count)
      this.#symbols[place] = symbol
      this.#firsts[place] = ref
      this.#counts[place] = 1
      this.#lists.push(undefined)
      return
    }
    const count = this.#counts[known]++
    let list = this.#lists[known]
    if (list === undefined) {
      list = new Uint32Array(4)
      list[0] = this.#firsts[known]
      this.#listsLength += 4
    } else if (count === list.length) {
      this.#listsLength -= list.length
      list = grownU32(list, count + 1)
      this.#listsLength += list.length
    }
    list[count] = ref
    this.#lists[known] = list
  }

  text(valueIndex: number): string {
    return this.#texts[this.#symbols[valueIndex]]
  }

  find(text: string): number {
    const symbol = this.#series.symbols.find(text)
    return symbol < 0 ? -1 : this.indexOfSymbol(symbol)
  }

  indexOfSymbol(symbol: number): number {
    return this.#indexes.get(symbol) ?? -1
  }

  seriesCount(valueIndex: number): number {
    return this.#counts[valueIndex]
  }

  postings(valueIndex: number): Uint32Array {
    const list = this.#lists[valueIndex]
    return list === undefined
      ? this.#firsts.slice(valueIndex, valueIndex + 1)
      : list.subarray(0, this.#counts[valueIndex])
  }
}
