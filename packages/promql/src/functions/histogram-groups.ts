/**
 * The input of histogram_quantile and its kin: classic buckets, grouped by all labels but `le`, and native histograms.
 *
 * Groups and the order of their bounds are found once; each step then reads the counts that are there.
 */

import type { Histogram } from '@varve/tsdb-core/model'
import type { PositionRange } from '../ast.js'
import { parseGoFloat } from '../engine/go-format.js'
import type { QueryContext } from '../engine/query-context.js'
import { ABSENT, FLOAT, HISTOGRAM, type VectorBatch } from '../operators/vector-batch.js'
import type { ClassicBuckets } from './classic-buckets.js'

const BUCKET_LABEL = 'le'

interface BucketRow {
  readonly bound: number
  readonly row: number
}

export interface HistogramGroup {
  /** Interned labels without `le`. */
  readonly labelSet: number
  dropName: number
  readonly buckets: BucketRow[]
  /** Rows that may hold native histograms with these labels. */
  readonly natives: number[]
}

export class HistogramGroups {
  readonly groups: HistogramGroup[] = []
  readonly #context: QueryContext
  readonly #batch: VectorBatch
  readonly #position: PositionRange
  readonly #groupOfSet = new Map<number, HistogramGroup>()

  private constructor(context: QueryContext, batch: VectorBatch, position: PositionRange) {
    this.#context = context
    this.#batch = batch
    this.#position = position
  }

  /** `position` is that of the vector argument. */
  static async of(context: QueryContext, batch: VectorBatch, position: PositionRange): Promise<HistogramGroups> {
    const groups = new HistogramGroups(context, batch, position)
    for (let row = 0; row < batch.seriesCount; row++) {
      groups.#addRow(row)
      if ((row & 63) === 63 && context.shouldYield()) await context.yield()
    }
    for (const { buckets } of groups.groups) buckets.sort((a, b) => a.bound - b.bound)
    return groups
  }

  /** The classic buckets of a group at a step, undefined if there are none or a native histogram stands beside them. */
  classicAt(group: HistogramGroup, step: number): ClassicBuckets | undefined {
    const { presence, values, steps } = this.#batch
    const bounds: number[] = []
    const counts: number[] = []
    for (const { bound, row } of group.buckets) {
      if (presence[row * steps + step] !== FLOAT) continue
      bounds.push(bound)
      counts.push(values[row * steps + step])
    }
    if (bounds.length === 0) return undefined
    if (this.#nativeRow(group, step) >= 0) {
      this.#context.annotations.mixedClassicNative(this.#context.labels.metricName(group.labelSet), this.#position)
      return undefined
    }
    return { bounds, counts }
  }

  /** The native histogram of a group at a step, undefined if there is none or classic buckets stand beside it. */
  nativeAt(group: HistogramGroup, step: number): Histogram | undefined {
    const row = this.#nativeRow(group, step)
    if (row < 0 || this.#hasClassic(group, step)) return undefined
    return this.#batch.histograms![row * this.#batch.steps + step]
  }

  /** The row of a group's native histogram at a step, or -1. */
  #nativeRow(group: HistogramGroup, step: number): number {
    const { presence, steps } = this.#batch
    for (const row of group.natives) if (presence[row * steps + step] === HISTOGRAM) return row
    return -1
  }

  #hasClassic(group: HistogramGroup, step: number): boolean {
    const { presence, steps } = this.#batch
    return group.buckets.some(({ row }) => presence[row * steps + step] === FLOAT)
  }

  #addRow(row: number): void {
    const { labels, annotations } = this.#context
    const batch = this.#batch
    let hasFloats = false
    let hasHistograms = false
    for (let at = row * batch.steps, end = at + batch.steps; at < end; at++) {
      if (batch.presence[at] === FLOAT) hasFloats = true
      else if (batch.presence[at] !== ABSENT) hasHistograms = true
    }
    const labelSet = batch.labelSets[row]
    // A native histogram may carry an `le` of its own; it then keeps it.
    if (hasHistograms) this.#groupOf(labels.canonical(labelSet), batch.dropName[row]).natives.push(row)
    if (!hasFloats) return
    const bound = labels.value(labelSet, BUCKET_LABEL)
    const value = parseGoFloat(bound)
    if (value === undefined) {
      annotations.badBucketLabel(labels.metricName(labelSet), bound, this.#position)
      return
    }
    const nameId = labels.textId(BUCKET_LABEL)
    const group = this.#groupOf(
      labels.filter(labelSet, (id) => id !== nameId),
      batch.dropName[row],
    )
    group.buckets.push({ bound: value, row })
  }

  #groupOf(labelSet: number, dropName: number): HistogramGroup {
    let group = this.#groupOfSet.get(labelSet)
    if (group === undefined) {
      group = { labelSet, dropName, buckets: [], natives: [] }
      this.#groupOfSet.set(labelSet, group)
      this.groups.push(group)
    }
    return group
  }
}
