/**
 * Several series with their samples, as columns of plain, copyable values (DESIGN D2, D10).
 *
 *     series i          labels  labelPairs[2·labelOffsets[i] .. 2·labelOffsets[i+1])   ids into the symbol table
 *                       values  values[sampleOffsets[i] .. sampleOffsets[i+1])
 *                       times   column c = timestampColumns[i]:
 *                               timestampsMs[timestampOffsets[c] .. timestampOffsets[c+1])
 *
 * Series that were scraped together share a timestamp column, so window bounds are found once for all of them. A series
 * has as many values as its column has timestamps. Timestamps rise strictly.
 */
import type { Histogram } from '../model/histogram.js'

export interface SeriesBatch {
  readonly seriesCount: number
  /** n + 1 offsets, counted in pairs. */
  readonly labelOffsets: Uint32Array
  /** Name id, value id, …: indexes into the result's `symbols`; sorted by the name's UTF-8 bytes. */
  readonly labelPairs: Uint32Array
  /** n + 1 offsets into `values`. */
  readonly sampleOffsets: Uint32Array
  /** Staleness markers and NaN payloads keep their bits. Where a histogram stands, the value is 0. */
  readonly values: Float64Array
  /** For each series, the index of its timestamp column. */
  readonly timestampColumns: Uint32Array
  /** One more than there are columns. */
  readonly timestampOffsets: Uint32Array
  /** Shared with other batches of the result, and not to be changed; it may hold columns that no series here has. */
  readonly timestampsMs: Float64Array
  /**
   * Batches of one result with the same number here have the same timestamps in columns of the same number: what was worked
   * out for a column holds for the next batch too. Absent where nothing is known of that.
   */
  readonly timestampTable?: number
  /**
   * The store's own reference of each series: stable while the store is open, and another one for each series of the
   * namespace. 0 for a series of which only sealed blocks have samples in the range, unless `coldRefs` or `headRefs` asked
   * for it. Absent where the series come from several stores.
   */
  readonly seriesRefs?: Uint32Array
  /** Parallel to `values`, with column `sum` for an average: how many raw samples each sum stands for. */
  readonly counts?: Float64Array
  /** Parallel to `values`; 0 where a sample has none. Absent when no sample of the batch has one. */
  readonly startTimestampsMs?: Float64Array
  /** The samples of the batch that are native histograms. Absent when there are none. */
  readonly histograms?: HistogramColumn
}

/** A sparse side table: `histograms[k]` is the sample at `sampleIndexes[k]` of `values`; indexes rise. */
export interface HistogramColumn {
  readonly sampleIndexes: Uint32Array
  readonly histograms: readonly Histogram[]
}

/** The place in `histograms` of the first one at a sample or behind it; their count if there is none. */
export function histogramPlace({ sampleIndexes }: HistogramColumn, sampleIndex: number): number {
  let low = 0
  let high = sampleIndexes.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sampleIndexes[middle] < sampleIndex) low = middle + 1
    else high = middle
  }
  return low
}
