/**
 * Which series of an aggregated namespace have windows, but none of the wanted column: a mapping may keep `last` alone, and a
 * rolled-up counter has `increase` alone. Whoever asked looks for those elsewhere; that there are none is known without
 * reading a value.
 */
import type { AggregateColumn } from '../model/aggregate.js'
import { COLUMNS, columnNumber, LAST_COLUMN, VALUE_COLUMN } from '../model/columns.js'
import { PieceList } from './piece-list.js'
import type { SampleSource } from './sample-source.js'
import type { SeriesGroups } from './series-groups.js'

export interface WantedColumn {
  readonly sources: readonly SampleSource[]
  readonly startMs: number
  readonly endMs: number
  readonly column?: AggregateColumn
  /** Else `value` and `last` stand in for it, but for `sum` not with histograms. */
  readonly exactColumn?: boolean
}

const ALL_COLUMNS = COLUMNS.map((_, column) => column)
const GROUPS_PER_LOOK = 1024

export async function countWithoutColumn(
  wanted: WantedColumn,
  groups: SeriesGroups,
  pause: () => Promise<void> | undefined,
): Promise<number> {
  const column = columnNumber(wanted.column ?? 'value')
  const columns = wanted.exactColumn ? [column] : [...new Set([column, VALUE_COLUMN, LAST_COLUMN])]
  const pieces = new PieceList()
  let count = 0
  for (let group = 0; group < groups.count; group++) {
    if (group % GROUPS_PER_LOOK === 0) await pause()
    const lacks = hasOneOf(wanted, groups, group, columns, pieces)
      ? wanted.column === 'sum' && hasHistograms(wanted, groups, group)
      : hasOneOf(wanted, groups, group, ALL_COLUMNS, pieces)
    if (lacks) count++
  }
  return count
}

/** Whether the series has windows in the range of one of the columns. */
function hasOneOf(
  { sources, startMs, endMs }: WantedColumn,
  groups: SeriesGroups,
  group: number,
  columns: readonly number[],
  pieces: PieceList,
): boolean {
  for (let k = groups.offsets[group]; k < groups.offsets[group + 1]; k++) {
    const source = sources[groups.sources[k]]
    const series = groups.series[k]
    for (const column of columns) {
      pieces.length = 0
      source.pieces(series, column, startMs, endMs, pieces)
      if (pieces.length > 0) return true
      if (source.hasHistograms && source.histogramCount(series, column, startMs, endMs) > 0) return true
    }
  }
  return false
}

/** Nobody keeps sums of histograms, and `last` is no stand-in for them. */
function hasHistograms({ sources, startMs, endMs }: WantedColumn, groups: SeriesGroups, group: number): boolean {
  for (let k = groups.offsets[group]; k < groups.offsets[group + 1]; k++) {
    const source = sources[groups.sources[k]]
    if (source.hasHistograms && source.histogramCount(groups.series[k], LAST_COLUMN, startMs, endMs) > 0) return true
  }
  return false
}
