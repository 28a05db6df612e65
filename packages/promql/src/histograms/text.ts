/** A histogram as text: `{count:3, sum:4.5, (1,2]:3}`, as count_values makes a label value of it. */
import type { Histogram } from '@varve/tsdb-core/model'
import { formatFloatG } from '../parser/go-text.js'
import { forEachBucket } from './buckets.js'

/** Populated buckets only. */
export function histogramText(histogram: Histogram): string {
  const parts = [`count:${formatFloatG(histogram.count)}`, `sum:${formatFloatG(histogram.sum)}`]
  forEachBucket(histogram, ({ lower, upper, lowerInclusive, upperInclusive, count }) => {
    if (count === 0) return true
    const bounds = `${formatFloatG(lower)},${formatFloatG(upper)}`
    parts.push(`${lowerInclusive ? '[' : '('}${bounds}${upperInclusive ? ']' : ')'}:${formatFloatG(count)}`)
    return true
  })
  return `{${parts.join(', ')}}`
}
