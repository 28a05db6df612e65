/** histogram_quantile, histogram_quantiles and histogram_fraction. */

import type { TraceNode } from '../engine/stats.js'
import { histogramFraction as nativeFraction, histogramQuantile as nativeQuantile } from '../histograms/index.js'
import type { Evaluator } from '../operators/evaluator.js'
import type { Grid } from '../operators/grid.js'
import { timeAt } from '../operators/grid.js'
import { RowMerger } from '../operators/row-merger.js'
import type { VectorBatch } from '../operators/vector-batch.js'
import type { CallPlan } from '../plan/plan.js'
import { textOf, type VectorFunction } from './call.js'
import { bucketFraction, bucketQuantile, type ClassicBuckets } from './classic-buckets.js'
import { type HistogramGroup, HistogramGroups } from './histogram-groups.js'
import { formatOpenMetrics } from './open-metrics.js'

export const histogramQuantile: VectorFunction = async function* (evaluator, node, grid, trace) {
  const quantiles = await evaluator.scalar(node.arguments[0], grid, trace)
  yield await quantilesOf(evaluator, node, grid, trace, 1, [{ quantiles, argument: 0 }], undefined)
}

export const histogramQuantiles: VectorFunction = async function* (evaluator, node, grid, trace) {
  const label = textOf(node.arguments[1])
  const wanted: WantedQuantile[] = []
  for (let argument = 2; argument < node.arguments.length; argument++) {
    wanted.push({ quantiles: await evaluator.scalar(node.arguments[argument], grid, trace), argument })
  }
  yield await quantilesOf(evaluator, node, grid, trace, 0, wanted, label)
}

interface WantedQuantile {
  /** One for each step. */
  readonly quantiles: Float64Array
  /** Which argument it came from: its warnings point there. */
  readonly argument: number
}

async function quantilesOf(
  evaluator: Evaluator,
  node: CallPlan,
  grid: Grid,
  trace: TraceNode,
  vectorArgument: number,
  wanted: readonly WantedQuantile[],
  label: string | undefined,
): Promise<VectorBatch> {
  const { context } = evaluator
  const { annotations, labels } = context
  const vector = node.arguments[vectorArgument]
  const input = await evaluator.vector(vector, grid, trace)
  for (const { quantiles, argument } of wanted) {
    for (const quantile of quantiles) {
      if (!(quantile >= 0 && quantile <= 1)) annotations.invalidQuantile(quantile, node.arguments[argument].position)
    }
  }
  const groups = await HistogramGroups.of(context, input, vector.position)
  const merger = new RowMerger(context, grid.count)
  for (const group of groups.groups) {
    const rowOf = (quantile: number) => {
      const set = label === undefined ? group.labelSet : labels.with(group.labelSet, label, formatOpenMetrics(quantile))
      return merger.rowOf(set, 1)
    }
    const metricName = labels.metricName(group.labelSet)
    for (let s = 0; s < grid.count; s++) {
      const native = groups.nativeAt(group, s)
      if (native !== undefined) {
        for (const { quantiles } of wanted) {
          const { value, nan } = nativeQuantile(quantiles[s], native)
          if (nan === 'result') annotations.quantileNaNResult(metricName, vector.position)
          if (nan === 'skew') annotations.quantileNaNSkew(metricName, vector.position)
          put(merger, rowOf(quantiles[s]), s, value)
        }
      }
      const classic = groups.classicAt(group, s)
      if (classic === undefined) continue
      for (const { quantiles } of wanted) {
        const quantile = bucketQuantile(quantiles[s], copyOf(classic), (repair) =>
          annotations.forcedMonotonicity(metricName, vector.position, { timeMs: timeAt(grid, s), ...repair }),
        )
        put(merger, rowOf(quantiles[s]), s, quantile)
      }
    }
    if (context.shouldYield()) await context.yield()
  }
  return merger.batch
}

export const histogramFraction: VectorFunction = async function* (evaluator, node, grid, trace) {
  const { context } = evaluator
  const lower = await evaluator.scalar(node.arguments[0], grid, trace)
  const upper = await evaluator.scalar(node.arguments[1], grid, trace)
  const vector = node.arguments[2]
  const input = await evaluator.vector(vector, grid, trace)
  const groups = await HistogramGroups.of(context, input, vector.position)
  const merger = new RowMerger(context, grid.count)
  for (const group of groups.groups) {
    for (let s = 0; s < grid.count; s++) {
      const native = groups.nativeAt(group, s)
      if (native !== undefined) {
        const { value, hasNaN } = nativeFraction(lower[s], upper[s], native)
        if (hasNaN) {
          context.annotations.fractionNaNs(context.labels.metricName(group.labelSet), vector.position)
        }
        put(merger, rowOfGroup(merger, group), s, value)
      }
      const classic = groups.classicAt(group, s)
      if (classic !== undefined) {
        put(merger, rowOfGroup(merger, group), s, bucketFraction(lower[s], upper[s], classic))
      }
    }
    if (context.shouldYield()) await context.yield()
  }
  yield merger.batch
}

function rowOfGroup(merger: RowMerger, group: HistogramGroup): number {
  return merger.rowOf(group.labelSet, 1)
}

function put(merger: RowMerger, row: number, step: number, value: number): void {
  merger.checkFree(row, step)
  merger.batch.setFloat(row, step, value)
}

function copyOf(buckets: ClassicBuckets): ClassicBuckets {
  return { bounds: [...buckets.bounds], counts: [...buckets.counts] }
}
