/** A function over a range vector, from raw samples or from a subquery: which rows it makes, in batches. */
import type { Histogram } from '@varve/tsdb-core/model'
import type { TraceNode } from '../engine/stats.js'
import { PromqlError } from '../errors.js'
import type { FloatSeries } from '../functions/range-function.js'
import type { RangeCallPlan, SubqueryPlan, WindowPlan } from '../plan/plan.js'
import type { Evaluator } from './evaluator.js'
import { type Grid, timeAt } from './grid.js'
import { RangeRows } from './range-rows.js'
import { innerGrid, windowOrder } from './range-shape.js'
import type { MixedSeries } from './sample-range.js'
import { rowBatches } from './series-rows.js'
import type { Selection, SelectOrder, SeriesSource } from './series-source.js'
import { FLOAT, HISTOGRAM, type VectorBatch } from './vector-batch.js'
import { findWindows } from './windows.js'

const ANCHORED_FUNCTIONS = ['changes', 'delta', 'increase', 'rate', 'resets']
const SMOOTHED_FUNCTIONS = ['delta', 'increase', 'rate']

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
  const rows = await rangeRows(evaluator, node, grid, trace)
  const { source: from } = node
  yield* from.kind === 'window'
    ? rowBatches(evaluator.context, () => openWindows(evaluator, source, rows, from, trace), rows)
    : fromSubquery(evaluator, rows, from, trace)
}

/** The means to compute its rows. @throws {PromqlError} `execution` for a modifier that the function does not know. */
export async function rangeRows(
  evaluator: Evaluator,
  node: RangeCallPlan,
  grid: Grid,
  trace: TraceNode,
): Promise<RangeRows> {
  checkModifiers(node)
  const scalars: Float64Array[] = []
  for (const scalar of node.scalars) scalars.push(await evaluator.scalar(scalar, grid, trace))
  return new RangeRows(evaluator, node, grid, scalars)
}

/** What the rows of a call over a selector are made of. */
export function openWindows(
  evaluator: Evaluator,
  source: SeriesSource,
  rows: RangeRows,
  node: WindowPlan,
  trace: TraceNode,
): Promise<Selection> {
  return source.open(orderOf(evaluator, rows, node), trace)
}

function orderOf(evaluator: Evaluator, rows: RangeRows, node: WindowPlan): SelectOrder {
  const { rangeQuery } = evaluator.context.options
  return windowOrder(node, rows.shape, rows.name, rangeQuery ? rows.grid.stepMs : 0)
}

async function* fromSubquery(
  evaluator: Evaluator,
  rows: RangeRows,
  node: SubqueryPlan,
  trace: TraceNode,
): AsyncGenerator<VectorBatch> {
  const { context } = evaluator
  const inner = innerGrid(node, rows.shape)
  if (inner.count === 0) return
  const timesMs = Float64Array.from({ length: inner.count }, (_, s) => timeAt(inner, s))
  const windows = findWindows(rows.shape, timesMs, 0, inner.count)
  for await (const batch of evaluator.batches(node.child, inner, trace)) {
    for (let row = 0; row < batch.seriesCount; row++) {
      const labelSet = batch.labelSets[row]
      rows.labelSet = () => labelSet
      const samples = rowSamples(batch, row, timesMs, rows.series)
      let found: boolean
      if (samples !== undefined) found = rows.mixed(samples)
      else if (rows.series.count === 0) continue
      else if (rows.series.count === inner.count) found = rows.floats(windows)
      else found = rows.floats(findWindows(rows.shape, rows.series.timesMs, 0, rows.series.count))
      if (!found) continue
      rows.checkCounterName(labelSet)
      rows.out.addRow(labelSet, rows.dropName | batch.dropName[row])
      if (rows.full) {
        yield rows.out
        rows.clear()
      }
      if (context.shouldYield()) await context.yield()
    }
  }
  if (rows.out.seriesCount > 0) yield rows.out
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
