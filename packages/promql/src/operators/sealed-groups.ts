/**
 * Groups of the series of a sealed block, found once: dashboards ask the same again and again, and blocks do not change.
 *
 * What is kept belongs to a list of series, which is mostly the same array for the same matchers of one block. All together have
 * bounded memory, whatever blocks and clauses are asked for: what was asked for longest ago is forgotten.
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

const SERIES_PER_LOOK = 1024
/** Some hundred panels over ten thousand series each. */
const KEPT_BYTES_MAX = 32 << 20
/** One that is larger would push out many, and is asked for by few: a group for each of very many series. */
const ENTRY_BYTES_MAX = KEPT_BYTES_MAX / 4
/** An array, and a place in it with a part of its text, which many groups and the block share. */
const GROUP_BYTES = 48
const TEXT_BYTES = 16
const ENTRY_BYTES = 400

/** What of the labels a group keeps. `key` is the same for equal ones. */
export interface Clause {
  readonly key: string
  readonly names: ReadonlySet<string>
  readonly without: boolean
}

export const BY_METRIC_NAME: Clause = { key: METRIC_NAME, names: new Set([METRIC_NAME]), without: false }

export async function groupsOf(columns: SealedColumns, clause: Clause, context: QueryContext): Promise<SealedGroups> {
  const known = kept.get(columns.series, clause.key)
  if (known !== undefined) return known
  const found = await findGroups(columns, clause, context)
  kept.set(columns.series, clause.key, found)
  return found
}

interface KeptGroups {
  readonly series: Uint32Array
  readonly key: string
  readonly groups: SealedGroups
  readonly sizeBytes: number
}

/** What was found last, by list of series and by clause. */
export class GroupsCache {
  /** In the order of use, oldest first. */
  readonly #entries = new Set<KeptGroups>()
  readonly #bySeries = new WeakMap<Uint32Array, Map<string, KeptGroups>>()
  /** Memory that it takes, about; that of the lists included, which live no shorter. */
  sizeBytes = 0

  get(series: Uint32Array, key: string): SealedGroups | undefined {
    const entry = this.#bySeries.get(series)?.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(entry)
    this.#entries.add(entry)
    return entry.groups
  }

  /** One that is too large is not kept. */
  set(series: Uint32Array, key: string, groups: SealedGroups): void {
    const entry = { series, key, groups, sizeBytes: sizeOf(series, key, groups) }
    if (entry.sizeBytes > ENTRY_BYTES_MAX) return
    const before = this.#bySeries.get(series)?.get(key)
    if (before !== undefined) this.#remove(before)
    const clauses = this.#bySeries.get(series) ?? new Map<string, KeptGroups>()
    this.#bySeries.set(series, clauses.set(key, entry))
    this.#entries.add(entry)
    this.sizeBytes += entry.sizeBytes
    for (const oldest of this.#entries) {
      if (this.sizeBytes <= KEPT_BYTES_MAX) break
      this.#remove(oldest)
    }
  }

  #remove(entry: KeptGroups): void {
    this.#entries.delete(entry)
    this.#bySeries.get(entry.series)?.delete(entry.key)
    this.sizeBytes -= entry.sizeBytes
  }
}

/** Of all queries of the process. */
const kept = new GroupsCache()

function sizeOf(series: Uint32Array, key: string, { groups, texts }: SealedGroups): number {
  let textCount = 0
  for (const { length } of texts) textCount += length
  const columns = series.byteLength + groups.byteLength
  return ENTRY_BYTES + key.length * 2 + columns + texts.length * GROUP_BYTES + textCount * TEXT_BYTES
}

async function findGroups(columns: SealedColumns, clause: Clause, context: QueryContext): Promise<SealedGroups> {
  const { series, pairs, pairOffsets } = columns
  /** Sets of symbols of the block: equal texts have equal symbols. */
  const sets = new LabelTable()
  const isKept = new Map<number, boolean>()
  const groups = new Uint32Array(series.length)
  let scratch = new Uint32Array(64)
  for (let i = 0; i < series.length; i++) {
    const from = pairOffsets[series[i]]
    const to = pairOffsets[series[i] + 1]
    if (scratch.length < to - from) scratch = new Uint32Array((to - from) * 2)
    let length = 0
    for (let at = from; at < to; at += 2) {
      let keeps = isKept.get(pairs[at])
      if (keeps === undefined) {
        keeps = clause.names.has(columns.symbolText(pairs[at])) !== clause.without
        isKept.set(pairs[at], keeps)
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
