/**
 * Instant selectors: at each step the newest sample of a series in the lookback, unless it is a staleness marker.
 *
 * The newest index of each step is found once for a timestamp column; a series then copies values by index.
 */
import type { SeriesBatch } from '@varve/tsdb-core/query'
import type { TraceNode } from '../engine/stats.js'
import type { SelectPlan } from '../plan/plan.js'
import type { Evaluator } from './evaluator.js'
import { rowsPerBatch } from './evaluator.js'
import type { Grid } from './grid.js'
import { BatchReader } from './sample-range.js'
import type { SelectOrder, SeriesSource } from './series-source.js'
import { FLOAT, HISTOGRAM, VectorBatch } from './vector-batch.js'
import { findNewest, type WindowShape, widenedShape, windowEnds } from './windows.js'

/** What of the sample is wanted: its value, or a time in seconds for `timestamp` and `start_timestamp`. */
export type SampleAspect = 'value' | 'timestamp' | 'startTimestamp'

export function selectShape(node: SelectPlan, grid: Grid, lookbackMs: number): WindowShape {
  const endsMs = windowEnds(grid, node.atMs, node.offsetMs)
  const afterMs = node.smoothed ? lookbackMs : 0
  return { grid, endsMs, rangeMs: lookbackMs, beforeMs: 0, afterMs, historyMs: 0 }
}

export function selectOrder(node: SelectPlan, shape: WindowShape, queryStepMs: number): SelectOrder {
  const { endsMs, rangeMs, afterMs } = shape
  const last = endsMs[endsMs.length - 1]
  return {
    matchers: node.matchers,
    afterMs: endsMs[0] - rangeMs,
    untilMs: last + afterMs,
    hints: { function: '', stepMs: queryStepMs, rangeMs, evaluationStartMs: endsMs[0], evaluationEndMs: last },
  }
}

export async function* selectBatches(
  evaluator: Evaluator,
  source: SeriesSource,
  node: SelectPlan,
  grid: Grid,
  trace: TraceNode,
  aspect: SampleAspect = 'value',
): AsyncGenerator<VectorBatch> {
  const { context } = evaluator
  const asked = selectShape(node, grid, context.options.lookbackMs)
  const order = selectOrder(node, asked, context.options.rangeQuery ? grid.stepMs : 0)
  const rows = rowsPerBatch(grid.count)
  const out = new VectorBatch(grid.count, 0)
  for await (const { batch, symbols, result } of source.read(order, trace)) {
    const shape = widenedShape(asked, result.slices)
    const reader = new BatchReader(batch, node.statsOnly)
    const newestOf = new Map<number, Int32Array>()
    out.reserve(Math.min(rows, out.seriesCount + batch.seriesCount))
    for (let series = 0; series < batch.seriesCount; series++) {
      const column = batch.timestampColumns[series]
      let newest = newestOf.get(column)
      if (newest === undefined) {
        const { timestampOffsets: offsets } = batch
        newest = findNewest(shape, batch.timestampsMs, offsets[column], offsets[column + 1])
        newestOf.set(column, newest)
      }
      if (out.seriesCount === out.seriesCapacity) out.reserve(out.seriesCount + 1)
      const found = reader.hasHistograms(series)
        ? pickMixed(batch, reader, series, newest, aspect, out)
        : pickFloats(batch, reader, series, newest, aspect, out)
      if (found) out.addRow(context.labels.addSeries(batch, series, symbols), aspect === 'value' ? 0 : 1)
      if (out.seriesCount === rows) {
        yield out
        out.clear()
        if (context.shouldYield()) await context.yield()
      }
    }
  }
  if (out.seriesCount > 0) yield out
}

/** Fills the row to come; true if it got a sample. */
function pickFloats(
  batch: SeriesBatch,
  reader: BatchReader,
  series: number,
  newest: Int32Array,
  aspect: SampleAspect,
  out: VectorBatch,
): boolean {
  const { values, timestampsMs } = batch
  const from = batch.sampleOffsets[series]
  const timeFrom = batch.timestampOffsets[batch.timestampColumns[series]]
  const starts = batch.startTimestampsMs
  const at = out.seriesCount * out.steps
  const outValues = out.values
  const presence = out.presence
  let found = false
  for (let s = 0; s < newest.length; s++) {
    const index = newest[s]
    if (index < 0) continue
    const value = values[from + index]
    if (Number.isNaN(value) && reader.isStale(from + index)) continue
    if (aspect === 'value') outValues[at + s] = value
    else if (aspect === 'timestamp') outValues[at + s] = timestampsMs[timeFrom + index] / 1000
    else if (starts === undefined) outValues[at + s] = 0
    else outValues[at + s] = starts[from + index] / 1000
    presence[at + s] = FLOAT
    found = true
  }
  return found
}

function pickMixed(
  batch: SeriesBatch,
  reader: BatchReader,
  series: number,
  newest: Int32Array,
  aspect: SampleAspect,
  out: VectorBatch,
): boolean {
  const from = batch.sampleOffsets[series]
  const timeFrom = batch.timestampOffsets[batch.timestampColumns[series]]
  const at = out.seriesCount * out.steps
  let found = false
  for (let s = 0; s < newest.length; s++) {
    const index = newest[s]
    if (index < 0) continue
    const histogram = reader.histogramAt(from + index)
    if (histogram === undefined ? reader.isStale(from + index) : histogram.stale) continue
    found = true
    out.presence[at + s] = FLOAT
    if (aspect === 'timestamp') out.values[at + s] = batch.timestampsMs[timeFrom + index] / 1000
    else if (aspect === 'startTimestamp') out.values[at + s] = (batch.startTimestampsMs?.[from + index] ?? 0) / 1000
    else if (histogram === undefined) out.values[at + s] = batch.values[from + index]
    else {
      out.presence[at + s] = HISTOGRAM
      ;(out.histograms ??= [])[at + s] = histogram
    }
  }
  return found
}
