import { CUSTOM_BUCKETS_SCHEMA, type Histogram } from '@varve/tsdb-core/model'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeHistogramChunk, encodeHistogramChunks } from './histogram-chunk.js'

const count = fc.oneof(fc.nat({ max: 20 }), fc.nat({ max: 5_000 }), fc.integer({ min: 0, max: 2 ** 51 }))
const floatCount = fc.double({ min: 0, noNaN: true })
const spans = fc.array(fc.record({ offset: fc.integer({ min: -5, max: 300 }), length: fc.nat({ max: 4 }) }), {
  maxLength: 3,
})
const bounds = fc.uniqueArray(
  fc.oneof(
    fc.integer({ min: 0, max: 900 }).map((n) => n / 8),
    fc.double({ noNaN: true }),
  ),
)

const layout = fc
  .record({
    schema: fc.constantFrom(-4, 0, 3, 8, CUSTOM_BUCKETS_SCHEMA),
    zeroThreshold: fc.constantFrom(0, 2 ** -128, 2 ** -243, 1024, 0.001, 2048),
    positiveSpans: spans,
    negativeSpans: spans,
    customValues: bounds,
    integer: fc.boolean(),
    gauge: fc.boolean(),
  })
  .map((given) => (given.schema === CUSTOM_BUCKETS_SCHEMA ? given : { ...given, customValues: [] }))

const series = layout.chain((shape) => {
  const value = shape.integer ? count : floatCount
  const size = (of: readonly { length: number }[]) => of.reduce((sum, span) => sum + span.length, 0)
  const buckets = (of: readonly { length: number }[]) => fc.array(value, { minLength: size(of), maxLength: size(of) })
  const histogram = fc.record({
    zeroCount: value,
    count: value,
    sum: fc.double(),
    positive: buckets(shape.positiveSpans),
    negative: buckets(shape.negativeSpans),
    stepMs: fc.oneof(fc.constant(15_000), fc.integer({ min: 1, max: 2 ** 40 })),
    reset: fc.boolean(),
    stale: fc.nat({ max: 9 }).map((n) => n === 0),
  })
  return fc.array(histogram, { minLength: 1, maxLength: 40 }).map((given) => ({ shape, given }))
})

describe('histogram chunks', () => {
  it('give back what went in', () => {
    fc.assert(
      fc.property(series, fc.integer({ min: -(2 ** 41), max: 2 ** 41 }), ({ shape, given }, startMs) => {
        let now = startMs
        const timestampsMs = Float64Array.from(given, ({ stepMs }) => (now += stepMs))
        const histograms = given.map((one): Histogram => {
          const { stale } = one
          return {
            schema: shape.schema,
            zeroThreshold: shape.zeroThreshold,
            zeroCount: stale ? 0 : one.zeroCount,
            count: stale ? 0 : one.count,
            sum: stale ? Number.NaN : one.sum,
            counterResetHint: shape.gauge ? 'gauge' : one.reset ? 'reset' : 'unknown',
            positiveSpans: stale ? [] : shape.positiveSpans,
            negativeSpans: stale ? [] : shape.negativeSpans,
            positiveBuckets: Float64Array.from(stale ? [] : one.positive),
            negativeBuckets: Float64Array.from(stale ? [] : one.negative),
            customValues: Float64Array.from(stale ? [] : shape.customValues),
            stale,
            integer: shape.integer,
          }
        })
        const chunks = encodeHistogramChunks({ timestampsMs, histograms })
        const back = chunks.map(({ encoding, data }) => decodeHistogramChunk(encoding, data))
        expect(back.flatMap((chunk) => [...chunk.timestampsMs])).toEqual([...timestampsMs])
        back
          .flatMap((chunk) => chunk.histograms)
          .forEach((decoded, i) => {
            const wanted = histograms[i]
            expect(decoded.stale).toBe(wanted.stale)
            if (wanted.stale) return
            expect({ ...decoded, counterResetHint: 'any' }).toEqual({ ...wanted, counterResetHint: 'any' })
          })
      }),
      { numRuns: 300 },
    )
  })

  it('refuse hostile bytes with a code, whatever they are', () => {
    fc.assert(
      fc.property(fc.constantFrom(2, 3), fc.uint8Array({ maxLength: 60 }), (encoding, bytes) => {
        try {
          decodeHistogramChunk(encoding, bytes)
        } catch (error) {
          expect(error).toMatchObject({ name: 'ChunkError', code: 'CORRUPT' })
        }
      }),
      { numRuns: 3_000 },
    )
  })
})
