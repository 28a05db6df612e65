/**
 * What series selection asks of an index, be it the head's or a sealed block's.
 *
 * Series are numbers (references in the head, places in a block); posting lists of them are sorted and without repetition.
 */
import type { MatchCache } from './match-cache.js'

export interface LabelIndex {
  /** Which series passed which matchers, as long as that holds. */
  readonly matches: MatchCache
  /** All series. Not to be changed. */
  all(): Uint32Array
  /** The values of one label, or `undefined` when no series has it. */
  label(name: string): LabelValues | undefined
  labelNames(): string[]
  /** The value of a label of one series, as an index into `label(name)`, or -1. */
  valueIndexOf(series: number, name: string): number
}

/** The values of one label name, in no particular order, as indexes `[0, count)`. */
export interface LabelValues {
  readonly count: number
  text(valueIndex: number): string
  /** Index of a value, or -1. */
  find(text: string): number
  /** How many series have the value. */
  seriesCount(valueIndex: number): number
  /** Series that have the value. Not to be changed. */
  postings(valueIndex: number): Uint32Array
  /** For an index with sorted values: those that start with `prefix` are `[start, end)`. */
  prefixRange?(prefix: string): readonly [start: number, end: number]
}
