/** A histogram as text: `{count:3, sum:4.5, (1,2]:3}`, as count_values makes a label value of it. */
import type { Histogram } from '@varve/tsdb-core/model'
import { formatG } from '../engine/go-format.js'
import { forEachBucket } from './buckets.js'

/** Populated buckets only. */
export function histogramText(histogram: Histogram): string {
  const parts = [`count:${formatG(histogram.count)}`, `sum:${formatG(histogram.sum)}`]
  forEachBucket(histogram, ({ lower, upper, lowerInclusive, upperInclusive, count }) => {
    if (count === 0) return true
    const bounds = `${formatG(lower)},${formatG(upper)}`
    parts.push(`${lowerInclusive ? '[' : '('}${bounds}${upperInclusive ? ']' : ')'}:${formatG(count)}`)
    return true
  })
  return `{${parts.join(', ')}}`
}
