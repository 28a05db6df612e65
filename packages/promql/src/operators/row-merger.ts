/**
 * Rows by label set: series with equal labels become one, as long as they have no sample at the same step.
 *
 * Operators whose results may meet (or, matching, functions that change labels) gather their rows here.
 */
import type { QueryContext } from '../engine/query-context.js'
import { PromqlError } from '../errors.js'
import { ABSENT, VectorBatch } from './vector-batch.js'

export class RowMerger {
  readonly batch: VectorBatch
  readonly #context: QueryContext
  readonly #rowOfSet = new Map<number, number>()

  constructor(context: QueryContext, steps: number) {
    this.#context = context
    this.batch = new VectorBatch(steps, 0)
  }

  /** The row of a label set, which need not be interned; it is made if need be. */
  rowOf(labelSet: number, dropName: number): number {
    const set = this.#context.labels.canonical(labelSet)
    const known = this.#rowOfSet.get(set)
    if (known !== undefined) return known
    const row = this.batch.addRow(set, dropName)
    this.#rowOfSet.set(set, row)
    return row
  }

  /** @throws {PromqlError} `execution` if the row has a sample there already. */
  checkFree(row: number, step: number): void {
    if (this.batch.presence[row * this.batch.steps + step] !== ABSENT) throw duplicateLabels()
  }

  /** Adds a whole row, under its own labels or others. */
  addRow(source: VectorBatch, sourceRow: number, labelSet = source.labelSets[sourceRow]): void {
    if (!source.hasSamples(sourceRow)) return
    const { steps } = this.batch
    const row = this.rowOf(labelSet, source.dropName[sourceRow])
    for (let s = 0, at = sourceRow * steps; s < steps; s++, at++) {
      if (source.presence[at] === ABSENT) continue
      this.checkFree(row, s)
      this.batch.copyStep(row, s, source, at)
    }
  }
}

export function duplicateLabels(): PromqlError {
  return new PromqlError('execution', 'vector cannot contain metrics with the same labelset')
}
