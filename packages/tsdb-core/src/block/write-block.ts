/**
 * Writes what several sources hold together into one block: the one way in which blocks come into being, be it from an
 * open block, from generations of one window, or from small blocks that become a large one.
 */
import type { FileSystem } from '../env/file-system.js'
import type { HistogramRun } from '../head/histogram-store.js'
import type { LabelIndex } from '../index/label-index.js'
import { sortWithPauses } from '../index/sort-with-pauses.js'
import { COLUMNS, VALUE_COLUMN } from '../model/columns.js'
import { Labels } from '../model/labels.js'
import { compareUtf8 } from '../model/utf8.js'
import type { SeriesBatch } from '../query/series-batch.js'
import type { BlockDrop, DroppedRange } from '../raw-drop.js'
import { BatchBuilder } from '../read/batch-builder.js'
import { hasAbsent } from '../read/merge-samples.js'
import type { SampleSource } from '../read/sample-source.js'
import { SeriesGroups, type SourceFamily } from '../read/series-groups.js'
import { SymbolCollector } from '../read/symbol-collector.js'
import { BlockWriter, type WrittenBlock } from './block-writer.js'
import { dropsAll, type SeriesColumns, withoutDropped } from './dropped-samples.js'
import type { BlockIdentity } from './format.js'

const SERIES_PER_LOAD = 512

export interface WriteBlockOptions {
  readonly files: FileSystem
  readonly directory: string
  readonly identity: BlockIdentity
  /** Older data first. */
  readonly sources: readonly SampleSource[]
  /** The namespace has a resolution: series have columns, newer samples replace older ones. */
  readonly aggregated: boolean
  /** Older samples than those of `sources` may exist: what hides them stays. */
  readonly keepsAbsent: boolean
  /** What of a raw block is not kept; null: all is. */
  readonly drop: BlockDrop | null
  readonly pause: () => Promise<void> | undefined
}

/** What became of the samples of the sources. */
export interface BlockWriting {
  /** `undefined` when there are no samples left, and then there is no file. */
  readonly written: WrittenBlock | undefined
  /** How many `drop` left out, of series that are in the file. Those of series that are left out whole are not counted. */
  readonly droppedSampleCount: number
  /** Values that another one of the same series and timestamp won over. */
  readonly conflictCount: number
}

const SYMBOLS_PER_LOOK = 1_024

/** The writer's number of each text that a series of the block has. */
async function internAll(
  { symbols }: BlockWriter,
  texts: readonly string[],
  isUsed: Uint8Array | null,
  pause: () => Promise<void> | undefined,
): Promise<number[]> {
  symbols.reserve(texts.length)
  const ids = new Array<number>(texts.length)
  for (let i = 0; i < texts.length; i++) {
    if (i % SYMBOLS_PER_LOOK === 0) await pause()
    if (isUsed?.[i] !== 0) ids[i] = symbols.internText(texts[i])
  }
  return ids
}

export async function writeBlock(options: WriteBlockOptions): Promise<BlockWriting> {
  const { sources, pause } = options
  const symbols = new SymbolCollector(sources, Number.POSITIVE_INFINITY)
  const groups = new SeriesGroups(sources, symbols)
  await groups.build(familiesOf(sources), pause)
  const pairs = await pairsOf(groups, pause)
  const drops = options.drop === null ? null : await dropsOf(options, options.drop, pairs, symbols.symbols)
  const sorted = await sortGroups(groups, pairs, symbols.symbols, pause)
  const order = drops === null ? sorted : sorted.filter((group) => drops.get(group) !== 'all')
  const writer = await BlockWriter.create({
    files: options.files,
    directory: options.directory,
    identity: options.identity,
    hasColumns: options.aggregated,
    pause,
  })
  try {
    const isUsed = drops === null ? null : usedSymbols(order, pairs, symbols.symbols.length)
    const ids = await internAll(writer, symbols.symbols, isUsed, pause)
    let droppedSampleCount = 0
    const builders = columnsOf(options).map(
      (column) =>
        new BatchBuilder(sources, {
          startMs: options.identity.startMs,
          endMs: options.identity.endMs,
          replaces: options.aggregated,
          column: COLUMNS[column],
          exactColumn: true,
          keepsAbsent: options.keepsAbsent,
        }),
    )
    for (let first = 0; first < order.length; first += SERIES_PER_LOAD) {
      const last = Math.min(order.length, first + SERIES_PER_LOAD)
      await load(options, groups, order, first, last)
      for (let i = first; i < last; i++) {
        const ranges = drops?.get(order[i])
        const trim = ranges === undefined || ranges === 'all' ? null : { ranges, drop: options.drop! }
        droppedSampleCount += await writeSeries(
          writer,
          groups,
          order[i],
          pairs,
          ids,
          builders,
          options.keepsAbsent,
          trim,
        )
        await pause()
      }
    }
    const conflictCount = builders.reduce((sum, builder) => sum + builder.conflictCount, 0)
    if (writer.seriesCount > 0) return { written: await writer.finish(), droppedSampleCount, conflictCount }
    await writer.abort()
    return { written: undefined, droppedSampleCount, conflictCount }
  } catch (error) {
    await writer.abort().catch(() => undefined)
    throw error
  }
}

interface GroupPairs {
  readonly pairs: Uint32Array
  readonly offsets: Uint32Array
}

/** By group: the ranges that are not kept, or `all` when the series is not in the block at all. */
async function dropsOf(
  options: WriteBlockOptions,
  drop: BlockDrop,
  { pairs, offsets }: GroupPairs,
  texts: readonly string[],
): Promise<Map<number, readonly DroppedRange[] | 'all'>> {
  const { startMs, endMs } = options.identity
  const drops = new Map<number, readonly DroppedRange[] | 'all'>()
  for (let group = 0; group + 1 < offsets.length; group++) {
    const flat: string[] = []
    for (let i = offsets[group]; i < offsets[group + 1]; i++) flat.push(texts[pairs[i]])
    const ranges = drop.rangesOf(Labels.fromSorted(flat))
    if (ranges !== null) drops.set(group, dropsAll(ranges, drop, startMs, endMs) ? 'all' : ranges)
    if (group % 64 === 0) await options.pause()
  }
  return drops
}

function usedSymbols(order: Uint32Array, { pairs, offsets }: GroupPairs, symbolCount: number): Uint8Array {
  const isUsed = new Uint8Array(symbolCount)
  for (const group of order) for (let i = offsets[group]; i < offsets[group + 1]; i++) isUsed[pairs[i]] = 1
  return isUsed
}

function columnsOf(options: WriteBlockOptions): number[] {
  return options.aggregated ? COLUMNS.map((_, column) => column) : [VALUE_COLUMN]
}

function familiesOf(sources: readonly SampleSource[]): SourceFamily[] {
  const families = new Map<LabelIndex, { sources: number[]; matched: Uint32Array }>()
  sources.forEach((source, i) => {
    let family = families.get(source.index)
    if (family === undefined) {
      // A head's index knows series of other blocks too; most of them have nothing here.
      family = { sources: [], matched: source.index.all().slice() }
      families.set(source.index, family)
    }
    family.sources.push(i)
  })
  return [...families.values()].map(({ sources: places, matched }) => ({
    sources: places,
    matched: matched.filter((series) => places.some((place) => sources[place].columnMask(series) !== 0)),
  }))
}

async function pairsOf(groups: SeriesGroups, pause: () => Promise<void> | undefined): Promise<GroupPairs> {
  const offsets = new Uint32Array(groups.count + 1)
  let pairs: Uint32Array = new Uint32Array(groups.count * 16)
  for (let group = 0; group < groups.count; group++) {
    const length = groups.pairsLength(group)
    pairs = groups.readPairs(group, pairs, offsets[group])
    offsets[group + 1] = offsets[group] + length
    if (group % 1024 === 0) await pause()
  }
  return { pairs, offsets }
}

async function sortGroups(
  groups: SeriesGroups,
  { pairs, offsets }: GroupPairs,
  texts: readonly string[],
  pause: () => Promise<void> | undefined,
): Promise<Uint32Array> {
  const bySymbol = await sortWithPauses(
    Uint32Array.from({ length: texts.length }, (_, i) => i),
    (a, b) => compareUtf8(texts[a], texts[b]),
    pause,
  )
  const rank = new Uint32Array(texts.length)
  for (let place = 0; place < bySymbol.length; place++) rank[bySymbol[place]] = place
  return sortWithPauses(
    Uint32Array.from({ length: groups.count }, (_, i) => i),
    (a, b) => {
      const lengthA = offsets[a + 1] - offsets[a]
      const lengthB = offsets[b + 1] - offsets[b]
      const shared = Math.min(lengthA, lengthB)
      for (let i = 0; i < shared; i++) {
        const x = pairs[offsets[a] + i]
        const y = pairs[offsets[b] + i]
        if (x !== y) return rank[x] - rank[y]
      }
      return lengthA - lengthB
    },
    pause,
  )
}

async function load(
  options: WriteBlockOptions,
  groups: SeriesGroups,
  order: Uint32Array,
  first: number,
  last: number,
): Promise<void> {
  const { sources, identity } = options
  for (let source = 0; source < sources.length; source++) {
    if (!sources[source].loads) continue
    const series: number[] = []
    for (let i = first; i < last; i++) {
      for (let k = groups.offsets[order[i]]; k < groups.offsets[order[i] + 1]; k++) {
        if (groups.sources[k] === source) series.push(groups.series[k])
      }
    }
    await sources[source].load(series, identity.startMs, identity.endMs)
  }
}

async function writeSeries(
  writer: BlockWriter,
  groups: SeriesGroups,
  group: number,
  { pairs, offsets }: GroupPairs,
  ids: readonly number[],
  builders: readonly BatchBuilder[],
  keepsAbsent: boolean,
  trim: { readonly ranges: readonly DroppedRange[]; readonly drop: BlockDrop } | null,
): Promise<number> {
  let droppedSampleCount = 0
  const own = new Uint32Array(offsets[group + 1] - offsets[group])
  for (let i = 0; i < own.length; i++) own[i] = ids[pairs[offsets[group] + i]]
  writer.beginSeries(own, own.length)
  const from = groups.offsets[group]
  const to = groups.offsets[group + 1]
  builders.forEach((builder, column) => {
    builder.begin()
    if (!builder.add(groups, from, to)) return
    const all = columnsIn(builder.finish())
    const kept = trim === null ? all : withoutDropped(all, trim.ranges, trim.drop.baselineAfterMs)
    droppedSampleCount += all.values.length - kept.values.length
    if (kept.values.length > 0) addColumn(writer, column, kept, keepsAbsent)
  })
  await writer.endSeries()
  return droppedSampleCount
}

/** Of the one series of a batch. */
function columnsIn(batch: Omit<SeriesBatch, 'labelOffsets' | 'labelPairs'>): SeriesColumns {
  const { timestampOffsets, timestampColumns } = batch
  const timeColumn = timestampColumns[0]
  const timestampsMs = batch.timestampsMs.subarray(timestampOffsets[timeColumn], timestampOffsets[timeColumn + 1])
  return { ...batch, timestampsMs }
}

function addColumn(writer: BlockWriter, column: number, batch: SeriesColumns, mayBeAbsent: boolean): void {
  const { histograms, timestampsMs, values, startTimestampsMs } = batch
  if (histograms === undefined) {
    const absent = mayBeAbsent && hasAbsent(values, 0, values.length)
    writer.addSamples(column, timestampsMs, values, startTimestampsMs, values.length, absent)
    return
  }
  // Histograms stand in a section of their own; the float columns hold what is left.
  const run: HistogramRun = { timestampsMs: [], startTimestampsMs: [], histograms: [...histograms.histograms] }
  const times = new Float64Array(values.length)
  const floats = new Float64Array(values.length)
  const starts = new Float64Array(values.length)
  let next = 0
  let count = 0
  for (let i = 0; i < values.length; i++) {
    if (next < histograms.sampleIndexes.length && histograms.sampleIndexes[next] === i) {
      run.timestampsMs.push(timestampsMs[i])
      run.startTimestampsMs.push(startTimestampsMs?.[i] ?? 0)
      next++
      continue
    }
    times[count] = timestampsMs[i]
    floats.set(values.subarray(i, i + 1), count)
    starts[count] = startTimestampsMs?.[i] ?? 0
    count++
  }
  writer.addSamples(column, times, floats, starts, count, mayBeAbsent && hasAbsent(floats, 0, count))
  writer.addHistograms(column, run)
}
