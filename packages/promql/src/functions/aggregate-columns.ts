/**
 * Functions over downsampled columns: what a sample stands for decides how it is folded (see `ResolutionSlice`).
 *
 *     increase   `increase` adds the growth of the windows up, `rate` divides that by the range; nothing is extrapolated
 *     count      `count_over_time` adds them
 *     sum        `avg_over_time` divides the sum of sums by the sum of counts; `sum_over_time` adds them as it is
 */
import type { AggregateColumn, Histogram } from '@varve/tsdb-core/model'
import { compactHistogram, divideHistogram } from '../histograms/index.js'
import { FLOAT } from '../operators/vector-batch.js'
import type { RangeCallContext, RangeFunction, SampleWindow } from './range-function.js'
import { avgFloats, sumFloats, sumOf } from './sums-over-time.js'
import { totalOf } from './window-functions.js'

/** The function to use instead of the named one, if the column asks for another. */
export function aggregateColumnFunction(name: string, column: AggregateColumn): RangeFunction | undefined {
  if (column === 'increase' && name === 'increase') return ADDED
  if (column === 'increase' && name === 'rate') return ADDED_PER_SECOND
  if (column === 'count' && name === 'count_over_time') return ADDED
  if (column === 'sum' && name === 'avg_over_time') return WEIGHTED_MEAN
  return undefined
}

const ADDED: RangeFunction = { floats: sumFloats, kernel: 'sum', window: added }

const ADDED_PER_SECOND: RangeFunction = {
  kernel: 'sum',
  perSecond: true,
  floats(series, windows, out) {
    sumFloats(series, windows, out)
    const { rangeMs, rangesMs } = windows
    for (let s = 0; s < windows.grid.count; s++) {
      if (out.presence[out.offset + s] !== FLOAT) continue
      out.values[out.offset + s] /= (rangesMs === undefined ? rangeMs : rangesMs[s]) / 1000
    }
  },
  window(window, call) {
    const sum = added(window, call)
    const seconds = window.rangeMs / 1000
    return typeof sum === 'object' ? divideHistogram(sum, seconds) : sum === undefined ? undefined : sum / seconds
  },
}

const totalOfHistograms = totalOf(sumFloats, false)
const averageOfHistograms = totalOf(avgFloats, true)

function added(window: SampleWindow, call: RangeCallContext): number | Histogram | undefined {
  if (window.histograms.length > 0) {
    const total = totalOfHistograms(window, call)
    return typeof total === 'object' ? compactHistogram(total) : total
  }
  return window.floats.length === 0 ? undefined : sumOf(window.floats, 0, window.floats.length)
}

const WEIGHTED_MEAN: RangeFunction = {
  floats(series, windows, out) {
    const { values, valueOffset, counts } = series
    if (counts === undefined) return
    const { first, end } = windows
    for (let s = 0; s < windows.grid.count; s++) {
      if (end[s] <= first[s]) continue
      const from = valueOffset + first[s]
      const to = valueOffset + end[s]
      // Mostly it is one window.
      const isOne = to === from + 1
      const count = isOne ? counts[from] : sumOf(counts, from, to)
      if (count === 0) continue
      out.values[out.offset + s] = (isOne ? 0 + values[from] : sumOf(values, from, to)) / count
      out.presence[out.offset + s] = FLOAT
    }
  },
  // Histograms have no column of sums: those that come are raw samples.
  window: (window, call) => (window.histograms.length > 0 ? averageOfHistograms(window, call) : undefined),
}
