import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ByteWriter } from '../bytes/byte-writer.js'
import type { SampleBatch } from '../shard.js'
import { decodeSampleBatch, decodeSeriesDeclarations, encodeSampleBatch, encodeSeriesDeclarations } from './records.js'

const bits = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const timestamp = fc.oneof(
  fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
  fc.maxSafeInteger(),
  fc.constantFrom(-(2 ** 53), 2 ** 53, 0),
)
const row = fc.record({ ref: fc.nat(0xffff_ffff), timestamp, bits, start: timestamp })

it('a sample batch comes back bit for bit', () => {
  const property = fc.property(fc.array(row), fc.boolean(), fc.boolean(), (rows, hasStarts, isRising) => {
    const first = rows[0]?.ref ?? 0
    const refs = isRising ? rows.map((_, i) => (first + i) >>> 0) : rows.map(({ ref }) => ref)
    const batch: SampleBatch = {
      count: rows.length,
      seriesRefs: Uint32Array.from(refs),
      timestampsMs: Float64Array.from(rows, (each) => each.timestamp),
      values: new Float64Array(BigUint64Array.from(rows, (each) => each.bits).buffer),
      ...(hasStarts ? { startTimestampsMs: Float64Array.from(rows, (each) => each.start) } : {}),
    }
    const out = new ByteWriter(1)
    encodeSampleBatch(out, { namespaceId: 7, shard: 3, batch })
    const got = decodeSampleBatch(out.view()).batch
    expect(got.seriesRefs).toEqual(batch.seriesRefs)
    expect(got.timestampsMs).toEqual(batch.timestampsMs)
    expect(new BigUint64Array(got.values.buffer)).toEqual(BigUint64Array.from(rows, (each) => each.bits))
    expect(got.startTimestampsMs).toEqual(batch.startTimestampsMs)
  })
  fc.assert(property, { numRuns: 500 })
})

it('series declarations come back', () => {
  const series = fc.record({ ref: fc.nat(0xffff_ffff), labels: fc.uint8Array() })
  const property = fc.property(fc.array(series), (all) => {
    const offsets = new Uint32Array(all.length + 1)
    all.forEach(({ labels }, i) => {
      offsets[i + 1] = offsets[i] + labels.length
    })
    const canonicalLabels = Uint8Array.from(all.flatMap(({ labels }) => [...labels]))
    const declarations = {
      namespaceId: 0,
      shard: 200,
      seriesRefs: Uint32Array.from(all, ({ ref }) => ref),
      canonicalLabels,
      offsets,
    }
    const out = new ByteWriter(1)
    encodeSeriesDeclarations(out, declarations)
    expect(decodeSeriesDeclarations(out.view())).toEqual(declarations)
  })
  fc.assert(property, { numRuns: 300 })
})
