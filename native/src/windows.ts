/**
 * The kernels of native/binding/src/windows.rs: the window of every minute. Who calls them is
 * packages/tsdb-core/src/head/recent-samples.ts and packages/aggregator/src/windows/slice-scan.ts.
 */
export interface WindowKernels {
  /**
   * Reads samples with offsets in `[startOffset, endOffset)` out of the rows of `slots[from, to)`, all of them of the page
   * that `offsets` and `values` are. `counts` and `lastChunks` are by slot. Samples go behind `sampleOffsets[from]`, and
   * `sampleOffsets[i + 1]` says where those of slot i end. Returns the first place that was not read: `to`, or that of a slot
   * whose samples may stand elsewhere too.
   */
  readRecentRows(
    offsets: Uint32Array,
    values: Float64Array,
    counts: Uint8Array,
    lastChunks: Uint32Array,
    slots: Uint32Array,
    from: number,
    to: number,
    startOffset: number,
    endOffset: number,
    baseMs: number,
    timesOut: Float64Array,
    valuesOut: Float64Array,
    sampleOffsets: Uint32Array,
  ): number
  /**
   * Scans the samples of `members[0, count)`, of which those of member i are `[sampleOffsets[i], sampleOffsets[i + 1])`. The
   * states are by member, and move on to the window's end; the other outputs have one element for each i.
   */
  scanWindow(
    members: Uint32Array,
    skips: Uint8Array,
    count: number,
    sampleOffsets: Uint32Array,
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
  ): void
}

/** Their names, by which the loader sees that a binary was built from these sources. */
export const WINDOW_KERNELS: readonly (keyof WindowKernels)[] = ['readRecentRows', 'scanWindow']
