/**
 * Folds the series of a sealed block into their groups by a kernel that decodes each column where it computes its row: no batch is
 * made, nothing is done for a series in JavaScript. Series that the kernel leaves come as batches, like those of any other store.
 */
import { codecFailure, QUERY_FOLDS, QUERY_FUNCTIONS, type QueryKernels } from '@varve/native'
import type { SealedColumns } from '@varve/tsdb-core/query'
import type { QueryContext } from '../engine/query-context.js'
import { PromqlError } from '../errors.js'
import { FOUND, type FoldCells, type KernelFunction, LEFT } from './batch-kernels.js'
import type { Grouping } from './grouping.js'
import { BY_METRIC_NAME, groupsOf } from './sealed-groups.js'
import type { SealedSelection, SourceBatch } from './series-source.js'
import { slotsMax } from './window-cache.js'
import { borrowWindows, returnWindows, type WindowMemory } from './window-memory.js'
import type { WindowShape } from './windows.js'

/** What the kernel computes for each series. */
export interface SealedFunction {
  readonly kernels: QueryKernels
  readonly name: KernelFunction
  readonly shape: WindowShape
  /** The range in seconds for a growth per second, else 1. */
  readonly divisor: number
  readonly framed: boolean
  readonly presenceOnly: boolean
}

/** Samples and cells of one call, which takes some milliseconds at most. */
const WORK_PER_CALL = 1 << 19
const SERIES_PER_CALL = 4096
/** Groups that are made between two looks at the clock. */
const GROUPS_PER_LOOK = 256
/** `found` of a series without a sample in the range. */
const WITHOUT_SAMPLES = 3

export class SealedFold {
  readonly #columns: SealedColumns
  readonly #function: SealedFunction
  readonly #memory: WindowMemory
  readonly #facts: Float64Array
  readonly #slotColumns: Uint32Array
  readonly #parameters: Float64Array
  readonly #room = new Uint8Array(SERIES_PER_CALL)
  /** What became of each series of the call before. */
  #found = new Uint8Array(0)

  constructor(columns: SealedColumns, what: SealedFunction) {
    this.#columns = columns
    this.#function = what
    const { shape } = what
    const steps = shape.grid.count
    let slots = 8
    while (slots < columns.series.length && slots < slotsMax(steps)) slots *= 2
    this.#memory = borrowWindows(steps, Math.min(slots, slotsMax(steps)), what.framed)
    this.#facts = new Float64Array(2 * this.#memory.slots)
    this.#slotColumns = new Uint32Array(1 + 3 * columns.timeCounts.length)
    const presenceOnly = what.presenceOnly ? 1 : 0
    this.#parameters = Float64Array.of(shape.rangeMs, what.divisor, columns.startMs, columns.endMs, presenceOnly, 0)
  }

  /** Where a call that begins with place `from` ends. */
  endOf(from: number): number {
    const { series, chunkOffsets, chunkTimes, timeCounts } = this.#columns
    const { count: steps } = this.#function.shape.grid
    const last = Math.min(series.length, from + SERIES_PER_CALL)
    let work = 0
    let end = from
    for (; end < last && work < WORK_PER_CALL; end++) {
      const chunk = chunkOffsets[series[end]]
      work += steps + (chunk < chunkTimes.length ? timeCounts[chunkTimes[chunk]] : 0)
    }
    return end
  }

  /**
   * Adds series `[from, to)`, which are loaded, to the cells of their groups; places that are left to the caller are added to
   * `left`. Tells how many series have samples, without those that are left.
   *
   * @throws {PromqlError} `internal` for a column that cannot be decoded.
   */
  add(
    from: number,
    to: number,
    groups: Uint32Array,
    cells: FoldCells,
    left: number[],
  ): { seriesCount: number; sampleCount: number } {
    const pages = this.#columns.pages()
    const found = this.#room.subarray(0, to - from).fill(LEFT)
    this.#found = found
    if (pages === undefined) {
      for (let place = from; place < to; place++) left.push(place)
      return { seriesCount: 0, sampleCount: 0 }
    }
    const columns = this.#columns
    const { kernels, name, shape } = this.#function
    const { first, end, presence, seconds } = this.#memory
    this.#parameters[5] = pages.start
    const answer = kernels.foldSealed(
      QUERY_FUNCTIONS[name],
      QUERY_FOLDS[cells.fold],
      this.#parameters,
      pages.bytes,
      columns.pageChunks,
      columns.chunkOffsets,
      columns.chunkEnds,
      columns.chunkTimes,
      columns.numbers,
      columns.times,
      columns.timeOffsets,
      columns.timeCounts,
      columns.series.subarray(from, to),
      shape.endsMs,
      this.#slotColumns,
      first,
      end,
      presence,
      seconds,
      this.#facts,
      groups.subarray(from, to),
      cells.a,
      cells.b,
      cells.c,
      cells.flags,
      found,
    )
    const failure = codecFailure(answer)
    if (failure !== undefined) {
      throw new PromqlError(
        'internal',
        `expanding series: a column of a sealed block cannot be decoded: ${failure.code} at bit ${failure.bitOffset} of its page`,
      )
    }
    let seriesCount = 0
    for (let i = 0; i < found.length; i++) {
      if (found[i] === LEFT) left.push(from + i)
      else if (found[i] !== WITHOUT_SAMPLES) seriesCount++
    }
    return { seriesCount, sampleCount: answer }
  }

  /** Marks the groups with a series that had a result in the call before, which began at `from`. */
  noteFound(from: number, groups: Uint32Array, seen: Uint8Array): void {
    const found = this.#found
    for (let i = 0; i < found.length; i++) if (found[i] === FOUND) seen[groups[from + i]] = 1
  }

  /** The last call. */
  release(): void {
    returnWindows(this.#memory)
  }
}

/** Whether the kernel knows such windows. */
export function isPlainShape({ beforeMs, afterMs, rangesMs }: WindowShape): boolean {
  return beforeMs === 0 && afterMs === 0 && rangesMs === undefined
}

/**
 * Folds all series of a selection; those that are left go through `foldBatches`, which counts and charges them itself.
 * `groupsGrew` is told how many groups there will be before they are made; `namesFound` which metrics have rows.
 */
export async function foldSealed(
  context: QueryContext,
  { columns, wait, charge, batches }: SealedSelection,
  what: SealedFunction,
  namesFound: ((names: readonly string[]) => void) | undefined,
  grouping: Grouping,
  cellsOf: (groupCount: number) => FoldCells,
  groupsGrew: (count: number) => void,
  foldBatches: (batches: AsyncIterable<SourceBatch>) => Promise<void>,
): Promise<void> {
  const { groups, texts } = await groupsOf(columns, grouping, context)
  for (const [group, labels] of texts.entries()) {
    const number = grouping.groupOfTexts(labels)
    if (number !== group) throw new Error(`invariant broken: group ${group} of a block is ${number} by its labels`)
    if (group % GROUPS_PER_LOOK === 0 && context.shouldYield()) await context.yield()
  }
  groupsGrew(grouping.count)
  const names = namesFound === undefined ? undefined : await groupsOf(columns, BY_METRIC_NAME, context)
  const namesSeen = new Uint8Array(names?.texts.length ?? 0)
  const fold = new SealedFold(columns, what)
  const left: number[] = []
  try {
    for (let from = 0; from < columns.series.length; ) {
      const to = fold.endOf(from)
      const loading = columns.load(from, to)
      if (loading !== undefined) await wait(() => loading)
      context.check()
      const { seriesCount, sampleCount } = fold.add(from, to, groups, cellsOf(grouping.count), left)
      charge(seriesCount, sampleCount)
      if (names !== undefined) fold.noteFound(from, names.groups, namesSeen)
      if (left.length > 0) {
        await foldBatches(batches(Uint32Array.from(left)))
        left.length = 0
      }
      from = to
      if (context.shouldYield()) await context.yield()
    }
  } finally {
    fold.release()
  }
  // Of a series without a name there is nothing to say.
  namesFound?.(names?.texts.flatMap(([, name], i) => (namesSeen[i] === 1 && name !== undefined ? [name] : [])) ?? [])
}
