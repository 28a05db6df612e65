/**
 * Instant selectors: at each step the newest sample of a series in the lookback, unless it is a staleness marker.
 *
 * The windows of the lookback are found once for a timestamp column; a series then copies values by index.
 */
import type { SelectResult } from '@varve/tsdb-core/query'
import type { QueryContext } from '../engine/query-context.js'
import type { TraceNode } from '../engine/stats.js'
import type { SelectPlan } from '../plan/plan.js'
import { BatchKernels } from './batch-kernels.js'
import type { Evaluator } from './evaluator.js'
import { rowsPerBatch } from './evaluator.js'
import type { Grid } from './grid.js'
import { BatchReader } from './sample-range.js'
import { isPlainShape, NO_SCALARS, type SealedFunction } from './sealed-series.js'
import { rowBatches, type SeriesRows } from './series-rows.js'
import type { Selection, SelectOrder, SeriesSource, SourceBatch } from './series-source.js'
import { FLOAT, HISTOGRAM, VectorBatch } from './vector-batch.js'
import { WindowCache } from './window-cache.js'
import { type WindowShape, type Windows, widenedShape, windowEnds } from './windows.js'

/** What of the sample is wanted: its value, or a time in seconds for `timestamp` and `start_timestamp`. */
export type SampleAspect = 'value' | 'timestamp' | 'startTimestamp'

export function selectShape(node: SelectPlan, grid: Grid, lookbackMs: number): WindowShape {
  const endsMs = windowEnds(grid, node.atMs, node.offsetMs)
  const afterMs = node.smoothed ? lookbackMs : 0
  return { grid, endsMs, rangeMs: lookbackMs, beforeMs: 0, afterMs, historyMs: 0 }
}

/** `presenceOnly`: for who counts samples and does not look at them. */
export function selectOrder(
  node: SelectPlan,
  shape: WindowShape,
  queryStepMs: number,
  presenceOnly = false,
): SelectOrder {
  const { endsMs, rangeMs, afterMs } = shape
  const last = endsMs[endsMs.length - 1]
  return {
    matchers: node.matchers,
    afterMs: endsMs[0] - rangeMs,
    untilMs: last + afterMs,
    hints: {
      function: '',
      stepMs: queryStepMs,
      rangeMs,
      evaluationStartMs: endsMs[0],
      evaluationEndMs: last,
      ...(presenceOnly && { presenceOnly }),
    },
  }
}

export function selectBatches(
  evaluator: Evaluator,
  source: SeriesSource,
  node: SelectPlan,
  grid: Grid,
  trace: TraceNode,
  aspect: SampleAspect = 'value',
): AsyncIterable<VectorBatch> {
  const rows = new SelectRows(evaluator.context, node, grid, aspect)
  return rowBatches(evaluator.context, () => openSelection(evaluator.context, source, rows, node, trace), rows)
}

/** What the rows of an instant selector are made of. `presenceOnly`: see `selectOrder`. */
export function openSelection(
  context: QueryContext,
  source: SeriesSource,
  rows: SelectRows,
  node: SelectPlan,
  trace: TraceNode,
  presenceOnly = false,
): Promise<Selection> {
  return source.open(orderOf(context, rows, node, presenceOnly), trace)
}

function orderOf(context: QueryContext, rows: SelectRows, node: SelectPlan, presenceOnly: boolean): SelectOrder {
  const stepMs = context.options.rangeQuery ? rows.asked.grid.stepMs : 0
  return selectOrder(node, rows.asked, stepMs, presenceOnly)
}

export class SelectRows implements SeriesRows {
  readonly out: VectorBatch
  readonly dropName: number
  readonly asked: WindowShape
  readonly #context: QueryContext
  readonly #presenceOnly: boolean
  readonly #node: SelectPlan
  readonly #aspect: SampleAspect
  readonly #cache: WindowCache
  readonly rowsMax: number
  readonly #kernels: BatchKernels | undefined
  #reader: BatchReader | undefined

  /** `presenceOnly`: for who counts samples and does not look at them. */
  constructor(
    context: QueryContext,
    node: SelectPlan,
    grid: Grid,
    aspect: SampleAspect = 'value',
    presenceOnly = false,
  ) {
    this.#context = context
    this.#presenceOnly = presenceOnly
    this.#node = node
    this.#aspect = aspect
    this.asked = selectShape(node, grid, context.options.lookbackMs)
    this.dropName = aspect === 'value' ? 0 : 1
    this.out = new VectorBatch(grid.count, 0)
    this.rowsMax = rowsPerBatch(grid.count)
    this.#cache = new WindowCache(this.asked, 'none', context.options.kernels)
    const { kernels } = context.options
    if (kernels !== undefined && aspect === 'value') this.#kernels = new BatchKernels(kernels, 'latest', this.#cache, 1)
  }

  get kernels(): BatchKernels | undefined {
    return this.#reader?.batch.histograms === undefined ? this.#kernels : undefined
  }

  get full(): boolean {
    return this.out.seriesCount === this.rowsMax
  }

  begin({ batch, result }: SourceBatch, rows: number): void {
    this.#reader = new BatchReader(batch, this.#node.statsOnly)
    this.#cache.begin(batch, widenedShape(this.asked, result.slices))
    this.out.reserve(Math.min(this.rowsMax, this.out.seriesCount + rows))
  }

  clear(): void {
    this.out.clear()
  }

  release(): void {
    this.#cache.release()
  }

  /** An instant selector has nothing to say of its series. */
  noteFound(): void {}

  readonly namesFound = undefined

  sealedFunction({ slices }: SelectResult): SealedFunction | undefined {
    const { kernels } = this.#context.options
    if (kernels === undefined || this.#aspect !== 'value' || slices !== undefined) return undefined
    if (!isPlainShape(this.asked)) return undefined
    return {
      kernels,
      name: 'latest',
      shape: this.asked,
      divisor: 1,
      framed: false,
      presenceOnly: this.#presenceOnly,
      scalars: NO_SCALARS,
    }
  }

  compute(series: number): boolean {
    const reader = this.#reader as BatchReader
    const { out } = this
    if (out.seriesCount === out.seriesCapacity) out.reserve(out.seriesCount + 1)
    const windows = this.#cache.windows(this.#cache.slotOf(reader.batch.timestampColumns[series]))
    return reader.hasHistograms(series)
      ? pickMixed(reader, series, windows, this.#aspect, out)
      : pickFloats(reader, series, windows, this.#aspect, out)
  }
}

/** Fills the row to come; true if it got a sample. */
function pickFloats(
  reader: BatchReader,
  series: number,
  { first, end }: Windows,
  aspect: SampleAspect,
  out: VectorBatch,
): boolean {
  const { batch } = reader
  const { values, timestampsMs } = batch
  const from = batch.sampleOffsets[series]
  const timeFrom = batch.timestampOffsets[batch.timestampColumns[series]]
  const starts = batch.startTimestampsMs
  const at = out.seriesCount * out.steps
  const outValues = out.values
  const presence = out.presence
  let found = false
  for (let s = 0; s < end.length; s++) {
    const index = end[s] - 1
    if (index < first[s]) continue
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
  reader: BatchReader,
  series: number,
  { first, end }: Windows,
  aspect: SampleAspect,
  out: VectorBatch,
): boolean {
  const { batch } = reader
  const from = batch.sampleOffsets[series]
  const timeFrom = batch.timestampOffsets[batch.timestampColumns[series]]
  const at = out.seriesCount * out.steps
  let found = false
  for (let s = 0; s < end.length; s++) {
    const index = end[s] - 1
    if (index < first[s]) continue
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
