/**
 * Rows made of a selector's raw samples, one series at a time: for whoever wants vectors, and for aggregations, which fold
 * each row into its group at once and so hold no rows at all.
 */

import type { SelectResult } from '@varve/tsdb-core/query'
import type { QueryContext } from '../engine/query-context.js'
import type { Accumulator } from './accumulators.js'
import { type BatchKernels, FOUND, LEFT } from './batch-kernels.js'
import type { Grouping } from './grouping.js'
import type { GrowthFold } from './growth-fold.js'
import { foldSealed, type SealedFunction } from './sealed-fold.js'
import type { Selection, SourceBatch } from './series-source.js'
import type { VectorBatch } from './vector-batch.js'

/** So many series go by between two looks at the clock. */
const SERIES_PER_LOOK = 16
/** And so many in one call of a kernel. */
const SERIES_PER_CALL = 256

export interface SeriesRows {
  /** The rows so far. */
  readonly out: VectorBatch
  /** Of every row. */
  readonly dropName: number
  /** The Rust kernels, where they can do the batch at hand. */
  readonly kernels: BatchKernels | undefined
  /** The TypeScript kernel for sums, where these can be and there are no others. */
  readonly growthFold?: GrowthFold | undefined
  readonly rowsMax: number
  /** Whether the rows so far are enough for one batch. */
  readonly full: boolean
  /** The batch whose series are computed next. `rows` are wanted at a time. */
  begin(source: SourceBatch, rows: number): void
  /** Computes a series into the row behind the last one; true if it got a sample. */
  compute(series: number): boolean
  /** What is computed, where the kernel for columns of sealed blocks can do it. */
  sealedFunction(result: SelectResult): SealedFunction | undefined
  /** What it has to say of metrics whose series have rows, by their names; absent where that is nothing. */
  readonly namesFound: ((names: readonly string[]) => void) | undefined
  /** What it has to say of a series whose row a kernel has made. */
  noteFound(series: number): void
  /** Leaves the memory of its windows to others; the last call. */
  release(): void
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
  try {
    for await (const source of sources) {
      const { batch, symbols } = source
      rows.begin(source, batch.seriesCount)
      const { kernels } = rows
      for (let series = 0; series < batch.seriesCount; ) {
        const most = rows.rowsMax - out.seriesCount
        if (kernels === undefined) {
          if (rows.compute(series)) out.addRow(context.labels.addSeries(batch, series, symbols), rows.dropName)
          series++
        } else {
          const from = series
          const to = Math.min(batch.seriesCount, from + most, from + SERIES_PER_CALL)
          out.reserve(out.seriesCount + to - from)
          series = kernels.write(batch, from, to, out)
          const { found } = kernels
          for (let i = from; i < series; i++) {
            if (found[i] === FOUND) rows.noteFound(i)
            else if (found[i] !== LEFT || !rows.compute(i)) continue
            out.addRow(context.labels.addSeries(batch, i, symbols), rows.dropName)
          }
        }
        if (rows.full) {
          yield out
          rows.clear()
        }
        if ((kernels !== undefined || series % SERIES_PER_LOOK === 0) && context.shouldYield()) await context.yield()
      }
    }
    if (out.seriesCount > 0) yield out
  } finally {
    rows.release()
  }
}

/** Folds all rows into their groups. `groupsGrew` is told how many groups there are by now, now and then. */
export async function foldRows(
  context: QueryContext,
  selection: Selection,
  rows: SeriesRows,
  grouping: Grouping,
  accumulator: Accumulator,
  groupsGrew: (count: number) => void,
): Promise<void> {
  const { sealed } = selection
  const fold = (batches: AsyncIterable<SourceBatch>) =>
    foldBatches(context, batches, rows, grouping, accumulator, groupsGrew)
  try {
    const what = sealed === undefined ? undefined : rows.sealedFunction(sealed.result)
    if (sealed !== undefined && what !== undefined && accumulator.cells !== undefined) {
      const cells = accumulator.cells.bind(accumulator)
      await foldSealed(context, sealed, what, rows.namesFound, grouping, cells, groupsGrew, fold)
    } else await fold(selection.batches)
  } finally {
    rows.release()
    await sealed?.end()
  }
}

async function foldBatches(
  context: QueryContext,
  sources: AsyncIterable<SourceBatch>,
  rows: SeriesRows,
  grouping: Grouping,
  accumulator: Accumulator,
  groupsGrew: (count: number) => void,
): Promise<void> {
  const { out } = rows
  let groups = new Uint32Array(0)
  for await (const source of sources) {
    const { batch, symbols } = source
    rows.begin(source, 1)
    const kernels = accumulator.cells === undefined ? undefined : rows.kernels
    const growths = kernels === undefined && accumulator.isSum ? rows.growthFold : undefined
    let found: Uint8Array | undefined
    if ((kernels ?? growths) !== undefined && accumulator.cells !== undefined) {
      if (groups.length < batch.seriesCount) groups = new Uint32Array(batch.seriesCount)
      for (let i = 0; i < batch.seriesCount; i++) groups[i] = grouping.groupOfSeries(batch, i, symbols)
      if (kernels !== undefined) kernels.fold(batch, groups, accumulator.cells(grouping.count))
      else if (growths !== undefined) {
        for (let from = 0; from < batch.seriesCount; from += growths.seriesAtOnce) {
          const to = Math.min(batch.seriesCount, from + growths.seriesAtOnce)
          growths.fold(batch, from, to, groups, accumulator.cells(grouping.count))
          if (context.shouldYield()) await context.yield()
        }
      }
      found = (kernels ?? growths)?.found
    }
    for (let series = 0; series < batch.seriesCount; series++) {
      if (found !== undefined && found[series] !== LEFT) {
        if (found[series] === FOUND) rows.noteFound(series)
        continue
      }
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
    if (context.shouldYield()) await context.yield()
  }
}
