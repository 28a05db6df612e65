/** Takes what a `BlockDrop` leaves out of the samples of one series, and keeps the baseline of what follows. */
import { halvesOf, isStaleAt } from '../model/sample.js'
import type { SeriesBatch } from '../query/series-batch.js'
import type { BlockDrop, DroppedRange } from '../raw-drop.js'

export type SeriesColumns = Pick<SeriesBatch, 'timestampsMs' | 'values' | 'startTimestampsMs' | 'histograms'>

/** Whether nothing of the series will be in a block over `[startMs, endMs)`, whatever it has there. */
export function dropsAll(ranges: readonly DroppedRange[], drop: BlockDrop, startMs: number, endMs: number): boolean {
  if (endMs - 1 > drop.baselineAfterMs) return false
  return ranges.some(({ afterMs, untilMs, histograms }) => histograms && afterMs < startMs && untilMs >= endMs - 1)
}

/** The samples that stay; the columns as they came when all do. */
export function withoutDropped(
  columns: SeriesColumns,
  ranges: readonly DroppedRange[],
  baselineAfterMs: number,
): SeriesColumns {
  const { timestampsMs, values, startTimestampsMs, histograms } = columns
  const count = values.length
  const histogramAt = new Map<number, number>()
  for (const [place, at] of (histograms?.sampleIndexes ?? []).entries()) histogramAt.set(at, place)
  const isKept = new Uint8Array(count)
  let keptCount = 0
  for (let at = 0; at < count; at++) {
    const isHistogram = histogramAt.has(at)
    isKept[at] = isDropped(ranges, timestampsMs[at], isHistogram) ? 0 : 1
    keptCount += isKept[at]
  }
  if (keptCount === count) return columns
  const halves = halvesOf(values)
  for (let end = count; end > 0; ) {
    if (isKept[end - 1] === 1) {
      end--
      continue
    }
    let start = end - 1
    while (start > 0 && isKept[start - 1] === 0) start--
    // The last value and the last staleness marker of a run, of floats and of histograms.
    const seen = new Set<string>()
    for (let at = end - 1; at >= start && timestampsMs[at] > baselineAfterMs && seen.size < 4; at--) {
      const place = histogramAt.get(at)
      const isStale = place === undefined ? isStaleAt(halves, at) : histograms!.histograms[place].stale === true
      const kind = `${place === undefined} ${isStale}`
      if (seen.has(kind)) continue
      seen.add(kind)
      isKept[at] = 1
      keptCount++
    }
    end = start
  }
  return picked(columns, isKept, keptCount, startTimestampsMs, histogramAt)
}

function isDropped(ranges: readonly DroppedRange[], timestampMs: number, isHistogram: boolean): boolean {
  return ranges.some(
    ({ afterMs, untilMs, histograms }) =>
      timestampMs > afterMs && timestampMs <= untilMs && (histograms || !isHistogram),
  )
}

function picked(
  columns: SeriesColumns,
  isKept: Uint8Array,
  keptCount: number,
  starts: Float64Array | undefined,
  histogramAt: ReadonlyMap<number, number>,
): SeriesColumns {
  const timestampsMs = new Float64Array(keptCount)
  const values = new Float64Array(keptCount)
  const startTimestampsMs = starts === undefined ? undefined : new Float64Array(keptCount)
  // Bit by bit: a number read from a column and put into another may lose the payload of a NaN.
  const from = halvesOf(columns.values)
  const to = halvesOf(values)
  const sampleIndexes: number[] = []
  const kept: NonNullable<SeriesColumns['histograms']>['histograms'][number][] = []
  let next = 0
  for (let at = 0; at < isKept.length; at++) {
    if (isKept[at] === 0) continue
    timestampsMs[next] = columns.timestampsMs[at]
    to[next * 2] = from[at * 2]
    to[next * 2 + 1] = from[at * 2 + 1]
    if (startTimestampsMs !== undefined && starts !== undefined) startTimestampsMs[next] = starts[at]
    const place = histogramAt.get(at)
    if (place !== undefined) {
      sampleIndexes.push(next)
      kept.push(columns.histograms!.histograms[place])
    }
    next++
  }
  return {
    timestampsMs,
    values,
    ...(startTimestampsMs !== undefined && { startTimestampsMs }),
    ...(kept.length > 0 && { histograms: { sampleIndexes: Uint32Array.from(sampleIndexes), histograms: kept } }),
  }
}
