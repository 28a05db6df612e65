/** Reads a whole select into a plain map: for tests and small programs, not for hot paths. */
import { Labels } from '../model/labels.js'
import type { Queryable, SelectRequest } from '../query/queryable.js'

export interface ReadSample {
  readonly timestampMs: number
  /** The value's 64 bits: staleness markers and NaN payloads can be told apart. */
  readonly bits: bigint
}

/** Samples by the series' `Labels.key`, sorted by time. */
export async function readSamples(queryable: Queryable, request: SelectRequest): Promise<Map<string, ReadSample[]>> {
  const found = new Map<string, ReadSample[]>()
  const { symbols, batches } = await queryable.select(request)
  for await (const batch of batches) {
    const bits = new BigUint64Array(batch.values.buffer, batch.values.byteOffset, batch.values.length)
    for (let i = 0; i < batch.seriesCount; i++) {
      const flat: string[] = []
      for (let k = batch.labelOffsets[i] * 2; k < batch.labelOffsets[i + 1] * 2; k++) {
        flat.push(symbols[batch.labelPairs[k]])
      }
      const { key } = Labels.fromSorted(flat)
      if (found.has(key)) throw new Error(`series ${key} came twice`)
      const samples: ReadSample[] = []
      let timeAt = batch.timestampOffsets[batch.timestampColumns[i]]
      for (let at = batch.sampleOffsets[i]; at < batch.sampleOffsets[i + 1]; at++) {
        samples.push({ timestampMs: batch.timestampsMs[timeAt++], bits: bits[at] })
      }
      if (timeAt !== batch.timestampOffsets[batch.timestampColumns[i] + 1]) {
        throw new Error(`series ${key} has ${samples.length} values, and another number of timestamps`)
      }
      found.set(key, samples)
    }
  }
  return found
}
