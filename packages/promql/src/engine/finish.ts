/** The last steps of a query: names that were to be dropped go, series with equal labels meet, rows are sorted. */
import { type Histogram, Labels, METRIC_NAME } from '@varve/tsdb-core/model'
import { type Grid, timeAt } from '../operators/grid.js'
import type { RawSeries } from '../operators/raw-samples.js'
import { RowMerger } from '../operators/row-merger.js'
import { ABSENT, FLOAT, type VectorBatch } from '../operators/vector-batch.js'
import type { QueryContext } from './query-context.js'
import type { ResultSeries } from './result.js'

/** `sorted`: by labels, as a matrix is; a vector keeps its order. */
export function finishVector(context: QueryContext, rows: VectorBatch, grid: Grid, sorted: boolean): ResultSeries {
  const { labels } = context
  const metadata = new Set([METRIC_NAME, '__type__', '__unit__'].map((name) => labels.textId(name)))
  const merger = new RowMerger(context, grid.count)
  const kept = (row: number) =>
    rows.dropName[row] === 0
      ? rows.labelSets[row]
      : labels.filter(rows.labelSets[row], (nameId) => !metadata.has(nameId))
  for (let row = 0; row < rows.seriesCount; row++) merger.addRow(rows, row, kept(row))
  const { batch } = merger
  const order = Uint32Array.from({ length: batch.seriesCount }, (_, row) => row)
  if (sorted) order.sort((a, b) => labels.compare(batch.labelSets[a], batch.labelSets[b]))
  return gridSeries(batch, order, grid, (row) => labels.labels(batch.labelSets[row]))
}

export function scalarSeries(values: Float64Array, grid: Grid): ResultSeries {
  const presence = new Uint8Array(values.length).fill(FLOAT)
  return gridSeries(
    { steps: grid.count, seriesCount: 1, values, presence, histograms: undefined },
    Uint32Array.of(0),
    grid,
    () => Labels.EMPTY,
  )
}

interface Rows {
  readonly steps: number
  readonly seriesCount: number
  readonly values: Float64Array
  readonly presence: Uint8Array
  readonly histograms: (Histogram | undefined)[] | undefined
}

function gridSeries(rows: Rows, order: Uint32Array, grid: Grid, labels: (row: number) => Labels): ResultSeries {
  const { steps, presence, values, histograms } = rows
  return {
    count: rows.seriesCount,
    labels: (series) => labels(order[series]),
    forEachSample(series, visit) {
      for (let s = 0, at = order[series] * steps; s < steps; s++, at++) {
        if (presence[at] === FLOAT) visit(timeAt(grid, s), values[at], undefined)
        else if (presence[at] !== ABSENT) visit(timeAt(grid, s), 0, histograms![at])
      }
    },
    sampleCount(series) {
      let count = 0
      for (let s = 0, at = order[series] * steps; s < steps; s++, at++) if (presence[at] !== ABSENT) count++
      return count
    },
    grid: {
      startMs: grid.startMs,
      stepMs: grid.stepMs,
      stepCount: steps,
      rows: order,
      values,
      presence,
      histograms,
    },
  }
}

/** A range vector: samples with their own times, sorted by labels. */
export function windowSeries(context: QueryContext, raw: readonly RawSeries[]): ResultSeries {
  const { labels } = context
  const sorted = [...raw].sort((a, b) => labels.compare(a.labelSet, b.labelSet))
  return {
    count: sorted.length,
    labels: (series) => labels.labels(sorted[series].labelSet),
    forEachSample(series, visit) {
      const { timesMs, values, histograms } = sorted[series]
      for (let i = 0; i < timesMs.length; i++) visit(timesMs[i], values[i], histograms?.[i])
    },
    sampleCount: (series) => sorted[series].timesMs.length,
  }
}
