/**
 * An answer that one aggregated namespace gives, or almost: its batches go on as the store reads them, and nothing is held
 * but one of them. What other slices have (raw samples of the hours that are not rolled up yet, say) is little, is read
 * before, and put beside each series as it comes by.
 *
 *     older slices │ the long slice, batch by batch │ newer slices
 *
 * Only for answers of which no other namespace could have a series, and no series lacks the column.
 */

import { halvesOf, isStaleAt } from '@varve/tsdb-core/model'
import type { SelectResult, SeriesBatch } from '@varve/tsdb-core/query'
import { weighsValues } from './column-kind.js'
import { PartSymbols, SeriesParts } from './series-parts.js'
import { columnRequest, columnVisitor, partReader, readTier, selectTier, type TierRead } from './tier-reader.js'

/** What other slices have is held as long as the answer is read: 64 MiB of values, and some objects a series. */
const SIDE_SAMPLES_MAX = 8 * 1024 * 1024

export interface ColumnStream {
  /** The slices, oldest first; `main` is the place of the one that streams. */
  readonly reads: readonly TierRead[]
  readonly main: number
  /** So many samples a series the other slices may have. */
  readonly sideSamplesPerSeries: number
  readonly reusesBatches: boolean
}

/** Symbols and batches of the answer; null where it has to be put together slice by slice. */
export async function columnStream(stream: ColumnStream): Promise<Pick<SelectResult, 'symbols' | 'batches'> | null> {
  const { reads, main } = stream
  const read = reads[main]
  // What stands beside other slices is copied; the caller may want to keep what does not.
  const reusesBatches = stream.reusesBatches || reads.length > 1
  const result = await selectTier(read, { ...columnRequest(read), reusesBatches })
  try {
    const sides = result.seriesWithoutColumn === 0 ? await readSides(stream, result.seriesCountMax ?? Infinity) : null
    if (sides === null) {
      await endUnread(result)
      return null
    }
    const hasSides = sides.older.seriesCount + sides.newer.seriesCount > 0
    const isAlone = !hasSides && reusesBatches === stream.reusesBatches
    const symbols = isAlone ? result.symbols : sides.symbols.texts
    const batches = isAlone ? alone(read, result) : beside(read, result, sides)
    return { symbols, batches: endedWith(batches, result) }
  } catch (error) {
    await endUnread(result)
    throw error
  }
}

interface Sides {
  readonly symbols: PartSymbols
  readonly older: SeriesParts
  readonly newer: SeriesParts
}

/** Null when that is too much, or when a series of theirs lacks the column. */
async function readSides({ reads, main, sideSamplesPerSeries }: ColumnStream, seriesCount: number) {
  const symbols = new PartSymbols()
  const sides: Sides = { symbols, older: new SeriesParts(symbols), newer: new SeriesParts(symbols) }
  // Other slices may have other series, and more of them.
  const seriesCountMax = sideSamplesPerSeries > 0 ? SIDE_SAMPLES_MAX / sideSamplesPerSeries : Infinity
  if (reads.length > 1 && seriesCount > seriesCountMax) return null
  for (let i = 0; i < reads.length; i++) {
    if (i === main) continue
    const parts = i < main ? sides.older : sides.newer
    parts.beginSlice()
    const { lacksColumn, isTooLarge } = await readTier({ ...reads[i], seriesCountMax }, parts, { onlyColumn: true })
    if (lacksColumn || isTooLarge) return null
  }
  return sides
}

/** As the store gives it, but for what counts and histograms want. */
async function* alone(read: TierRead, result: SelectResult): AsyncGenerator<SeriesBatch> {
  const { kind, warnings } = read
  for await (const batch of result.batches) {
    if (batch.histograms !== undefined && kind !== 'last' && kind !== 'increase') yield* withoutSymbols(read, batch)
    else if (kind === 'count') yield countsOf(batch)
    else if (weighsValues(read.request)) yield withEachCounted(batch)
    else yield batch
  }
  for (const warning of result.warnings) warnings.add(warning)
}

/** Series by series, under the result's own symbols. */
function withoutSymbols(read: TierRead, batch: SeriesBatch): Iterable<SeriesBatch> {
  const parts = new SeriesParts()
  const visit = columnVisitor(read, parts)
  const partAt = partReader(batch, parts)
  for (let series = 0; series < batch.seriesCount; series++) {
    const { labelOffsets, labelPairs } = batch
    const key = labelPairs.subarray(labelOffsets[series] * 2, labelOffsets[series + 1] * 2).join()
    visit(key, partAt(series))
  }
  return parts.batches(weighsValues(read.request))
}

/** A window without a count is one sample. */
function withEachCounted(batch: SeriesBatch): SeriesBatch {
  const { counts } = batch
  if (counts) for (let i = 0; i < counts.length; i++) if (Number.isNaN(counts[i])) counts[i] = 1
  return batch
}

/** Counts as values, where no marker stands. */
function countsOf({ counts, ...batch }: SeriesBatch): SeriesBatch {
  const { values } = batch
  const halves = halvesOf(values)
  for (let i = 0; i < values.length; i++) {
    if (isStaleAt(halves, i)) continue
    values[i] = counts === undefined || Number.isNaN(counts[i]) ? 1 : counts[i]
  }
  return batch
}

async function* beside(read: TierRead, result: SelectResult, sides: Sides): AsyncGenerator<SeriesBatch> {
  const { symbols, older, newer } = sides
  const keyOf = new SeriesParts(symbols).keys(result)
  const withCounts = weighsValues(read.request)
  for await (const batch of result.batches) {
    const parts = new SeriesParts(symbols)
    const visit = columnVisitor(read, parts)
    const partAt = partReader(batch, parts)
    for (let series = 0; series < batch.seriesCount; series++) {
      const key = keyOf(batch, series)
      older.moveSeries(key, parts)
      visit(key, partAt(series))
      newer.moveSeries(key, parts)
    }
    yield* parts.batches(withCounts)
  }
  const rest = new SeriesParts(symbols)
  older.moveAll(rest)
  newer.moveAll(rest)
  yield* rest.batches(withCounts)
  for (const warning of result.warnings) read.warnings.add(warning)
}

/** Lets go of what the store holds for the answer also when nobody has begun to read it. */
function endedWith(batches: AsyncGenerator<SeriesBatch>, result: SelectResult): AsyncGenerator<SeriesBatch> {
  const end = batches.return.bind(batches)
  batches.return = (value) => end(value).finally(() => endUnread(result))
  return batches
}

async function endUnread({ batches }: SelectResult): Promise<void> {
  await batches[Symbol.asyncIterator]().return?.()
}
