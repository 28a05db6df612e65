/** What operators ask of each other. `evaluate.ts` is the one file that knows them all. */
import type { QueryContext } from '../engine/query-context.js'
import type { TraceNode } from '../engine/stats.js'
import type { PlanNode } from '../plan/plan.js'
import type { Grid } from './grid.js'
import type { VectorBatch } from './vector-batch.js'

export interface Evaluator {
  readonly context: QueryContext

  /**
   * The rows of an instant vector, batch by batch in no particular order. A batch is the caller's to change until the
   * next one is asked for; then its memory may be used again.
   */
  batches(node: PlanNode, grid: Grid, trace: TraceNode): AsyncIterable<VectorBatch>

  /** All rows of an instant vector that have a sample. They are the caller's and count as held samples. */
  vector(node: PlanNode, grid: Grid, trace: TraceNode): Promise<VectorBatch>

  /** The values of a scalar, one for each step. */
  scalar(node: PlanNode, grid: Grid, trace: TraceNode): Promise<Float64Array>
}

/** Cells of a batch that fit the processor's cache: enough rows to be worth a turn, few enough to stay quick. */
const CELLS_PER_BATCH = 1 << 15

export function rowsPerBatch(steps: number): number {
  return Math.max(1, Math.min(4096, Math.floor(CELLS_PER_BATCH / steps)))
}
