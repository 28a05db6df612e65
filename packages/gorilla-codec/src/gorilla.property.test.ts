import { expect, test } from 'vitest'
import { decodeGorilla, GorillaEncoder } from './gorilla.js'
import { expectSameBits } from './testing/expect-bits.js'
import { SeededRandom } from './testing/random.js'
import { chunkLength, TIMESTAMP_KINDS, VALUE_KINDS } from './testing/sample-columns.js'

const RUNS = 12

test.each(Object.keys(VALUE_KINDS))('gives back every bit of %s at timestamps of every kind', (kind) => {
  for (const [timeKind, fillTimestamps] of Object.entries(TIMESTAMP_KINDS)) {
    for (let seed = 1; seed <= RUNS; seed++) {
      const hint = `${kind}, ${timeKind}, seed ${seed}`
      const random = new SeededRandom(seed)
      const count = chunkLength(random)
      const values = new Float64Array(count)
      const timestamps = new Float64Array(count)
      VALUE_KINDS[kind](random, values)
      fillTimestamps(random, timestamps)
      const encoder = new GorillaEncoder()
      const half = random.below(count)
      encoder.appendColumns(timestamps, values, 0, half)
      // A chunk is readable while it grows, and reading it does not disturb it.
      expect(encoder.finish().length).toBe(encoder.sizeBytes)
      encoder.appendColumns(timestamps, values, half, count)
      const chunk = encoder.finish()
      const decodedTimestamps = new Float64Array(count + 1)
      const decoded = new Float64Array(count + 1)
      expect(decodeGorilla(chunk, 0, chunk.length, decodedTimestamps, decoded, 1), hint).toBe(count)
      expectSameBits(decoded.subarray(1), values, hint)
      expect(decodedTimestamps.subarray(1), hint).toEqual(timestamps)
    }
  }
})
