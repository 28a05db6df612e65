/**
 * What one pass over a write request yields: columns, and lists of what needs a second look.
 *
 *     row k      seriesRefs[k]  timestampsMs[k]  values[k]  startTimestampsMs[k]     one a sample, in wire order
 *     unknown u  unknowns[4u..] label bytes (offset, length) | first row | rows      series that the cache does not know
 *     extra x    extras[6x..]   kind | bytes (offset, length) | row | label bytes    histograms, exemplars, metadata
 *
 * Offsets are into the scratch memory, which holds the decoded body and behind it label bytes that were put together.
 * A histogram has a row too, whose timestamp its decoder fills in. Made once and used again for request after request.
 */
import { halvesOf } from '@varve/tsdb-core/model'

export interface WriteLimits {
  readonly seriesCountMax: number
  /** Samples and histograms together. */
  readonly sampleCountMax: number
  /** Exemplars, metadata and histograms of one request. */
  readonly extraCountMax: number
  readonly symbolCountMax: number
  /** Labels of all series of one request. */
  readonly labelTotalMax: number
  /** Fields of one request that nobody reads: unknown ones, at any depth, and those that repeat what stands once. */
  readonly idleFieldCountMax: number
  /** Of the decoded body. */
  readonly decodedSizeBytesMax: number
  /** A series with more label bytes is refused. */
  readonly labelSizeBytesMax: number
  readonly labelCountMax: number
  readonly labelNameSizeBytesMax: number
  readonly labelValueSizeBytesMax: number
}

/** A label takes 8 bytes at least and some 30 mostly: no body of this size that means something has more of them. */
export function labelTotalMax(decodedSizeBytesMax: number): number {
  return Math.ceil(decodedSizeBytesMax / 10)
}

/** The reasons stand in docs/ingest.md; the sizes are those that Prometheus and Cortex have. */
export const WRITE_LIMITS: WriteLimits = {
  seriesCountMax: 50_000,
  sampleCountMax: 2_000_000,
  extraCountMax: 50_000,
  symbolCountMax: 500_000,
  labelTotalMax: labelTotalMax(32 * 1024 * 1024),
  idleFieldCountMax: 500_000,
  decodedSizeBytesMax: 32 * 1024 * 1024,
  labelSizeBytesMax: 16 * 1024,
  labelCountMax: 64,
  labelNameSizeBytesMax: 1024,
  labelValueSizeBytesMax: 2048,
}

export const UNKNOWN_STRIDE = 4
export const EXTRA_STRIDE = 6
export const SYMBOL_STRIDE = 2

export const EXTRA_HISTOGRAM = 1
export const EXTRA_EXEMPLAR = 2
export const EXTRA_METADATA = 3

/** Indexes into `status`, which the kernels fill. */
export const STATUS = {
  FAULT: 0,
  FAULT_OFFSET: 1,
  SAMPLE_COUNT: 2,
  UNKNOWN_COUNT: 3,
  EXTRA_COUNT: 4,
  SERIES_COUNT: 5,
  SCRATCH_END: 6,
  /** 1 when a sample of the request has a start timestamp. */
  HAS_START: 7,
  SYMBOL_COUNT: 8,
  /** Label bytes of the first series, for the choice of an HA replica. */
  FIRST_LABELS: 9,
  FIRST_LABELS_LENGTH: 10,
  /** The cache entry of the last known series, plus 1. */
  LAST_ENTRY: 11,
  /** Bytes of the decoded body. */
  BODY_SIZE: 12,
} as const

/** Rows that columns have room for at first: twice what any sender's defaults put into a request. They grow with larger ones. */
const ROW_COUNT_ORDINARY = 20_000
const ROW_GROWTH = 10
const ROW_BYTES = 28
const ROWS_TOUCHED_AT_ONCE = 200_000

/** What a scan lists besides rows. It is read before the next request is scanned, or copied: one pair of lists serves all columns. */
export interface ScanLists {
  readonly unknowns: Uint32Array
  readonly extras: Uint32Array
}

export function makeScanLists(limits: WriteLimits): ScanLists {
  return {
    unknowns: new Uint32Array(limits.seriesCountMax * UNKNOWN_STRIDE),
    extras: new Uint32Array(limits.extraCountMax * EXTRA_STRIDE),
  }
}

export class WriteColumns {
  readonly status = new Uint32Array(16)
  readonly unknowns: Uint32Array
  readonly extras: Uint32Array
  seriesRefs!: Uint32Array
  timestampsMs!: Float64Array
  values!: Float64Array
  /** The same memory as `values`, in 32-bit halves: NaN payloads are copied through these. */
  valueHalves!: Uint32Array
  startTimestampsMs!: Float64Array
  /** Remote write 2.0: offset and length of each symbol in the scratch memory. Made at the first such request. */
  symbols = new Uint32Array(0)
  readonly #limits: WriteLimits

  constructor(limits: WriteLimits, lists: ScanLists = makeScanLists(limits)) {
    this.#limits = limits
    this.unknowns = lists.unknowns
    this.extras = lists.extras
    this.#makeRows(Math.min(limits.sampleCountMax, ROW_COUNT_ORDINARY))
  }

  /** Of what belongs to it alone. */
  get sizeBytes(): number {
    return this.seriesRefs.length * ROW_BYTES + this.symbols.byteLength
  }

  /** Whether the limits allow more rows than there is room for. */
  get canGrow(): boolean {
    return this.seriesRefs.length < this.#limits.sampleCountMax
  }

  /** Makes room for more rows. */
  growRows(): void {
    this.#makeRows(Math.min(this.#limits.sampleCountMax, this.seriesRefs.length * ROW_GROWTH))
  }

  /** Has pages put behind new rows, some in a turn of the event loop: 40 MB of them would be 15 ms of the scan's one turn. */
  async touchRows(pause: () => Promise<void>): Promise<void> {
    for (let from = 0; from < this.seriesRefs.length; from += ROWS_TOUCHED_AT_ONCE) {
      for (const column of [this.seriesRefs, this.timestampsMs, this.values, this.startTimestampsMs]) {
        column.fill(0, from, from + ROWS_TOUCHED_AT_ONCE)
      }
      await pause()
    }
  }

  reserveSymbols(): void {
    if (this.symbols.length === 0) this.symbols = new Uint32Array(this.#limits.symbolCountMax * SYMBOL_STRIDE)
  }

  #makeRows(count: number): void {
    this.seriesRefs = new Uint32Array(count)
    this.timestampsMs = new Float64Array(count)
    this.values = new Float64Array(count)
    this.valueHalves = halvesOf(this.values)
    this.startTimestampsMs = new Float64Array(count)
  }
}
