import { describe, expect, it } from 'vitest'
import { ByteWriter } from '../bytes/byte-writer.js'
import type { Histogram } from '../model/histogram.js'
import type { SampleBatch } from '../shard.js'
import * as records from './records.js'

const encoded = (write: (out: ByteWriter) => void): Uint8Array => {
  const out = new ByteWriter(1)
  write(out)
  return out.view().slice()
}

describe('record payloads', () => {
  it('give back series declarations', () => {
    const declarations: records.SeriesDeclarations = {
      namespaceId: 3,
      shard: 1,
      seriesRefs: Uint32Array.of(7, 8, 4_294_967_295, 0),
      canonicalLabels: Uint8Array.of(1, 2, 3, 4, 5),
      offsets: Uint32Array.of(0, 2, 2, 3, 5),
    }
    const payload = encoded((out) => records.encodeSeriesDeclarations(out, declarations))
    expect(records.decodeSeriesDeclarations(payload)).toEqual(declarations)
  })

  it('keep every bit of values and all kinds of time columns', () => {
    const bits = BigUint64Array.of(0x7ff0000000000002n, 0x8000000000000000n, 0xfff8dead_beef0001n, 1n)
    const columns = [
      [5, 5, 5, 5],
      [1_700_000_000_000, 1_700_000_000_000 - 3_600_000, 0, 1],
      [0, 15_000, 30_000, 30_001],
      [-(2 ** 53), 2 ** 53, 0.5, 7],
    ]
    for (const times of columns) {
      const batch: SampleBatch = {
        count: 4,
        seriesRefs: Uint32Array.of(9, 3, 3, 4_000_000_000),
        timestampsMs: Float64Array.from(times),
        values: new Float64Array(bits.buffer.slice(0)),
        startTimestampsMs: Float64Array.from(times, (time) => time - 1),
      }
      const payload = encoded((out) => records.encodeSampleBatch(out, { namespaceId: 0, shard: 9, batch }))
      const got = records.decodeSampleBatch(payload)
      expect(got.shard).toBe(9)
      expect(new BigUint64Array(got.batch.values.buffer)).toEqual(bits)
      expect(got.batch.timestampsMs).toEqual(batch.timestampsMs)
      expect(got.batch.startTimestampsMs).toEqual(batch.startTimestampsMs)
      expect(got.batch.seriesRefs).toEqual(batch.seriesRefs)
    }
  })

  it('give back the shortest histograms: staleness markers without a bucket', () => {
    const stale: Histogram = {
      schema: 0,
      zeroThreshold: 0,
      zeroCount: 0,
      count: 0,
      sum: Number.NaN,
      counterResetHint: 'unknown',
      positiveSpans: [],
      negativeSpans: [],
      positiveBuckets: new Float64Array(),
      negativeBuckets: new Float64Array(),
      customValues: new Float64Array(),
      stale: true,
      integer: true,
    }
    for (const count of [1, 100]) {
      const batch: SampleBatch = {
        count,
        seriesRefs: Uint32Array.from({ length: count }, (_, i) => i + 1),
        timestampsMs: new Float64Array(count).fill(1_700_000_000_000),
        values: new Float64Array(count),
        histograms: {
          sampleIndexes: Uint32Array.from({ length: count }, (_, i) => i),
          histograms: Array.from({ length: count }, () => stale),
        },
      }
      const payload = encoded((out) => records.encodeSampleBatch(out, { namespaceId: 0, shard: 0, batch }))
      expect(records.decodeSampleBatch(payload).batch.histograms).toEqual(batch.histograms)
    }
  })

  it('take ten bytes a thousand samples besides the values, for one scrape', () => {
    const count = 1000
    const batch: SampleBatch = {
      count,
      seriesRefs: Uint32Array.from({ length: count }, (_, i) => 5000 + i),
      timestampsMs: new Float64Array(count).fill(1_700_000_000_000),
      values: new Float64Array(count),
    }
    const payload = encoded((out) => records.encodeSampleBatch(out, { namespaceId: 0, shard: 0, batch }))
    expect(payload.length - count * 8).toBeLessThan(20)
  })

  it('give back histograms, sparse among floats', () => {
    const histogram: Histogram = {
      schema: -53,
      zeroThreshold: 0.001,
      zeroCount: 2,
      count: 12,
      sum: -1.5,
      counterResetHint: 'gauge',
      positiveSpans: [{ offset: -3, length: 2 }],
      negativeSpans: [],
      positiveBuckets: Float64Array.of(4, 6),
      negativeBuckets: new Float64Array(),
      customValues: Float64Array.of(0.5, 1),
      stale: true,
      integer: true,
    }
    const batch: SampleBatch = {
      count: 3,
      seriesRefs: Uint32Array.of(1, 2, 3),
      timestampsMs: Float64Array.of(1, 1, 1),
      values: Float64Array.of(1, 0, 0),
      histograms: { sampleIndexes: Uint32Array.of(1, 2), histograms: [histogram, { ...histogram, schema: 8 }] },
    }
    const payload = encoded((out) => records.encodeSampleBatch(out, { namespaceId: 0, shard: 0, batch }))
    expect(records.decodeSampleBatch(payload).batch).toEqual(batch)
  })

  it('give back tombstones, watermarks and namespace changes', () => {
    const tombstones: records.Tombstones = {
      namespaceId: 1,
      shard: 2,
      startMs: -5,
      endMs: Number.POSITIVE_INFINITY,
      seriesRefs: Uint32Array.of(4, 2),
    }
    expect(records.decodeTombstones(encoded((out) => records.encodeTombstones(out, tombstones)))).toEqual(tombstones)
    const watermark: records.Watermarks = {
      marks: [
        { key: '1m:90d/é', windowEndMs: 60_000, computation: 2 },
        { key: '', windowEndMs: -1, computation: 0 },
      ],
      samples: {
        namespaceId: 4,
        shard: 0,
        batch: {
          count: 1,
          seriesRefs: Uint32Array.of(1),
          timestampsMs: Float64Array.of(60_000),
          values: Float64Array.of(2),
        },
      },
    }
    expect(records.decodeWatermarks(encoded((out) => records.encodeWatermarks(out, watermark)))).toEqual(watermark)
    const change: records.NamespaceChange = {
      operation: 'put',
      namespaceId: 4,
      name: '1m_90d',
      options: Uint8Array.of(123, 125),
    }
    expect(records.decodeNamespaceChange(encoded((out) => records.encodeNamespaceChange(out, change)))).toEqual(change)
  })

  it('cut short or with a byte changed never hang, bloat or give more than was asked', () => {
    const batch: SampleBatch = {
      count: 3,
      seriesRefs: Uint32Array.of(1, 5, 3),
      timestampsMs: Float64Array.of(1, 2, 3),
      values: Float64Array.of(1, 2, 3),
    }
    const payload = encoded((out) => records.encodeSampleBatch(out, { namespaceId: 0, shard: 0, batch }))
    for (let size = 0; size < payload.length; size++) {
      expect(() => records.decodeSampleBatch(payload.subarray(0, size))).toThrow(/sample batch, byte \d+: /)
    }
    for (let at = 0; at < payload.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const damaged = payload.slice()
        damaged[at] ^= 1 << bit
        try {
          expect(records.decodeSampleBatch(damaged).batch.values.length).toBeLessThanOrEqual(payload.length / 8)
        } catch (error) {
          expect(error).toMatchObject({ code: 'CORRUPT' })
        }
      }
    }
  })
})
