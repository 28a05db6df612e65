/**
 * sum, avg, min, max, count, group, stddev, stdvar and quantile.
 *
 * Rows are folded into their groups as they come: what is held is groups × steps and one batch. Over a selector, or a
 * function of its windows, it is one row: each series goes from its samples into its group. Each fold is a small accumulator
 * over columns; row r of group g at step s adds to cell g·steps + s.
 */
import type { TraceNode } from '../engine/stats.js'
import { describePlan } from '../plan/describe.js'
import type { AggregationPlan, PlanNode } from '../plan/plan.js'
import { accumulatorOf } from './accumulators.js'
import type { Evaluator } from './evaluator.js'
import type { Grid } from './grid.js'
import { Grouping } from './grouping.js'
import { openWindows, rangeRows } from './range-call.js'
import { openSelection, SelectRows } from './select.js'
import { foldRows, type SeriesRows } from './series-rows.js'
import type { Selection, SeriesSource } from './series-source.js'
import { ABSENT, VectorBatch } from './vector-batch.js'

export async function aggregate(
  evaluator: Evaluator,
  source: SeriesSource,
  node: AggregationPlan,
  grid: Grid,
  trace: TraceNode,
): Promise<VectorBatch> {
  const { context } = evaluator
  const { labels, annotations, budget } = context
  const grouping = new Grouping(labels, node.grouping, node.without)
  const parameters = node.parameter === undefined ? undefined : await evaluator.scalar(node.parameter, grid, trace)
  let held = 0
  const hold = (count: number) => {
    budget.holdSamples(count)
    held += count
  }
  const accumulator = accumulatorOf(node, grid.count, { annotations, labels, parameters, hold })
  let heldGroups = 0
  const groupsGrew = (count: number) => {
    if (count === heldGroups) return
    hold((count - heldGroups) * grid.count)
    heldGroups = count
  }
  const dropName: number[] = []
  if (isDirect(node.child) && grid.count > 0) {
    const childTrace = context.trace(trace, describePlan(node.child))
    const startMs = context.nowMs()
    context.check()
    const { rows, selection } = await directRows(evaluator, source, node, grid, childTrace)
    await foldRows(context, selection, rows, grouping, accumulator, groupsGrew)
    for (let group = 0; group < grouping.count; group++) dropName.push(rows.dropName)
    childTrace.milliseconds = context.nowMs() - startMs
  } else {
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
      groupsGrew(grouping.count)
      if (context.shouldYield()) await context.yield()
    }
  }
  const out = new VectorBatch(grid.count, grouping.count)
  for (let group = 0; group < grouping.count; group++) {
    out.addRow(grouping.labelSets[group], dropName[group])
    const width = accumulator.stepsAtOnce?.(group) ?? grid.count
    for (let from = 0; from < grid.count; from += width) {
      accumulator.finish(group, out, from, Math.min(grid.count, from + width))
      if ((width < grid.count || (group & 63) === 63) && context.shouldYield()) await context.yield()
    }
  }
  budget.releaseSamples(held)
  return withoutEmptyRows(out)
}

/** Whether its rows are made of a selector's series one by one. */
function isDirect(node: PlanNode): boolean {
  if (node.kind === 'select') return !node.smoothed
  return node.kind === 'rangeCall' && node.source.kind === 'window' && node.function.name !== 'absent_over_time'
}

/** `count` and `group` look at which samples there are, not at what they say. */
export function wantsPresenceOnly(node: AggregationPlan): boolean {
  return (
    (node.operator === 'count' || node.operator === 'group') && node.child.kind === 'select' && isDirect(node.child)
  )
}

async function directRows(
  evaluator: Evaluator,
  source: SeriesSource,
  aggregation: AggregationPlan,
  grid: Grid,
  trace: TraceNode,
): Promise<{ rows: SeriesRows; selection: Selection }> {
  const node = aggregation.child
  if (node.kind === 'select') {
    const presenceOnly = wantsPresenceOnly(aggregation)
    const rows = new SelectRows(evaluator.context, node, grid, 'value', presenceOnly)
    return { rows, selection: await openSelection(evaluator.context, source, rows, node, trace, presenceOnly) }
  }
  if (node.kind !== 'rangeCall' || node.source.kind !== 'window') throw new Error(`${node.kind} has no rows of its own`)
  const rows = await rangeRows(evaluator, node, grid, trace)
  return { rows, selection: await openWindows(evaluator, source, rows, node.source, trace) }
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
