/**
 * The native histograms of `sum` and `avg`, by group and step, beside the columns of floats.
 *
 * A group that holds both at a step has no result there, and neither has one whose histograms do not go together.
 */
import type { PositionRange } from '../ast.js'
import type { Annotations } from '../engine/annotations.js'
import { compactHistogram, HistogramAverage, HistogramSummer } from '../histograms/index.js'
import type { LabelTable } from './label-table.js'
import { HISTOGRAM, type VectorBatch } from './vector-batch.js'

export interface HistogramCellsContext {
  readonly annotations: Annotations
  readonly labels: LabelTable
}

const INCOMPATIBLE = Symbol('exponential and custom buckets, or a float first, in one group')

export class HistogramCells {
  readonly #steps: number
  /** Of the vector that is aggregated. */
  readonly #position: PositionRange
  readonly #context: HistogramCellsContext
  readonly #mean: boolean
  /** By group · steps + step. */
  readonly #cells: (HistogramSummer | HistogramAverage | typeof INCOMPATIBLE | undefined)[] = []

  constructor(steps: number, position: PositionRange, context: HistogramCellsContext, mean: boolean) {
    this.#steps = steps
    this.#position = position
    this.#context = context
    this.#mean = mean
  }

  /** `floats` tells by cell whether the group has had a float there: then its histograms are not even looked at. */
  addRow(batch: VectorBatch, row: number, group: number, floats: ArrayLike<number>): void {
    const { presence, histograms, steps } = batch
    for (let s = 0, at = row * steps; s < steps; s++, at++) {
      if (presence[at] !== HISTOGRAM) continue
      const histogram = histograms![at]!
      const cell = group * steps + s
      const held = this.#cells[cell]
      if (held === undefined && floats[cell] > 0) this.#cells[cell] = INCOMPATIBLE
      else if (held === undefined) {
        this.#cells[cell] = this.#mean ? new HistogramAverage(histogram) : new HistogramSummer(histogram)
      } else if (held !== INCOMPATIBLE && !held.add(histogram)) {
        this.#cells[cell] = INCOMPATIBLE
        const { annotations, labels } = this.#context
        annotations.mixedExponentialCustom(labels.metricName(batch.labelSets[row]), this.#position)
      }
    }
  }

  /** Puts the result of a group at a step; true if the group held histograms there, whether they have a result or not. */
  finish(group: number, step: number, hasFloat: boolean, out: VectorBatch): boolean {
    const held = this.#cells[group * this.#steps + step]
    if (held === undefined) return false
    const { annotations } = this.#context
    if (hasFloat) {
      annotations.mixedFloatsHistogramsInAggregation(this.#position)
      return true
    }
    if (held === INCOMPATIBLE) return true
    if (held.counterResetCollision) annotations.counterResetCollision('aggregation', this.#position)
    if (held.boundsReconciled) annotations.mismatchedCustomBuckets('aggregation', this.#position)
    out.setHistogram(group, step, compactHistogram(held.result()))
    return true
  }
}
