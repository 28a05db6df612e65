/**
 * sum, avg, min, max, count, group, stddev, stdvar and quantile.
 *
 * Rows are folded into their groups as they come: what is held is groups × steps and one batch. Each fold is a small
 * accumulator over columns; row r of group g at step s adds to cell g·steps + s.
 */
import type { TraceNode } from '../engine/stats.js'
import type { AggregationPlan } from '../plan/plan.js'
import { accumulatorOf } from './accumulators.js'
import type { Evaluator } from './evaluator.js'
import type { Grid } from './grid.js'
import { Grouping } from './grouping.js'
import { ABSENT, VectorBatch } from './vector-batch.js'

export async function aggregate(
  evaluator: Evaluator,
  node: AggregationPlan,
  grid: Grid,
  trace: TraceNode,
): Promise<VectorBatch> {
  const { context } = evaluator
  const { labels, annotations, budget } = context
  const grouping = new Grouping(labels, node.grouping, node.without)
  const parameters = node.parameter === undefined ? undefined : await evaluator.scalar(node.parameter, grid, trace)
  const accumulator = accumulatorOf(node, grid.count, { annotations, labels, parameters })
  const dropName: number[] = []
  let heldGroups = 0
  for await (const batch of evaluator.batches(node.child, grid, trace)) {
    for (let row = 0; row < batch.seriesCount; row++) {
      const group = grouping.groupOf(batch.labelSets[row])
      if (group === dropName.length) dropName.push(0)
      dropName[group] |= batch.dropName[row]
      accumulator.addRow(batch, row, group)
      // Rows of histograms take their time.
      const pace = batch.histograms === undefined ? 63 : 3
      if ((row & pace) === pace && context.shouldYield()) await context.yield()
    }
    if (grouping.count > heldGroups) {
      budget.holdSamples((grouping.count - heldGroups) * grid.count)
      heldGroups = grouping.count
    }
    if (context.shouldYield()) await context.yield()
  }
  const out = new VectorBatch(grid.count, grouping.count)
  for (let group = 0; group < grouping.count; group++) {
    out.addRow(grouping.labelSets[group], dropName[group])
    accumulator.finish(group, out)
  }
  budget.releaseSamples(heldGroups * grid.count)
  return withoutEmptyRows(out)
}

/** Drops rows without a sample, in place. */
export function withoutEmptyRows(batch: VectorBatch): VectorBatch {
  const { steps } = batch
  let kept = 0
  for (let row = 0; row < batch.seriesCount; row++) {
    if (!batch.hasSamples(row)) continue
    if (kept !== row) {
      batch.labelSets[kept] = batch.labelSets[row]
      batch.dropName[kept] = batch.dropName[row]
      batch.values.copyWithin(kept * steps, row * steps, (row + 1) * steps)
      batch.presence.copyWithin(kept * steps, row * steps, (row + 1) * steps)
      if (batch.histograms !== undefined) {
        for (let s = 0; s < steps; s++) batch.histograms[kept * steps + s] = batch.histograms[row * steps + s]
      }
    }
    kept++
  }
  batch.presence.fill(ABSENT, kept * steps, batch.seriesCount * steps)
  batch.seriesCount = kept
  return batch
}
