/**
 * Finds the sample before a window for series that have none close by: a counter that was silent for a while, or one that
 * is new, which has none at all.
 *
 * Series are asked for in groups of a few hundred: their common metric name, and the values of the label that tells most of
 * them apart. The look goes back over growing ranges, since most gaps are short.
 */
import type { Namespace } from '@varve/tsdb-core'
import { type Histogram, halvesOf, isStaleAt, type Labels, type Matcher, METRIC_NAME } from '@varve/tsdb-core/model'
import type { SeriesBatch } from '@varve/tsdb-core/query'
import { histogramsByIndex } from './histogram-samples.js'
import { type HistogramState, noHistogram } from './histogram-scan.js'
import { COUNTER_LOOKBACK_MS } from './series-scan.js'

const SERIES_PER_SELECT = 200
/** How far back each attempt goes; the last is the limit beyond which a sample counts as a first one. */
const RANGES_MS = [3_600_000, COUNTER_LOOKBACK_MS]

export interface Wanted {
  readonly seriesRef: number
  readonly labels: Labels
}

export interface FoundSample {
  readonly timestampMs: number
  readonly value: number
  /** Of a staleness marker after it; `-Infinity` when there is none. */
  readonly markerMs: number
}

/** The last value at or before `beforeMs` of each series that has one, by reference. */
export async function findSamplesBefore(
  raw: Namespace,
  wanted: readonly Wanted[],
  beforeMs: number,
): Promise<Map<number, FoundSample>> {
  const found = new Map<number, FoundSample>()
  const markers = new Map<number, number>()
  const isFound = (seriesRef: number) => found.has(seriesRef)
  await searchBackwards(raw, wanted, beforeMs, isFound, (seriesRef, timestampsMs, values, histogramAt) => {
    const halves = halvesOf(values)
    for (let at = values.length - 1; at >= 0; at--) {
      const histogram = histogramAt(at)
      if (histogram && !histogram.stale) continue
      if (histogram || isStaleAt(halves, at)) {
        if (!markers.has(seriesRef)) markers.set(seriesRef, timestampsMs[at])
        continue
      }
      const markerMs = markers.get(seriesRef) ?? -Infinity
      found.set(seriesRef, { timestampMs: timestampsMs[at], value: values[at], markerMs })
      break
    }
  })
  return found
}

/** The last histogram at or before `beforeMs` of each series that has one, by reference. */
export async function findHistogramsBefore(
  raw: Namespace,
  wanted: readonly Wanted[],
  beforeMs: number,
): Promise<Map<number, HistogramState>> {
  const states = new Map<number, HistogramState>()
  const isFound = (seriesRef: number) => states.get(seriesRef)?.histogram != null
  await searchBackwards(raw, wanted, beforeMs, isFound, (seriesRef, timestampsMs, values, histogramAt) => {
    const halves = halvesOf(values)
    const state = states.get(seriesRef) ?? noHistogram()
    states.set(seriesRef, state)
    for (let at = values.length - 1; at >= 0 && state.histogram === null; at--) {
      const histogram = histogramAt(at)
      if (histogram && !histogram.stale) {
        state.histogram = histogram
        state.valueMs = timestampsMs[at]
      } else if (histogram || isStaleAt(halves, at)) state.markerMs = Math.max(state.markerMs, timestampsMs[at])
    }
  })
  return states
}

/** Visits samples at or before `beforeMs` of the series, over growing ranges, until each is found or there are none further back. */
async function searchBackwards(
  raw: Namespace,
  wanted: readonly Wanted[],
  beforeMs: number,
  isFound: (seriesRef: number) => boolean,
  visit: VisitSeries,
): Promise<void> {
  const oldestMs = raw.stats().firstMs ?? Infinity
  let missing = wanted
  let endMs = beforeMs + 1
  for (const rangeMs of RANGES_MS) {
    const startMs = beforeMs - rangeMs
    if (missing.length === 0 || endMs <= oldestMs) break
    await forEachSelect(raw, missing, startMs, endMs, visit)
    missing = missing.filter(({ seriesRef }) => !isFound(seriesRef))
    endMs = startMs
  }
}

/** The time of the first value after `afterMs` and up to `untilMs` of each series that has one, by reference. */
export async function findSamplesAfter(
  raw: Namespace,
  wanted: readonly Wanted[],
  afterMs: number,
  untilMs: number,
): Promise<Map<number, number>> {
  const found = new Map<number, number>()
  let missing = wanted
  let startMs = afterMs + 1
  for (const rangeMs of RANGES_MS) {
    if (missing.length === 0 || startMs > untilMs) break
    const endMs = Math.min(untilMs + 1, afterMs + 1 + rangeMs)
    await forEachSelect(raw, missing, startMs, endMs, (seriesRef, timestampsMs, values, histogramAt) => {
      const halves = halvesOf(values)
      for (let at = 0; at < values.length; at++) {
        if (isStaleAt(halves, at) || histogramAt(at)?.stale) continue
        found.set(seriesRef, timestampsMs[at])
        break
      }
    })
    missing = missing.filter(({ seriesRef }) => !found.has(seriesRef))
    startMs = endMs
  }
  return found
}

/**
 * Gathers series with a value in `(afterMs, lateMs]` and none in `(lateMs, untilMs]`: those for which a sample in the former
 * may be the one before a later sample than `untilMs`. False: one of them left the head meanwhile, and was not gathered.
 */
export async function gatherSilentAfter(
  raw: Namespace,
  selectors: Iterable<readonly Matcher[]>,
  { afterMs, lateMs, untilMs }: { readonly afterMs: number; readonly lateMs: number; readonly untilMs: number },
  pause: () => Promise<void>,
  gathered: Map<number, Labels>,
): Promise<boolean> {
  let isComplete = true
  for (const matchers of selectors) {
    const { batches } = await raw.select({ matchers, startMs: afterMs + 1, endMs: untilMs + 1, coldRefs: true })
    for await (const batch of batches) {
      visitSeries(batch, null, (seriesRef, timestampsMs, values, histogramAt) => {
        const halves = halvesOf(values)
        let at = values.length - 1
        while (at >= 0 && (isStaleAt(halves, at) || histogramAt(at)?.stale)) at--
        if (at < 0 || timestampsMs[at] > lateMs) return
        const labels = raw.labelsOf(seriesRef)
        if (labels) gathered.set(seriesRef, labels)
        else isComplete = false
      })
      await pause()
    }
  }
  return isComplete
}

type VisitSeries = (
  seriesRef: number,
  timestampsMs: Float64Array,
  values: Float64Array,
  histogramAt: (at: number) => Histogram | undefined,
) => void

async function forEachSelect(
  raw: Namespace,
  wanted: readonly Wanted[],
  startMs: number,
  endMs: number,
  visit: VisitSeries,
): Promise<void> {
  const refs = new Set(wanted.map(({ seriesRef }) => seriesRef))
  for (const matchers of matchersFor(wanted)) {
    const { batches } = await raw.select({ matchers, startMs, endMs, coldRefs: true })
    for await (const batch of batches) visitSeries(batch, refs, visit)
  }
}

/** `refs`: null visits all. */
function visitSeries(batch: SeriesBatch, refs: ReadonlySet<number> | null, visit: VisitSeries): void {
  const byIndex = histogramsByIndex(batch)
  for (let series = 0; series < batch.seriesCount; series++) {
    const seriesRef = batch.seriesRefs?.[series] ?? 0
    if (refs !== null && !refs.has(seriesRef)) continue
    const column = batch.timestampColumns[series]
    const start = batch.sampleOffsets[series]
    visit(
      seriesRef,
      batch.timestampsMs.subarray(batch.timestampOffsets[column], batch.timestampOffsets[column + 1]),
      batch.values.subarray(start, batch.sampleOffsets[series + 1]),
      (at) => byIndex?.get(start + at),
    )
  }
}

/** Selectors that together match all of the series, and few others. */
export function* matchersFor(wanted: readonly Wanted[]): Generator<Matcher[]> {
  const byName = new Map<string, Labels[]>()
  for (const { labels } of wanted) {
    const list = byName.get(labels.metricName)
    if (list) list.push(labels)
    else byName.set(labels.metricName, [labels])
  }
  for (const [metricName, all] of byName) {
    for (let from = 0; from < all.length; from += SERIES_PER_SELECT) {
      const some = all.slice(from, from + SERIES_PER_SELECT)
      const matchers: Matcher[] = []
      if (metricName !== '') matchers.push({ name: METRIC_NAME, operator: '=', value: metricName })
      const label = distinguishingLabel(some)
      if (label !== null) {
        const values = [...new Set(some.map((labels) => labels.get(label)))]
        matchers.push({ name: label, operator: '=~', value: values.map(escapePattern).join('|') })
      }
      yield matchers
    }
  }
}

/** The label with most values among those that all of the series have. */
function distinguishingLabel(series: readonly Labels[]): string | null {
  const values = new Map<string, { values: Set<string>; count: number }>()
  for (const labels of series) {
    for (const [name, value] of labels) {
      if (name === METRIC_NAME) continue
      const entry = values.get(name)
      if (entry) {
        entry.values.add(value)
        entry.count++
      } else values.set(name, { values: new Set([value]), count: 1 })
    }
  }
  let best: string | null = null
  let bestCount = 0
  for (const [name, entry] of values) {
    if (entry.count === series.length && entry.values.size > bestCount) {
      best = name
      bestCount = entry.values.size
    }
  }
  return best
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
