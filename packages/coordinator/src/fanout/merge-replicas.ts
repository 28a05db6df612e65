/**
 * One series out of several copies of it that were scraped at different moments.
 *
 * A union of all samples would make counters step back and forth between replicas. So one copy is followed as long as it
 * has no gap, where a gap is more than one and a half times its usual interval; then whichever goes on first. Unlike a
 * merge that needs to know the query's function, the outcome is the same for all of them.
 */
import type { Histogram } from '@varve/tsdb-core/model'

export interface SampleColumns {
  readonly timestampsMs: Float64Array
  readonly values: Float64Array
  /** Of the samples that are native histograms, by their index; absent where there are none. */
  readonly histograms?: readonly (Histogram | undefined)[]
}

const GAP_FACTOR = 1.5
/** Intervals looked at to find the usual one. */
const INTERVALS_MAX = 64

/**
 * Values are copied as columns, so that staleness markers keep their bits. One copy is returned as it is. What histograms
 * say of the sample before them is not to be trusted afterwards.
 */
export function mergeReplicas(copies: readonly SampleColumns[]): SampleColumns {
  if (copies.length === 1) return copies[0]
  const intervals = copies.map((copy) => usualInterval(copy.timestampsMs))
  const next = new Uint32Array(copies.length)
  let capacity = 0
  for (const copy of copies) capacity += copy.timestampsMs.length
  const timestampsMs = new Float64Array(capacity)
  const values = new Float64Array(capacity)
  const histograms: (Histogram | undefined)[] = []
  let count = 0
  let lastMs = -Infinity
  let current = -1
  for (;;) {
    if (current < 0 || !goesOn(copies[current], next[current], lastMs, intervals[current])) {
      current = earliest(copies, next)
      if (current < 0) break
    }
    const from = next[current]++
    lastMs = copies[current].timestampsMs[from]
    timestampsMs[count] = lastMs
    values.set(copies[current].values.subarray(from, from + 1), count)
    const histogram = copies[current].histograms?.[from]
    if (histogram !== undefined) histograms[count] = histogram
    count++
    for (let i = 0; i < copies.length; i++) {
      const times = copies[i].timestampsMs
      while (next[i] < times.length && times[next[i]] <= lastMs) next[i]++
    }
  }
  return {
    timestampsMs: timestampsMs.subarray(0, count),
    values: values.subarray(0, count),
    ...(histograms.length > 0 && { histograms }),
  }
}

function goesOn({ timestampsMs }: SampleColumns, next: number, lastMs: number, intervalMs: number): boolean {
  return next < timestampsMs.length && timestampsMs[next] - lastMs <= intervalMs * GAP_FACTOR
}

function earliest(copies: readonly SampleColumns[], next: Uint32Array): number {
  let found = -1
  let foundMs = Infinity
  for (let i = 0; i < copies.length; i++) {
    const timeMs = next[i] < copies[i].timestampsMs.length ? copies[i].timestampsMs[next[i]] : Infinity
    if (timeMs < foundMs) {
      found = i
      foundMs = timeMs
    }
  }
  return found
}

/** The median of the first intervals; 0 with fewer than two samples, so that any other copy may go on. */
function usualInterval(timestampsMs: Float64Array): number {
  const count = Math.min(timestampsMs.length - 1, INTERVALS_MAX)
  if (count < 1) return 0
  const intervals = Float64Array.from({ length: count }, (_, i) => timestampsMs[i + 1] - timestampsMs[i]).sort()
  return intervals[count >> 1]
}
