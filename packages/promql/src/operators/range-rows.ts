/**
 * A function over the windows of one series at a time, into rows: what stays the same from series to series, and the rows
 * so far.
 *
 * Windows are found once for a timestamp column; then each series of floats takes one call of the function's kernel for
 * all steps. A series with histograms, and every anchored or smoothed one, is computed window by window.
 */
import { type Histogram, METRIC_NAME } from '@varve/tsdb-core/model'
import type { SelectResult } from '@varve/tsdb-core/query'
import type { PositionRange } from '../ast.js'
import { aggregateColumnFunction } from '../functions/aggregate-columns.js'
import type {
  FloatSeries,
  RangeCallContext,
  RangeFunction,
  SampleWindow,
  StepOutput,
} from '../functions/range-function.js'
import { rangeFunctionOf } from '../functions/range-functions.js'
import type { RangeCallPlan } from '../plan/plan.js'
import { BatchKernels } from './batch-kernels.js'
import type { Evaluator } from './evaluator.js'
import { rowsPerBatch } from './evaluator.js'
import { type Grid, timeAt } from './grid.js'
import { GrowthFold } from './growth-fold.js'
import { ABSENT_LABEL } from './label-table.js'
import { windowShape } from './range-shape.js'
import { BatchReader, emptyFloatSeries, type MixedSeries } from './sample-range.js'
import { isPlainShape, NO_SCALARS, type SealedFunction } from './sealed-series.js'
import type { SeriesRows } from './series-rows.js'
import type { SourceBatch } from './series-source.js'
import { FLOAT, HISTOGRAM, VectorBatch } from './vector-batch.js'
import { type FrameKind, WindowCache } from './window-cache.js'
import { findWindows, type WindowShape, type Windows, widenedShape } from './windows.js'

const HISTOGRAMS_PER_BATCH = 8192
/** Each sample is in at most about so many windows. */
const WINDOWS_APART_MAX = 4

function floatsAlone(series: FloatSeries): MixedSeries {
  return { floats: series, histogramTimesMs: NO_TIMES, histograms: [], histogramStartTimesMs: undefined }
}

const NO_TIMES = new Float64Array(0)

/** One call over one grid. */
const START: PositionRange = { start: 0, end: 0 }

export class RangeRows implements SeriesRows, RangeCallContext {
  readonly name: string
  readonly grid: Grid
  shape: WindowShape
  readonly scalars: readonly Float64Array[]
  readonly out: VectorBatch
  readonly series = emptyFloatSeries()
  readonly dropName: number
  /** The label set of the series at hand; asked for only where something is to be said of it. */
  labelSet: () => number = () => this.#labelSetOfSeries()
  readonly #asked: WindowShape
  /** Anchored and smoothed windows look beyond their borders. */
  readonly #windowed: boolean
  readonly #smoothed: boolean
  readonly #evaluator: Evaluator
  readonly #node: RangeCallPlan
  readonly rowsMax: number
  readonly #output: StepOutput
  readonly #isCounterCall: boolean
  #function: RangeFunction
  #cache: WindowCache
  #kernels: BatchKernels | undefined
  #growthFold: GrowthFold | undefined
  #source: SourceBatch | undefined
  #reader: BatchReader | undefined
  #at = 0
  /** The text of the metric name that was looked at last. */
  #checkedName = -1
  #heldHistograms = 0

  constructor(evaluator: Evaluator, node: RangeCallPlan, grid: Grid, scalars: readonly Float64Array[]) {
    this.#evaluator = evaluator
    this.#node = node
    this.name = node.function.name
    this.grid = grid
    this.scalars = scalars
    this.#asked = windowShape(node.source, grid, evaluator.context.options.lookbackMs)
    this.shape = this.#asked
    this.rowsMax = rowsPerBatch(grid.count)
    this.out = new VectorBatch(grid.count, 0)
    this.#function = rangeFunctionOf(this.name)
    this.dropName = this.#function.keepsName ? 0 : 1
    this.#windowed = node.source.kind === 'window' && (node.source.anchored || node.source.smoothed)
    this.#smoothed = node.source.kind === 'window' && node.source.smoothed
    this.#isCounterCall = this.name === 'rate' || this.name === 'increase'
    this.#output = { values: this.out.values, presence: this.out.presence, offset: 0 }
    this.#cache = new WindowCache(this.shape, this.#framesOf(this.#function), evaluator.context.options.kernels)
    this.#kernels = this.#kernelsOf(this.#function)
    this.#growthFold = this.#growthFoldOf(this.#function)
  }

  get annotations() {
    return this.#evaluator.context.annotations
  }

  get position() {
    // Prometheus points at the first argument here, whichever it is.
    if (this.name === 'quantile_over_time') return this.#node.scalars[0].position
    // It forgets where a subquery stands, and points at the start of the query.
    return this.#node.source.kind === 'subquery' ? START : this.#node.source.position
  }

  get scalarPositions() {
    return this.#node.scalars.map((scalar) => scalar.position)
  }

  readonly metricName = () => this.#evaluator.context.labels.metricName(this.labelSet())

  /** A histogram weighs as much as many floats, so few of them fill a batch. */
  get full(): boolean {
    return this.out.seriesCount === this.rowsMax || this.#heldHistograms >= HISTOGRAMS_PER_BATCH
  }

  /** Of the batch at hand. */
  get kernels(): BatchKernels | undefined {
    return this.#isPlain() ? this.#kernels : undefined
  }

  get growthFold(): GrowthFold | undefined {
    return this.#isPlain() ? this.#growthFold : undefined
  }

  /** Whether the batch at hand has values and nothing else. */
  #isPlain(): boolean {
    const { batch } = this.#source as SourceBatch
    const plain = batch.histograms === undefined && batch.startTimestampsMs === undefined && batch.counts === undefined
    return plain && !this.#windowed
  }

  begin(source: SourceBatch, rows: number): void {
    const { batch, result } = source
    this.#source = source
    this.#reader = new BatchReader(batch, this.#node.source.kind === 'window' && this.#node.source.statsOnly)
    this.#useColumn(result)
    this.#cache.begin(batch, this.shape)
    this.out.reserve(Math.min(this.rowsMax, this.out.seriesCount + rows))
  }

  compute(series: number): boolean {
    const reader = this.#reader as BatchReader
    this.#at = series
    const found = this.#computeSeries(reader, series)
    if (found && this.#isCounterCall && this.#hasFloats()) this.#checkCounterSeries(series)
    return found
  }

  release(): void {
    this.#cache.release()
  }

  noteFound(series: number): void {
    if (this.#isCounterCall) this.#checkCounterSeries(series)
  }

  sealedFunction({ slices }: SelectResult): SealedFunction | undefined {
    const { kernels, typeAndUnitLabels } = this.#evaluator.context.options
    const { kernel, sealedKernel, perSecond, frames } = this.#function
    const name = kernel ?? sealedKernel
    if (kernels === undefined || name === undefined || this.#windowed || slices !== undefined) return undefined
    const { grid, shape } = this
    // Where windows overlap much, running sums take less.
    if (kernel === undefined && grid.count > WINDOWS_APART_MAX && shape.rangeMs > WINDOWS_APART_MAX * grid.stepMs) {
      return undefined
    }
    // Types are labels of single series.
    if (!isPlainShape(this.shape) || (this.#isCounterCall && typeAndUnitLabels)) return undefined
    const divisor = perSecond ? this.shape.rangeMs / 1000 : 1
    const scalars = name === 'predict' ? this.#predictScalars() : NO_SCALARS
    return { kernels, name, shape, divisor, framed: frames !== undefined, presenceOnly: false, scalars }
  }

  /** Seconds ahead, and from when, by step. */
  #predictScalars(): Float64Array {
    const { count } = this.grid
    const scalars = new Float64Array(2 * count)
    scalars.set(this.scalars[0])
    for (let s = 0; s < count; s++) scalars[count + s] = timeAt(this.grid, s)
    return scalars
  }

  get namesFound(): ((names: readonly string[]) => void) | undefined {
    if (!this.#isCounterCall) return undefined
    const { labels } = this.#evaluator.context
    return (names) => {
      for (const name of names) this.#checkCounter(labels.textId(name), this.labelSet)
    }
  }

  #computeSeries(reader: BatchReader, series: number): boolean {
    if (reader.hasHistograms(series)) return this.mixed(reader.readMixed(series))
    const place = reader.readFloats(series, this.series)
    if (this.#windowed && (this.#function.extended === undefined || this.series.startTimesMs !== undefined)) {
      return this.mixed(floatsAlone(this.series))
    }
    if (place === 'own') return this.floats(findWindows(this.shape, this.series.timesMs, 0, this.series.count))
    const column = reader.batch.timestampColumns[series]
    return this.floats(this.#cache.windows(this.#cache.slotOf(column, place === 'ended')))
  }

  /** Anchored and smoothed windows extrapolate nothing. */
  #framesOf({ frames }: RangeFunction): FrameKind {
    return this.#windowed || frames === undefined ? 'none' : frames
  }

  #kernelsOf({ kernel, perSecond }: RangeFunction): BatchKernels | undefined {
    const { kernels } = this.#evaluator.context.options
    if (kernels === undefined || kernel === undefined) return undefined
    // Of windows that are widened here and there, each has a divisor of its own.
    if (perSecond && this.shape.rangesMs !== undefined) return undefined
    return new BatchKernels(kernels, kernel, this.#cache, perSecond ? this.shape.rangeMs / 1000 : 1)
  }

  #growthFoldOf({ kernel, perSecond, frames }: RangeFunction): GrowthFold | undefined {
    if (this.#evaluator.context.options.kernels !== undefined || kernel !== 'growth' || frames === undefined)
      return undefined
    return this.#windowed ? undefined : new GrowthFold(this.#cache, perSecond === true)
  }

  #labelSetOfSeries(): number {
    const { batch, symbols } = this.#source as SourceBatch
    return this.#evaluator.context.labels.addSeries(batch, this.#at, symbols)
  }

  /** Forgets the rows, which somebody else has by now. */
  clear(): void {
    this.out.clear()
    this.#heldHistograms = 0
  }

  /** Downsampled samples may need another function than the call's, see `ResolutionSlice`. */
  #useColumn(result: SelectResult): void {
    const column = result.slices?.[0]?.column ?? 'value'
    this.shape = widenedShape(this.#asked, result.slices)
    const found = aggregateColumnFunction(this.name, column) ?? rangeFunctionOf(this.name)
    if (found === this.#function) return
    this.#function = found
    this.#cache.release()
    this.#cache = new WindowCache(this.shape, this.#framesOf(found), this.#evaluator.context.options.kernels)
    this.#kernels = this.#kernelsOf(found)
    this.#growthFold = this.#growthFoldOf(found)
  }

  /** Computes `series` into the next row; true if the row got a sample. */
  floats(windows: Windows): boolean {
    if (this.series.count === 0) return false
    const { out } = this
    const offset = this.#prepare()
    if (this.#windowed) this.#function.extended?.(this.series, windows, this.#output, this.#smoothed)
    else this.#function.floats(this.series, windows, this.#output, this)
    return hasFloat(out.presence, offset, offset + out.steps)
  }

  mixed(samples: MixedSeries): boolean {
    const { shape, grid, out } = this
    const { floats, histogramTimesMs, histograms, histogramStartTimesMs } = samples
    const { source } = this.#node
    const offset = this.#prepare()
    const floatWindows = findWindows(shape, floats.timesMs, floats.timeOffset, floats.timeOffset + floats.count)
    const histogramWindows = findWindows(shape, histogramTimesMs, 0, histogramTimesMs.length)
    let found = false
    const put = (step: number, histogram: Histogram) => {
      found = true
      this.#heldHistograms++
      out.presence[offset + step] = HISTOGRAM
      ;(out.histograms ??= [])[offset + step] = histogram
    }
    if (!this.#windowed && floats.count === 0) {
      const series = { histograms, timesMs: histogramTimesMs, startTimesMs: histogramStartTimesMs }
      if (this.#function.histograms?.(series, histogramWindows, put)) return found
    }
    for (let s = 0; s < grid.count; s++) {
      const from = floatWindows.first[s]
      const to = floatWindows.end[s]
      const histogramFrom = histogramWindows.first[s]
      const histogramTo = histogramWindows.end[s]
      if (from === to && histogramFrom === histogramTo) continue
      const window: SampleWindow = {
        step: s,
        startMs: shape.endsMs[s] - shape.rangeMs,
        endMs: shape.endsMs[s],
        rangeMs: shape.rangeMs,
        evaluationMs: timeAt(grid, s),
        floatTimesMs: sliced(floats.timesMs, floats.timeOffset, from, to),
        floats: sliced(floats.values, floats.valueOffset, from, to),
        floatStartTimesMs: sliced(floats.startTimesMs, floats.valueOffset, from, to),
        histogramTimesMs: sliced(histogramTimesMs, 0, histogramFrom, histogramTo),
        histograms: histograms.slice(histogramFrom, histogramTo),
        histogramStartTimesMs: sliced(histogramStartTimesMs, 0, histogramFrom, histogramTo),
        anchored: source.kind === 'window' && source.anchored,
        smoothed: source.kind === 'window' && source.smoothed,
      }
      const result = this.#function.window(window, this)
      if (result === undefined) continue
      if (typeof result === 'number') {
        found = true
        out.values[offset + s] = result
        out.presence[offset + s] = FLOAT
      } else put(s, result)
    }
    return found
  }

  /** Tells that a rate was taken of what does not look like a counter: of the row behind the last one. */
  checkCounterName(labelSet: number): void {
    if (!this.#isCounterCall || !this.#hasFloats()) return
    const { labels } = this.#evaluator.context
    this.#checkCounter(labels.valueId(labelSet, labels.textId(METRIC_NAME)), () => labelSet)
  }

  /** The same for a series, whose labels need not be in the table. */
  #checkCounterSeries(series: number): void {
    const { batch, symbols } = this.#source as SourceBatch
    this.#at = series
    const nameId = this.#evaluator.context.labels.textId(METRIC_NAME)
    this.#checkCounter(symbols.valueId(batch, series, nameId), this.labelSet)
  }

  /** Once for a name: all its series read alike, unless their types tell. */
  #checkCounter(nameId: number, labelSet: () => number): void {
    const { labels, options, annotations } = this.#evaluator.context
    if (nameId === ABSENT_LABEL || (!options.typeAndUnitLabels && nameId === this.#checkedName)) return
    this.#checkedName = nameId
    const name = labels.text(nameId)
    if (options.typeAndUnitLabels) {
      const type = labels.value(labelSet(), '__type__')
      if (type !== 'counter' && type !== 'histogram') annotations.possibleNonCounterType(name, type, this.position)
    } else if (!/_(total|sum|count|bucket)$/.test(name)) annotations.possibleNonCounter(name, this.position)
  }

  /** Whether the row behind the last one has any. */
  #hasFloats(): boolean {
    const { out } = this
    const offset = out.seriesCount * out.steps
    return hasFloat(out.presence, offset, offset + out.steps)
  }

  /** Makes room for a row and returns where its steps start. */
  #prepare(): number {
    const { out } = this
    if (out.seriesCount === out.seriesCapacity) out.reserve(out.seriesCount + 1)
    this.#output.values = out.values
    this.#output.presence = out.presence
    this.#output.offset = out.seriesCount * out.steps
    return this.#output.offset
  }
}

function hasFloat(presence: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (presence[at] === FLOAT) return true
  return false
}

function sliced(column: Float64Array | undefined, offset: number, from: number, to: number): number[] {
  return column === undefined ? [] : Array.from(column.subarray(offset + from, offset + to))
}
