/** A minus sign before a vector. */
import { scaleHistogram } from '../histograms/index.js'
import { FLOAT, HISTOGRAM, type VectorBatch } from './vector-batch.js'

export async function* negate(rows: AsyncIterable<VectorBatch>): AsyncGenerator<VectorBatch> {
  for await (const batch of rows) {
    const { values, presence } = batch
    for (let at = 0, end = batch.seriesCount * batch.steps; at < end; at++) {
      if (presence[at] === FLOAT) values[at] = -values[at]
      else if (presence[at] === HISTOGRAM) batch.histograms![at] = scaleHistogram(batch.histograms![at]!, -1)
    }
    batch.dropName.fill(1, 0, batch.seriesCount)
    yield batch
  }
}
