/**
 * `x smoothed`: at each step the value on the line between the samples around it, within the lookback on either side.
 * After the last sample its value holds; before the first one there is none.
 */
import type { TraceNode } from '../engine/stats.js'
import { CheckedSums } from '../functions/extended-rate.js'
import type { SelectPlan } from '../plan/plan.js'
import type { Evaluator } from './evaluator.js'
import type { Grid } from './grid.js'
import { BatchReader, emptyFloatSeries, type MixedSeries } from './sample-range.js'
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
  const { annotations } = context
  const { position } = node
  const shape = selectShape(node, grid, context.options.lookbackMs)
  const order = selectOrder(node, shape, context.options.rangeQuery ? grid.stepMs : 0)
  for await (const { batch, symbols } of source.read(order, trace)) {
    const reader = new BatchReader(batch, node.statsOnly)
    const out = new VectorBatch(grid.count, batch.seriesCount)
    for (let index = 0; index < batch.seriesCount; index++) {
      const series = readSeries(reader, index)
      const { floats, histograms, histogramTimesMs } = series
      const { timesMs, timeOffset, values, valueOffset } = floats
      const floatWindows = findWindows(shape, timesMs, timeOffset, timeOffset + floats.count)
      const histogramWindows = findWindows(shape, histogramTimesMs, 0, histogramTimesMs.length)
      let labelSet = -1
      const labels = () => (labelSet < 0 ? (labelSet = context.labels.addSeries(batch, index, symbols)) : labelSet)
      const metricName = () => context.labels.metricName(labels())
      const sums = new CheckedSums({ annotations, position, metricName })
      let row = -1
      for (let s = 0; s < grid.count; s++) {
        const timeMs = shape.endsMs[s]
        const hasFloats = floatWindows.end[s] > floatWindows.first[s]
        const hasHistograms = histogramWindows.end[s] > histogramWindows.first[s]
        if (hasFloats && hasHistograms) {
          annotations.mixedFloatsHistograms(metricName(), position)
          continue
        }
        const windows = hasFloats ? floatWindows : histogramWindows
        const timeAt = (i: number) => (hasFloats ? timesMs[timeOffset + i] : histogramTimesMs[i])
        let next = windows.first[s]
        while (next < windows.end[s] && timeAt(next) < timeMs) next++
        const exact = next < windows.end[s] && timeAt(next) === timeMs
        if (!exact && next === windows.first[s]) continue
        const held = exact ? next : next === windows.end[s] ? next - 1 : -1
        if (hasFloats) {
          const before = held < 0 ? next - 1 : held
          let value = values[valueOffset + before]
          if (held < 0) {
            const slope = (values[valueOffset + next] - value) * (timeMs - timeAt(before))
            value += slope / (timeAt(next) - timeAt(before))
          }
          if (row < 0) row = out.addRow(labels(), 0)
          out.setFloat(row, s, value)
        } else {
          const value =
            held >= 0
              ? histograms[held]
              : sums.between(
                  { timeMs: timeAt(next - 1), histogram: histograms[next - 1] },
                  { timeMs: timeAt(next), histogram: histograms[next] },
                  timeMs,
                  false,
                )
          if (value === undefined) continue
          if (row < 0) row = out.addRow(labels(), 0)
          out.setHistogram(row, s, value)
        }
      }
    }
    yield out
    if (context.shouldYield()) await context.yield()
  }
}

function readSeries(reader: BatchReader, index: number): MixedSeries {
  if (reader.hasHistograms(index)) return reader.readMixed(index)
  const floats = emptyFloatSeries()
  reader.readFloats(index, floats)
  return { floats, histogramTimesMs: new Float64Array(0), histograms: [], histogramStartTimesMs: undefined }
}
