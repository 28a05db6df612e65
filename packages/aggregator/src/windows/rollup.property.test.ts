/**
 * Every output sample equals a naive recomputation from all raw samples: generated rules over generated data, with counters
 * that reset, gauges, staleness, missing samples, churn, late and duplicate samples, shuffled batches, rules that change and
 * restarts. `SEED=8123` replays one case, `CASES=100000` runs more.
 */
import { SeededRandom } from '@varve/tsdb-core/env/simulated'
import { Labels } from '@varve/tsdb-core/model'
import { describe, expect, it } from 'vitest'
import { RollupWorld, type WorldSample } from '../testing/rollup-world.test.support.js'
import { STALE } from './rollup.naive.test.support.js'

const CASES = Number(process.env.CASES ?? 2000)
const SEED = process.env.SEED === undefined ? null : Number(process.env.SEED)
const BLOCKS = SEED === null ? 8 : 1

class Dice {
  readonly #random: SeededRandom
  constructor(seed: number) {
    this.#random = new SeededRandom(seed)
  }
  below(count: number): number {
    return this.#random.u32() % count
  }
  chance(share: number): boolean {
    return this.#random.u32() < share * 2 ** 32
  }
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]
  }
  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      ;[items[i], items[j]] = [items[j], items[i]]
    }
    return items
  }
}

interface Source {
  readonly labels: Labels
  readonly isCounter: boolean
  value: number
  /** It sends samples in this part of the run. */
  readonly fromMs: number
  readonly untilMs: number
  readonly intervalMs: number
}

const OPERATORS = ['sum', 'min', 'max', 'avg', 'count', 'last', 'stddev', 'p99', 'median', 'quantile(0.25)']
const EACH = ['last', 'min', 'max', 'sum', 'avg', 'count', 'increase', 'rate', 'all']

function aRollup(dice: Dice, name: string, policies: string[], input: string | null): object {
  const several = dice.chance(0.3)
  const isChain = input !== null
  const perMetric = dice.chance(0.2)
  const pinned = ['c_total', 'g', 'g{pod!="1"}']
  const match = dice.pick([...pinned, '{job="a"}', '{__name__=~"c.*|g"}'])
  return {
    ...(isChain ? { input } : { match }),
    ...(dice.chance(0.7)
      ? { by: dice.pick([[], ['job'], ['job', 'zone'], ['nowhere']]) }
      : { without: dice.pick([[], ['pod']]) }),
    name: `${name}${perMetric ? ':{metric}' : ''}${several ? ':{aggregate}' : ''}`,
    aggregate: several ? [...new Set([dice.pick(OPERATORS), dice.pick(OPERATORS)])] : dice.pick(OPERATORS),
    // Of what another rule made there is one value a window, and whether it grows is not to be chosen.
    ...(!isChain && dice.chance(0.4) && { each: dice.pick(EACH) }),
    ...(((!isChain && !pinned.includes(match) && !perMetric) || dice.chance(0.1)) && {
      type: dice.pick(['counter', 'gauge']),
    }),
    ...(dice.chance(0.1) && { absolute: true }),
    ...(dice.chance(0.2) && { labels: { added: 'yes' } }),
    policies,
  }
}

async function oneCase(seed: number): Promise<number> {
  const dice = new Dice(seed)
  const resolutionMs = dice.pick([10_000, 30_000, 60_000, 600_000])
  const start = 1_700_000_000_000 + dice.below(1000) * 1000
  const graceMs = dice.pick([0, 2000])
  const world = await RollupWorld.open({ startMs: start, graceMs })
  const policies = [`${resolutionMs / 1000}s:90d`, ...(dice.chance(0.3) ? [`${(resolutionMs * 3) / 1000}s:1y`] : [])]

  const putRules = async () => {
    if (dice.chance(0.6)) {
      const match = dice.pick(['{__name__!=""}', 'c_total', 'g', '{job=~"a|b"}'])
      const aggregations = dice.chance(0.3) ? [dice.pick(['last', 'max', 'increase']), 'count'] : ['default']
      await world.putRule('mapping', 'm', { match, policies, aggregations })
    }
    await world.putRule('rollup', 'r', aRollup(dice, 'r', policies, null))
    if (dice.chance(0.4))
      await world.putRule('rollup', 's', aRollup(dice, 's', policies.slice(0, 1), dice.chance(0.5) ? 'r' : null))
  }
  await putRules()

  const windowCount = 3 + dice.below(6)
  const endMs = start + windowCount * resolutionMs
  const sources = Array.from({ length: 1 + dice.below(5) }, (_, i): Source => {
    const isCounter = dice.chance(0.6)
    const churns = dice.chance(0.3)
    const fromMs = churns ? start + dice.below(windowCount) * resolutionMs : start
    return {
      labels: Labels.from({
        __name__: isCounter ? 'c_total' : 'g',
        job: dice.pick(['a', 'b']),
        ...(dice.chance(0.8) && { zone: dice.pick(['x', 'y']) }),
        pod: String(i),
      }),
      isCounter,
      value: isCounter ? dice.below(1e6) : dice.below(1000) / 8,
      fromMs,
      untilMs: churns ? fromMs + (1 + dice.below(4)) * resolutionMs : endMs,
      intervalMs: dice.pick([resolutionMs / 4, resolutionMs / 2, resolutionMs * 1.5, resolutionMs / 10]),
    }
  })

  /** Samples on their way, by the time at which they arrive. */
  const onTheWay: { arrivesMs: number; sample: WorldSample }[] = []
  for (const source of sources) {
    let timeMs = source.fromMs + dice.below(Math.ceil(source.intervalMs))
    for (; timeMs < source.untilMs; timeMs += source.intervalMs) {
      if (dice.chance(0.1)) continue // A scrape that failed.
      source.value = source.isCounter
        ? dice.chance(0.05)
          ? dice.below(10)
          : source.value + dice.below(100) / 4
        : source.value + dice.below(200) / 7 - 14
      const timestampMs = Math.round(timeMs)
      const value = dice.chance(0.03) ? STALE : dice.chance(0.01) && !source.isCounter ? Number.NaN : source.value
      const delayMs = dice.chance(0.15) ? dice.below(5 * resolutionMs) : dice.below(1000)
      const sample = { labels: source.labels, timestampMs, value: value as number | typeof STALE }
      onTheWay.push({ arrivesMs: timestampMs + delayMs, sample })
      if (dice.chance(0.05)) onTheWay.push({ arrivesMs: timestampMs + dice.below(4 * resolutionMs), sample })
    }
    if (source.untilMs < endMs && dice.chance(0.7)) {
      const timestampMs = source.untilMs
      onTheWay.push({ arrivesMs: timestampMs + 500, sample: { labels: source.labels, timestampMs, value: STALE } })
    }
  }
  onTheWay.sort((a, b) => a.arrivesMs - b.arrivesMs)

  const lastMs = endMs + 8 * resolutionMs + 400_000
  let sent = 0
  // Once all was sent there is little left to see: the clock goes faster.
  const stepMs = () => (sent < onTheWay.length ? resolutionMs * (0.3 + dice.below(20) / 10) : resolutionMs + 150_000)
  for (let nowMs = start; nowMs <= lastMs; nowMs += stepMs()) {
    const batch: WorldSample[] = []
    while (sent < onTheWay.length && onTheWay[sent].arrivesMs <= nowMs) batch.push(onTheWay[sent++].sample)
    world.clock.nowMs = Math.max(world.clock.nowMs, Math.round(nowMs))
    if (batch.length > 0) await world.append(dice.shuffle(batch))
    await world.advanceTo(world.clock.nowMs)
    if (dice.chance(0.05)) world.restart()
    if (dice.chance(0.04)) await putRules()
    if (dice.chance(0.02)) await world.putRule('rollup', 's', null)
  }
  await world.append(onTheWay.slice(sent).map(({ sample }) => sample))
  await world.advanceTo(lastMs + resolutionMs)
  await world.advanceTo(lastMs + 4 * resolutionMs)
  return world.expectExact()
}

describe('every output sample equals the naive recomputation', () => {
  for (let block = 0; block < BLOCKS; block++) {
    it(`generated cases, part ${block + 1} of ${BLOCKS}`, async () => {
      let compared = 0
      const seeds =
        SEED === null ? Array.from({ length: Math.ceil(CASES / BLOCKS) }, (_, i) => block + i * BLOCKS) : [SEED]
      for (const seed of seeds) {
        try {
          compared += await oneCase(seed)
        } catch (error) {
          throw new Error(
            `SEED=${seed} npx vitest run packages/aggregator/src/windows/rollup.property\n${(error as Error).message}`,
            {
              cause: error,
            },
          )
        }
      }
      expect(compared).toBeGreaterThan(seeds.length)
    }, 120_000)
  }
})
