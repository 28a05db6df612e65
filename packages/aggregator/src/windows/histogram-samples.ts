/** Takes the series of a batch that hold native histograms apart into histograms and floats. */
import { type Histogram, halvesOf, isStaleAt } from '@varve/tsdb-core/model'
import type { SeriesBatch } from '@varve/tsdb-core/query'
import type { HistogramSamples } from './histogram-scan.js'

export interface SplitSeries {
  readonly histograms: HistogramSamples
  /** The samples that are no histograms; staleness markers stand on both sides. */
  readonly timestampsMs: Float64Array
  readonly values: Float64Array
  readonly hasHistograms: boolean
  readonly hasFloats: boolean
}

/** The histograms of a batch by their place in `values`. */
export function histogramsByIndex(batch: SeriesBatch): ReadonlyMap<number, Histogram> | null {
  const { histograms } = batch
  if (!histograms) return null
  const byIndex = new Map<number, Histogram>()
  histograms.histograms.forEach((histogram, k) => {
    byIndex.set(histograms.sampleIndexes[k], histogram)
  })
  return byIndex
}

export function splitSeries(
  batch: SeriesBatch,
  series: number,
  byIndex: ReadonlyMap<number, Histogram> | null,
): SplitSeries {
  const start = batch.sampleOffsets[series]
  const end = batch.sampleOffsets[series + 1]
  const shift = batch.timestampOffsets[batch.timestampColumns[series]] - start
  const halves = halvesOf(batch.values)
  const times: number[] = []
  const histograms: (Histogram | null)[] = []
  const floats: number[] = []
  let hasFloats = false
  let hasHistograms = false
  for (let at = start; at < end; at++) {
    const histogram = byIndex?.get(at)
    const isMarker = histogram ? histogram.stale : isStaleAt(halves, at)
    if (histogram || isMarker) {
      times.push(batch.timestampsMs[at + shift])
      histograms.push(histogram && !isMarker ? histogram : null)
      if (histogram) hasHistograms = true
    }
    if (histogram) continue
    floats.push(at)
    if (!isMarker) hasFloats = true
  }
  return {
    histograms: { timestampsMs: times, histograms },
    timestampsMs: Float64Array.from(floats, (at) => batch.timestampsMs[at + shift]),
    values: pickedValues(batch.values, floats),
    hasHistograms,
    hasFloats,
  }
}

/** Staleness markers keep their bits. */
function pickedValues(values: Float64Array, places: readonly number[]): Float64Array {
  const picked = new Float64Array(places.length)
  const from = halvesOf(values)
  const to = halvesOf(picked)
  places.forEach((at, i) => {
    to[i * 2] = from[at * 2]
    to[i * 2 + 1] = from[at * 2 + 1]
  })
  return picked
}
