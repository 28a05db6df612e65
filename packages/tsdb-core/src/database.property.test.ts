import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Database } from './database.js'
import { nodeEnv } from './env/node/index.js'
import { Labels } from './model/labels.js'
import { readSamples } from './testing/read-samples.js'

const BLOCK_MS = 60_000
const series = Array.from({ length: 6 }, (_, i) =>
  Labels.from({ __name__: i % 2 === 0 ? 'even' : 'odd', id: `${i}`, ...(i < 3 && { low: 'yes' }) }),
)
const sample = fc.record({
  series: fc.nat(series.length - 1),
  // Few distinct times, so that duplicates and rows that overlap are common.
  time: fc.oneof(
    fc.nat(400).map((n) => n * 1000),
    fc.nat(400_000),
  ),
  bits: fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.nat(3).map(BigInt), fc.constant(0x7ff0000000000002n)),
})

describe('a database in memory', () => {
  it('holds what a plain map holds, whatever the order of samples', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(sample, { maxLength: 120, size: 'max' }), { maxLength: 12, size: 'max' }),
        async (batches) => {
          const env = nodeEnv()
          const database = await Database.open({
            env: { ...env, clock: { ...env.clock, wallMs: () => 400_000 } },
            namespaces: { default: { retentionMs: Number.POSITIVE_INFINITY, blockSizeMs: BLOCK_MS } },
          })
          const namespace = database.namespace('default')
          const model = new Map<string, Map<number, bigint>>()
          for (const batch of batches) {
            const refs = await namespace.resolveLabels(series)
            const values = new Float64Array(batch.length)
            const bits = new BigUint64Array(values.buffer)
            batch.forEach((one, k) => {
              bits[k] = one.bits
            })
            const result = await namespace.append({
              count: batch.length,
              seriesRefs: Uint32Array.from(batch, (one) => refs[one.series]),
              timestampsMs: Float64Array.from(batch, (one) => one.time),
              values,
            })
            const refused: number[] = []
            batch.forEach((one, k) => {
              const key = series[one.series].key
              const samples = model.get(key) ?? new Map<number, bigint>()
              model.set(key, samples)
              const known = samples.get(one.time)
              if (known === undefined) samples.set(one.time, one.bits)
              else if (known !== one.bits) refused.push(k)
            })
            expect(result.rejections.map((one) => one.sampleIndex)).toEqual(refused)
            expect(result.rejections.every((one) => one.reason === 'DUPLICATE')).toBe(true)
          }
          for (const [startMs, endMs] of [
            [0, 400_001],
            [61_000, 200_500],
          ]) {
            const found = await readSamples(namespace, {
              matchers: [{ name: '__name__', operator: '=~', value: 'even|odd' }],
              startMs,
              endMs,
            })
            const wanted = [...model].flatMap(([key, samples]) => {
              const inRange = [...samples]
                .filter(([time]) => time >= startMs && time < endMs)
                .sort((a, b) => a[0] - b[0])
              return inRange.length === 0 ? [] : [[key, inRange.map(([timestampMs, bits]) => ({ timestampMs, bits }))]]
            })
            expect(found).toEqual(new Map(wanted as never))
          }
          await database.close()
        },
      ),
      { numRuns: 40 },
    )
  })
})
