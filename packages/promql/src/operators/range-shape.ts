/** What the windows of a range call look like, and what it wants of the store. */
import type { SubqueryPlan, WindowPlan } from '../plan/plan.js'
import { type Grid, subqueryGrid } from './grid.js'
import type { SelectOrder } from './series-source.js'
import { type WindowShape, windowEnds } from './windows.js'

export function windowShape(node: WindowPlan | SubqueryPlan, grid: Grid, lookbackMs: number): WindowShape {
  const endsMs = windowEnds(grid, node.atMs, node.offsetMs)
  const anchored = node.kind === 'window' && node.anchored
  const smoothed = node.kind === 'window' && node.smoothed
  return {
    grid,
    endsMs,
    rangeMs: node.rangeMs,
    beforeMs: anchored || smoothed ? lookbackMs : 0,
    afterMs: smoothed ? lookbackMs : 0,
    historyMs: node.kind === 'window' && node.statsOnly ? lookbackMs : 0,
  }
}

export function windowOrder(
  node: WindowPlan,
  shape: WindowShape,
  functionName: string,
  queryStepMs: number,
): SelectOrder {
  const { endsMs, rangeMs, beforeMs, afterMs, historyMs } = shape
  const last = endsMs[endsMs.length - 1]
  return {
    matchers: node.matchers,
    afterMs: endsMs[0] - rangeMs - Math.max(beforeMs, historyMs),
    untilMs: last + afterMs,
    hints: {
      function: functionName,
      stepMs: queryStepMs,
      rangeMs,
      evaluationStartMs: endsMs[0],
      evaluationEndMs: last,
    },
  }
}

/** The grid on which a subquery's inner expression is evaluated. */
export function innerGrid(node: SubqueryPlan, shape: WindowShape): Grid {
  const { endsMs } = shape
  return subqueryGrid(endsMs[0], endsMs[endsMs.length - 1], node.rangeMs, node.stepMs)
}
