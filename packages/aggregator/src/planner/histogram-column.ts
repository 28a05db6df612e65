/**
 * Native histograms as the column that a function wants: what `column-kind.ts` does for floats.
 *
 * An aggregated namespace has `last` and `increase` of them. Between floats and histograms of one series nothing grows: the
 * first histogram after a float is a baseline.
 */
import { HistogramTotal, usesCustomBuckets } from '@varve/promql'
import { type Histogram, halvesOf, isStaleAt, writeStaleAt } from '@varve/tsdb-core/model'
import { growthOf } from '../windows/histogram-scan.js'
import type { SamplePart } from './series-parts.js'

/** Histograms become the growth since the one before; the floats of such a series are left out. */
export function toHistogramIncreases(part: SamplePart): SamplePart {
  let previous: Histogram | null = null
  return mapped(part, (histogram) => {
    const growth = growthOf(previous ? [previous, histogram] : [histogram])
    previous = histogram
    return growth
  })
}

/** Growth becomes a running sum, from sample `first` on; `before` is the sum so far. */
export function toHistogramRunningSum(part: SamplePart, before: Histogram | null): SamplePart {
  let sum: HistogramTotal | null = before ? new HistogramTotal(before, true) : null
  return mapped(part, (histogram) => {
    if (sum && sum.usesCustomBuckets === usesCustomBuckets(histogram)) sum.add(histogram)
    else sum = new HistogramTotal(histogram, true)
    return sum.histogram('unknown')
  })
}

/** Each histogram counts as one; floats and markers stay. */
export function withoutHistograms(part: SamplePart): SamplePart {
  const values = part.values.slice()
  const halves = halvesOf(values)
  part.histograms?.forEach((histogram, i) => {
    if (histogram?.stale) writeStaleAt(halves, i)
    else if (histogram) values[i] = 1
  })
  return { ...part, values, histograms: null }
}

/** Markers stay; what `change` makes nothing of, and floats, are left out. */
function mapped(part: SamplePart, change: (histogram: Histogram) => Histogram | null): SamplePart {
  const { timestampsMs, values } = part
  const halves = halvesOf(values)
  const kept: number[] = []
  const histograms: (Histogram | undefined)[] = []
  part.values.forEach((_, i) => {
    const histogram = part.histograms?.[i]
    if (!histogram && !isStaleAt(halves, i)) return
    const changed = histogram && !histogram.stale ? change(histogram) : histogram
    if (changed === null) return
    kept.push(i)
    histograms.push(changed)
  })
  const result = new Float64Array(kept.length)
  const resultHalves = halvesOf(result)
  kept.forEach((i, k) => {
    if (isStaleAt(halves, i)) writeStaleAt(resultHalves, k)
  })
  return {
    timestampsMs: Float64Array.from(kept, (i) => timestampsMs[i]),
    values: result,
    counts: part.counts ? Float64Array.from(kept, (i) => part.counts?.[i] ?? 1) : null,
    histograms,
  }
}
