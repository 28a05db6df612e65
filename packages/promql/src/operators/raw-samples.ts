/** A range vector as it is: what an instant query for `x[5m]` answers. */
import type { Histogram } from '@varve/tsdb-core/model'
import type { TraceNode } from '../engine/stats.js'
import type { FloatSeries } from '../functions/range-function.js'
import type { WindowPlan } from '../plan/plan.js'
import type { Evaluator } from './evaluator.js'
import type { Grid } from './grid.js'
import { windowOrder, windowShape } from './range-shape.js'
import { BatchReader, emptyFloatSeries } from './sample-range.js'
import type { SeriesSource } from './series-source.js'

export interface RawSeries {
  readonly labelSet: number
  readonly timesMs: Float64Array
  readonly values: Float64Array
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
  const order = { ...windowOrder(node, shape, '', 0), keepsBatches: true }
  const all: RawSeries[] = []
  const floats = emptyFloatSeries()
  for await (const { batch, symbols } of source.read(order, trace)) {
    const reader = new BatchReader(batch)
    for (let series = 0; series < batch.seriesCount; series++) {
      const samples = reader.hasHistograms(series) ? mixedSamples(reader, series) : floatSamples(reader, series, floats)
      if (samples.timesMs.length === 0) continue
      context.budget.holdSamples(samples.timesMs.length)
      all.push({ labelSet: context.labels.addSeries(batch, series, symbols), ...samples })
    }
    if (context.shouldYield()) await context.yield()
  }
  return all
}

type Samples = Omit<RawSeries, 'labelSet'>

/** Columns of the store's own batch, unless markers had to be left out. */
function floatSamples(reader: BatchReader, series: number, into: FloatSeries): Samples {
  const place = reader.readFloats(series, into)
  const timesMs = into.timesMs.subarray(into.timeOffset, into.timeOffset + into.count)
  const values = into.values.subarray(into.valueOffset, into.valueOffset + into.count)
  return place === 'own'
    ? { timesMs: timesMs.slice(), values: values.slice(), histograms: undefined }
    : { timesMs, values, histograms: undefined }
}

function mixedSamples(reader: BatchReader, series: number): Samples {
  const { batch } = reader
  const timesMs: number[] = []
  const values: number[] = []
  const histograms: (Histogram | undefined)[] = []
  const from = batch.sampleOffsets[series]
  const timeFrom = batch.timestampOffsets[batch.timestampColumns[series]]
  for (let i = from; i < batch.sampleOffsets[series + 1]; i++) {
    const histogram = reader.histogramAt(i)
    if (histogram === undefined ? reader.isStale(i) : histogram.stale) continue
    timesMs.push(batch.timestampsMs[timeFrom + i - from])
    values.push(histogram === undefined ? batch.values[i] : 0)
    histograms.push(histogram)
  }
  return { timesMs: Float64Array.from(timesMs), values: Float64Array.from(values), histograms }
}
