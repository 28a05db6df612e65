/**
 * The kernels of native/binding/src/windows.rs: the window of every minute. Who calls them is
 * packages/tsdb-core/src/head/recent-samples.ts, and slice-scan.ts and slice-fold.ts of packages/aggregator/src/windows.
 */
export interface WindowKernels {
  /**
   * Reads samples with offsets in `[startOffset, endOffset)` out of the rows of `slots[from, count)`, as runs of series with the
   * same times: see `RecentSamples` in packages/tsdb-core/src/shard.ts. The pages are those of the slots, in order, each named
   * once where a slot is of another page than the one before; `counts` and `lastChunks` are by slot. A slot of 2^32 - 1 is none.
   *
   * `progress` says how far it is: runs, times, values and pages that were taken, and the number of the last page; all 0 at first.
   * Returns the first place that was not read: `count`, or that of a slot whose samples may stand elsewhere too.
   */
  readRecentRows(
    offsetPages: readonly Uint32Array[],
    valuePages: readonly Float64Array[],
    counts: Uint8Array,
    lastChunks: Uint32Array,
    slots: Uint32Array,
    from: number,
    count: number,
    startOffset: number,
    endOffset: number,
    baseMs: number,
    runs: Uint32Array,
    timesOut: Float64Array,
    valuesOut: Float64Array,
    progress: Uint32Array,
  ): number
  /**
   * Scans the samples of `members[0, count)`, which are those of the runs. The states, and the bits of `memberColumns`, are by
   * member; states move on to the window's end. The other outputs have one element for each member. `tallies` gets the numbers
   * of samples, of members with samples but no state, of those that end and of those that write.
   */
  scanWindow(
    members: Uint32Array,
    skips: Uint8Array,
    memberColumns: Uint8Array,
    count: number,
    runs: Uint32Array,
    runCount: number,
    timestampsMs: Float64Array,
    values: Float64Array,
    endMs: number,
    resolutionMs: number,
    lookbackMs: number,
    stateValuesMs: Float64Array,
    stateValues: Float64Array,
    stateMarkersMs: Float64Array,
    counts: Float64Array,
    sums: Float64Array,
    mins: Float64Array,
    maxs: Float64Array,
    lasts: Float64Array,
    lastTimesMs: Float64Array,
    increases: Float64Array,
    lives: Uint8Array,
    livedBefore: Uint8Array,
    masks: Uint8Array,
    tallies: Uint32Array,
  ): void
  /**
   * Folds what was scanned of `members[0, count)` into the cells of the groups to which they contribute, of one window. Columns
   * are those of `SliceScan`, `GroupColumns` and `GroupCells` in packages/aggregator/src/windows; groups of which `each` is 255 are passed
   * over.
   */
  foldWindow(
    members: Uint32Array,
    count: number,
    counts: Float64Array,
    sums: Float64Array,
    mins: Float64Array,
    maxs: Float64Array,
    lasts: Float64Array,
    lastTimesMs: Float64Array,
    increases: Float64Array,
    lives: Uint8Array,
    livedBefore: Uint8Array,
    resolutionMs: number,
    groupStarts: Uint32Array,
    groupCounts: Uint32Array,
    groups: Uint32Array,
    each: Uint8Array,
    absolutes: Uint8Array,
    foldStarts: Uint32Array,
    foldCounts: Uint8Array,
    codes: Uint8Array,
    cellStarts: Uint32Array,
    cells: Float64Array,
    contributed: Uint32Array,
    living: Uint32Array,
  ): void
}

/** Their names, by which the loader sees that a binary was built from these sources. */
export const WINDOW_KERNELS: readonly (keyof WindowKernels)[] = ['readRecentRows', 'scanWindow', 'foldWindow']
