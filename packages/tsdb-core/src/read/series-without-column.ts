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
  const times = new TimesInRange(wanted)
  let count = 0
  for (let group = 0; group < groups.count; group++) {
    if (group % GROUPS_PER_LOOK === 0) {
      await pause()
      times.clear()
    }
    const lacks = hasOneOf(wanted, groups, group, columns, times)
      ? wanted.column === 'sum' && hasHistograms(wanted, groups, group)
      : hasOneOf(wanted, groups, group, ALL_COLUMNS, times)
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
  times: TimesInRange,
): boolean {
  const { pieces } = times
  for (let k = groups.offsets[group]; k < groups.offsets[group + 1]; k++) {
    const source = sources[groups.sources[k]]
    const series = groups.series[k]
    for (const column of columns) {
      pieces.length = 0
      source.pieces(series, column, startMs, endMs, pieces)
      if (pieces.length > 0 && times.hasSome(groups.sources[k])) return true
      if (source.hasHistograms && source.histogramCount(series, column, startMs, endMs) > 0) return true
    }
  }
  return false
}

/** Whether runs have samples in the range, where their first and last times alone do not say so. */
class TimesInRange {
  readonly pieces = new PieceList()
  readonly #wanted: WantedColumn
  /** By source and time column, of this turn: series share them. */
  readonly #known: Map<number, boolean>[]
  #times = new Float64Array(64)

  constructor(wanted: WantedColumn) {
    this.#wanted = wanted
    this.#known = wanted.sources.map(() => new Map<number, boolean>())
  }

  /** Open blocks may have changed. */
  clear(): void {
    for (const known of this.#known) known.clear()
  }

  /** Of one of the `pieces`, which are of one source and overlap the range. */
  hasSome(source: number): boolean {
    const { pieces } = this
    const { startMs, endMs } = this.#wanted
    for (let i = 0; i < pieces.length; i++) {
      if (pieces.firstMs[i] >= startMs || pieces.lastMs[i] < endMs) return true
      const timeColumn = pieces.timeColumns[i]
      let has = this.#known[source].get(timeColumn)
      if (has === undefined) {
        has = this.#look(source, timeColumn, pieces.counts[i])
        this.#known[source].set(timeColumn, has)
      }
      if (has) return true
    }
    return false
  }

  #look(source: number, timeColumn: number, count: number): boolean {
    const { sources, startMs, endMs } = this.#wanted
    if (this.#times.length < count) this.#times = new Float64Array(count * 2)
    sources[source].readTimes(timeColumn, this.#times, 0)
    for (let i = 0; i < count; i++) if (this.#times[i] >= startMs && this.#times[i] < endMs) return true
    return false
  }
}

/** Nobody keeps sums of histograms, and `last` is no stand-in for them. */
function hasHistograms({ sources, startMs, endMs }: WantedColumn, groups: SeriesGroups, group: number): boolean {
  for (let k = groups.offsets[group]; k < groups.offsets[group + 1]; k++) {
    const source = sources[groups.sources[k]]
    if (source.hasHistograms && source.histogramCount(groups.series[k], LAST_COLUMN, startMs, endMs) > 0) return true
  }
  return false
}
