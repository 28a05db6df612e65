/**
 * Where samples are read from: an open block or a sealed one.
 *
 * A reader loads what it will need, then, in one turn of the event loop, asks for pieces and decodes them: an open block
 * changes under its feet in any other.
 */
import type { HistogramRun } from '../head/histogram-store.js'
import type { LabelIndex } from '../index/label-index.js'
import type { Extreme } from '../query/queryable.js'
import type { SealedColumns } from '../query/sealed-columns.js'
import type { PieceList } from './piece-list.js'

export interface SampleSource {
  readonly index: LabelIndex
  /** Half-open range of the samples that may be here. */
  readonly startMs: number
  readonly endMs: number
  /** Some samples may be hidden by others, or hide others, by the marker of `ABSENT_HIGH`. */
  readonly hasAbsent: boolean
  /** Whether any sample here has a start timestamp, or is a histogram. */
  readonly hasStarts: boolean
  readonly hasHistograms: boolean
  /** Whether any series may have deleted ranges. */
  readonly hasDeletions: boolean
  /** Whether `load` may have something to do. */
  readonly loads: boolean
  /** Brings what these series need for `[startMs, endMs)` into memory. `undefined`: it is there. */
  load(series: ArrayLike<number>, startMs: number, endMs: number): Promise<void> | undefined
  /**
   * Begins a turn of reading. While it returns the same number, time columns keep their timestamps. With `presenceOnly` what
   * is queued may be read as zeros, if no value of the piece is NaN.
   */
  begin(presenceOnly: boolean): number
  /** Bit c is set when the series has column c. */
  columnMask(series: number): number
  /** Adds the series' runs of samples that may lie in `[startMs, endMs)`, older data first. */
  pieces(series: number, column: number, startMs: number, endMs: number, out: PieceList): void
  /**
   * What the runs of a series are, so that others with the same are known at a glance: runs of one scrape are alike. `undefined`
   * where only `pieces` can tell. Absent where it would be no shorter.
   */
  patternOf?(series: number, startMs: number, endMs: number): RunPattern | undefined
  /** Series whose patterns may be the same have the same number. */
  patternKey?(series: number): number
  /** Whether the series has runs like those of the pattern, in number, order and times: then `queueLike` reads them. */
  isLike?(series: number, pattern: RunPattern, startMs: number, endMs: number): boolean
  /** As `queueValues` of all runs of the series that `isLike` was asked for last. Run k is clipped to `clips[2k], clips[2k + 1]`. */
  queueLike?(pattern: RunPattern, clips: Uint32Array, outAt: number): number
  /** Fills `out` from `outAt` with all timestamps of a time column and returns how many there are. */
  readTimes(timeColumn: number, out: Float64Array, outAt: number): number
  readValues(handle: number, out: Float64Array, outAt: number): number
  /** Notes that values `[first, last)` of a piece of `count` shall stand at `outAt` once `readQueued` was called. */
  queueValues(handle: number, count: number, first: number, last: number, outAt: number): void
  /**
   * Notes that the least or greatest value of a piece shall stand at `outAt`: NaN where there is nothing else, the staleness
   * marker where there is nothing but that. Absent where that takes reading all values anyway.
   */
  queueExtreme?(handle: number, extreme: Extreme, outAt: number): void
  /** Puts what was queued in this turn into `out`: many pieces by one call of the codec. */
  readQueued(out: Float64Array): void
  /** False when no sample of the piece has a start timestamp. */
  readStarts(handle: number, out: Float64Array, outAt: number): boolean
  /** How many native histograms the series may have in `[startMs, endMs)`, without decoding them. */
  histogramCount(series: number, column: number, startMs: number, endMs: number): number
  /** Those in `[startMs, endMs)`, and maybe more at either end. */
  histograms(series: number, column: number, startMs: number, endMs: number): HistogramRun | undefined
  /** Ranges `start, end, start, end …` of the series that were deleted here. */
  deletedRanges(series: number): readonly number[] | undefined
  /** Writes name and value of each label as symbols of this source; returns how many numbers it wrote. */
  readPairs(series: number, out: Uint32Array, outAt: number): number
  pairsLength(series: number): number
  /** Its columns as they lie, of a sealed block whose samples are floats and nothing else. */
  readonly sealed?: SealedParts | undefined
  readonly symbolCount: number
  symbolText(symbol: number): string
}

/** One series of the result: `sources[k]` has it as `series[k]`, k in `[from, to)`. */
export interface SeriesEntries {
  readonly sources: Uint16Array
  readonly series: Uint32Array
}

export interface RunPattern {
  /** Time columns of the chunks in the range, newest first. */
  readonly columns: Uint32Array
  /** A slot whose row has the same times; -1 where no row is in the range. */
  readonly row: number
}

/** What a sealed block has of `SealedColumns`: all but what a select adds. */
export type SealedParts = Omit<SealedColumns, 'series' | 'startMs' | 'endMs' | 'load' | 'batches'> & {
  /** Brings the pages of series `[from, to)` of a list of places into memory. */
  load(series: Uint32Array, from: number, to: number): Promise<void> | undefined
}
