/** A histogram as text: `{count:3, sum:4.5, (1,2]:3}`, as count_values makes a label value of it. */
import type { Histogram } from '@varve/tsdb-core/model'
import { formatG } from '../engine/go-format.js'
import { type Bucket, forEachBucket } from './buckets.js'

/** Populated buckets only; the zero bucket, unlike elsewhere, also if its count is negative or no number. */
export function histogramText(histogram: Histogram): string {
  const parts = [`count:${formatG(histogram.count)}`, `sum:${formatG(histogram.sum)}`]
  const { zeroCount, zeroThreshold } = histogram
  const isZero = ({ lower, upper, lowerInclusive }: Bucket) =>
    lowerInclusive && lower === -zeroThreshold && upper === zeroThreshold
  const visited = zeroCount === 0 ? histogram : { ...histogram, zeroCount: 1 }
  forEachBucket(visited, (bucket) => {
    const { lower, upper, lowerInclusive, upperInclusive } = bucket
    const count = isZero(bucket) ? zeroCount : bucket.count
    if (count === 0) return true
    const bounds = `${formatG(lower)},${formatG(upper)}`
    parts.push(`${lowerInclusive ? '[' : '('}${bounds}${upperInclusive ? ']' : ')'}:${formatG(count)}`)
    return true
  })
  return `{${parts.join(', ')}}`
}
