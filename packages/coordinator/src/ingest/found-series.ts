/**
 * What a scan has found so far, series by series: what both versions of remote write share. Rust twin: native/ingest/src/found.rs.
 *
 * A method that returns a fault has changed nothing but the status when it is one.
 */
import { FAULT } from '../wire-error.js'
import { ENTRY_NEXT, ENTRY_REF, ENTRY_STRIDE, findEntry, hashSpan, type LabelCache } from './label-cache.js'
import {
  EXTRA_HISTOGRAM,
  EXTRA_METADATA,
  EXTRA_STRIDE,
  STATUS,
  UNKNOWN_STRIDE,
  type WriteColumns,
  type WriteLimits,
} from './write-columns.js'

export class FoundSeries {
  readonly #cache: LabelCache
  readonly #columns: WriteColumns
  readonly #sampleCountMax: number
  readonly #seriesCountMax: number
  readonly #extraCountMax: number
  /** The row that comes next. */
  rows = 0
  #unknownCount = 0
  #extraCount = 0
  #seriesCount = 0
  /** Where the rows and extras of the present series begin. */
  #firstRow = 0
  #firstExtra = 0
  #firstLabels = 0
  #firstLabelsLength = 0
  /** The cache's entry of the last known series, or -1. */
  #previous: number

  constructor(cache: LabelCache, columns: WriteColumns, limits: WriteLimits) {
    this.#cache = cache
    this.#columns = columns
    this.#sampleCountMax = Math.min(limits.sampleCountMax, columns.seriesRefs.length)
    this.#seriesCountMax = Math.min(limits.seriesCountMax, columns.unknowns.length / UNKNOWN_STRIDE)
    this.#extraCountMax = Math.min(limits.extraCountMax, columns.extras.length / EXTRA_STRIDE)
    this.#previous = cache.lastEntry - 1
  }

  get isEmpty(): boolean {
    return this.#seriesCount === 0 && this.#extraCount === 0
  }

  /** Begins the series whose field stands at `fieldAt`; returns the fault. */
  begin(fieldAt: number): number {
    if (this.#seriesCount === this.#seriesCountMax) return fail(this.#columns, FAULT.TOO_MANY_SERIES, fieldAt)
    this.#seriesCount++
    this.#firstRow = this.rows
    this.#firstExtra = this.#extraCount
    return FAULT.NONE
  }

  /** The entry that the cache predicts for the present series, or -1. */
  predicted(): number {
    return this.#previous < 0 ? -1 : this.#cache.entries[this.#previous * ENTRY_STRIDE + ENTRY_NEXT] - 1
  }

  /** The entry of these labels, which were not the predicted ones, or -1. */
  lookUp(view: DataView, at: number, length: number): number {
    const cache = this.#cache
    const entry = findEntry(cache, view, at, length, hashSpan(view, at, length, cache.seed))
    if (entry >= 0 && this.#previous >= 0) cache.entries[this.#previous * ENTRY_STRIDE + ENTRY_NEXT] = entry + 1
    return entry
  }

  /** Whether another sample may come; `fieldAt` is where it stands. Returns the fault. */
  checkRoom(fieldAt: number): number {
    return this.rows === this.#sampleCountMax ? fail(this.#columns, FAULT.TOO_MANY_SAMPLES, fieldAt) : FAULT.NONE
  }

  /** Adds the bytes `[from, to)` of an exemplar or of metadata; returns the fault. */
  addExtra(kind: number, from: number, to: number, fieldAt: number): number {
    if (this.#extraCount === this.#extraCountMax) return fail(this.#columns, FAULT.TOO_MANY_EXTRAS, fieldAt)
    const { extras } = this.#columns
    const x = this.#extraCount++ * EXTRA_STRIDE
    extras[x] = kind
    extras[x + 1] = from
    extras[x + 2] = to - from
    extras[x + 3] = kind === EXTRA_METADATA ? 0 : this.rows
    extras[x + 4] = 0
    extras[x + 5] = 0
    return FAULT.NONE
  }

  /** Adds the bytes `[from, to)` of a histogram, and a row whose timestamp its decoder will fill in; returns the fault. */
  addHistogram(from: number, to: number, fieldAt: number): number {
    const fault = this.addExtra(EXTRA_HISTOGRAM, from, to, fieldAt) || this.checkRoom(fieldAt)
    if (fault !== FAULT.NONE) return fault
    const { timestampsMs, values, startTimestampsMs } = this.#columns
    timestampsMs[this.rows] = 0
    values[this.rows] = 0
    startTimestampsMs[this.rows] = 0
    this.rows++
    return FAULT.NONE
  }

  /** The present series is whole: its label bytes stand at `labelsAt`, and `entry` is theirs in the cache, or -1. */
  end(labelsAt: number, labelsLength: number, entry: number): void {
    const { seriesRefs, unknowns, extras } = this.#columns
    const { rows } = this
    if (this.#seriesCount === 1) {
      this.#firstLabels = labelsAt
      this.#firstLabelsLength = labelsLength
    }
    for (let x = this.#firstExtra; x < this.#extraCount; x++) {
      extras[x * EXTRA_STRIDE + 4] = labelsAt
      extras[x * EXTRA_STRIDE + 5] = labelsLength
    }
    if (entry >= 0) {
      const ref = this.#cache.entries[entry * ENTRY_STRIDE + ENTRY_REF]
      for (let row = this.#firstRow; row < rows; row++) seriesRefs[row] = ref
      this.#previous = entry
      return
    }
    const u = this.#unknownCount++ * UNKNOWN_STRIDE
    unknowns[u] = labelsAt
    unknowns[u + 1] = labelsLength
    unknowns[u + 2] = this.#firstRow
    unknowns[u + 3] = rows - this.#firstRow
  }

  /** Whether somebody will look at the label bytes of the present series, whose entry this is. */
  keepsLabels(entry: number): boolean {
    return entry < 0 || this.#extraCount > this.#firstExtra || this.#seriesCount === 1
  }

  /** Fills the status; `scratchEnd` is where the used scratch ends. Returns no fault. */
  finish(scratchEnd: number, hasStart: number, symbolCount: number): number {
    const { status } = this.#columns
    status[STATUS.FAULT] = FAULT.NONE
    status[STATUS.FAULT_OFFSET] = 0
    status[STATUS.SAMPLE_COUNT] = this.rows
    status[STATUS.UNKNOWN_COUNT] = this.#unknownCount
    status[STATUS.EXTRA_COUNT] = this.#extraCount
    status[STATUS.SERIES_COUNT] = this.#seriesCount
    status[STATUS.SCRATCH_END] = scratchEnd
    status[STATUS.HAS_START] = hasStart
    status[STATUS.SYMBOL_COUNT] = symbolCount
    status[STATUS.FIRST_LABELS] = this.#firstLabels
    status[STATUS.FIRST_LABELS_LENGTH] = this.#firstLabelsLength
    status[STATUS.LAST_ENTRY] = this.#previous + 1
    return FAULT.NONE
  }
}

/** Writes the fault into the status, and returns it. */
export function fail({ status }: WriteColumns, fault: number, offset: number): number {
  status.fill(0)
  status[STATUS.FAULT] = fault
  status[STATUS.FAULT_OFFSET] = offset
  return fault
}
