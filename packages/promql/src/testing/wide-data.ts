/**
 * Series with all that may go wrong: values of all sizes and none, gaps and ends, single samples, broken classic histograms,
 * native histograms of all kinds, names beyond ASCII. Samples stand on whole steps of `SCRAPE_MS`, so that borders are met.
 */
import { type Histogram, Labels } from '@varve/tsdb-core/model'
import type { LoadSample, LoadSeries } from '../scripts/load.js'
import type { SeededRandom } from './random.js'

/** Names by what the series hold; `both` changes between floats and histograms. */
export const WIDE_METRICS = {
  floats: ['weird', 'sparse', 'big', 'constant', 'zero_start_total', 'single', 'zeros', 'dated', 'untyped_count'],
  histograms: [
    'native_gauge',
    'native_custom',
    'native_schema',
    'native_nan',
    'native_zero',
    'native_negative',
    'latency',
  ],
  buckets: ['broken_bucket', 'odd_bucket', 'nan_bucket'],
  both: ['both', 'target_info', 'build_info'],
} as const

const SCRAPE_MS = 15_000
/** Counts start here and never fall deeply: Prometheus 3.5 lets the rate of a histogram reach back beyond zero. */
const FAR = 100_000
const EXTREMES = [
  0,
  -0,
  1,
  -1,
  Number.NaN,
  Infinity,
  -Infinity,
  1e308,
  -1e308,
  3e-308,
  1e-300,
  0.1,
  1e15 + 0.5,
  2 ** 53,
  1e21,
  1e-7,
]

export function wideSeries(random: SeededRandom, { startMs, endMs }: { startMs: number; endMs: number }): LoadSeries[] {
  const series: LoadSeries[] = []
  const count = Math.floor((endMs - startMs) / SCRAPE_MS)
  const timeMs = (i: number) => startMs + i * SCRAPE_MS
  for (const a of ['x', 'y', 'z']) {
    for (const b of ['1', '2']) {
      /** Nothing where `sampleAt` gives undefined. */
      const add = (
        name: string,
        labels: Record<string, string>,
        sampleAt: (i: number) => Omit<LoadSample, 'timeMs'> | undefined,
      ) => {
        const samples: LoadSample[] = []
        for (let i = 0; i < count; i++) {
          const sample = sampleAt(i)
          if (sample !== undefined) samples.push({ timeMs: timeMs(i), ...sample })
        }
        series.push({ labels: Labels.from({ __name__: name, a, b, ...labels }), samples })
      }
      const float = (value: number) => ({ value })
      const stale = {}
      add('weird', {}, () => (random.chance(0.1) ? stale : float(random.pick(EXTREMES))))
      const gapEvery = 30 + random.below(40)
      add('sparse', {}, (i) =>
        i % gapEvery < 10 ? (i % gapEvery === 9 && a !== 'x' ? stale : float(random.below(9) - 4)) : undefined,
      )
      add('big', {}, (i) => float(1e15 + i * 3 + random.next()))
      add('constant', { job: 'j' }, () => float(a === 'x' ? 0.1 : 7))
      let total = 0
      add('zero_start_total', { job: 'j' }, () => {
        total = random.chance(0.04) ? 0 : total + (random.chance(0.3) ? 0 : random.below(5))
        return float(total)
      })
      const only = random.below(count)
      add('single', {}, (i) => (i === only ? float(42) : undefined))
      add('zeros', {}, (i) => float(i % 3 === 0 ? -0 : 0))
      add('dated', {}, (i) => float(i % 7 === 0 ? -86_400.5 * i : 86_400 * 31 * i + 0.25))
      add('untyped_count', { 'dotted.label': b }, (i) => float(i * i))
      add('some.utf8 name', { 'dotted.label': b, ünï: 'ß' }, (i) => float(i))
      if (b === '1') {
        add('target_info', { instance: a, job: 'j', data: a === 'x' ? 'one' : 'two' }, (i) =>
          a === 'z' && i > count / 2 ? undefined : float(1),
        )
        add('build_info', { instance: a, job: 'j', version: a }, () => float(1))
      }
      add('both', { instance: a, job: 'j' }, (i) =>
        Math.floor(i / 12) % 2 === 0 ? float(i) : { histogram: histogram(random, { grown: FAR + i }) },
      )
      classicBuckets(random, a, b, add)
      add('native_gauge', {}, () =>
        random.chance(0.02) ? stale : { histogram: histogram(random, { grown: random.below(40), gauge: true }) },
      )
      let grown = FAR
      const bounds = a === 'x' ? [0.1, 0.5, 1, 5] : a === 'y' ? [0.1, 1, 5] : [0.1, 0.5, 1, 5, 10]
      add('native_custom', {}, (i) => {
        grown = random.chance(0.03) ? Math.floor(grown * 0.9) : grown + random.below(6)
        const used = b === '2' && Math.floor(i / 25) % 2 === 1 ? [0.5, 2] : bounds
        return { histogram: histogram(random, { grown, bounds: used }) }
      })
      let schemaGrown = FAR
      add('native_schema', {}, (i) => {
        schemaGrown = random.chance(0.03) ? Math.floor(schemaGrown * 0.9) : schemaGrown + random.below(3)
        return { histogram: histogram(random, { grown: schemaGrown, schema: 3 - (Math.floor(i / 20) % 4) }) }
      })
      add('native_nan', {}, (i) => ({
        histogram: histogram(random, { grown: FAR + i, nan: random.chance(0.3) || a === 'x' }),
      }))
      add('native_zero', {}, (i) => ({
        histogram: histogram(random, { grown: FAR + i, zeroThreshold: [0.001, 0.25, 1e-128][Math.floor(i / 15) % 3] }),
      }))
      add('native_negative', {}, (i) => ({ histogram: histogram(random, { grown: FAR + i, negative: true }) }))
      add('latency', {}, (i) => (i % 40 === 39 ? stale : { histogram: histogram(random, { grown: FAR + i }) }))
    }
  }
  return series
}

type Add = (
  name: string,
  labels: Record<string, string>,
  sampleAt: (i: number) => { value: number } | undefined,
) => void

/** Without +Inf, with bounds said twice, malformed or missing; counts that fall or are not numbers. */
function classicBuckets(random: SeededRandom, a: string, b: string, add: Add): void {
  const rows = new Map<string, number>()
  const grow = (le: string, by: number) => {
    rows.set(le, (rows.get(le) ?? 0) + random.below(by))
    return { value: rows.get(le)! }
  }
  const broken = a === 'x' ? ['0.1', '1', '10'] : a === 'y' ? ['0.1', '1', '+Inf'] : ['+Inf', '1']
  broken.forEach((le, k) => {
    add('broken_bucket', { le }, () => grow(le, 4 + (b === '1' ? 3 * k : -k)))
  })
  const odd = ['0.5', '0.50', '5e-1', '-1', '0', '2', 'Inf', ...(a === 'y' ? ['big', ''] : [])]
  odd.forEach((le, k) => {
    add('odd_bucket', le === '' ? {} : { le }, () => grow(`odd ${le}`, 3 + k))
  })
  for (const le of ['1', '2', '+Inf']) {
    add('nan_bucket', { le }, (i) => (b === '1' ? { value: i % 9 === 0 ? Number.NaN : i } : { value: 0 }))
  }
}

interface Shape {
  /** How far counts have come. */
  readonly grown: number
  readonly schema?: number
  readonly bounds?: readonly number[]
  readonly gauge?: boolean
  readonly nan?: boolean
  readonly negative?: boolean
  readonly zeroThreshold?: number
}

function histogram(random: SeededRandom, shape: Shape): Histogram {
  const { grown, bounds, schema = 1, gauge = false, nan = false, negative = false, zeroThreshold = 0.001 } = shape
  const custom = bounds !== undefined
  const length = custom ? bounds.length + 1 : 3 + (grown % 3 === 0 ? 1 : 0)
  const positive = Float64Array.from({ length }, (_, k) => grown * (k + 1) + (gauge ? random.below(9) : 0))
  const negatives = negative ? Float64Array.from({ length: 2 }, (_, k) => grown + k) : new Float64Array(0)
  const zeroCount = custom ? 0 : grown
  const sumOf = (list: Float64Array) => list.reduce((sum, one) => sum + one, 0)
  const count = zeroCount + sumOf(positive) + sumOf(negatives)
  return {
    schema: custom ? -53 : schema,
    zeroThreshold: custom ? 0 : zeroThreshold,
    zeroCount,
    // Observations of NaN are in the count and in no bucket.
    count: nan ? count + 3 : count,
    sum: nan ? Number.NaN : grown * 2.5 - (negative ? 4 * grown : 0),
    counterResetHint: gauge ? 'gauge' : 'unknown',
    positiveSpans: custom
      ? [{ offset: 0, length }]
      : [
          { offset: -1, length: 2 },
          { offset: 1 + (grown % 2), length: length - 2 },
        ],
    negativeSpans: negative ? [{ offset: 0, length: 2 }] : [],
    positiveBuckets: positive,
    negativeBuckets: negatives,
    customValues: Float64Array.from(bounds ?? []),
    stale: false,
    integer: !gauge,
  }
}
