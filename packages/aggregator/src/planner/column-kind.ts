/** Which aggregate a PromQL function wants, and how samples become it. */
import { type AggregateColumn, halvesOf, isStaleAt } from '@varve/tsdb-core/model'
import type { SelectRequest } from '@varve/tsdb-core/query'

/** The column of a result, see `ResolutionSlice`. */
export type ColumnKind = 'last' | 'min' | 'max' | 'sum' | 'count' | 'increase'

export function columnKindOf(functionName: string): ColumnKind {
  switch (functionName) {
    case 'rate':
    case 'increase':
      return 'increase'
    case 'min_over_time':
      return 'min'
    case 'max_over_time':
      return 'max'
    case 'sum_over_time':
    case 'avg_over_time':
      return 'sum'
    case 'count_over_time':
      return 'count'
    default:
      return 'last'
  }
}

/** Whether counts stand beside the values of the answer: only an average has to weigh them. */
export function weighsValues({ hints }: SelectRequest): boolean {
  return hints?.function === 'avg_over_time'
}

/** The column to ask an aggregated namespace for. */
export function storedColumnOf(
  kind: ColumnKind,
  request: SelectRequest,
): { column: AggregateColumn; counts: boolean; exactColumn: boolean } {
  return {
    column: kind === 'count' ? 'last' : kind,
    counts: kind === 'count' || weighsValues(request),
    exactColumn: kind === 'increase',
  }
}

/**
 * Turns values into the growth from each to the next, as counters grow, in place. `previous` is the value before the first
 * one, or NaN: the first is then a baseline. Staleness markers stay and are passed over.
 */
export function toIncreases(values: Float64Array, from: number, to: number, previous: number): void {
  const halves = halvesOf(values)
  for (let i = from; i < to; i++) {
    if (isStaleAt(halves, i)) continue
    const value = values[i]
    values[i] = Number.isNaN(previous) ? 0 : value < previous ? value : value - previous
    previous = value
  }
}

/** The other way round: growth becomes a running sum that begins at `sum`. Returns the last one. */
export function toRunningSum(values: Float64Array, from: number, to: number, sum: number): number {
  const halves = halvesOf(values)
  let rest = 0
  for (let i = from; i < to; i++) {
    if (isStaleAt(halves, i)) continue
    const value = values[i]
    const next = sum + value
    rest += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum
    sum = next
    values[i] = sum + rest
  }
  return sum + rest
}

/** Each sample stands for itself: one. */
export function toOnes(values: Float64Array, from: number, to: number): void {
  const halves = halvesOf(values)
  for (let i = from; i < to; i++) if (!isStaleAt(halves, i)) values[i] = 1
}
