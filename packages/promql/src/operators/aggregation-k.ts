/**
 * topk, bottomk, limitk and limit_ratio: they choose among the input series, anew at every step.
 *
 * A single step answers in order (topk from the greatest, groups as first seen); several steps answer in columns.
 * Source: Prometheus, promql/engine.go, aggregationK.
 */

import { formatG } from '../engine/go-format.js'
import type { QueryContext } from '../engine/query-context.js'
import type { TraceNode } from '../engine/stats.js'
import { PromqlError } from '../errors.js'
import type { AggregationPlan } from '../plan/plan.js'
import type { Evaluator } from './evaluator.js'
import type { Grid } from './grid.js'
import { Grouping } from './grouping.js'
import { labelsHash } from './labels-hash.js'
import { ABSENT, FLOAT, HISTOGRAM, VectorBatch } from './vector-batch.js'

/** Floats that an int64 can hold, as Prometheus checks it: up to the largest one below 2^63, exclusively. */
const INT64_MAX = 2 ** 63 - 1024
const INT64_MIN = -(2 ** 63)
const UINT64_MAX = 2 ** 64

export async function aggregateK(
  evaluator: Evaluator,
  node: AggregationPlan,
  grid: Grid,
  trace: TraceNode,
): Promise<VectorBatch> {
  const { context } = evaluator
  const parameters = await evaluator.scalar(node.parameter!, grid, trace)
  const input = await evaluator.vector(node.child, grid, trace)
  if (!hasWork(node, parameters, context)) return new VectorBatch(grid.count, 0)
  const grouping = new Grouping(context.labels, node.grouping, node.without)
  const rows: number[][] = []
  for (let row = 0; row < input.seriesCount; row++) {
    const group = grouping.groupOf(input.labelSets[row])
    if (group === rows.length) rows.push([])
    rows[group].push(row)
    if ((row & 1023) === 1023 && context.shouldYield()) await context.yield()
  }
  const pick = node.operator === 'limit_ratio' ? ratioPicker(input, context) : pickerOf(node, input, context)
  const chosen = new Uint8Array(input.seriesCount * grid.count)
  const order: number[] = []
  for (let s = 0; s < grid.count; s++) {
    for (const groupRows of rows) {
      for (const row of pick(groupRows, s, parameters[s])) {
        chosen[row * grid.count + s] = 1
        if (grid.count === 1) order.push(row)
      }
    }
    if (context.shouldYield()) await context.yield()
  }
  return grid.count === 1 ? inOrder(input, order) : masked(input, chosen)
}

/** Checks the parameter. @throws {PromqlError} `execution` */
function hasWork(node: AggregationPlan, parameters: Float64Array, context: QueryContext): boolean {
  const { operator } = node
  let least = Number.POSITIVE_INFINITY
  let greatest = Number.NEGATIVE_INFINITY
  let hasNaN = false
  for (const value of parameters) {
    if (Number.isNaN(value)) hasNaN = true
    else {
      least = Math.min(least, value)
      greatest = Math.max(greatest, value)
    }
  }
  if (operator === 'limit_ratio') {
    if (hasNaN) throw new PromqlError('execution', 'Ratio value is NaN')
    if (greatest === 0 && least === 0) return false
    if (greatest > 1) context.annotations.invalidRatio(greatest, 1, node.parameter!.position)
    if (least < -1) context.annotations.invalidRatio(least, -1, node.parameter!.position)
    return true
  }
  if (hasNaN) throw new PromqlError('execution', 'Parameter value is NaN')
  if (greatest < 1) return false
  if (least <= INT64_MIN) throw new PromqlError('execution', `Scalar value ${formatG(least)} underflows int64`)
  if (greatest >= INT64_MAX) throw new PromqlError('execution', `Scalar value ${formatG(greatest)} overflows int64`)
  return true
}

/** Picks rows of a group at a step, best first. */
type Picker = (rows: readonly number[], step: number, parameter: number) => Iterable<number>

function pickerOf(node: AggregationPlan, input: VectorBatch, context: QueryContext): Picker {
  const { steps, presence, values } = input
  if (node.operator === 'limitk') {
    return (rows, step, parameter) => {
      const k = Math.trunc(parameter)
      const picked: number[] = []
      for (const row of rows) {
        if (picked.length >= k) break
        if (presence[row * steps + step] !== ABSENT) picked.push(row)
      }
      return picked
    }
  }
  const best = new BestRows()
  // 1 wants the least values, -1 the greatest; NaN is last in both.
  const sign = node.operator === 'bottomk' ? 1 : -1
  return (rows, step, parameter) => {
    best.clear(Math.min(Math.trunc(parameter), rows.length))
    for (const row of rows) {
      const at = row * steps + step
      if (presence[at] === FLOAT) best.add(row, sign * values[at])
      else if (presence[at] === HISTOGRAM) {
        context.annotations.histogramIgnoredInAggregation(node.operator, node.position)
      }
    }
    return best.rows()
  }
}

/** By a hash of the labels: r and r - 1 choose complements. */
function ratioPicker(input: VectorBatch, context: QueryContext): Picker {
  const places = new Float64Array(input.seriesCount)
  for (let row = 0; row < input.seriesCount; row++) {
    places[row] = Number(labelsHash(context.labels.labels(input.labelSets[row]))) / UINT64_MAX
  }
  return (rows, step, parameter) => {
    const ratio = Math.max(-1, Math.min(1, parameter))
    return rows.filter((row) => {
      if (input.presence[row * input.steps + step] === ABSENT || ratio === 0) return false
      return ratio > 0 ? places[row] < ratio : places[row] >= 1 + ratio
    })
  }
}

/** So many rows are kept in order as they come; more are sorted at the end. */
const INSERTED_MAX = 64

/** The rows with the least keys, in order; of equal keys the earliest. NaN is greater than any key. */
class BestRows {
  #keys = new Float64Array(INSERTED_MAX)
  #rows = new Int32Array(INSERTED_MAX)
  #count = 0
  #most = 0

  clear(most: number): void {
    this.#count = 0
    this.#most = Math.max(0, most)
  }

  add(row: number, key: number): void {
    const keys = this.#keys
    const rows = this.#rows
    const most = this.#most
    if (most > INSERTED_MAX) {
      if (this.#count === keys.length) this.#grow()
      this.#keys[this.#count] = key
      this.#rows[this.#count++] = row
      return
    }
    if (this.#count === most && (most === 0 || !isLess(key, keys[most - 1]))) return
    let at = this.#count < most ? this.#count++ : most - 1
    for (; at > 0 && isLess(key, keys[at - 1]); at--) {
      keys[at] = keys[at - 1]
      rows[at] = rows[at - 1]
    }
    keys[at] = key
    rows[at] = row
  }

  /** Good until the next call of anything. */
  rows(): Int32Array {
    if (this.#most <= INSERTED_MAX) return this.#rows.subarray(0, this.#count)
    const keys = this.#keys
    const order = Int32Array.from({ length: this.#count }, (_, i) => i)
    order.sort((a, b) => (isLess(keys[a], keys[b]) ? -1 : isLess(keys[b], keys[a]) ? 1 : a - b))
    return order.subarray(0, this.#most).map((i) => this.#rows[i])
  }

  #grow(): void {
    const keys = new Float64Array(this.#keys.length * 2)
    keys.set(this.#keys)
    this.#keys = keys
    const rows = new Int32Array(this.#rows.length * 2)
    rows.set(this.#rows)
    this.#rows = rows
  }
}

function isLess(a: number, b: number): boolean {
  return a < b || (Number.isNaN(b) && !Number.isNaN(a))
}

function inOrder(input: VectorBatch, order: readonly number[]): VectorBatch {
  const out = new VectorBatch(input.steps, order.length)
  for (const row of order) out.addCopy(input, row)
  return out
}

function masked(input: VectorBatch, chosen: Uint8Array): VectorBatch {
  for (let at = 0; at < chosen.length; at++) if (chosen[at] === 0) input.presence[at] = ABSENT
  return input
}
