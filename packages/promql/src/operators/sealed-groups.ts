/**
 * Groups of the series of a sealed block, found once: dashboards ask the same again and again, and blocks do not change.
 *
 * What is kept goes with the list of series that it was found for, which the block's index forgets first when memory is short.
 */
import { METRIC_NAME } from '@varve/tsdb-core/model'
import type { SealedColumns } from '@varve/tsdb-core/query'
import type { QueryContext } from '../engine/query-context.js'
import { LabelTable } from './label-table.js'

export interface SealedGroups {
  /** By place in `SealedColumns.series`. */
  readonly groups: Uint32Array
  /** The kept labels of each group, names and values in turn. */
  readonly texts: readonly (readonly string[])[]
}

/** Of one list of series. */
const CLAUSES_MAX = 4
const SERIES_PER_LOOK = 1024

const known = new WeakMap<Uint32Array, Map<string, SealedGroups>>()

/** What of the labels a group keeps. `key` is the same for equal ones. */
export interface Clause {
  readonly key: string
  readonly names: ReadonlySet<string>
  readonly without: boolean
}

export const BY_METRIC_NAME: Clause = { key: METRIC_NAME, names: new Set([METRIC_NAME]), without: false }

export async function groupsOf(columns: SealedColumns, clause: Clause, context: QueryContext): Promise<SealedGroups> {
  let clauses = known.get(columns.series)
  if (clauses === undefined) known.set(columns.series, (clauses = new Map()))
  const found = clauses.get(clause.key) ?? (await findGroups(columns, clause, context))
  // The map's order is the order of use, oldest first.
  clauses.delete(clause.key)
  clauses.set(clause.key, found)
  for (const oldest of clauses.keys()) {
    if (clauses.size <= CLAUSES_MAX) break
    clauses.delete(oldest)
  }
  return found
}

async function findGroups(columns: SealedColumns, clause: Clause, context: QueryContext): Promise<SealedGroups> {
  const { series, pairs, pairOffsets } = columns
  /** Sets of symbols of the block: equal texts have equal symbols. */
  const sets = new LabelTable()
  const kept = new Map<number, boolean>()
  const groups = new Uint32Array(series.length)
  let scratch = new Uint32Array(64)
  for (let i = 0; i < series.length; i++) {
    const from = pairOffsets[series[i]]
    const to = pairOffsets[series[i] + 1]
    if (scratch.length < to - from) scratch = new Uint32Array((to - from) * 2)
    let length = 0
    for (let at = from; at < to; at += 2) {
      let keeps = kept.get(pairs[at])
      if (keeps === undefined) {
        keeps = clause.names.has(columns.symbolText(pairs[at])) !== clause.without
        kept.set(pairs[at], keeps)
      }
      if (!keeps) continue
      scratch[length++] = pairs[at]
      scratch[length++] = pairs[at + 1]
    }
    groups[i] = sets.intern(scratch, 0, length / 2)
    if (i % SERIES_PER_LOOK === 0 && context.shouldYield()) await context.yield()
  }
  const texts: string[][] = []
  for (let set = 0; set < sets.count; set++) {
    const symbols = sets.pairs.subarray(sets.offsets[set] * 2, sets.offsets[set + 1] * 2)
    texts.push(Array.from(symbols, (symbol) => columns.symbolText(symbol)))
  }
  return { groups, texts }
}
