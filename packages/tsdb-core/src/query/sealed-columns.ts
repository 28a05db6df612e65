/**
 * The columns of one sealed block as they lie there, for a kernel that decodes each value column where it needs it.
 *
 * A block never changes, so what a select has to say of it is which of its series match; all else are views of the block's index and
 * of its pages. Besides the batches of the same result, not instead of them: whoever cannot use it reads those.
 *
 *     series s   chunks  [chunkOffsets[s], chunkOffsets[s+1])
 *                labels  pairs[pairOffsets[s] .. pairOffsets[s+1])   name and value in turn, as symbols of the block
 *     chunk c    values  end at chunkEnds[c] of the values section, begin where those of chunk c - 1 end
 *                times   column chunkTimes[c]: times[timeOffsets[column] .. timeOffsets[column+1]), timeCounts[column] of them
 *     page p     holds chunks from pageChunks[p] on
 *
 * Values are floats: a block with start timestamps, histograms, deletions or aggregate columns is not read this way.
 */
import type { SeriesBatch } from './series-batch.js'

export interface SealedColumns {
  /**
   * The series that match, rising. Mostly the same array for the same matchers, for as long as the block is in memory: what was
   * found out of its series holds for the next query too.
   */
  readonly series: Uint32Array
  readonly pairs: Uint32Array
  readonly pairOffsets: Uint32Array
  readonly chunkOffsets: Uint32Array
  readonly chunkEnds: Float64Array
  readonly chunkTimes: Uint32Array
  /** One bit a chunk: no value is NaN. Clear for chunks of pages that were never read. */
  readonly numbers: Uint8Array
  readonly times: Uint8Array
  readonly timeOffsets: Uint32Array
  readonly timeCounts: Uint32Array
  readonly pageChunks: Uint32Array
  /** Half-open, as asked for: other samples of the columns are not part of the result. */
  readonly startMs: number
  readonly endMs: number
  symbolText(symbol: number): string
  /** Brings the pages of `series[from, to)` into memory. `undefined`: they are there. */
  load(from: number, to: number): Promise<void> | undefined
  /** What was loaded last; absent where some column is damaged, so that batches have to be read. */
  pages(): SealedPages | undefined
  /** Series at these places of `series`, rising, as the result's own batches would have them. */
  batches(places: Uint32Array): AsyncIterable<SeriesBatch>
}

export interface SealedPages {
  /** The number of the first. */
  readonly start: number
  /** Empty where no series is in a page. */
  readonly bytes: Uint8Array[]
}
