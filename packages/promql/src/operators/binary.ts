/** Binary operators: which kind of operands they have, and those where one side is a scalar. */
import type { Histogram } from '@varve/tsdb-core/model'
import type { TraceNode } from '../engine/stats.js'
import type { BinaryPlan } from '../plan/plan.js'
import { CHANGES_METRIC, COMPARISONS, floatOperation } from './arithmetic.js'
import type { Evaluator } from './evaluator.js'
import type { Grid } from './grid.js'
import { combineSamples } from './sample-operations.js'
import { combineSets } from './set-operators.js'
import { ABSENT, FLOAT, HISTOGRAM, type VectorBatch } from './vector-batch.js'
import { combineVectors } from './vector-matching.js'

export async function* binaryBatches(
  evaluator: Evaluator,
  node: BinaryPlan,
  grid: Grid,
  trace: TraceNode,
): AsyncGenerator<VectorBatch> {
  if (node.leftScalar || node.rightScalar) yield* withScalar(evaluator, node, grid, trace)
  else if (node.operator === 'and' || node.operator === 'or' || node.operator === 'unless') {
    yield await combineSets(evaluator, node, grid, trace)
  } else yield await combineVectors(evaluator, node, grid, trace)
}

export async function binaryScalar(
  evaluator: Evaluator,
  node: BinaryPlan,
  grid: Grid,
  trace: TraceNode,
): Promise<Float64Array> {
  const left = await evaluator.scalar(node.left, grid, trace)
  const right = await evaluator.scalar(node.right, grid, trace)
  const operation = floatOperation(node.operator)
  return left.map((value, s) => operation(value, right[s]))
}

async function* withScalar(
  evaluator: Evaluator,
  node: BinaryPlan,
  grid: Grid,
  trace: TraceNode,
): AsyncGenerator<VectorBatch> {
  const { operator, returnBool, leftScalar } = node
  const scalars = await evaluator.scalar(leftScalar ? node.left : node.right, grid, trace)
  const filters = COMPARISONS.has(operator) && !returnBool
  const dropsName = CHANGES_METRIC.has(operator) || returnBool
  const onFloats = operator === '</' || operator === '>/' ? undefined : floatOperation(operator)
  for await (const batch of evaluator.batches(leftScalar ? node.right : node.left, grid, trace)) {
    const { values, presence, steps } = batch
    if (batch.histograms !== undefined || onFloats === undefined) mixWithScalar(evaluator, node, batch, scalars)
    else {
      for (let at = 0, end = batch.seriesCount * steps; at < end; ) {
        for (let s = 0; s < steps; s++, at++) {
          if (presence[at] !== FLOAT) continue
          const value = values[at]
          const result = leftScalar ? onFloats(scalars[s], value) : onFloats(value, scalars[s])
          // A comparison keeps the vector's value, on whichever side it stands.
          if (!filters) values[at] = result
          else if (result === 0) presence[at] = ABSENT
        }
      }
    }
    if (dropsName) batch.dropName.fill(1, 0, batch.seriesCount)
    yield batch
  }
}

/** A batch that holds histograms, sample by sample. */
function mixWithScalar(evaluator: Evaluator, node: BinaryPlan, batch: VectorBatch, scalars: Float64Array): void {
  const { operator, returnBool, leftScalar } = node
  const { values, presence, steps } = batch
  const report = { annotations: evaluator.context.annotations, position: node.position }
  for (let at = 0; at < batch.seriesCount * steps; at++) {
    if (presence[at] === ABSENT) continue
    const value: number | Histogram = presence[at] === FLOAT ? values[at] : batch.histograms![at]!
    const scalar = scalars[at % steps]
    const left = leftScalar ? scalar : value
    const right = leftScalar ? value : scalar
    const combined = combineSamples(operator, left, right, report)
    let result: number | Histogram | undefined
    if (combined === undefined) result = undefined
    else if (returnBool) result = combined.keep ? 1 : 0
    else if (!combined.keep) result = undefined
    else result = COMPARISONS.has(operator) ? value : combined.value
    if (batch.histograms !== undefined) batch.histograms[at] = undefined
    if (result === undefined) presence[at] = ABSENT
    else if (typeof result === 'number') {
      values[at] = result
      presence[at] = FLOAT
    } else {
      ;(batch.histograms ??= [])[at] = result
      presence[at] = HISTOGRAM
    }
  }
}
