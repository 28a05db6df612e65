/**
 * Groups of an aggregation: label set → group, by label ids, with no text built for a series.
 *
 * A key is the ids of the kept pairs; groups are numbered in the order in which they are first seen.
 */
import { METRIC_NAME } from '@varve/tsdb-core/model'
import type { LabelTable } from './label-table.js'

export class Grouping {
  readonly #table: LabelTable
  readonly #without: boolean
  /** Name ids that the clause names; for `without` also the metric name's. */
  readonly #nameIds: Set<number>
  /** `by` of few names: the ids as a plain list, which is quicker to search. */
  readonly #keptIds: readonly number[]
  readonly #groupOfSet = new Map<number, number>()
  readonly labelSets: number[] = []
  #scratch: number[] = []

  constructor(table: LabelTable, grouping: readonly string[], without: boolean) {
    this.#table = table
    this.#without = without
    this.#nameIds = new Set(grouping.map((name) => table.textId(name)))
    if (without) this.#nameIds.add(table.textId(METRIC_NAME))
    this.#keptIds = [...this.#nameIds]
  }

  get count(): number {
    return this.labelSets.length
  }

  groupOf(labelSet: number): number {
    const table = this.#table
    const { pairs, offsets } = table
    const scratch = this.#scratch
    let length = 0
    if (this.#without) {
      for (let i = offsets[labelSet] * 2, end = offsets[labelSet + 1] * 2; i < end; i += 2) {
        if (this.#nameIds.has(pairs[i])) continue
        scratch[length++] = pairs[i]
        scratch[length++] = pairs[i + 1]
      }
    } else if (this.#keptIds.length > 0) {
      const kept = this.#keptIds
      for (let i = offsets[labelSet] * 2, end = offsets[labelSet + 1] * 2; i < end; i += 2) {
        if (!kept.includes(pairs[i])) continue
        scratch[length++] = pairs[i]
        scratch[length++] = pairs[i + 1]
      }
    }
    const set = table.intern(scratch, 0, length / 2)
    let group = this.#groupOfSet.get(set)
    if (group === undefined) {
      group = this.labelSets.length
      this.labelSets.push(set)
      this.#groupOfSet.set(set, group)
    }
    return group
  }
}
