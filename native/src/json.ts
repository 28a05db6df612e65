/** The kernel of native/binding/src/json.rs. Who calls it is packages/coordinator/src/api/query-json.ts. */
export interface JsonKernels {
  /**
   * Writes the samples of a series as `[time,"value"],…` into `out` from `at` on, and returns the offset behind them, or -1
   * when `out` may be too small: it needs the heads and 35 bytes a sample.
   *
   * Head i, `[time,"`, ends at `headEnds[i]` of `heads`. A sample whose `presence` is 0 is left out; without any all are there.
   */
  writeSamplesJson(
    values: Float64Array,
    presence: Uint8Array,
    heads: Uint8Array,
    headEnds: Uint32Array,
    out: Uint8Array,
    at: number,
  ): number
}

export const JSON_KERNELS: readonly (keyof JsonKernels)[] = ['writeSamplesJson']
