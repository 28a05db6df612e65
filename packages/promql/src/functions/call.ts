/** What a function over instant vectors and scalars has to offer, by kind. */
import type { TraceNode } from '../engine/stats.js'
import { PromqlError } from '../errors.js'
import type { Evaluator } from '../operators/evaluator.js'
import type { Grid } from '../operators/grid.js'
import type { VectorBatch } from '../operators/vector-batch.js'
import type { CallPlan, PlanNode } from '../plan/plan.js'

/** A function that gives a vector. */
export type VectorFunction = (
  evaluator: Evaluator,
  node: CallPlan,
  grid: Grid,
  trace: TraceNode,
) => AsyncIterable<VectorBatch>

/** A function that gives a scalar. */
export type ScalarFunction = (
  evaluator: Evaluator,
  node: CallPlan,
  grid: Grid,
  trace: TraceNode,
) => Promise<Float64Array>

/** The text of a string argument; the parser has checked its type. */
export function textOf(node: PlanNode): string {
  if (node.kind !== 'string') throw new PromqlError('execution', `expected a string, got ${node.kind}`)
  return node.value
}
