/** The series of the scenarios and the one value that each of their samples has: awkward on purpose. */
import { createHash } from 'node:crypto'
import { type Histogram, Labels } from '@varve/tsdb-core/model'
import type { ModelSample } from './sample-model.js'

export const FLEET: readonly Labels[] = [
  Labels.from([['__name__', 'up']]),
  Labels.from([
    ['__name__', 'requests_total'],
    ['code', '200'],
    ['__proto__', 'constructor'],
  ]),
  Labels.from([
    ['__name__', 'requests_total'],
    ['code', '500'],
  ]),
  Labels.from([
    ['__name__', 'Temperatur °C'],
    ['raum', '🛋 "\n\\'],
  ]),
  Labels.from([
    ['__name__', 'requests_total'],
    ['code', '200'],
    ['pod', 'x'.repeat(300)],
  ]),
  Labels.from([
    ['__name__', 'latency_seconds'],
    ['code', '500'],
  ]),
]

/** Its samples are native histograms, with floats in between. */
const HISTOGRAM_SERIES = 5
const SPECIAL_BITS = [0x7ff0000000000002n, 0x8000000000000000n, 0x7ff8000000000001n, 0xfff0000000000000n, 1n]

export interface FleetSample extends ModelSample {
  /** What stands there instead of a number; its `bits` are then a digest of it. */
  readonly histogram: Histogram | null
}

/** The same for the same series and time, whatever the run. */
export function bitsOf(seriesIndex: number, timestampMs: number): bigint {
  const drawn = drawnOf(seriesIndex, timestampMs)
  if (drawn % 7n === 0n) return SPECIAL_BITS[Number(drawn % 5n)]
  if (seriesIndex % 2 === 0) return new BigUint64Array(Float64Array.of(timestampMs % 100_000).buffer)[0]
  return drawn
}

export function sampleOf(seriesIndex: number, timestampMs: number): FleetSample {
  const series = FLEET[seriesIndex].toString()
  const drawn = drawnOf(seriesIndex, timestampMs)
  if (seriesIndex !== HISTOGRAM_SERIES || drawn % 4n === 0n) {
    return { series, timestampMs, bits: bitsOf(seriesIndex, timestampMs), histogram: null }
  }
  const histogram = histogramOf(drawn)
  return { series, timestampMs, bits: digestOf(histogram), histogram }
}

/** A number that stands for a histogram among the bits of values. */
export function digestOf(histogram: Histogram): bigint {
  const { schema, zeroThreshold, zeroCount, count, counterResetHint, stale, integer } = histogram
  const spans = [histogram.positiveSpans, histogram.negativeSpans].map((side) =>
    side.map(({ offset, length }) => [offset, length]),
  )
  const facts = [schema, zeroThreshold, zeroCount, count, counterResetHint, stale, integer, spans]
  const hash = createHash('sha256').update(JSON.stringify(facts))
  const sums = Float64Array.of(stale ? 0 : histogram.sum)
  for (const column of [sums, histogram.positiveBuckets, histogram.negativeBuckets, histogram.customValues]) {
    hash.update(`${column.length}`).update(new Uint8Array(column.slice().buffer))
  }
  return hash.digest().readBigUInt64LE(0)
}

function drawnOf(seriesIndex: number, timestampMs: number): bigint {
  return (BigInt(timestampMs) * 0x9e3779b97f4a7c15n + BigInt(seriesIndex) * 0xbf58476d1ce4e5b9n) & (2n ** 64n - 1n)
}

/** Shapes change from one to the next: schema, spans, integers and floats, gauges and markers. */
function histogramOf(drawn: bigint): Histogram {
  const draw = (below: bigint, shift: bigint) => Number((drawn >> shift) % below)
  const stale = draw(11n, 3n) === 0
  const integer = draw(3n, 7n) > 0
  const count = (shift: bigint) => (integer ? draw(50n, shift) : draw(5_000n, shift) / 64)
  const positiveBuckets = Float64Array.from({ length: 1 + draw(4n, 11n) }, (_, i) => count(BigInt(13 + i)))
  const negativeBuckets = Float64Array.from({ length: draw(3n, 20n) }, (_, i) => count(BigInt(22 + i)))
  const spans = (length: number, offset: number) => (length > 0 ? [{ offset, length }] : [])
  if (stale) return { ...EMPTY_HISTOGRAM, sum: Number.NaN, stale }
  const zeroCount = count(30n)
  return {
    ...EMPTY_HISTOGRAM,
    schema: draw(9n, 33n) - 1,
    zeroThreshold: draw(2n, 36n) === 0 ? 0.001 : 0,
    zeroCount,
    count: [...positiveBuckets, ...negativeBuckets].reduce((sum, bucket) => sum + bucket, zeroCount),
    sum: draw(100_000n, 37n) / 7,
    counterResetHint: draw(4n, 40n) === 0 ? 'gauge' : 'unknown',
    positiveSpans: spans(positiveBuckets.length, draw(9n, 42n) - 4),
    negativeSpans: spans(negativeBuckets.length, draw(9n, 46n) - 4),
    positiveBuckets,
    negativeBuckets,
    integer,
  }
}

const EMPTY_HISTOGRAM: Histogram = {
  schema: 0,
  zeroThreshold: 0,
  zeroCount: 0,
  count: 0,
  sum: 0,
  counterResetHint: 'unknown',
  positiveSpans: [],
  negativeSpans: [],
  positiveBuckets: new Float64Array(),
  negativeBuckets: new Float64Array(),
  customValues: new Float64Array(),
  stale: false,
  integer: true,
}
