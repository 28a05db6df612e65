/** The kernel of native/binding/src/ingest.rs. Who calls it is packages/coordinator/src/ingest/native-scanner.ts. */
export interface IngestKernels {
  /**
   * Decodes and scans one remote write request into the caller's columns; returns the fault, 0 for none.
   *
   * `parameters`: most series, samples, extras, symbols; most decoded bytes, label bytes of a series; seed and last entry of
   * the label cache; most labels and idle fields of a request; 0 for a body to be decoded, else the size of one that stands
   * decoded in the scratch memory, plus 1. The layout of the columns is that of packages/coordinator/src/ingest/write-columns.ts.
   */
  scanWrite(
    version: 1 | 2,
    body: Uint8Array,
    scratch: Uint8Array,
    parameters: Uint32Array,
    slots: Int32Array,
    entries: Uint32Array,
    arena: Uint8Array,
    status: Uint32Array,
    seriesRefs: Uint32Array,
    timestampsMs: Float64Array,
    values: Float64Array,
    startTimestampsMs: Float64Array,
    unknowns: Uint32Array,
    extras: Uint32Array,
    symbols: Uint32Array,
  ): number
}

export const INGEST_KERNELS: readonly (keyof IngestKernels)[] = ['scanWrite']
