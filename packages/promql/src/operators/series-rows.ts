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
import { SymbolMap } from './label-table.js'
import { foldSealed, type NamesFound, placesOf, sealedRuns } from './sealed-fold.js'
import { groupsOf } from './sealed-groups.js'
import type { SealedFunction } from './sealed-series.js'
import type { SealedSelection, Selection, SourceBatch } from './series-source.js'
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
  readonly namesFound: NamesFound
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
  open: () => Promise<Selection>,
  rows: SeriesRows,
): AsyncGenerator<VectorBatch> {
  const { out } = rows
  let sealed: SealedSelection | undefined
  try {
    const selection = await open()
    sealed = selection.sealed
    const what = sealed === undefined ? undefined : rows.sealedFunction(sealed.result)
    if (sealed !== undefined && what !== undefined) yield* sealedRows(context, sealed, what, rows)
    else yield* batchRows(context, selection.batches, rows)
    if (out.seriesCount > 0) yield out
  } finally {
    rows.release()
    await sealed?.end()
  }
}

/** Rows of sealed columns, as often as there are enough for a batch. */
async function* sealedRows(
  context: QueryContext,
  selection: SealedSelection,
  what: SealedFunction,
  rows: SeriesRows,
): AsyncGenerator<VectorBatch> {
  const { out } = rows
  const { columns } = selection
  const symbols = new SymbolMap((symbol) => columns.symbolText(symbol), context.labels)
  const room = () => rows.rowsMax - out.seriesCount
  for await (const run of sealedRuns(context, selection, what, rows.namesFound, room)) {
    const { series, from, to } = run
    out.reserve(out.seriesCount + to - from)
    const counts = series.write(from, to, out)
    if (counts === undefined) yield* batchRows(context, selection.batches(placesOf(run)), rows)
    else {
      selection.charge(counts.seriesCount, counts.sampleCount)
      const { pairs, pairOffsets } = columns
      for (let i = from; i < to; i++) {
        if (series.found[i - from] !== FOUND) continue
        const one = columns.series[i]
        const labelSet = context.labels.addPairs(pairs, pairOffsets[one], pairOffsets[one + 1], symbols)
        out.addRow(labelSet, rows.dropName)
      }
    }
    if (rows.full) {
      yield out
      rows.clear()
    }
  }
}

/** Rows of batches, as often as there are enough; the last ones stay in `rows`. */
async function* batchRows(
  context: QueryContext,
  sources: AsyncIterable<SourceBatch>,
  rows: SeriesRows,
): AsyncGenerator<VectorBatch> {
  const { out } = rows
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
    if (sealed === undefined || what === undefined) await fold(selection.batches)
    else if (accumulator.cells !== undefined) {
      const cells = accumulator.cells.bind(accumulator)
      await foldSealed(context, sealed, what, rows.namesFound, grouping, cells, groupsGrew, fold)
    } else await foldSealedRows(context, sealed, what, rows, grouping, accumulator, groupsGrew, fold)
  } finally {
    rows.release()
    await sealed?.end()
  }
}

/** For a fold that keeps rows: there is no kernel for it. */
async function foldSealedRows(
  context: QueryContext,
  selection: SealedSelection,
  what: SealedFunction,
  rows: SeriesRows,
  grouping: Grouping,
  accumulator: Accumulator,
  groupsGrew: (count: number) => void,
  fold: (batches: AsyncIterable<SourceBatch>) => Promise<void>,
): Promise<void> {
  const { out } = rows
  const { groups, texts } = await groupsOf(selection.columns, grouping, context)
  /** One more than the number of a group, once it has a row. */
  const numbers = new Uint32Array(texts.length)
  for await (const run of sealedRuns(context, selection, what, rows.namesFound, () => rows.rowsMax)) {
    const { series, from, to } = run
    out.reserve(to - from)
    const counts = series.write(from, to, out)
    if (counts === undefined) {
      await fold(selection.batches(placesOf(run)))
      continue
    }
    selection.charge(counts.seriesCount, counts.sampleCount)
    for (let i = from; i < to; i++) {
      if (series.found[i - from] !== FOUND) continue
      const group = groups[i]
      if (numbers[group] === 0) numbers[group] = grouping.groupOfTexts(texts[group]) + 1
      accumulator.addRow(out, out.addRow(0, rows.dropName), numbers[group] - 1)
      if ((i - from) % SERIES_PER_LOOK === 0 && context.shouldYield()) await context.yield()
    }
    rows.clear()
    groupsGrew(grouping.count)
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
