/** The last steps of a query: names that were to be dropped go, series with equal labels meet, rows are sorted. */
import { type Histogram, Labels, METRIC_NAME } from '@varve/tsdb-core/model'
import { type Grid, timeAt } from '../operators/grid.js'
import type { LabelTable } from '../operators/label-table.js'
import type { RawSeries } from '../operators/raw-samples.js'
import { RowMerger } from '../operators/row-merger.js'
import { ABSENT, FLOAT, type VectorBatch } from '../operators/vector-batch.js'
import type { QueryContext } from './query-context.js'
import type { ResultLabelSets, ResultSeries } from './result.js'
import { sortRows } from './sorted-rows.js'

/** `sorted`: by labels, as a matrix is; a vector keeps its order. */
export async function finishVector(
  context: QueryContext,
  rows: VectorBatch,
  grid: Grid,
  sorted: boolean,
): Promise<ResultSeries> {
  const { labels } = context
  const metadata = new Set([METRIC_NAME, '__type__', '__unit__'].map((name) => labels.textId(name)))
  const sets = new Uint32Array(rows.seriesCount)
  const seen = new Set<number>()
  for (let row = 0; row < rows.seriesCount; row++) {
    const set = rows.labelSets[row]
    sets[row] = rows.dropName[row] === 0 ? labels.canonical(set) : labels.filter(set, (nameId) => !metadata.has(nameId))
    seen.add(sets[row])
    if ((row & 255) === 255 && context.shouldYield()) await context.yield()
  }
  // Nearly always all labels still differ; then the rows stay where they are.
  const batch = seen.size === sets.length ? rows : await merged(context, rows, sets)
  const finalSets = batch === rows ? sets : batch.labelSets.slice(0, batch.seriesCount)
  const order = sorted
    ? await sortRows(context, finalSets)
    : Uint32Array.from({ length: batch.seriesCount }, (_, row) => row)
  return {
    ...gridSeries(batch, order, grid, (row) => labels.labels(finalSets[row])),
    labelSets: labelSets(labels, order, finalSets),
  }
}

function labelSets(labels: LabelTable, order: Uint32Array, sets: Uint32Array | readonly number[]): ResultLabelSets {
  return {
    sets: Uint32Array.from(order, (row) => sets[row]),
    pairs: labels.pairs,
    offsets: labels.offsets,
    textCount: labels.textCount,
    text: (id) => labels.text(id),
  }
}

async function merged(context: QueryContext, rows: VectorBatch, sets: Uint32Array): Promise<VectorBatch> {
  const merger = new RowMerger(context, rows.steps)
  for (let row = 0; row < rows.seriesCount; row++) {
    merger.addRow(rows, row, sets[row])
    if ((row & 63) === 63 && context.shouldYield()) await context.yield()
  }
  return merger.batch
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
export async function windowSeries(context: QueryContext, raw: readonly RawSeries[]): Promise<ResultSeries> {
  const { labels } = context
  const sets = raw.map(({ labelSet }) => labelSet)
  const order = await sortRows(context, sets)
  return {
    count: raw.length,
    labels: (series) => labels.labels(raw[order[series]].labelSet),
    forEachSample(series, visit) {
      const { timesMs, values, histograms } = raw[order[series]]
      for (let i = 0; i < timesMs.length; i++) visit(timesMs[i], values[i], histograms?.[i])
    },
    sampleCount: (series) => raw[order[series]].timesMs.length,
    samples: (series) => raw[order[series]],
    labelSets: labelSets(labels, order, sets),
  }
}
