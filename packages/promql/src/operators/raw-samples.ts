/** A range vector as it is: what an instant query for `x[5m]` answers. */
import type { Histogram } from '@varve/tsdb-core/model'
import type { TraceNode } from '../engine/stats.js'
import type { WindowPlan } from '../plan/plan.js'
import type { Evaluator } from './evaluator.js'
import type { Grid } from './grid.js'
import { windowOrder, windowShape } from './range-call.js'
import { BatchReader } from './sample-range.js'
import type { SeriesSource } from './series-source.js'

export interface RawSeries {
  readonly labelSet: number
  readonly timesMs: readonly number[]
  readonly values: readonly number[]
  /** Beside the times; undefined where the sample is a float. */
  readonly histograms: readonly (Histogram | undefined)[] | undefined
}

export async function rawSamples(
  evaluator: Evaluator,
  source: SeriesSource,
  node: WindowPlan,
  grid: Grid,
  trace: TraceNode,
): Promise<RawSeries[]> {
  const { context } = evaluator
  const shape = windowShape(node, grid, context.options.lookbackMs)
  const order = windowOrder(node, shape, '', 0)
  const all: RawSeries[] = []
  for await (const { batch, symbols } of source.read(order, trace)) {
    const reader = new BatchReader(batch)
    for (let series = 0; series < batch.seriesCount; series++) {
      const mixed = reader.hasHistograms(series)
      const timesMs: number[] = []
      const values: number[] = []
      const histograms: (Histogram | undefined)[] = []
      const from = batch.sampleOffsets[series]
      const timeFrom = batch.timestampOffsets[batch.timestampColumns[series]]
      for (let i = from; i < batch.sampleOffsets[series + 1]; i++) {
        const histogram = mixed ? reader.histogramAt(i) : undefined
        if (histogram === undefined ? reader.isStale(i) : histogram.stale) continue
        timesMs.push(batch.timestampsMs[timeFrom + i - from])
        values.push(histogram === undefined ? batch.values[i] : 0)
        histograms.push(histogram)
      }
      if (timesMs.length === 0) continue
      context.budget.holdSamples(timesMs.length)
      all.push({
        labelSet: context.labels.addSeries(batch, series, symbols),
        timesMs,
        values,
        histograms: mixed ? histograms : undefined,
      })
    }
    if (context.shouldYield()) await context.yield()
  }
  return all
}
