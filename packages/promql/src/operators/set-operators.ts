/** and, or, unless: per step, by the presence of a matching sample on the other side. */
import type { QueryContext } from '../engine/query-context.js'
import type { TraceNode } from '../engine/stats.js'
import type { BinaryPlan } from '../plan/plan.js'
import type { Evaluator } from './evaluator.js'
import type { Grid } from './grid.js'
import { MatchingKeys } from './matching-keys.js'
import { RowMerger } from './row-merger.js'
import { ABSENT, type VectorBatch } from './vector-batch.js'

export async function combineSets(
  evaluator: Evaluator,
  node: BinaryPlan,
  grid: Grid,
  trace: TraceNode,
): Promise<VectorBatch> {
  const { context } = evaluator
  const left = await evaluator.vector(node.left, grid, trace)
  const right = await evaluator.vector(node.right, grid, trace)
  const keys = new MatchingKeys(context.labels, node.matching!)
  if (node.operator === 'or') {
    const present = await presenceByKey(context, left, keys)
    const merger = new RowMerger(context, grid.count)
    for (let row = 0; row < left.seriesCount; row++) {
      merger.addRow(left, row)
      if ((row & 63) === 63 && context.shouldYield()) await context.yield()
    }
    for (let row = 0; row < right.seriesCount; row++) {
      const taken = present.get(keys.keyOf(right.labelSets[row]))
      if (taken !== undefined) removeWhere(right, row, taken, true)
      merger.addRow(right, row)
      if ((row & 63) === 63 && context.shouldYield()) await context.yield()
    }
    return merger.batch
  }
  const present = await presenceByKey(context, right, keys)
  for (let row = 0; row < left.seriesCount; row++) {
    const matched = present.get(keys.keyOf(left.labelSets[row]))
    if (node.operator === 'unless') {
      if (matched !== undefined) removeWhere(left, row, matched, true)
    } else if (matched === undefined) {
      left.presence.fill(ABSENT, row * left.steps, (row + 1) * left.steps)
    } else removeWhere(left, row, matched, false)
    if ((row & 63) === 63 && context.shouldYield()) await context.yield()
  }
  return left
}

/** For each signature, at which steps some series of the batch has a sample. */
async function presenceByKey(
  context: QueryContext,
  batch: VectorBatch,
  keys: MatchingKeys,
): Promise<Map<number, Uint8Array>> {
  const { steps, presence } = batch
  const present = new Map<number, Uint8Array>()
  for (let row = 0; row < batch.seriesCount; row++) {
    const key = keys.keyOf(batch.labelSets[row])
    let mask = present.get(key)
    if (mask === undefined) present.set(key, (mask = new Uint8Array(steps)))
    for (let s = 0; s < steps; s++) if (presence[row * steps + s] !== ABSENT) mask[s] = 1
    if ((row & 63) === 63 && context.shouldYield()) await context.yield()
  }
  return present
}

/** Removes the row's samples where the mask is set (or where it is not). */
function removeWhere(batch: VectorBatch, row: number, mask: Uint8Array, set: boolean): void {
  const from = row * batch.steps
  for (let s = 0; s < batch.steps; s++) if ((mask[s] === 1) === set) batch.presence[from + s] = ABSENT
}
