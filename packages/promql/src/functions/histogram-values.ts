/** Functions that turn each native histogram of a vector into a number. Floats are dropped. */
import type { Histogram } from '@varve/tsdb-core/model'
import { histogramAverage, histogramVariance } from '../histograms/index.js'
import { ABSENT, FLOAT, HISTOGRAM } from '../operators/vector-batch.js'
import type { VectorFunction } from './call.js'

function mapHistograms(apply: (histogram: Histogram) => number): VectorFunction {
  return async function* (evaluator, node, grid, trace) {
    for await (const batch of evaluator.batches(node.arguments[0], grid, trace)) {
      const { values, presence, histograms } = batch
      for (let at = 0, end = batch.seriesCount * batch.steps; at < end; at++) {
        if (presence[at] === HISTOGRAM) {
          values[at] = apply(histograms![at]!)
          presence[at] = FLOAT
        } else presence[at] = ABSENT
      }
      batch.histograms = undefined
      batch.dropName.fill(1, 0, batch.seriesCount)
      yield batch
    }
  }
}

export const HISTOGRAM_FUNCTIONS: ReadonlyMap<string, VectorFunction> = new Map([
  ['histogram_avg', mapHistograms(histogramAverage)],
  ['histogram_count', mapHistograms(({ count }) => count)],
  ['histogram_stddev', mapHistograms((histogram) => Math.sqrt(histogramVariance(histogram)))],
  ['histogram_stdvar', mapHistograms(histogramVariance)],
  ['histogram_sum', mapHistograms(({ sum }) => sum)],
])
