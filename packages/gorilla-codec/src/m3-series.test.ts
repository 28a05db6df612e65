import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { decodeSealedTimestamps, encodeSealedTimestamps } from './sealed-timestamps.js'
import { decodeSealedValues, encodeSealedValues, sealedValuesSizeMax } from './sealed-values.js'
import { expectSameBits } from './testing/expect-bits.js'

const path = process.env.VARVE_M3_SERIES

test.skipIf(path === undefined)(
  "M3's own ten series take at most 1.35 bytes a sample, all included (needs VARVE_M3_SERIES)",
  () => {
    const { series } = JSON.parse(readFileSync(path!, 'utf8')) as {
      series: { name: string; timestampsNs: string[]; valueBits: string[] }[]
    }
    let bytes = 0
    let samples = 0
    for (const { name, timestampsNs, valueBits } of series) {
      const count = valueBits.length
      const timestampsMs = Float64Array.from(timestampsNs, (text) => Number(BigInt(text) / 1_000_000n))
      const values = new Float64Array(BigUint64Array.from(valueBits, BigInt).buffer)
      const out = new Uint8Array(sealedValuesSizeMax(count))
      const back = new Float64Array(count)
      const timeEnd = encodeSealedTimestamps(timestampsMs, 0, count, out, 0)
      decodeSealedTimestamps(out, 0, timeEnd, back, 0)
      expect(back, name).toEqual(timestampsMs)
      const valueEnd = encodeSealedValues(values, 0, count, out, 0)
      decodeSealedValues(out, 0, valueEnd, back, 0)
      expectSameBits(back, values, name)
      bytes += timeEnd + valueEnd
      samples += count
    }
    expect(samples).toBeGreaterThan(7000)
    expect(bytes / samples).toBeLessThanOrEqual(1.35)
  },
)
