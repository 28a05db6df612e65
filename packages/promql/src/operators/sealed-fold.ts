/**
 * Series of a sealed block as rows, or folded into their groups, by kernels that decode each column themselves: no batch is made, and
 * nothing but labels is done for a series in JavaScript. Series that the kernel leaves come as batches, like those of any other
 * store.
 */
import type { QueryContext } from '../engine/query-context.js'
import type { FoldCells } from './batch-kernels.js'
import type { Grouping } from './grouping.js'
import { BY_METRIC_NAME, groupsOf } from './sealed-groups.js'
import { type SealedFunction, SealedSeries } from './sealed-series.js'
import type { SealedSelection, SourceBatch } from './series-source.js'

/** Groups that are made between two looks at the clock. */
const GROUPS_PER_LOOK = 256

/** Told which metrics have rows, by their names. */
export type NamesFound = ((names: readonly string[]) => void) | undefined

/**
 * Folds all series of a selection; those that are left go through `foldBatches`, which counts and charges them itself.
 * `groupsGrew` is told how many groups there will be before they are made.
 */
export async function foldSealed(
  context: QueryContext,
  selection: SealedSelection,
  what: SealedFunction,
  namesFound: NamesFound,
  grouping: Grouping,
  cellsOf: (groupCount: number) => FoldCells,
  groupsGrew: (count: number) => void,
  foldBatches: (batches: AsyncIterable<SourceBatch>) => Promise<void>,
): Promise<void> {
  const { columns, charge } = selection
  const { groups, texts } = await groupsOf(columns, grouping, context)
  for (const [group, labels] of texts.entries()) {
    const number = grouping.groupOfTexts(labels)
    if (number !== group) throw new Error(`invariant broken: group ${group} of a block is ${number} by its labels`)
    if (group % GROUPS_PER_LOOK === 0 && context.shouldYield()) await context.yield()
  }
  groupsGrew(grouping.count)
  const left: number[] = []
  for await (const { series, from, to } of sealedRuns(context, selection, what, namesFound)) {
    const { seriesCount, sampleCount } = series.add(from, to, groups, cellsOf(grouping.count), left)
    charge(seriesCount, sampleCount)
    if (left.length > 0) await foldBatches(selection.batches(Uint32Array.from(left)))
    left.length = 0
  }
}

/** Series `[from, to)` of a selection, whose columns are in memory. */
export interface SealedRun {
  readonly series: SealedSeries
  readonly from: number
  readonly to: number
}

/** The places of its series. */
export function placesOf({ from, to }: SealedRun): Uint32Array {
  return Uint32Array.from({ length: to - from }, (_, i) => from + i)
}

/** All series of a selection, as many at a time as one call of a kernel shall take, and at most `room()`. */
export async function* sealedRuns(
  context: QueryContext,
  { columns, wait }: SealedSelection,
  what: SealedFunction,
  namesFound: NamesFound,
  room = () => Number.POSITIVE_INFINITY,
): AsyncGenerator<SealedRun> {
  const names = namesFound === undefined ? undefined : await groupsOf(columns, BY_METRIC_NAME, context)
  const namesSeen = new Uint8Array(names?.texts.length ?? 0)
  const series = new SealedSeries(columns, what)
  try {
    for (let from = 0; from < columns.series.length; ) {
      const to = Math.min(series.endOf(from), from + room())
      const loading = columns.load(from, to)
      if (loading !== undefined) await wait(() => loading)
      context.check()
      yield { series, from, to }
      if (names !== undefined) series.noteFound(from, names.groups, namesSeen)
      from = to
      if (context.shouldYield()) await context.yield()
    }
  } finally {
    series.release()
  }
  // Of a series without a name there is nothing to say.
  namesFound?.(names?.texts.flatMap(([, name], i) => (namesSeen[i] === 1 && name !== undefined ? [name] : [])) ?? [])
}
