/** One series of a batch: its labels, and its samples as views of the batch's columns. */
import { type Histogram, Labels } from '@varve/tsdb-core/model'
import { histogramPlace, type SeriesBatch } from '@varve/tsdb-core/query'

export interface BatchSeries {
  readonly labels: Labels
  readonly timestampsMs: Float64Array
  readonly values: Float64Array
  /** The histogram that stands at `index` of the columns, or undefined: it is a float. */
  histogramAt(index: number): Histogram | undefined
}

export function seriesOf(batch: SeriesBatch, symbols: readonly string[], index: number): BatchSeries {
  const flat: string[] = []
  for (let pair = 2 * batch.labelOffsets[index]; pair < 2 * batch.labelOffsets[index + 1]; pair++) {
    flat.push(symbols[batch.labelPairs[pair]])
  }
  const from = batch.sampleOffsets[index]
  const to = batch.sampleOffsets[index + 1]
  const timesFrom = batch.timestampOffsets[batch.timestampColumns[index]]
  const { histograms } = batch
  const first = histograms === undefined ? 0 : histogramPlace(histograms, from)
  let next = first
  return {
    labels: Labels.fromSorted(flat),
    timestampsMs: batch.timestampsMs.subarray(timesFrom, timesFrom + to - from),
    values: batch.values.subarray(from, to),
    histogramAt(sample) {
      if (histograms === undefined) return undefined
      // Callers go forward, so that the next histogram is mostly the one that was looked for.
      if (histograms.sampleIndexes[next] !== from + sample) next = histogramPlace(histograms, from + sample)
      return histograms.sampleIndexes[next] === from + sample ? histograms.histograms[next++] : undefined
    },
  }
}
