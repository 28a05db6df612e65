/**
 * Rows made of a selector's raw samples, one series at a time: for whoever wants vectors, and for aggregations, which fold
 * each row into its group at once and so hold no rows at all.
 */
import type { QueryContext } from '../engine/query-context.js'
import type { Accumulator } from './accumulators.js'
import type { Grouping } from './grouping.js'
import type { SourceBatch } from './series-source.js'
import type { VectorBatch } from './vector-batch.js'

/** So many series go by between two looks at the clock. */
const SERIES_PER_LOOK = 16

export interface SeriesRows {
  /** The rows so far. */
  readonly out: VectorBatch
  /** Of every row. */
  readonly dropName: number
  /** Whether the rows so far are enough for one batch. */
  readonly full: boolean
  /** The batch whose series are computed next. `rows` are wanted at a time. */
  begin(source: SourceBatch, rows: number): void
  /** Computes a series into the row behind the last one; true if it got a sample. */
  compute(series: number): boolean
  /** Forgets the rows and keeps their memory. */
  clear(): void
}

/** All rows, batch by batch. */
export async function* rowBatches(
  context: QueryContext,
  sources: AsyncIterable<SourceBatch>,
  rows: SeriesRows,
): AsyncGenerator<VectorBatch> {
  const { out } = rows
  for await (const source of sources) {
    const { batch, symbols } = source
    rows.begin(source, batch.seriesCount)
    for (let series = 0; series < batch.seriesCount; series++) {
      if (rows.compute(series)) {
        out.addRow(context.labels.addSeries(batch, series, symbols), rows.dropName)
        if (rows.full) {
          yield out
          rows.clear()
        }
      }
      if (series % SERIES_PER_LOOK === 0 && context.shouldYield()) await context.yield()
    }
  }
  if (out.seriesCount > 0) yield out
}

/** Folds all rows into their groups. `groupsGrew` is told how many groups there are by now, once a batch. */
export async function foldRows(
  context: QueryContext,
  sources: AsyncIterable<SourceBatch>,
  rows: SeriesRows,
  grouping: Grouping,
  accumulator: Accumulator,
  groupsGrew: (count: number) => void,
): Promise<void> {
  const { out } = rows
  for await (const source of sources) {
    const { batch, symbols } = source
    rows.begin(source, 1)
    for (let series = 0; series < batch.seriesCount; series++) {
      if (rows.compute(series)) {
        // Histograms that do not go together are reported by their name.
        const labelSet = out.histograms === undefined ? 0 : context.labels.addSeries(batch, series, symbols)
        out.addRow(labelSet, rows.dropName)
        accumulator.addRow(out, 0, grouping.groupOfSeries(batch, series, symbols))
        rows.clear()
      }
      if (series % SERIES_PER_LOOK === 0 && context.shouldYield()) await context.yield()
    }
    groupsGrew(grouping.count)
  }
}
