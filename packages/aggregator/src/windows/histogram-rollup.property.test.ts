/**
 * Native histograms through rules: whatever arrives late, and whenever the windows are computed again or from nothing, what
 * stands in the aggregated namespace equals the naive recomputation from all raw histograms.
 */
import { type Histogram, Labels, METRIC_NAME } from '@varve/tsdb-core/model'
import { describe, expect, it } from 'vitest'
import { RollupWorld } from '../testing/rollup-world.test.support.js'
import {
  differences,
  type NaiveSeries,
  naiveHistograms,
  readHistograms,
  STALE,
} from './histogram-rollup.naive.test.support.js'

const CASES = Number(process.env.CASES ?? 160)
const SEED = process.env.SEED ? Number(process.env.SEED) : null
const START_MS = 1_700_000_000_000 - (1_700_000_000_000 % 300_000)

function diceOf(seed: number) {
  let state = seed * 2654435761 + 12345
  const next = () => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 0x9e3779b9) | 0
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32
  }
  for (let i = 0; i < 8; i++) next()
  const below = (n: number) => Math.floor(next() * n)
  return { chance: (p: number) => next() < p, below, pick: <T>(list: readonly T[]) => list[below(list.length)] }
}
type Dice = ReturnType<typeof diceOf>

class Source {
  readonly labels: Labels
  readonly isGauge: boolean
  schema: number
  counts: number[] = new Array(24).fill(0)
  zeroCount = 0

  constructor(labels: Labels, isGauge: boolean, schema: number) {
    this.labels = labels
    this.isGauge = isGauge
    this.schema = schema
  }

  move(dice: Dice): void {
    if (dice.chance(0.06) || this.isGauge) {
      this.counts.fill(0)
      this.zeroCount = 0
      if (dice.chance(0.3)) this.schema = dice.below(4)
    } else if (dice.chance(0.04) && this.schema > 0) {
      // The process made its histogram coarser; nothing is lost.
      const coarser: number[] = new Array(24).fill(0)
      this.counts.forEach((count, index) => {
        coarser[Math.ceil(index / 2)] += count
      })
      this.counts = coarser
      this.schema--
    }
    for (let i = dice.below(6); i > 0; i--) this.counts[dice.below(24)] += dice.below(5)
    this.zeroCount += dice.below(2)
  }

  histogram(): Histogram {
    const indexes = this.counts.flatMap((count, index) => (count > 0 ? [index] : []))
    const count = this.counts.reduce((a, b) => a + b, this.zeroCount)
    return {
      schema: this.schema,
      zeroThreshold: 2 ** -128,
      zeroCount: this.zeroCount,
      count,
      sum: count * 3,
      counterResetHint: this.isGauge ? 'gauge' : 'unknown',
      positiveSpans: indexes.map((index, i) => ({ offset: i === 0 ? index : index - indexes[i - 1] - 1, length: 1 })),
      negativeSpans: [],
      positiveBuckets: Float64Array.from(indexes, (index) => this.counts[index]),
      negativeBuckets: new Float64Array(0),
      customValues: new Float64Array(0),
      stale: false,
      integer: true,
    }
  }
}

const STALE_HISTOGRAM: Histogram = {
  ...new Source(Labels.from({}), false, 0).histogram(),
  stale: true,
  sum: Number.NaN,
}

async function oneCase(seed: number): Promise<number> {
  const dice = diceOf(seed)
  const resolutionMs = dice.pick([60_000, 60_000, 300_000])
  const world = await RollupWorld.open({ startMs: START_MS, graceMs: dice.pick([0, 5_000]) })
  const policies = [`${resolutionMs / 60_000}m:30d`]
  await world.putRule('mapping', 'm', {
    match: '{__name__=~"h|g"}',
    policies,
    aggregations: ['last', 'count', 'increase'],
  })
  await world.putRule('rollup', 'r', {
    match: '{__name__=~"h|g"}',
    by: ['job'],
    policies,
    name: '{metric}:sum',
    aggregate: 'sum',
  })
  const namespace = [...world.runners.keys()][0]
  const raw = world.database.namespace('default')
  const endMs = START_MS + (3 + dice.below(6)) * resolutionMs
  const series = new Map<
    string,
    NaiveSeries & { samples: { timestampMs: number; histogram: Histogram | typeof STALE }[] }
  >()
  const onTheWay: { arrivesMs: number; labels: Labels; timestampMs: number; histogram: Histogram | typeof STALE }[] = []
  for (let i = 1 + dice.below(4); i > 0; i--) {
    const isGauge = dice.chance(0.35)
    const labels = Labels.from({ __name__: isGauge ? 'g' : 'h', job: dice.pick(['a', 'b']), pod: String(i) })
    const source = new Source(labels, isGauge, dice.below(4))
    const naive = { labels, samples: [] as { timestampMs: number; histogram: Histogram | typeof STALE }[] }
    series.set(labels.key, naive)
    const intervalMs = dice.pick([resolutionMs / 4, resolutionMs / 2, resolutionMs * 1.5])
    const untilMs = dice.chance(0.4) ? START_MS + dice.below(endMs - START_MS) : endMs
    for (let timeMs = START_MS + dice.below(intervalMs * 2); timeMs < untilMs; timeMs += intervalMs) {
      if (dice.chance(0.1)) continue
      source.move(dice)
      const histogram = dice.chance(0.06) ? STALE : source.histogram()
      const timestampMs = Math.round(timeMs)
      naive.samples.push({ timestampMs, histogram })
      const delayMs = dice.chance(0.2) ? dice.below(5 * resolutionMs) : dice.below(1000)
      onTheWay.push({ arrivesMs: timestampMs + delayMs, labels, timestampMs, histogram })
    }
  }
  onTheWay.sort((a, b) => a.arrivesMs - b.arrivesMs)
  let sent = 0
  const send = async (untilMs: number) => {
    while (sent < onTheWay.length && onTheWay[sent].arrivesMs <= untilMs) {
      const { labels, timestampMs, histogram } = onTheWay[sent++]
      if (histogram === STALE && dice.chance(0.5)) await world.append([{ labels, timestampMs, value: STALE }])
      else
        await raw.appendSamples([{ labels, timestampMs, histogram: histogram === STALE ? STALE_HISTOGRAM : histogram }])
    }
  }
  const lastMs = endMs + 6 * resolutionMs + 400_000
  for (let nowMs = START_MS; nowMs <= lastMs; nowMs += resolutionMs * (0.3 + dice.below(20) / 10)) {
    world.clock.nowMs = Math.max(world.clock.nowMs, Math.round(nowMs))
    await send(nowMs)
    await world.advanceTo(world.clock.nowMs)
    if (dice.chance(0.08)) world.restart()
    if (dice.chance(0.05)) await raw.flush(Infinity)
    if (dice.chance(0.05)) await world.database.namespace(namespace).flush(Infinity)
  }
  await send(Infinity)
  await world.advanceTo(lastMs + 2 * resolutionMs)
  await world.advanceTo(lastMs + 4 * resolutionMs)
  const expected = naiveHistograms({
    raw: [...series.values()],
    resolutionMs,
    firstEndMs: START_MS + resolutionMs,
    lastEndMs: world.runners.get(namespace)!.watermarkMs,
    outputOf: (labels) => labels.keep(new Set(['job'])).with(METRIC_NAME, `${labels.metricName}:sum`),
  })
  const actual = await readHistograms(world.database, namespace, ['last', 'count', 'increase', 'value'])
  // A bare read of a rolled-up gauge, and of a mapped series, finds what other columns hold.
  for (const key of actual.keys()) {
    const others = key.includes(':sum') ? / (last|count)$/ : / value$/
    if (others.test(key)) actual.delete(key)
  }
  const { compared, problems } = differences(actual, expected)
  if (problems.length > 0) {
    expect.fail(`SEED=${seed}: ${problems.length} of ${compared} differ:\n${problems.slice(0, 8).join('\n')}`)
  }
  expect(world.problems).toEqual([])
  return compared
}

describe('every output histogram equals the naive recomputation', () => {
  it('generated cases: gauges, counters, resets, schemas, markers, late samples, restarts, sealed blocks', async () => {
    const seeds = SEED === null ? Array.from({ length: CASES }, (_, i) => i) : [SEED]
    let compared = 0
    for (const seed of seeds) compared += await oneCase(seed)
    expect(compared).toBeGreaterThan(seeds.length)
  }, 120_000)
})
