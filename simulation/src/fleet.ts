/** The series of the scenarios and the one value that each of their samples has: awkward on purpose. */
import { Labels } from '@varve/tsdb-core/model'
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
]

const SPECIAL_BITS = [0x7ff0000000000002n, 0x8000000000000000n, 0x7ff8000000000001n, 0xfff0000000000000n, 1n]

/** The same for the same series and time, whatever the run. */
export function bitsOf(seriesIndex: number, timestampMs: number): bigint {
  const drawn =
    (BigInt(timestampMs) * 0x9e3779b97f4a7c15n + BigInt(seriesIndex) * 0xbf58476d1ce4e5b9n) & (2n ** 64n - 1n)
  if (drawn % 7n === 0n) return SPECIAL_BITS[Number(drawn % 5n)]
  if (seriesIndex % 2 === 0) return new BigUint64Array(Float64Array.of(timestampMs % 100_000).buffer)[0]
  return drawn
}

export function sampleOf(seriesIndex: number, timestampMs: number): ModelSample {
  return { series: FLEET[seriesIndex].toString(), timestampMs, bits: bitsOf(seriesIndex, timestampMs) }
}
