/**
 * Series of all kinds for generated queries: gauges, counters with resets, classic and native histograms; with gaps,
 * staleness markers and NaN.
 *
 * No sample lies on a whole second, so that whether windows are open or closed on the left makes no difference.
 */
import { type Histogram, Labels } from '@varve/tsdb-core/model'
import type { LoadSample, LoadSeries } from '../scripts/load.js'
import type { SeededRandom } from './random.js'

export interface GeneratedDataOptions {
  readonly startMs: number
  readonly endMs: number
  /** Default: true. */
  readonly nativeHistograms?: boolean
  /** Default: true. */
  readonly specialValues?: boolean
  /** Counters fall to about nothing when they are reset; otherwise to half of what they were. Default: true. */
  readonly deepResets?: boolean
}

const SCRAPE_MS = 15_000
const BOUNDS = ['0.1', '0.5', '2', '+Inf']

export function generatedSeries(random: SeededRandom, options: GeneratedDataOptions): LoadSeries[] {
  const { startMs, endMs, nativeHistograms = true, specialValues = true, deepResets = true } = options
  const series: LoadSeries[] = []
  for (const a of ['x', 'y', 'z']) {
    for (const b of ['1', '2']) {
      const target = { a, b }
      const timesMs = scrapeTimes(random, startMs, endMs)
      const add = (name: string, labels: Record<string, string>, sampleAt: (i: number) => LoadSample) =>
        series.push({
          labels: Labels.from({ __name__: name, ...target, ...labels }),
          samples: timesMs.map((_, i) => sampleAt(i)),
        })
      const special = (timeMs: number): LoadSample | undefined => {
        if (!specialValues) return undefined
        const die = random.next()
        if (die < 0.01) return { timeMs } // A staleness marker.
        return die < 0.015 ? { timeMs, value: Number.NaN } : undefined
      }
      const wave = random.next() * 6
      add('gauge', {}, (i) => {
        const timeMs = timesMs[i]
        return special(timeMs) ?? { timeMs, value: Math.round(1000 * Math.sin(wave + timeMs / 200_000)) / 8 }
      })
      if (random.chance(0.7)) add('other', {}, (i) => ({ timeMs: timesMs[i], value: random.below(5) }))
      let count = 1000 + random.below(100)
      add('events_total', {}, (i) => {
        const reset = deepResets ? random.below(3) : Math.floor(count / 2)
        count = random.chance(0.03) ? reset : count + random.below(20)
        return special(timesMs[i]) ?? { timeMs: timesMs[i], value: count }
      })
      const counts = BOUNDS.map(() => 0)
      const rows = timesMs.map(() => {
        for (let bound = random.below(BOUNDS.length); bound < BOUNDS.length; bound++)
          counts[bound] += 1 + random.below(4)
        return [...counts]
      })
      for (const [bound, le] of BOUNDS.entries()) {
        add('latency_bucket', { le }, (i) => ({ timeMs: timesMs[i], value: rows[i][bound] }))
      }
      if (nativeHistograms) {
        let total = nativeHistogram(random, undefined)
        add('native', {}, (i) => {
          total = nativeHistogram(random, random.chance(0.03) ? undefined : total)
          return special(timesMs[i]) ?? { timeMs: timesMs[i], histogram: total }
        })
      }
    }
  }
  return series
}

function scrapeTimes(random: SeededRandom, startMs: number, endMs: number): number[] {
  const times: number[] = []
  // Eighths of a second are exact as floats, which tools that read seconds cut to milliseconds.
  const phaseMs = 125 * (1 + random.below(7))
  for (let timeMs = startMs + phaseMs + 1000 * random.below(15); timeMs < endMs; timeMs += SCRAPE_MS) {
    if (!random.chance(0.05)) times.push(timeMs)
  }
  return times
}

function nativeHistogram(random: SeededRandom, before: Histogram | undefined): Histogram {
  const positive = before ? before.positiveBuckets.slice() : new Float64Array(4)
  const negative = before ? before.negativeBuckets.slice() : new Float64Array(2)
  for (let i = 0; i < positive.length; i++) positive[i] += random.below(4)
  for (let i = 0; i < negative.length; i++) negative[i] += random.below(2)
  const zeroCount = (before?.zeroCount ?? 0) + random.below(2)
  const count = [...positive, ...negative].reduce((a, b) => a + b, zeroCount)
  return {
    schema: 1,
    zeroThreshold: 0.125,
    zeroCount,
    count,
    sum: (before?.sum ?? 0) + random.below(10),
    counterResetHint: 'unknown',
    positiveSpans: [
      { offset: 0, length: 2 },
      { offset: 1, length: 2 },
    ],
    negativeSpans: [{ offset: 1, length: 2 }],
    positiveBuckets: positive,
    negativeBuckets: negative,
    customValues: new Float64Array(0),
    stale: false,
    integer: false,
  }
}
