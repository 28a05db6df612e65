/**
 * `x smoothed`: at each step the value on the line between the samples around it, within the lookback on either side.
 * After the last sample its value holds; before the first one there is none.
 */
import type { TraceNode } from '../engine/stats.js'
import { PromqlError } from '../errors.js'
import type { SelectPlan } from '../plan/plan.js'
import type { Evaluator } from './evaluator.js'
import type { Grid } from './grid.js'
import { BatchReader, emptyFloatSeries } from './sample-range.js'
import { selectOrder, selectShape } from './select.js'
import type { SeriesSource } from './series-source.js'
import { VectorBatch } from './vector-batch.js'
import { findWindows } from './windows.js'

export async function* smoothedBatches(
  evaluator: Evaluator,
  source: SeriesSource,
  node: SelectPlan,
  grid: Grid,
  trace: TraceNode,
): AsyncGenerator<VectorBatch> {
  const { context } = evaluator
  const shape = selectShape(node, grid, context.options.lookbackMs)
  const order = selectOrder(node, shape, context.options.rangeQuery ? grid.stepMs : 0)
  const series = emptyFloatSeries()
  for await (const { batch, symbols } of source.read(order, trace)) {
    const reader = new BatchReader(batch)
    const out = new VectorBatch(grid.count, batch.seriesCount)
    for (let index = 0; index < batch.seriesCount; index++) {
      if (reader.hasHistograms(index)) {
        throw new PromqlError('execution', 'smoothed and anchored modifiers do not work with native histograms')
      }
      reader.readFloats(index, series)
      const { values, valueOffset, timesMs, timeOffset, count } = series
      const windows = findWindows(shape, timesMs, timeOffset, timeOffset + count)
      let row = -1
      for (let s = 0; s < grid.count; s++) {
        const timeMs = shape.endsMs[s]
        let next = windows.first[s]
        while (next < windows.end[s] && timesMs[timeOffset + next] < timeMs) next++
        let value: number
        if (next < windows.end[s] && timesMs[timeOffset + next] === timeMs) value = values[valueOffset + next]
        else if (next === windows.first[s]) continue
        else if (next === windows.end[s]) value = values[valueOffset + next - 1]
        else {
          value = interpolate(
            timesMs[timeOffset + next - 1],
            values[valueOffset + next - 1],
            timesMs[timeOffset + next],
            values[valueOffset + next],
            timeMs,
          )
        }
        if (row < 0) row = out.addRow(context.labels.addSeries(batch, index, symbols), 0)
        out.setFloat(row, s, value)
      }
    }
    yield out
  }
}

/** On the line through two samples. */
export function interpolate(firstMs: number, first: number, secondMs: number, second: number, timeMs: number): number {
  return first + ((second - first) * (timeMs - firstMs)) / (secondMs - firstMs)
}
