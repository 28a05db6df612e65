/**
 * Numbers of the aggregate columns, as they stand in the head and in block files.
 *
 * A series of a namespace with a resolution has up to `COLUMN_STRIDE` columns of samples; a raw series has column 0 only.
 */
import type { AggregateColumn } from './aggregate.js'

/** Place in this list is the column's number on disk: add at the end only. */
export const COLUMNS: readonly AggregateColumn[] = ['value', 'last', 'min', 'max', 'sum', 'count', 'increase']
/** Room for columns beside one series reference. */
export const COLUMN_STRIDE = 8
export const VALUE_COLUMN = 0
export const LAST_COLUMN = 1
export const COUNT_COLUMN = 5

export function columnNumber(column: AggregateColumn): number {
  return COLUMNS.indexOf(column)
}

/**
 * Marks a window of an aggregated series that a newer computation left without output: a signalling NaN of our own. It
 * hides older samples of that timestamp, and readers never see it.
 */
export const ABSENT_HIGH = 0x7ff05641
export const ABSENT_LOW = 0x52564500

const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1
/** Place of the high half of value i in `halvesOf`: `2·i + HIGH_HALF`. */
export const HIGH_HALF = LITTLE_ENDIAN ? 1 : 0
export const LOW_HALF = 1 - HIGH_HALF

/** Writes the mark of a window without output: see `ABSENT_HIGH`. */
export function writeAbsentAt(halves: Uint32Array, index: number): void {
  halves[2 * index + HIGH_HALF] = ABSENT_HIGH
  halves[2 * index + LOW_HALF] = ABSENT_LOW
}

/** Whether a value is the marker; `halves` is `halvesOf` the column. */
export function isAbsent(halves: Uint32Array, index: number): boolean {
  return halves[2 * index + HIGH_HALF] === ABSENT_HIGH && halves[2 * index + LOW_HALF] === ABSENT_LOW
}
