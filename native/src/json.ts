/** The kernel of native/binding/src/json.rs. Who calls it is packages/coordinator/src/api/query-json.ts. */
export interface JsonKernels {
  /**
   * Writes series of the same times as `{"metric":{…},"values":[…]},…`, or with `"value":[…]` at one moment; a comma stands before
   * the first unless it follows a `[`. The samples of series i begin at `firsts[i]`; without a presence all are there, and a series
   * that has none is left out. It has label set `sets[i]`. Set s has the texts `pairs[2·offsets[s] .. 2·offsets[s+1])`, and text t is the JSON string
   * `texts[textStarts[t] .. textEnds[t])`. Before sample i stands head i, `[time,"`, which ends at `headEnds[i]` of `heads`.
   *
   * `frame` has six numbers. It is given the samples of a series, the end of the series, the offset in `out` after which no series is
   * begun, the first series, the offset to write at; the last two are moved on, and the sixth is the room that the next
   * series needs when there was too little, else 0. False when the columns do not fit each other.
   */
  writeRowsJson(
    values: Float64Array,
    presence: Uint8Array,
    firsts: Uint32Array,
    sets: Uint32Array,
    texts: Uint8Array,
    textStarts: Uint32Array,
    textEnds: Uint32Array,
    pairs: Uint32Array,
    offsets: Uint32Array,
    heads: Uint8Array,
    headEnds: Uint32Array,
    isInstant: boolean,
    out: Uint8Array,
    frame: Float64Array,
  ): boolean
}

export const JSON_KERNELS: readonly (keyof JsonKernels)[] = ['writeRowsJson']
