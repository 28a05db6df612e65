/**
 * A function over a range vector, from raw samples or from a subquery.
 *
 * Windows are found once for a timestamp column; then each series of floats takes one call of the function's kernel for
 * all steps. A series with histograms, and every anchored or smoothed one, is computed window by window.
 */
import { type Histogram, METRIC_NAME } from '@varve/tsdb-core/model'
import type { SelectResult } from '@varve/tsdb-core/query'
import type { TraceNode } from '../engine/stats.js'
import { PromqlError } from '../errors.js'
import { aggregateColumnFunction } from '../functions/aggregate-columns.js'
import type {
  FloatSeries,
  RangeCallContext,
  RangeFunction,
  SampleWindow,
  StepOutput,
} from '../functions/range-function.js'
import { rangeFunctionOf } from '../functions/range-functions.js'
import type { RangeCallPlan, SubqueryPlan, WindowPlan } from '../plan/plan.js'
import type { Evaluator } from './evaluator.js'
import { rowsPerBatch } from './evaluator.js'
import { type Grid, subqueryGrid, timeAt } from './grid.js'
import { ABSENT_LABEL } from './label-table.js'
import { BatchReader, emptyFloatSeries, type MixedSeries } from './sample-range.js'
import type { SelectOrder, SeriesSource } from './series-source.js'
import { FLOAT, HISTOGRAM, VectorBatch } from './vector-batch.js'
import { findWindows, type WindowShape, type Windows, widenedShape, windowEnds } from './windows.js'

const HISTOGRAMS_PER_BATCH = 8192
const ANCHORED_FUNCTIONS = ['changes', 'delta', 'increase', 'rate', 'resets']
const SMOOTHED_FUNCTIONS = ['delta', 'increase', 'rate']

export function windowShape(node: WindowPlan | SubqueryPlan, grid: Grid, lookbackMs: number): WindowShape {
  const endsMs = windowEnds(grid, node.atMs, node.offsetMs)
  const anchored = node.kind === 'window' && node.anchored
  const smoothed = node.kind === 'window' && node.smoothed
  return {
    grid,
    endsMs,
    rangeMs: node.rangeMs,
    beforeMs: anchored || smoothed ? lookbackMs : 0,
    afterMs: smoothed ? lookbackMs : 0,
    historyMs: node.kind === 'window' && node.statsOnly ? lookbackMs : 0,
  }
}

export function windowOrder(
  node: WindowPlan,
  shape: WindowShape,
  functionName: string,
  queryStepMs: number,
): SelectOrder {
  const { endsMs, rangeMs, beforeMs, afterMs, historyMs } = shape
  const last = endsMs[endsMs.length - 1]
  return {
    matchers: node.matchers,
    afterMs: endsMs[0] - rangeMs - Math.max(beforeMs, historyMs),
    untilMs: last + afterMs,
    hints: {
      function: functionName,
      stepMs: queryStepMs,
      rangeMs,
      evaluationStartMs: endsMs[0],
      evaluationEndMs: last,
    },
  }
}

/** The grid on which a subquery's inner expression is evaluated. */
export function innerGrid(node: SubqueryPlan, shape: WindowShape): Grid {
  const { endsMs } = shape
  return subqueryGrid(endsMs[0], endsMs[endsMs.length - 1], node.rangeMs, node.stepMs)
}

/** @throws {PromqlError} `execution` for a function that cannot look beyond its window. */
export function checkModifiers(node: RangeCallPlan): void {
  const { source } = node
  if (source.kind !== 'window') return
  const { name } = node.function
  if (source.anchored && !ANCHORED_FUNCTIONS.includes(name)) {
    throw new PromqlError(
      'execution',
      `anchored modifier can only be used with: ${ANCHORED_FUNCTIONS.join(', ')} - not with ${name}`,
    )
  }
  if (source.smoothed && !SMOOTHED_FUNCTIONS.includes(name)) {
    throw new PromqlError(
      'execution',
      `smoothed modifier can only be used with: ${SMOOTHED_FUNCTIONS.join(', ')} - not with ${name}`,
    )
  }
}

export async function* rangeCallBatches(
  evaluator: Evaluator,
  source: SeriesSource,
  node: RangeCallPlan,
  grid: Grid,
  trace: TraceNode,
): AsyncGenerator<VectorBatch> {
  checkModifiers(node)
  const scalars: Float64Array[] = []
  for (const scalar of node.scalars) scalars.push(await evaluator.scalar(scalar, grid, trace))
  const run = new RangeCallRun(evaluator, node, grid, scalars)
  yield* node.source.kind === 'window'
    ? fromSamples(evaluator, source, run, node.source, trace)
    : fromSubquery(evaluator, run, node.source, trace)
}

async function* fromSamples(
  evaluator: Evaluator,
  source: SeriesSource,
  run: RangeCallRun,
  node: WindowPlan,
  trace: TraceNode,
): AsyncGenerator<VectorBatch> {
  const { context } = evaluator
  const { grid } = run
  const order = windowOrder(node, run.shape, run.name, context.options.rangeQuery ? grid.stepMs : 0)
  for await (const { batch, symbols, result } of source.read(order, trace)) {
    run.useColumn(result)
    run.reserve(batch.seriesCount)
    const reader = new BatchReader(batch, node.statsOnly)
    const windowsOf = new Map<number, Windows>()
    for (let series = 0; series < batch.seriesCount; series++) {
      let found: boolean
      let labelSet = -1
      const labels = () => (labelSet < 0 ? (labelSet = context.labels.addSeries(batch, series, symbols)) : labelSet)
      run.labelSet = labels
      if (reader.hasHistograms(series)) found = run.mixed(reader.readMixed(series))
      else {
        const shared = reader.readFloats(series, run.series)
        if (run.windowed) found = run.mixed(floatsAlone(run.series))
        else if (shared) {
          const column = batch.timestampColumns[series]
          let windows = windowsOf.get(column)
          if (windows === undefined) {
            const { timestampOffsets: offsets } = batch
            windows = findWindows(run.shape, batch.timestampsMs, offsets[column], offsets[column + 1])
            windowsOf.set(column, windows)
          }
          found = run.floats(windows)
        } else found = run.floats(findWindows(run.shape, run.series.timesMs, 0, run.series.count))
      }
      if (!found) continue
      run.out.addRow(labels(), run.dropName)
      run.checkCounterName(labels())
      if (run.full) {
        yield run.out
        run.clear()
      }
      if (context.shouldYield()) await context.yield()
    }
  }
  if (run.out.seriesCount > 0) yield run.out
}

async function* fromSubquery(
  evaluator: Evaluator,
  run: RangeCallRun,
  node: SubqueryPlan,
  trace: TraceNode,
): AsyncGenerator<VectorBatch> {
  const { context } = evaluator
  const inner = innerGrid(node, run.shape)
  if (inner.count === 0) return
  const timesMs = Float64Array.from({ length: inner.count }, (_, s) => timeAt(inner, s))
  const windows = findWindows(run.shape, timesMs, 0, inner.count)
  for await (const batch of evaluator.batches(node.child, inner, trace)) {
    for (let row = 0; row < batch.seriesCount; row++) {
      const labelSet = batch.labelSets[row]
      run.labelSet = () => labelSet
      const samples = rowSamples(batch, row, timesMs, run.series)
      let found: boolean
      if (samples !== undefined) found = run.mixed(samples)
      else if (run.series.count === 0) continue
      else if (run.series.count === inner.count) found = run.floats(windows)
      else found = run.floats(findWindows(run.shape, run.series.timesMs, 0, run.series.count))
      if (!found) continue
      run.out.addRow(labelSet, run.dropName | batch.dropName[row])
      run.checkCounterName(labelSet)
      if (run.full) {
        yield run.out
        run.clear()
      }
      if (context.shouldYield()) await context.yield()
    }
  }
  if (run.out.seriesCount > 0) yield run.out
}

/** Fills `into` with a row of floats; a row with histograms is returned instead. */
function rowSamples(
  batch: VectorBatch,
  row: number,
  timesMs: Float64Array,
  into: FloatSeries,
): MixedSeries | undefined {
  const steps = batch.steps
  const from = row * steps
  let count = 0
  let hasHistograms = false
  for (let s = 0; s < steps; s++) {
    if (batch.presence[from + s] === FLOAT) count++
    else if (batch.presence[from + s] === HISTOGRAM) hasHistograms = true
  }
  into.startTimesMs = undefined
  into.counts = undefined
  into.timeOffset = 0
  into.count = count
  if (count === steps) {
    into.values = batch.values
    into.valueOffset = from
    into.timesMs = timesMs
    return undefined
  }
  into.values = new Float64Array(count)
  into.valueOffset = 0
  into.timesMs = new Float64Array(count)
  const histogramTimes: number[] = []
  const histograms: Histogram[] = []
  let at = 0
  for (let s = 0; s < steps; s++) {
    if (batch.presence[from + s] === FLOAT) {
      into.values[at] = batch.values[from + s]
      into.timesMs[at++] = timesMs[s]
    } else if (batch.presence[from + s] === HISTOGRAM) {
      histogramTimes.push(timesMs[s])
      histograms.push(withoutResetHint(batch.histograms![from + s]!))
    }
  }
  if (!hasHistograms) return undefined
  return {
    floats: { ...into },
    histogramTimesMs: Float64Array.from(histogramTimes),
    histograms,
    histogramStartTimesMs: undefined,
  }
}

/** A subquery may skip or repeat samples, so what their hints say of the sample before holds no more. */
function withoutResetHint(histogram: Histogram): Histogram {
  const { counterResetHint } = histogram
  if (counterResetHint !== 'reset' && counterResetHint !== 'notReset') return histogram
  return { ...histogram, counterResetHint: 'unknown' }
}

function floatsAlone(series: FloatSeries): MixedSeries {
  return { floats: series, histogramTimesMs: NO_TIMES, histograms: [], histogramStartTimesMs: undefined }
}

const NO_TIMES = new Float64Array(0)

/** One call over one grid: what stays the same from series to series, and the rows so far. */
class RangeCallRun implements RangeCallContext {
  readonly name: string
  readonly grid: Grid
  shape: WindowShape
  readonly #asked: WindowShape
  readonly scalars: readonly Float64Array[]
  readonly out: VectorBatch
  readonly series = emptyFloatSeries()
  readonly dropName: number
  /** Anchored and smoothed windows look beyond their borders. */
  readonly windowed: boolean
  labelSet: () => number = () => 0
  readonly #evaluator: Evaluator
  readonly #node: RangeCallPlan
  readonly #rows: number
  #function: RangeFunction
  readonly #output: StepOutput
  readonly #checkedNames = new Set<number>()
  #heldHistograms = 0

  constructor(evaluator: Evaluator, node: RangeCallPlan, grid: Grid, scalars: readonly Float64Array[]) {
    this.#evaluator = evaluator
    this.#node = node
    this.name = node.function.name
    this.grid = grid
    this.scalars = scalars
    this.#asked = windowShape(node.source, grid, evaluator.context.options.lookbackMs)
    this.shape = this.#asked
    this.#rows = rowsPerBatch(grid.count)
    this.out = new VectorBatch(grid.count, 0)
    this.#function = rangeFunctionOf(this.name)
    this.dropName = this.#function.keepsName ? 0 : 1
    this.windowed = node.source.kind === 'window' && (node.source.anchored || node.source.smoothed)
    this.#output = { values: this.out.values, presence: this.out.presence, offset: 0 }
  }

  get annotations() {
    return this.#evaluator.context.annotations
  }

  get position() {
    return this.#node.source.position
  }

  get scalarPositions() {
    return this.#node.scalars.map((scalar) => scalar.position)
  }

  readonly metricName = () => this.#evaluator.context.labels.metricName(this.labelSet())

  /** A histogram weighs as much as many floats, so few of them fill a batch. */
  get full(): boolean {
    return this.out.seriesCount === this.#rows || this.#heldHistograms >= HISTOGRAMS_PER_BATCH
  }

  /** Makes room for rows to come, as far as they fit one batch. */
  reserve(rows: number): void {
    this.out.reserve(Math.min(this.#rows, this.out.seriesCount + rows))
  }

  /** Forgets the rows, which somebody else has by now. */
  clear(): void {
    this.out.clear()
    this.#heldHistograms = 0
  }

  /** Downsampled samples may need another function than the call's, see `ResolutionSlice`. */
  useColumn(result: SelectResult): void {
    const column = result.slices?.[0]?.column ?? 'value'
    this.shape = widenedShape(this.#asked, result.slices)
    this.#function = aggregateColumnFunction(this.name, column) ?? rangeFunctionOf(this.name)
  }

  /** Computes `series` into the next row; true if the row got a sample. */
  floats(windows: Windows): boolean {
    if (this.series.count === 0) return false
    const { out } = this
    const offset = this.#prepare()
    this.#function.floats(this.series, windows, this.#output, this)
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
    // Start timestamps may let a window begin before its first sample: they go window by window.
    if (!this.windowed && floats.count === 0 && histogramStartTimesMs === undefined) {
      const series = { histograms, timesMs: histogramTimesMs }
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

  /** Tells that a rate was taken of what does not look like a counter. Once for a name: all its series read alike. */
  checkCounterName(labelSet: number): void {
    if (this.name !== 'rate' && this.name !== 'increase') return
    const { labels, options, annotations } = this.#evaluator.context
    const nameId = labels.valueId(labelSet, labels.textId(METRIC_NAME))
    if (nameId === ABSENT_LABEL) return
    if (!options.typeAndUnitLabels && this.#checkedNames.has(nameId)) return
    const { out } = this
    const offset = (out.seriesCount - 1) * out.steps
    if (!hasFloat(out.presence, offset, offset + out.steps)) return
    this.#checkedNames.add(nameId)
    const name = labels.text(nameId)
    if (options.typeAndUnitLabels) {
      const type = labels.value(labelSet, '__type__')
      if (type !== 'counter' && type !== 'histogram') annotations.possibleNonCounterType(name, type, this.position)
    } else if (!/_(total|sum|count|bucket)$/.test(name)) annotations.possibleNonCounter(name, this.position)
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
