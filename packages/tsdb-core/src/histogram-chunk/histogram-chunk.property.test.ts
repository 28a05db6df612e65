import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CUSTOM_BUCKETS_SCHEMA, type Histogram, type Span } from '../model/histogram.js'
import { decodeHistogramChunk, encodeHistogramChunk } from './histogram-chunk.js'

const count = fc.oneof(fc.nat({ max: 20 }), fc.integer({ min: 0, max: 2 ** 40 }))
const float = fc.double({ noNaN: true })
const spans = fc.array(fc.record({ offset: fc.integer({ min: -3, max: 200 }), length: fc.nat({ max: 4 }) }), {
  maxLength: 3,
})
const size = (of: readonly Span[]) => of.reduce((sum, span) => sum + span.length, 0)

const histogram = (positiveSpans: Span[], negativeSpans: Span[], customValues: Float64Array) =>
  fc.boolean().chain((integer) => {
    const value = integer ? count : float
    const buckets = (of: Span[]) =>
      fc.array(value, { minLength: size(of), maxLength: size(of) }).map((list) => Float64Array.from(list))
    return fc.record<Histogram>({
      schema: customValues.length > 0 ? fc.constant(CUSTOM_BUCKETS_SCHEMA) : fc.constantFrom(0, 3),
      zeroThreshold: fc.constantFrom(0, 2 ** -128, 0.001),
      zeroCount: value,
      count: value,
      sum: float,
      counterResetHint: fc.constantFrom('unknown', 'reset', 'notReset', 'gauge'),
      positiveSpans: fc.constant(positiveSpans),
      negativeSpans: fc.constant(negativeSpans),
      positiveBuckets: buckets(positiveSpans),
      negativeBuckets: buckets(negativeSpans),
      customValues: fc.constant(customValues),
      stale: fc.constant(false),
      integer: fc.constant(integer),
    })
  })

const run = fc
  .array(fc.tuple(spans, spans, fc.constantFrom(new Float64Array(), Float64Array.of(1, 2.5))), {
    minLength: 1,
    maxLength: 4,
  })
  .chain((layouts) =>
    fc.array(
      fc.constantFrom(...layouts).chain(([positive, negative, custom]) => histogram(positive, negative, custom)),
      {
        minLength: 1,
        maxLength: 30,
      },
    ),
  )

const STALE: Histogram = {
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

describe('histogram chunks', () => {
  it('give back every histogram, whatever its layout, kind and counts', () => {
    fc.assert(
      fc.property(run, fc.nat({ max: 30 }), (histograms, staleAt) => {
        const given = [...histograms.slice(0, staleAt), STALE, ...histograms.slice(staleAt)]
        expect(decodeHistogramChunk(encodeHistogramChunk(given))).toEqual(given)
      }),
      { numRuns: 300 },
    )
  })

  it('are the same bytes for equal histograms, whoever holds the arrays', () => {
    fc.assert(
      fc.property(run, (histograms) => {
        expect(encodeHistogramChunk(structuredClone(histograms))).toEqual(encodeHistogramChunk(histograms))
      }),
      { numRuns: 100 },
    )
  })

  it('refuse damaged bytes with a code, or decode them to something', () => {
    const bytes = encodeHistogramChunk(
      Array.from(
        { length: 20 },
        (_, i): Histogram => ({
          ...STALE,
          stale: false,
          sum: i / 3,
          count: 7 * i,
          zeroCount: i,
          positiveSpans: [{ offset: 2, length: 3 }],
          positiveBuckets: Float64Array.of(i, 2 * i, 3 * i),
        }),
      ),
    )
    const attempt = (damaged: Uint8Array) => {
      try {
        decodeHistogramChunk(damaged)
      } catch (error) {
        expect(error).toMatchObject({ code: 'CORRUPT' })
      }
    }
    for (let at = 0; at < bytes.length; at++) {
      attempt(bytes.subarray(0, at))
      for (let bit = 0; bit < 8; bit++) {
        const damaged = bytes.slice()
        damaged[at] ^= 1 << bit
        attempt(damaged)
      }
    }
  })
})
