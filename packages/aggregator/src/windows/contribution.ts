/** What a member brings to a group of a rollup, from what the scan of its window found. */
import type { EachFunction } from '../rules/rule.js'

/** One element a series or window, in the order of the scan. */
export interface ScannedColumns {
  readonly counts: Float64Array
  readonly sums: Float64Array
  readonly mins: Float64Array
  readonly maxs: Float64Array
  readonly lasts: Float64Array
  readonly increases: Float64Array
}

export function contributedBy(scan: ScannedColumns, each: EachFunction, i: number, resolutionMs: number): number {
  switch (each) {
    case 'min':
      return scan.mins[i]
    case 'max':
      return scan.maxs[i]
    case 'sum':
      return scan.sums[i]
    case 'avg':
      return scan.sums[i] / scan.counts[i]
    case 'count':
      return scan.counts[i]
    case 'increase':
      return scan.increases[i]
    case 'rate':
      return (scan.increases[i] * 1000) / resolutionMs
    case 'last':
    case 'all':
      return scan.lasts[i]
  }
}
