/**
 * Reads one namespace as one kind of column: whatever its series hold, samples come out as the kind says.
 *
 * An aggregated namespace holds three sorts of series: mapped ones with their columns, outputs of gauge rollups (`value`
 * alone), and outputs of counter rollups (`increase` alone, whose cumulative value is made here).
 */
import type { Database } from '@varve/tsdb-core'
import type { Histogram, Matcher } from '@varve/tsdb-core/model'
import type { SelectRequest, SelectResult, SeriesBatch } from '@varve/tsdb-core/query'
import { histogramsByIndex } from '../windows/histogram-samples.js'
import { type ColumnKind, storedColumnOf, toIncreases, toOnes, toRunningSum } from './column-kind.js'
import { toHistogramIncreases, toHistogramRunningSum, withoutHistograms } from './histogram-column.js'
import type { SamplePart, SeriesParts } from './series-parts.js'

/** How far back a raw slice looks for the sample before its first one, so that no growth is lost at a seam. */
const SAMPLE_BEFORE_MS = 3_600_000
/** What windows of native histograms do not keep. They have no least and no greatest value, as raw samples. */
const NOT_OF_HISTOGRAMS: ReadonlySet<ColumnKind> = new Set(['min', 'max', 'sum'])

export interface TierRead {
  readonly database: Database
  readonly namespace: string
  readonly resolutionMs: number
  readonly kind: ColumnKind
  readonly matchers: readonly Matcher[]
  /** Samples with timestamps in `(afterMs, untilMs]`. */
  readonly afterMs: number
  readonly untilMs: number
  readonly request: SelectRequest
  readonly warnings: { add(warning: string): void }
  /** More series than this are not read, see `TierOutcome.isTooLarge`. Absent: all are. */
  readonly seriesCountMax?: number
  /** Series of raw samples that were dropped from the slice: another tier has them. Absent: none was. */
  readonly lacks?: (key: string) => boolean
}

export interface TierOutcome {
  /** So many series came. */
  readonly seriesCount: number
  /** Some series of the namespace have windows without the column. */
  readonly lacksColumn: boolean
  /** Native histograms would have to be added up, which the namespace does not keep: they were left out. */
  readonly leftOut: boolean
  /** There may be more series than `seriesCountMax`: none of them, or not all, were read. */
  readonly isTooLarge: boolean
}

/**
 * Adds the namespace's samples to `parts`, of series that have none in this slice yet. With `onlyColumn`, what lacks the
 * column is not looked for in others.
 */
export async function readTier(
  read: TierRead,
  parts: SeriesParts,
  { onlyColumn = false }: { onlyColumn?: boolean } = {},
): Promise<TierOutcome> {
  return read.resolutionMs === 0 ? readRaw(read, parts) : readAggregated(read, parts, onlyColumn)
}

async function readRaw(read: TierRead, parts: SeriesParts): Promise<TierOutcome> {
  const { kind, afterMs } = read
  let added = 0
  const startMs = kind === 'increase' ? afterMs - SAMPLE_BEFORE_MS : afterMs
  const result = await forEachSeries(read, { startMs: startMs + 1 }, parts, (key, part) => {
    if (read.lacks?.(key)) return
    if (part.histograms && (kind === 'increase' || kind === 'count')) {
      const changed = kind === 'increase' ? toHistogramIncreases(part) : withoutHistograms(part)
      added += addFrom(parts, key, changed, afterMs)
      return
    }
    const first = firstAfter(part.timestampsMs, afterMs)
    if (first === part.values.length) return
    if (kind === 'increase') toIncreases(part.values, 0, part.values.length, Number.NaN)
    if (kind === 'count') toOnes(part.values, 0, part.values.length)
    parts.add(key, from(part, first))
    added++
  })
  return { seriesCount: added, lacksColumn: false, leftOut: false, isTooLarge: isTooLarge(read, result) }
}

async function readAggregated(read: TierRead, parts: SeriesParts, onlyColumn: boolean): Promise<TierOutcome> {
  let seriesCount = 0
  let leftOut = false
  const visit = columnVisitor(read, parts)
  const result = await forEachSeries(read, columnRequest(read), parts, (key, part) => {
    if (visit(key, part)) seriesCount++
    else if (read.kind === 'sum') leftOut = true
  })
  const lacksColumn = result.seriesWithoutColumn !== 0
  if (lacksColumn && !onlyColumn) {
    seriesCount += read.kind === 'increase' ? await readGrowthOfGauges(read, parts) : await readCumulative(read, parts)
  }
  return { seriesCount, lacksColumn, leftOut, isTooLarge: isTooLarge(read, result) }
}

/** What the slice asks an aggregated namespace for. */
export function columnRequest({ kind, afterMs, request }: TierRead) {
  return { startMs: afterMs + 1, ...storedColumnOf(kind, request) }
}

/** Adds a series of an aggregated namespace that has the column; false if it is left out. */
export function columnVisitor({ kind }: TierRead, parts: SeriesParts) {
  return (key: string, part: SamplePart): boolean => {
    if (part.histograms && NOT_OF_HISTOGRAMS.has(kind)) return false
    parts.add(key, kind === 'count' ? counted(part.histograms ? withoutHistograms(part) : part) : withCounts(part))
    return true
  }
}

/** `rate` of what is no counter: the growth of its last values, as it would be of raw samples. */
async function readGrowthOfGauges(read: TierRead, parts: SeriesParts): Promise<number> {
  const { afterMs, resolutionMs } = read
  let added = 0
  const startMs = afterMs - Math.max(SAMPLE_BEFORE_MS, resolutionMs) + 1
  await forEachSeries(read, { startMs, column: 'last' }, parts, (key, part) => {
    if (part.histograms) {
      added += addFrom(parts, key, toHistogramIncreases(part), afterMs)
      return
    }
    const first = firstAfter(part.timestampsMs, afterMs)
    if (first === part.values.length) return
    toIncreases(part.values, 0, part.values.length, Number.NaN)
    parts.add(key, from(part, first))
    added++
  })
  return added
}

/** Rolled-up counters: the running sum of their growth, from the oldest window that is stored. */
async function readCumulative(read: TierRead, parts: SeriesParts): Promise<number> {
  const { afterMs, kind } = read
  let added = 0
  const options = { startMs: 0, column: 'increase' as const, exactColumn: true }
  await forEachSeries(read, options, parts, (key, part) => {
    if (part.histograms) {
      if (NOT_OF_HISTOGRAMS.has(kind)) return
      const before = parts.lastHistogramOf(key)
      const summed = before
        ? toHistogramRunningSum(from(part, firstAfter(part.timestampsMs, afterMs)), before)
        : toHistogramRunningSum(part, null)
      added += addFrom(parts, key, kind === 'count' ? withoutHistograms(summed) : summed, afterMs)
      return
    }
    const first = firstAfter(part.timestampsMs, afterMs)
    const before = parts.lastValueOf(key)
    if (before === null) toRunningSum(part.values, 0, part.values.length, 0)
    else toRunningSum(part.values, first, part.values.length, before)
    if (first === part.values.length) return
    if (kind === 'count') toOnes(part.values, first, part.values.length)
    parts.add(key, from(part, first))
    added++
  })
  return added
}

/** Visits each series that is new to the slice, with columns of its own that may be changed. */
async function forEachSeries(
  read: TierRead,
  options: { readonly startMs: number } & Partial<ReturnType<typeof storedColumnOf>>,
  parts: SeriesParts,
  visit: (key: string, part: SamplePart) => void,
): Promise<SelectResult> {
  const result = await selectTier(read, options)
  if (isTooLarge(read, result)) {
    await result.batches[Symbol.asyncIterator]().return?.()
    return result
  }
  const keyOf = parts.keys(result)
  for await (const batch of result.batches) {
    const partAt = partReader(batch, parts)
    for (let series = 0; series < batch.seriesCount; series++) {
      const key = keyOf(batch, series)
      if (!parts.has(key)) visit(key, partAt(series))
    }
  }
  for (const warning of result.warnings) read.warnings.add(warning)
  return result
}

function isTooLarge({ seriesCountMax }: TierRead, result: SelectResult): boolean {
  return seriesCountMax !== undefined && (result.seriesCountMax ?? Infinity) > seriesCountMax
}

export function selectTier(
  { database, namespace, matchers, untilMs, request }: TierRead,
  options: { readonly startMs: number; readonly reusesBatches?: boolean },
): Promise<SelectResult> {
  return database.namespace(namespace).select({
    ...options,
    matchers,
    endMs: untilMs + 1,
    ...(request.hints && { hints: request.hints }),
    ...(request.signal && { signal: request.signal }),
  })
}

/** A reader of a batch's series, each as a view of its columns. */
export function partReader(batch: SeriesBatch, parts: SeriesParts): (series: number) => SamplePart {
  const byIndex = histogramsByIndex(batch)
  const timesIds = parts.newTimesIds(batch.timestampOffsets.length)
  return (series) => partOf(batch, series, byIndex, timesIds)
}

function partOf(
  batch: SeriesBatch,
  series: number,
  byIndex: ReadonlyMap<number, Histogram> | null,
  timesIds: number,
): SamplePart {
  const start = batch.sampleOffsets[series]
  const end = batch.sampleOffsets[series + 1]
  const times = batch.timestampOffsets[batch.timestampColumns[series]]
  return {
    timestampsMs: batch.timestampsMs.subarray(times, times + end - start),
    values: batch.values.subarray(start, end),
    counts: batch.counts?.subarray(start, end) ?? null,
    histograms: byIndex && histogramsWithin(byIndex, start, end),
    timesId: timesIds + batch.timestampColumns[series],
  }
}

function histogramsWithin(byIndex: ReadonlyMap<number, Histogram>, start: number, end: number) {
  let found: (Histogram | undefined)[] | null = null
  for (let at = start; at < end; at++) {
    const histogram = byIndex.get(at)
    if (histogram === undefined) continue
    found ??= new Array<Histogram | undefined>(end - start).fill(undefined)
    found[at - start] = histogram
  }
  return found
}

/** Adds the samples after a time; 0 when there is none. */
function addFrom(parts: SeriesParts, key: string, part: SamplePart, afterMs: number): number {
  const first = firstAfter(part.timestampsMs, afterMs)
  if (first === part.values.length) return 0
  parts.add(key, from(part, first))
  return 1
}

function from(part: SamplePart, first: number): SamplePart {
  return {
    timestampsMs: part.timestampsMs.subarray(first),
    values: part.values.subarray(first),
    counts: part.counts?.subarray(first) ?? null,
    histograms: part.histograms?.slice(first) ?? null,
    // All parts of one read are cut at the same time: those with the same timestamps still have them.
    ...sharedTimes(part),
  }
}

function sharedTimes({ timesId }: SamplePart): { timesId?: number } {
  return timesId === undefined ? {} : { timesId }
}

/** A window without a count is one sample. */
function withCounts(part: SamplePart): SamplePart {
  const { counts } = part
  if (counts) for (let i = 0; i < counts.length; i++) if (Number.isNaN(counts[i])) counts[i] = 1
  return part
}

function counted(part: SamplePart): SamplePart {
  const { values, counts } = part
  const ones = values.slice()
  toOnes(ones, 0, ones.length)
  if (counts) for (let i = 0; i < ones.length; i++) if (ones[i] === 1 && !Number.isNaN(counts[i])) ones[i] = counts[i]
  return { timestampsMs: part.timestampsMs, values: ones, counts: null, ...sharedTimes(part) }
}

function firstAfter(timestampsMs: Float64Array, afterMs: number): number {
  let at = 0
  while (at < timestampsMs.length && timestampsMs[at] <= afterMs) at++
  return at
}
