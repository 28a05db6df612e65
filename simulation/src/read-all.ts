import { Labels } from '@varve/tsdb-core/model'
import type { Queryable } from '@varve/tsdb-core/query'
import { digestOf } from './fleet.js'
import type { FoundSample } from './sample-model.js'

/** All samples of all series (of a histogram a digest), by the series as Prometheus prints it, in the order in which the store gives them. */
export async function readAll(queryable: Queryable): Promise<Map<string, FoundSample[]>> {
  const result = await queryable.select({
    matchers: [{ name: '__name__', operator: '=~', value: '.+' }],
    startMs: 0,
    endMs: Number.MAX_SAFE_INTEGER,
  })
  const found = new Map<string, FoundSample[]>()
  for await (const batch of result.batches) {
    const bits = new BigUint64Array(batch.values.slice().buffer)
    batch.histograms?.sampleIndexes.forEach((index, k) => {
      bits[index] = digestOf(batch.histograms!.histograms[k])
    })
    for (let i = 0; i < batch.seriesCount; i++) {
      const pairs = batch.labelPairs.subarray(batch.labelOffsets[i] * 2, batch.labelOffsets[i + 1] * 2)
      const name = Labels.fromSorted(Array.from(pairs, (id) => result.symbols[id])).toString()
      const samples = found.get(name) ?? []
      // A series that comes twice shows as samples out of order.
      found.set(name, samples)
      let time = batch.timestampOffsets[batch.timestampColumns[i]]
      for (let k = batch.sampleOffsets[i]; k < batch.sampleOffsets[i + 1]; k++) {
        samples.push({ timestampMs: batch.timestampsMs[time++], bits: bits[k] })
      }
    }
  }
  return found
}
