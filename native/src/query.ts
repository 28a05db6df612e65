/**
 * The kernels of native/binding/src/query.rs. Who calls them is packages/promql/src/operators/batch-kernels.ts.
 *
 * Sample j of series i is `values[offsets[i] + j]`, and its windows are those of slot `slots[i]`: `first` and `end` at
 * `slot · steps`, the frames of growths likewise (`presence` and the four columns of `seconds`). `found[i]` says what became
 * of series i: 0 left to the caller, 1 without a sample, 2 found. A staleness marker at the end of a series to which no window
 * reaches is passed over. `divisor` is the range in seconds for rate, else 1.
 */
export interface QueryKernels {
  /** Adds the row of each series to the cells of its group, which are `groups[i] · steps` of the columns a, b, c and flags. */
  foldSeries(
    functionCode: number,
    foldCode: number,
    values: Float64Array,
    offsets: Uint32Array,
    slots: Uint32Array,
    steps: number,
    divisor: number,
    first: Int32Array,
    end: Int32Array,
    presence: Uint8Array,
    seconds: Float64Array,
    groups: Uint32Array,
    a: Float64Array,
    b: Float64Array,
    c: Float64Array,
    flags: Uint8Array,
    found: Uint8Array,
  ): void
  /**
   * Fills slot `slot` with the windows over `timesMs[from, to)`: that of step s is `(endsMs[s] - rangeMs - beforeMs, endsMs[s] +
   * afterMs]`; and with their frame, unless `presence` and `seconds` are empty. Returns the frame's least of sampled over
   * toStart.
   */
  fillWindows(
    timesMs: Float64Array,
    from: number,
    to: number,
    endsMs: Float64Array,
    rangeMs: number,
    beforeMs: number,
    afterMs: number,
    divisor: number,
    slot: number,
    first: Int32Array,
    end: Int32Array,
    presence: Uint8Array,
    seconds: Float64Array,
  ): number
  /**
   * The same from the columns of a sealed block: the values of each series are decoded where they are needed, and no column of them
   * is written. `series` are places in the block, `groups` and `found` are theirs. `parameters`: rangeMs; divisor; startMs and endMs,
   * outside of which there are no samples; 1 where only a count of values is wanted; the number of the first of `pages`. `scalars`, of `predict` alone: seconds ahead, then the
   * time in milliseconds from which, each by step.
   *
   * `slotColumns` has the number of slots that are taken, then three numbers a timestamp column: 0 as long as it was not met, its
   * slot + 1 or 2^32 - 1 for none, and which of its timestamps are in the range (first, end). It and the columns of the slots,
   * with two `facts` each, are kept from call to call. `found[i]` is 3 for a series without a sample in the range. Returns how many
   * samples the series have there, those that are left not counted, or a failure as the codec's kernels do.
   */
  foldSealed(
    functionCode: number,
    ...columns: [
      ...SealedArguments,
      foldCode: number,
      groups: Uint32Array,
      a: Float64Array,
      b: Float64Array,
      c: Float64Array,
      flags: Uint8Array,
    ]
  ): number
  /**
   * The same, but writes rows one behind the other, from row `rowStart` on: one for each series that has a result. Where a series is
   * left to the caller there are no rows, and 0 is returned.
   */
  writeSealed(
    functionCode: number,
    ...columns: [...SealedArguments, rowStart: number, outValues: Float64Array, outPresence: Uint8Array]
  ): number
  /**
   * Writes the rows of the series that have samples one behind the other, from row `rowStart`, up to the first series that
   * is left to the caller; returns how many series it has looked at.
   */
  writeRows(
    functionCode: number,
    values: Float64Array,
    offsets: Uint32Array,
    slots: Uint32Array,
    steps: number,
    divisor: number,
    first: Int32Array,
    end: Int32Array,
    presence: Uint8Array,
    seconds: Float64Array,
    rowStart: number,
    outValues: Float64Array,
    outPresence: Uint8Array,
    found: Uint8Array,
  ): number
}

/**
 * What kernels over columns of a sealed block are handed: see `SealedColumns` of packages/tsdb-core/src/query, of which most are views.
 */
export type SealedArguments = [
  parameters: Float64Array,
  scalars: Float64Array,
  pages: Uint8Array[],
  pageChunks: Uint32Array,
  chunkOffsets: Uint32Array,
  chunkEnds: Float64Array,
  chunkTimes: Uint32Array,
  numbers: Uint8Array,
  times: Uint8Array,
  timeOffsets: Uint32Array,
  timeCounts: Uint32Array,
  series: Uint32Array,
  endsMs: Float64Array,
  slotColumns: Uint32Array,
  first: Int32Array,
  end: Int32Array,
  presence: Uint8Array,
  seconds: Float64Array,
  facts: Float64Array,
  found: Uint8Array,
]

/** The numbers of the functions in native/query/src/lib.rs. */
export const QUERY_FUNCTIONS = {
  latest: 0,
  growth: 1,
  delta: 2,
  sum: 3,
  avg: 4,
  min: 5,
  max: 6,
  count: 7,
  last: 8,
  /** Over sealed columns only, where windows hardly overlap. */
  deriv: 9,
  predict: 10,
} as const

/** The numbers of the folds in native/query/src/fold.rs. */
export const QUERY_FOLDS = { sum: 0, avg: 1, min: 2, max: 3, count: 4, variance: 5 } as const

export const QUERY_KERNELS: readonly (keyof QueryKernels)[] = [
  'foldSeries',
  'foldSealed',
  'fillWindows',
  'writeRows',
  'writeSealed',
]
