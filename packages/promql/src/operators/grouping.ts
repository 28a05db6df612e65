/**
 * Groups of an aggregation: label set → group, by label ids, with no text built for a series.
 *
 * A key is the ids of the kept pairs; groups are numbered in the order in which they are first seen.
 */
import { METRIC_NAME } from '@varve/tsdb-core/model'
import type { SeriesBatch } from '@varve/tsdb-core/query'
import type { LabelTable, SymbolMap } from './label-table.js'

/** A longer list is searched more quickly as a set. */
const LISTED_MAX = 8

export class Grouping {
  /** What was asked for: the same for equal clauses. */
  readonly key: string
  readonly without: boolean
  readonly names: ReadonlySet<string>
  readonly #table: LabelTable
  /** Name ids that the clause names; for `without` also the metric name's. */
  readonly #nameIds: Set<number>
  /** The same as a plain list, which is quicker to search while it is short. */
  readonly #listedIds: readonly number[]
  readonly #groupOfSet = new Map<number, number>()
  readonly labelSets: number[] = []
  #scratch = new Uint32Array(32)
  /** The kept pairs of the series before, as symbols of `#symbols`, and its group: neighbours are often of one group. */
  #symbols: SymbolMap | undefined
  #kept = new Uint32Array(32)
  #keptLength = -1
  #lastGroup = 0

  constructor(table: LabelTable, grouping: readonly string[], without: boolean) {
    this.#table = table
    this.without = without
    this.names = new Set(without ? [...grouping, METRIC_NAME] : grouping)
    this.key = JSON.stringify([without, ...[...this.names].sort()])
    this.#nameIds = new Set([...this.names].map((name) => table.textId(name)))
    this.#listedIds = [...this.#nameIds]
  }

  get count(): number {
    return this.labelSets.length
  }

  groupOf(labelSet: number): number {
    const { pairs, offsets } = this.#table
    const start = offsets[labelSet] * 2
    const end = offsets[labelSet + 1] * 2
    if (this.#scratch.length < end - start) this.#scratch = new Uint32Array((end - start) * 2)
    const scratch = this.#scratch
    let length = 0
    for (let i = start; i < end; i += 2) {
      if (!this.#keeps(pairs[i])) continue
      scratch[length++] = pairs[i]
      scratch[length++] = pairs[i + 1]
    }
    return this.#groupOfPairs(scratch, length)
  }

  /** The group of labels that are all kept: names and values in turn, in the order of their series. */
  groupOfTexts(texts: readonly string[]): number {
    return this.#groupOfPairs(
      Uint32Array.from(texts, (text) => this.#table.textId(text)),
      texts.length,
    )
  }

  /** The group of a series of a raw batch, whose labels need not be in the table. */
  groupOfSeries(batch: SeriesBatch, series: number, symbols: SymbolMap): number {
    const { labelPairs, labelOffsets } = batch
    const start = labelOffsets[series] * 2
    const end = labelOffsets[series + 1] * 2
    if (this.#kept.length < end - start) this.#grow((end - start) * 2)
    const kept = this.#kept
    let length = 0
    let same = symbols === this.#symbols
    for (let i = start; i < end; i += 2) {
      if (!this.#keeps(symbols.textId(labelPairs[i]))) continue
      const name = labelPairs[i]
      const value = labelPairs[i + 1]
      if (same && (kept[length] !== name || kept[length + 1] !== value)) same = false
      kept[length++] = name
      kept[length++] = value
    }
    if (same && length === this.#keptLength) return this.#lastGroup
    const scratch = this.#scratch
    for (let i = 0; i < length; i++) scratch[i] = symbols.textId(kept[i])
    this.#symbols = symbols
    this.#keptLength = length
    return (this.#lastGroup = this.#groupOfPairs(scratch, length))
  }

  /** By the id of a label's name. */
  #keeps(nameId: number): boolean {
    const listed = this.#listedIds.length <= LISTED_MAX ? this.#listedIds.includes(nameId) : this.#nameIds.has(nameId)
    return listed !== this.without
  }

  #grow(length: number): void {
    this.#kept = new Uint32Array(length)
    this.#scratch = new Uint32Array(length)
    this.#keptLength = -1
    this.#symbols = undefined
  }

  /** `length` numbers of `pairs`, as ids of the table. */
  #groupOfPairs(pairs: Uint32Array, length: number): number {
    const set = this.#table.intern(pairs, 0, length / 2)
    let group = this.#groupOfSet.get(set)
    if (group === undefined) {
      group = this.labelSets.length
      this.labelSets.push(set)
      this.#groupOfSet.set(set, group)
    }
    return group
  }
}
