/** absent and absent_over_time: 1 where there is nothing, labelled by what the selector asks for. */
import { METRIC_NAME } from '@varve/tsdb-core/model'
import type { Evaluator } from '../operators/evaluator.js'
import type { Grid } from '../operators/grid.js'
import { ABSENT, FLOAT, VectorBatch } from '../operators/vector-batch.js'
import type { PlanNode } from '../plan/plan.js'

/** `selector` gives the labels, if it is one; `rows` are looked at for presence. */
export async function* absence(
  evaluator: Evaluator,
  selector: PlanNode,
  rows: AsyncIterable<VectorBatch>,
  grid: Grid,
): AsyncGenerator<VectorBatch> {
  const present = new Uint8Array(grid.count)
  for await (const batch of rows) {
    for (let row = 0; row < batch.seriesCount; row++) {
      for (let s = 0; s < grid.count; s++) if (batch.presence[row * grid.count + s] !== ABSENT) present[s] = 1
    }
  }
  const out = new VectorBatch(grid.count, 1)
  out.addRow(labelsOf(evaluator, selector), 0)
  for (let s = 0; s < grid.count; s++) {
    if (present[s] === 0) {
      out.values[s] = 1
      out.presence[s] = FLOAT
    }
  }
  if (out.hasSamples(0)) yield out
}

/** Labels that the selector fixes: one equality matcher and no other test of the name. */
function labelsOf(evaluator: Evaluator, selector: PlanNode): number {
  const { labels } = evaluator.context
  const inner = selector.kind === 'invariant' ? selector.child : selector
  let set = labels.intern([], 0, 0)
  if (inner.kind !== 'select' && inner.kind !== 'window') return set
  const seen = new Set<string>()
  for (const { name, operator, value } of inner.matchers) {
    if (name === METRIC_NAME) continue
    const fixes = operator === '=' && !seen.has(name)
    if (fixes) seen.add(name)
    set = labels.with(set, name, fixes ? value : '')
  }
  return set
}
