/** The rows of a request between its scan and its answer. */
import type { Histogram } from '@varve/tsdb-core/model'
import { DROPPED_REF, REFUSED_REF } from './label-cache.js'
import type { ProblemList } from './problem-list.js'
import { STATUS, UNKNOWN_STRIDE, type WriteColumns } from './write-columns.js'

/** What came, by kind. */
export interface ReceivedCounts {
  readonly samplesReceived: number
  readonly histogramsReceived: number
  readonly exemplarsReceived: number
}

/** A request between its scan and its answer. */
export interface Staged extends ReceivedCounts {
  /** False when another replica of its cluster is the elected one: nothing is to be stored. */
  elected: boolean
  /** Rows to be stored; fewer once `compact` has taken out those that are not. */
  count: number
  exemplarsWritten: number
  readonly problems: ProblemList
  histogramRows: number[]
  histograms: Histogram[]
  hasStart: boolean
  /** Left out on purpose: for the sender they are written. */
  droppedSamples: number
  droppedHistograms: number
}

/** The scan leaves the references of unknown series as an earlier request left them. */
export function clearUnknownRows({ status, unknowns, seriesRefs }: WriteColumns): void {
  for (let u = 0; u < status[STATUS.UNKNOWN_COUNT] * UNKNOWN_STRIDE; u += UNKNOWN_STRIDE) {
    seriesRefs.fill(0, unknowns[u + 2], unknowns[u + 2] + unknowns[u + 3])
  }
}

/** Takes out the rows that are not to be stored, in place. */
export function compact(staged: Staged, columns: WriteColumns): void {
  const { seriesRefs, timestampsMs, valueHalves, startTimestampsMs } = columns
  let row = 0
  while (row < staged.count && seriesRefs[row] < REFUSED_REF) row++
  if (row === staged.count) return
  const { histogramRows, histograms } = staged
  let h = 0
  while (h < histogramRows.length && histogramRows[h] < row) h++
  const keptRows = histogramRows.slice(0, h)
  const keptHistograms = histograms.slice(0, h)
  let to = row
  for (; row < staged.count; row++) {
    const isHistogram = h < histogramRows.length && histogramRows[h] === row
    if (seriesRefs[row] < REFUSED_REF) {
      seriesRefs[to] = seriesRefs[row]
      timestampsMs[to] = timestampsMs[row]
      valueHalves[2 * to] = valueHalves[2 * row]
      valueHalves[2 * to + 1] = valueHalves[2 * row + 1]
      startTimestampsMs[to] = startTimestampsMs[row]
      if (isHistogram) {
        keptRows.push(to)
        keptHistograms.push(histograms[h])
      }
      to++
    } else if (seriesRefs[row] === DROPPED_REF) {
      if (isHistogram) staged.droppedHistograms++
      else staged.droppedSamples++
    }
    if (isHistogram) h++
  }
  staged.count = to
  staged.histogramRows = keptRows
  staged.histograms = keptHistograms
}
