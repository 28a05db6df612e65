/**
 * Writes what several sources hold together into one block: the one way in which blocks come into being, be it from an
 * open block, from generations of one window, or from small blocks that become a large one.
 */
import type { FileSystem } from '../env/file-system.js'
import type { HistogramRun } from '../head/histogram-store.js'
import type { LabelIndex } from '../index/label-index.js'
import { sortWithPauses } from '../index/sort-with-pauses.js'
import { COLUMNS, VALUE_COLUMN } from '../model/columns.js'
import { compareUtf8 } from '../model/utf8.js'
import type { SeriesBatch } from '../query/series-batch.js'
import { BatchBuilder } from '../read/batch-builder.js'
import { hasAbsent } from '../read/merge-samples.js'
import type { SampleSource } from '../read/sample-source.js'
import { SeriesGroups, type SourceFamily } from '../read/series-groups.js'
import { SymbolCollector } from '../read/symbol-collector.js'
import { BlockWriter, type WrittenBlock } from './block-writer.js'
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
  readonly pause: () => Promise<void> | undefined
}

const SYMBOLS_PER_LOOK = 1_024

/** The writer's number of each text. */
async function internAll(
  { symbols }: BlockWriter,
  texts: readonly string[],
  pause: () => Promise<void> | undefined,
): Promise<number[]> {
  symbols.reserve(texts.length)
  const ids = new Array<number>(texts.length)
  for (let i = 0; i < texts.length; i++) {
    if (i % SYMBOLS_PER_LOOK === 0) await pause()
    ids[i] = symbols.internText(texts[i])
  }
  return ids
}

/** Writes the block; `undefined` when there are no samples left, and then no file. */
export async function writeBlock(options: WriteBlockOptions): Promise<WrittenBlock | undefined> {
  const { sources, pause } = options
  const symbols = new SymbolCollector(sources, Number.POSITIVE_INFINITY)
  const groups = new SeriesGroups(sources, symbols)
  await groups.build(familiesOf(sources), pause)
  const pairs = await pairsOf(groups, pause)
  const order = await sortGroups(groups, pairs, symbols.symbols, pause)
  const writer = await BlockWriter.create({
    files: options.files,
    directory: options.directory,
    identity: options.identity,
    hasColumns: options.aggregated,
    pause,
  })
  try {
    const ids = await internAll(writer, symbols.symbols, pause)
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
        await writeSeries(writer, groups, order[i], pairs, ids, builders, options.keepsAbsent)
        await pause()
      }
    }
    if (writer.seriesCount === 0) {
      await writer.abort()
      return undefined
    }
    return await writer.finish()
  } catch (error) {
    await writer.abort().catch(() => undefined)
    throw error
  }
}

interface GroupPairs {
  readonly pairs: Uint32Array
  readonly offsets: Uint32Array
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
): Promise<void> {
  const own = new Uint32Array(offsets[group + 1] - offsets[group])
  for (let i = 0; i < own.length; i++) own[i] = ids[pairs[offsets[group] + i]]
  writer.beginSeries(own, own.length)
  const from = groups.offsets[group]
  const to = groups.offsets[group + 1]
  builders.forEach((builder, column) => {
    builder.begin()
    if (builder.add(groups, from, to)) addColumn(writer, column, builder.finish(), keepsAbsent)
  })
  await writer.endSeries()
}

function addColumn(
  writer: BlockWriter,
  column: number,
  batch: Omit<SeriesBatch, 'labelOffsets' | 'labelPairs'>,
  mayBeAbsent: boolean,
): void {
  const { histograms, timestampOffsets, values, startTimestampsMs } = batch
  const timeColumn = batch.timestampColumns[0]
  const timestampsMs = batch.timestampsMs.subarray(timestampOffsets[timeColumn], timestampOffsets[timeColumn + 1])
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
