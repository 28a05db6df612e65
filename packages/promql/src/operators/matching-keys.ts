/**
 * Signatures of vector matching: label set → number, equal for series that match.
 *
 * Keys are interned label sets of the labels that count, so two different signatures are never taken for one.
 */
import { METRIC_NAME } from '@varve/tsdb-core/model'
import type { VectorMatching } from '../ast.js'
import type { LabelTable } from './label-table.js'

export class MatchingKeys {
  readonly #table: LabelTable
  readonly #keeps: (nameId: number) => boolean

  constructor(table: LabelTable, matching: VectorMatching) {
    this.#table = table
    const nameIds = new Set(matching.labels.map((name) => table.textId(name)))
    if (matching.on) this.#keeps = (nameId) => nameIds.has(nameId)
    else {
      nameIds.add(table.textId(METRIC_NAME))
      this.#keeps = (nameId) => !nameIds.has(nameId)
    }
  }

  /** The interned set of the labels that match: it is the signature, and the match group's labels in messages. */
  keyOf(labelSet: number): number {
    return this.#table.filter(labelSet, this.#keeps)
  }
}
