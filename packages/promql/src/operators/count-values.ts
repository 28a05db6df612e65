/** count_values: how many series of a group have each value, which becomes a label. */

import type { TraceNode } from '../engine/stats.js'
import { PromqlError } from '../errors.js'
import { sourceText } from '../functions/label-names.js'
import { histogramText } from '../histograms/index.js'
import { formatFloat } from '../parser/go-text.js'
import { isValidLabelName } from '../parser/literal.js'
import type { AggregationPlan } from '../plan/plan.js'
import type { Evaluator } from './evaluator.js'
import type { Grid } from './grid.js'
import { Grouping } from './grouping.js'
import { ABSENT, FLOAT, VectorBatch } from './vector-batch.js'

export async function countValues(
  evaluator: Evaluator,
  node: AggregationPlan,
  grid: Grid,
  trace: TraceNode,
): Promise<VectorBatch> {
  const { context } = evaluator
  const { labels } = context
  const label = node.parameter?.kind === 'string' ? node.parameter.value : ''
  if (!isValidLabelName(label)) {
    throw new PromqlError(
      'execution',
      `invalid label name ${sourceText(context.options.query, node.parameter!.position)}`,
    )
  }
  const kept = node.without ? node.grouping : [...node.grouping, label]
  const grouping = new Grouping(labels, kept, node.without)
  const out = new VectorBatch(grid.count, 0)
  for await (const batch of evaluator.batches(node.child, grid, trace)) {
    for (let row = 0; row < batch.seriesCount; row++) {
      const sets = new Map<string, number>()
      for (let s = 0, at = row * batch.steps; s < batch.steps; s++, at++) {
        if (batch.presence[at] === ABSENT) continue
        const text =
          batch.presence[at] === FLOAT ? formatFloat(batch.values[at]) : histogramText(batch.histograms![at]!)
        let group = sets.get(text)
        if (group === undefined) {
          group = grouping.groupOf(labels.with(batch.labelSets[row], label, text))
          sets.set(text, group)
          if (group === out.seriesCount) out.addRow(grouping.labelSets[group], 0)
        }
        const cell = group * out.steps + s
        out.setFloat(group, s, out.presence[cell] === ABSENT ? 1 : out.values[cell] + 1)
      }
      if (context.shouldYield()) await context.yield()
    }
  }
  return out
}
