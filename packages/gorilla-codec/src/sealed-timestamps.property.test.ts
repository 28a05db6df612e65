import { expect, test } from 'vitest'
import {
  decodeSealedTimestamps,
  encodeSealedTimestamps,
  readSealedTimestampsHeader,
  sealedTimestampsSizeMax,
} from './sealed-timestamps.js'
import { verifySealedColumn } from './sealed-values.js'
import { SeededRandom } from './testing/random.js'
import { chunkLength, TIMESTAMP_KINDS } from './testing/sample-columns.js'

const RUNS = 80

test.each(Object.keys(TIMESTAMP_KINDS))('gives back %s timestamps, and a header that agrees', (kind) => {
  for (let seed = 1; seed <= RUNS; seed++) {
    const random = new SeededRandom(seed)
    const before = random.below(5)
    const count = chunkLength(random)
    const timestamps = new Float64Array(before + count)
    TIMESTAMP_KINDS[kind](random, timestamps)
    const offset = random.below(9)
    const bytes = new Uint8Array(offset + sealedTimestampsSizeMax(count)).fill(0xaa)
    const end = encodeSealedTimestamps(timestamps, before, before + count, bytes, offset)
    verifySealedColumn(bytes, offset, end)
    const decoded = new Float64Array(count + 2)
    expect(decodeSealedTimestamps(bytes, offset, end, decoded, 1), `${kind}, seed ${seed}`).toBe(count)
    expect([...decoded.subarray(1, 1 + count)], `${kind}, seed ${seed}`).toEqual([...timestamps.subarray(before)])
    expect(readSealedTimestampsHeader(bytes, offset, end)).toEqual({
      count,
      firstMs: timestamps[before],
      lastMs: timestamps[before + count - 1],
    })
  }
})
