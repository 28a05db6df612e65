/**
 * The folds of aggregations, over columns of group × step cells.
 * Source of the arithmetic: Prometheus, promql/engine.go, aggregation.
 */

import type { Annotations } from '../engine/annotations.js'
import { twoSumError } from '../functions/kahan.js'
import { quantileOfUnsorted } from '../functions/quantile.js'
import type { AggregationPlan } from '../plan/plan.js'
import type { FoldCells } from './batch-kernels.js'
import { HistogramCells } from './histogram-cells.js'
import type { LabelTable } from './label-table.js'
import { ABSENT, FLOAT, HISTOGRAM, type VectorBatch } from './vector-batch.js'

export interface Accumulator {
  addRow(batch: VectorBatch, row: number, group: number): void
  /** The cells of so many groups, for a kernel that adds rows of floats to them; good until the next call of anything. */
  cells?(groupCount: number): FoldCells
  /** Whether the cells are those of sums. */
  readonly isSum?: true
  /** Writes the group's result into the row of the same number; steps `[from, to)` where it says how many it does at once. */
  finish(group: number, out: VectorBatch, from: number, to: number): void
  /** Absent: all steps of a group together take no time to speak of. */
  stepsAtOnce?(group: number): number
}

export interface AccumulatorContext {
  readonly annotations: Annotations
  readonly labels: LabelTable
  /** quantile's argument for each step. */
  readonly parameters: Float64Array | undefined
  /** Charges samples that are kept until the end, besides those of the groups. @throws {PromqlError} `execution` beyond the limit. */
  readonly hold: (count: number) => void
}

export function accumulatorOf(node: AggregationPlan, steps: number, context: AccumulatorContext): Accumulator {
  switch (node.operator) {
    case 'sum':
      return new SumAccumulator(node, steps, context)
    case 'avg':
      return new AvgAccumulator(node, steps, context)
    case 'min':
      return new ExtremeAccumulator(node, steps, context, 1)
    case 'max':
      return new ExtremeAccumulator(node, steps, context, -1)
    case 'count':
      return new CountAccumulator(steps, false)
    case 'group':
      return new CountAccumulator(steps, true)
    case 'stddev':
    case 'stdvar':
      return new VarianceAccumulator(node, steps, context)
    case 'quantile':
      return new QuantileAccumulator(node, context)
    default:
      throw new Error(`${node.operator} does not fold`)
  }
}

/** Columns that grow with the number of groups. */
class Cells {
  readonly steps: number
  capacity = 0
  readonly #columns: { allocate(length: number): void }[] = []

  constructor(steps: number) {
    this.steps = steps
  }

  floats(): FloatColumn {
    const column = new FloatColumn()
    this.#columns.push(column)
    return column
  }

  bytes(): ByteColumn {
    const column = new ByteColumn()
    this.#columns.push(column)
    return column
  }

  /** Makes sure that the group has cells. */
  reach(group: number): void {
    if (group < this.capacity) return
    this.capacity = Math.max(group + 1, this.capacity * 2, Math.min(64, Math.ceil(4096 / this.steps)))
    for (const column of this.#columns) column.allocate(this.capacity * this.steps)
  }
}

class FloatColumn {
  data = new Float64Array(0)

  allocate(length: number): void {
    const larger = new Float64Array(length)
    larger.set(this.data)
    this.data = larger
  }
}

class ByteColumn {
  data = new Uint8Array(0)

  allocate(length: number): void {
    const larger = new Uint8Array(length)
    larger.set(this.data)
    this.data = larger
  }
}

const NO_FLOATS = new Float64Array(0)
const NO_FLAGS = new Uint8Array(0)

class SumAccumulator implements Accumulator {
  readonly isSum = true
  readonly #cells: Cells
  readonly #sums: FloatColumn
  readonly #compensations: FloatColumn
  readonly #seen: ByteColumn
  readonly #histograms: HistogramCells

  constructor(node: AggregationPlan, steps: number, context: AccumulatorContext) {
    this.#cells = new Cells(steps)
    this.#sums = this.#cells.floats()
    this.#compensations = this.#cells.floats()
    this.#seen = this.#cells.bytes()
    this.#histograms = new HistogramCells(steps, node.child.position, context, false)
  }

  addRow(batch: VectorBatch, row: number, group: number): void {
    this.#cells.reach(group)
    if (batch.histograms !== undefined) this.#histograms.addRow(batch, row, group, this.#seen.data)
    addCompensated(
      batch.values,
      batch.presence,
      row * batch.steps,
      this.#sums.data,
      this.#compensations.data,
      this.#seen.data,
      group * batch.steps,
      batch.steps,
    )
  }

  cells(groupCount: number): FoldCells {
    this.#cells.reach(groupCount - 1)
    return { fold: 'sum', a: this.#sums.data, b: this.#compensations.data, c: NO_FLOATS, flags: this.#seen.data }
  }

  finish(group: number, out: VectorBatch): void {
    const { steps } = out
    const sums = this.#sums.data
    for (let s = 0; s < steps; s++) {
      const at = group * steps + s
      const seen = this.#seen.data[at] !== 0
      if (this.#histograms.finish(group, s, seen, out) || !seen) continue
      out.setFloat(group, s, Number.isFinite(sums[at]) ? sums[at] + this.#compensations.data[at] : sums[at])
    }
  }
}

/** Kahan's sum of a row into a group's cells. A function of its own: the hottest loop of all aggregations. */
export function addCompensated(
  values: Float64Array,
  presence: Uint8Array,
  from: number,
  sums: Float64Array,
  compensations: Float64Array,
  seen: Uint8Array,
  to: number,
  steps: number,
): void {
  for (let s = 0; s < steps; s++) {
    if (presence[from + s] !== FLOAT) continue
    const value = values[from + s]
    const sum = sums[to + s]
    const total = sum + value
    const part = total - sum
    const error = sum - (total - part) + (value - part)
    compensations[to + s] = Number.isNaN(error) ? 0 : compensations[to + s] + error
    sums[to + s] = total
    seen[to + s] = 1
  }
}

class AvgAccumulator implements Accumulator {
  readonly #cells: Cells
  /** The sum, or the mean once `incremental`. */
  readonly #sums: FloatColumn
  readonly #compensations: FloatColumn
  readonly #counts: FloatColumn
  readonly #incremental: ByteColumn
  readonly #histograms: HistogramCells

  constructor(node: AggregationPlan, steps: number, context: AccumulatorContext) {
    this.#cells = new Cells(steps)
    this.#sums = this.#cells.floats()
    this.#compensations = this.#cells.floats()
    this.#counts = this.#cells.floats()
    this.#incremental = this.#cells.bytes()
    this.#histograms = new HistogramCells(steps, node.child.position, context, true)
  }

  addRow(batch: VectorBatch, row: number, group: number): void {
    const { steps, values, presence } = batch
    this.#cells.reach(group)
    if (batch.histograms !== undefined) this.#histograms.addRow(batch, row, group, this.#counts.data)
    const sums = this.#sums.data
    const compensations = this.#compensations.data
    const counts = this.#counts.data
    const from = row * steps
    const to = group * steps
    for (let s = 0; s < steps; s++) {
      if (presence[from + s] !== FLOAT) continue
      const at = to + s
      const value = values[from + s]
      const count = ++counts[at]
      if (count === 1) {
        sums[at] = value
        continue
      }
      if (this.#incremental.data[at] === 0) {
        const sum = sums[at]
        const total = sum + value
        if (Math.abs(total) !== Number.POSITIVE_INFINITY) {
          compensations[at] += twoSumError(sum, value, total)
          sums[at] = total
          continue
        }
        // The sum would overflow: from here on, the mean so far.
        this.#incremental.data[at] = 1
        sums[at] = sum / (count - 1)
        compensations[at] /= count - 1
      }
      const weight = (count - 1) / count
      const mean = weight * sums[at]
      const part = value / count
      const total = mean + part
      compensations[at] =
        Math.abs(total) === Number.POSITIVE_INFINITY ? 0 : weight * compensations[at] + twoSumError(mean, part, total)
      sums[at] = total
    }
  }

  cells(groupCount: number): FoldCells {
    this.#cells.reach(groupCount - 1)
    return {
      fold: 'avg',
      a: this.#sums.data,
      b: this.#compensations.data,
      c: this.#counts.data,
      flags: this.#incremental.data,
    }
  }

  finish(group: number, out: VectorBatch): void {
    const { steps } = out
    for (let s = 0; s < steps; s++) {
      const at = group * steps + s
      const count = this.#counts.data[at]
      if (this.#histograms.finish(group, s, count > 0, out) || count === 0) continue
      const sum = this.#sums.data[at]
      const compensation = this.#compensations.data[at]
      const mean = this.#incremental.data[at] === 1 ? sum + compensation : sum / count + compensation / count
      out.setFloat(group, s, mean)
    }
  }
}

class ExtremeAccumulator implements Accumulator {
  readonly #cells: Cells
  readonly #values: FloatColumn
  readonly #seen: ByteColumn
  readonly #node: AggregationPlan
  readonly #context: AccumulatorContext
  readonly #sign: number

  /** `sign` 1 keeps the least, -1 the greatest. */
  constructor(node: AggregationPlan, steps: number, context: AccumulatorContext, sign: number) {
    this.#cells = new Cells(steps)
    this.#values = this.#cells.floats()
    this.#seen = this.#cells.bytes()
    this.#node = node
    this.#context = context
    this.#sign = sign
  }

  addRow(batch: VectorBatch, row: number, group: number): void {
    const { steps, values, presence } = batch
    this.#cells.reach(group)
    reportIgnored(batch, row, this.#node, this.#context.annotations)
    const held = this.#values.data
    const seen = this.#seen.data
    const sign = this.#sign
    for (let s = 0, from = row * steps, to = group * steps; s < steps; s++, from++, to++) {
      if (presence[from] !== FLOAT) continue
      const value = values[from]
      const best = held[to]
      // NaN yields to any value.
      if (seen[to] === 0 || sign * value < sign * best || Number.isNaN(best)) held[to] = value
      seen[to] = 1
    }
  }

  cells(groupCount: number): FoldCells {
    this.#cells.reach(groupCount - 1)
    return {
      fold: this.#sign === 1 ? 'min' : 'max',
      a: this.#values.data,
      b: NO_FLOATS,
      c: NO_FLOATS,
      flags: this.#seen.data,
    }
  }

  finish(group: number, out: VectorBatch): void {
    for (let s = 0; s < out.steps; s++) {
      const at = group * out.steps + s
      if (this.#seen.data[at] === 1) out.setFloat(group, s, this.#values.data[at])
    }
  }
}

class CountAccumulator implements Accumulator {
  readonly #cells: Cells
  readonly #counts: FloatColumn
  readonly #once: boolean

  /** With `once` the answer is 1 whatever the count: `group`. */
  constructor(steps: number, once: boolean) {
    this.#cells = new Cells(steps)
    this.#counts = this.#cells.floats()
    this.#once = once
  }

  addRow(batch: VectorBatch, row: number, group: number): void {
    const { steps, presence } = batch
    this.#cells.reach(group)
    const counts = this.#counts.data
    for (let s = 0, from = row * steps, to = group * steps; s < steps; s++, from++, to++) {
      if (presence[from] !== ABSENT) counts[to]++
    }
  }

  cells(groupCount: number): FoldCells {
    this.#cells.reach(groupCount - 1)
    return { fold: 'count', a: this.#counts.data, b: NO_FLOATS, c: NO_FLOATS, flags: NO_FLAGS }
  }

  finish(group: number, out: VectorBatch): void {
    for (let s = 0; s < out.steps; s++) {
      const count = this.#counts.data[group * out.steps + s]
      if (count > 0) out.setFloat(group, s, this.#once ? 1 : count)
    }
  }
}

class VarianceAccumulator implements Accumulator {
  readonly #cells: Cells
  readonly #counts: FloatColumn
  readonly #means: FloatColumn
  readonly #squares: FloatColumn
  readonly #node: AggregationPlan
  readonly #context: AccumulatorContext

  constructor(node: AggregationPlan, steps: number, context: AccumulatorContext) {
    this.#cells = new Cells(steps)
    this.#counts = this.#cells.floats()
    this.#means = this.#cells.floats()
    this.#squares = this.#cells.floats()
    this.#node = node
    this.#context = context
  }

  addRow(batch: VectorBatch, row: number, group: number): void {
    const { steps, values, presence } = batch
    this.#cells.reach(group)
    reportIgnored(batch, row, this.#node, this.#context.annotations)
    const counts = this.#counts.data
    const means = this.#means.data
    const squares = this.#squares.data
    for (let s = 0, from = row * steps, to = group * steps; s < steps; s++, from++, to++) {
      if (presence[from] !== FLOAT) continue
      const value = values[from]
      const count = ++counts[to]
      if (count === 1) {
        means[to] = value
        squares[to] = Number.isFinite(value) ? 0 : Number.NaN
        continue
      }
      const delta = value - means[to]
      means[to] += delta / count
      squares[to] += delta * (value - means[to])
    }
  }

  cells(groupCount: number): FoldCells {
    this.#cells.reach(groupCount - 1)
    return { fold: 'variance', a: this.#means.data, b: this.#squares.data, c: this.#counts.data, flags: NO_FLAGS }
  }

  finish(group: number, out: VectorBatch): void {
    for (let s = 0; s < out.steps; s++) {
      const at = group * out.steps + s
      const count = this.#counts.data[at]
      if (count === 0) continue
      const variance = this.#squares.data[at] / count
      out.setFloat(group, s, this.#node.operator === 'stddev' ? Math.sqrt(variance) : variance)
    }
  }
}

/** A millisecond or two. */
const VALUES_SORTED_AT_ONCE = 16_384

/** The rows of a group, one behind the other: a quantile needs all values. */
interface QuantileRows {
  count: number
  values: Float64Array
  presence: Uint8Array
}

class QuantileAccumulator implements Accumulator {
  readonly #node: AggregationPlan
  readonly #context: AccumulatorContext
  readonly #groups: QuantileRows[] = []
  #scratch = new Float64Array(64)

  constructor(node: AggregationPlan, context: AccumulatorContext) {
    this.#node = node
    this.#context = context
    this.#reportParameter()
  }

  addRow(batch: VectorBatch, row: number, group: number): void {
    const { steps, values, presence } = batch
    reportIgnored(batch, row, this.#node, this.#context.annotations)
    while (this.#groups.length <= group) this.#groups.push({ count: 0, values: NO_FLOATS, presence: NO_FLAGS })
    this.#context.hold(steps)
    const rows = this.#groups[group]
    const to = rows.count++ * steps
    if (to === rows.values.length) {
      // From one row on: there may be a group for each series, and what is charged is rows.
      const length = Math.max(to * 2, steps)
      const before = rows.values
      rows.values = new Float64Array(length)
      rows.values.set(before)
      const beforePresence = rows.presence
      rows.presence = new Uint8Array(length)
      rows.presence.set(beforePresence)
    }
    const from = row * steps
    const held = rows.values
    const heldPresence = rows.presence
    for (let s = 0; s < steps; s++) {
      held[to + s] = values[from + s]
      heldPresence[to + s] = presence[from + s]
    }
  }

  stepsAtOnce(group: number): number {
    return Math.max(1, Math.floor(VALUES_SORTED_AT_ONCE / Math.max(1, this.#groups[group].count)))
  }

  finish(group: number, out: VectorBatch, from: number, to: number): void {
    const quantiles = this.#context.parameters!
    const { count: rowCount, values, presence } = this.#groups[group]
    const { steps } = out
    if (this.#scratch.length < rowCount) this.#scratch = new Float64Array(rowCount * 2)
    const scratch = this.#scratch
    for (let s = from; s < to; s++) {
      let count = 0
      let nanCount = 0
      for (let row = 0, at = s; row < rowCount; row++, at += steps) {
        if (presence[at] !== FLOAT) continue
        const value = values[at]
        if (Number.isNaN(value)) nanCount++
        else scratch[count++] = value
      }
      if (count + nanCount > 0) out.setFloat(group, s, quantileOfUnsorted(quantiles[s], scratch, count, nanCount))
    }
  }

  #reportParameter(): void {
    const { annotations, parameters } = this.#context
    const { position } = this.#node.parameter!
    let least = Number.POSITIVE_INFINITY
    let greatest = Number.NEGATIVE_INFINITY
    for (const quantile of parameters!) {
      if (Number.isNaN(quantile)) annotations.invalidQuantile(quantile, position)
      least = Math.min(least, quantile)
      greatest = Math.max(greatest, quantile)
    }
    if (greatest > 1) annotations.invalidQuantile(greatest, position)
    if (least < 0) annotations.invalidQuantile(least, position)
  }
}

function reportIgnored(batch: VectorBatch, row: number, node: AggregationPlan, annotations: Annotations): void {
  if (batch.histograms === undefined) return
  const found = batch.presence.indexOf(HISTOGRAM, row * batch.steps)
  if (found >= 0 && found < (row + 1) * batch.steps) {
    annotations.histogramIgnoredInAggregation(node.operator, node.child.position)
  }
}
