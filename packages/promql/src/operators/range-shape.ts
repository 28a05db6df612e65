/** What the windows of a range call look like, and what it wants of the store. */
import type { Extreme } from '@varve/tsdb-core/query'
import type { SubqueryPlan, WindowPlan } from '../plan/plan.js'
import { type Grid, subqueryGrid } from './grid.js'
import type { SelectOrder } from './series-source.js'
import { type WindowShape, windowEnds } from './windows.js'

/** Functions to which one sample of a window matters. */
const EXTREME_FUNCTIONS: ReadonlyMap<string, Extreme> = new Map([
  ['min_over_time', 'min'],
  ['max_over_time', 'max'],
])

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
  const extreme = EXTREME_FUNCTIONS.get(functionName)
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
      ...(extreme !== undefined && endsMs.length === 1 && { extreme }),
    },
  }
}

/** The grid on which a subquery's inner expression is evaluated. */
export function innerGrid(node: SubqueryPlan, shape: WindowShape): Grid {
  const { endsMs } = shape
  return subqueryGrid(endsMs[0], endsMs[endsMs.length - 1], node.rangeMs, node.stepMs)
}
