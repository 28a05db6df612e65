import { expect, it } from 'vitest'
import { Annotations } from '../engine/annotations.js'
import { parseExpression } from '../parser/parser.js'
import type { AggregationPlan } from '../plan/plan.js'
import { accumulatorOf } from './accumulators.js'
import { LabelTable } from './label-table.js'
import { FLOAT, VectorBatch } from './vector-batch.js'

it('a quantile of groups of one row takes about the memory that it charges', () => {
  const steps = 100
  const groups = 10_000
  const batch = new VectorBatch(steps, 1)
  batch.addRow(0, 0)
  for (let s = 0; s < steps; s++) batch.setFloat(0, s, s)
  expect(batch.presence[0]).toBe(FLOAT)
  let held = 0
  const hold = (count: number) => {
    held += count
  }
  const node = {
    operator: 'quantile',
    parameter: parseExpression('0.5'),
    child: parseExpression('x'),
  } as unknown as AggregationPlan
  const context = {
    annotations: new Annotations(),
    labels: new LabelTable(),
    parameters: new Float64Array(steps).fill(0.5),
    hold,
  }
  const accumulator = accumulatorOf(node, steps, context)
  const before = process.memoryUsage().arrayBuffers
  for (let group = 0; group < groups; group++) accumulator.addRow(batch, 0, group)
  const bytes = process.memoryUsage().arrayBuffers - before
  expect(held).toBe(groups * steps)
  // A value and a mark each.
  expect(bytes).toBeLessThan(held * 9 * 2)
  const out = new VectorBatch(steps, groups)
  for (let group = 0; group < groups; group++) out.addRow(0, 0)
  accumulator.finish(groups - 1, out, 0, steps)
  expect(out.values[groups * steps - 1]).toBe(steps - 1)
})
