/**
 * An answer that streams out of one namespace is the one that is put together series by series, to the bit, and on aligned
 * ranges that of raw samples: over counters that are reset, gauges, native histograms, staleness, gaps, and series that come
 * and go.
 */
import { Engine, histogramText } from '@varve/promql'
import type { LabelledSample } from '@varve/tsdb-core'
import { SeededRandom } from '@varve/tsdb-core/env/simulated'
import { type Histogram, halvesOf, Labels, writeStaleAt } from '@varve/tsdb-core/model'
import type { Queryable } from '@varve/tsdb-core/query'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { RollupWorld } from '../testing/rollup-world.test.support.js'
import { ResolutionPlanner } from './resolution-planner.js'
import { ruleKnowledge } from './rule-knowledge.js'

/** Turned off, answers are put together as those are that several namespaces give. */
const streaming = vi.hoisted(() => ({ isOn: true, count: 0 }))
vi.mock('./column-stream.js', async (original) => {
  const module = await original<typeof import('./column-stream.js')>()
  return {
    async columnStream(stream: Parameters<typeof module.columnStream>[0]) {
      const answer = streaming.isOn ? await module.columnStream(stream) : null
      if (answer !== null) streaming.count++
      return answer
    },
  }
})

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const SCRAPE_MS = 4 * MINUTE
const HOURS = 75
const start = Date.UTC(2026, 0, 1)
/** The last windows of both policies are not computed yet. */
const end = start + HOURS * HOUR + 40 * MINUTE
/** Of `rate(…[1h])` by the hour over all of it. */
const hints = {
  function: 'rate',
  rangeMs: HOUR,
  stepMs: HOUR,
  evaluationStartMs: start + HOUR,
  evaluationEndMs: end,
}
const SEED = Number(process.env.SEED ?? 20261123)
const SERIES = 16
/** Before this there are raw samples alone. */
const RULED_AFTER_MS = 8 * HOUR

interface Generated {
  readonly labels: Labels
  /** Its samples come within these, of the scrapes. */
  readonly lives: readonly (readonly [number, number])[]
  readonly sampleAt: (scrape: number) => number | Histogram | 'stale' | undefined
}

function generated(random: SeededRandom, i: number): Generated {
  const scrapes = Math.floor((end - start) / SCRAPE_MS)
  const some = random.chance(0.4) ? random.below(scrapes) : 0
  const rest = random.chance(0.4) ? random.below(scrapes - some) : scrapes - some
  // Some have raw samples alone, after the last windows and before the first, and one has windows alone.
  const [born, dies] = [
    [scrapes - 5, scrapes],
    [0, 90],
    [200, 400],
  ][i] ?? [some, some + rest]
  const gap = [i < 3 ? scrapes : born + random.below(scrapes), random.below(200)]
  const kind = i % 7 === 6 ? 'histogram' : i % 2 === 0 ? 'counter' : 'gauge'
  const name = { counter: 'c_total', gauge: 'g', histogram: 'h' }[kind]
  let count = random.below(1000)
  return {
    labels: Labels.from({ __name__: name, job: `j${i % 3}`, instance: `i${i}` }),
    lives: [
      [born, Math.min(dies, gap[0])],
      [gap[0] + gap[1], dies],
    ],
    sampleAt() {
      if (random.chance(0.02)) return random.chance(0.5) ? undefined : 'stale'
      if (kind === 'gauge') return (random.below(2000) - 1000) / 8
      count = random.chance(0.01) ? random.below(3) : count + random.below(12)
      return kind === 'counter' ? count : histogramOf(count)
    },
  }
}

function histogramOf(count: number): Histogram {
  return {
    schema: 2,
    zeroThreshold: 2 ** -128,
    zeroCount: 0,
    count,
    sum: count * 3,
    counterResetHint: 'unknown',
    positiveSpans: [{ offset: 0, length: 2 }],
    negativeSpans: [],
    positiveBuckets: Float64Array.of(Math.floor(count / 2), Math.ceil(count / 2)),
    negativeBuckets: new Float64Array(0),
    customValues: new Float64Array(0),
    stale: false,
    integer: true,
  }
}

async function makeWorld(): Promise<RollupWorld> {
  const random = new SeededRandom(SEED)
  const world = await RollupWorld.open({ startMs: start, graceMs: 1000 })
  const series = Array.from({ length: SERIES }, (_, i) => generated(random, i))
  const stale = new Float64Array(1)
  writeStaleAt(halvesOf(stale), 0)
  for (let timestampMs = start + SCRAPE_MS, scrape = 1; timestampMs <= end; timestampMs += SCRAPE_MS, scrape++) {
    world.clock.nowMs = timestampMs
    const samples = series.flatMap(({ labels, lives, sampleAt }): LabelledSample[] => {
      if (!lives.some(([from, to]) => scrape > from && scrape <= to)) return []
      const value = sampleAt(scrape)
      if (value === undefined) return []
      if (typeof value === 'object') return [{ labels, timestampMs, histogram: value }]
      return [{ labels, timestampMs, value: value === 'stale' ? (stale[0] as number) : value }]
    })
    await world.database.namespace('default').appendSamples(samples)
    if (timestampMs === start + RULED_AFTER_MS) {
      await world.putRule('mapping', 'all', { match: '{__name__!=""}', policies: ['10m:30d', '1h:1y'] })
    }
    if (timestampMs % (20 * MINUTE) === 0) await world.advanceTo(timestampMs + 2000)
  }
  return world
}

describe(`an answer that streams (SEED=${SEED})`, () => {
  let world: RollupWorld
  const engine = new Engine()
  beforeAll(async () => {
    world = await makeWorld()
  }, 180_000)

  const planner = () =>
    new ResolutionPlanner({ database: world.database, clock: world.clock, rules: () => ruleKnowledge(world.book) })

  async function rowsOf(queryable: Queryable, query: string, grid: { startMs: number; endMs: number; stepMs: number }) {
    const { series, infos, warnings } = await engine.rangeQuery({ queryable, query, ...grid })
    const rows: string[] = []
    for (let i = 0; i < series.count; i++) {
      series.forEachSample(i, (timeMs, value, histogram) => {
        const text = histogram ? histogramText(histogram) : Object.is(value, -0) ? '-0' : String(value)
        rows.push(`${series.labels(i)} ${timeMs} ${text}`)
      })
    }
    return { rows: rows.sort(), infos, warnings }
  }

  const FUNCTIONS = ['rate', 'increase', 'min_over_time', 'max_over_time', 'sum_over_time', 'avg_over_time']
  const PICKS = ['count_over_time', 'last_over_time', '']

  it('is what is put together series by series', async () => {
    const random = new SeededRandom(SEED + 1)
    const pick = <T>(choices: readonly T[]): T => choices[random.below(choices.length)] as T
    let compared = 0
    streaming.count = 0
    for (let round = 0; round < 120; round++) {
      const name = pick([...FUNCTIONS, ...PICKS])
      const selector = `{__name__=~"${pick(['c_total', 'g', 'h', 'c_total|g', '.+'])}"}`
      const range = name === '' ? '' : `[${pick(['10m', '1h', '3h', '25h'])}]`
      const inner = name === '' ? selector : `${name}(${selector}${range})`
      const stepMs = pick([10 * MINUTE, HOUR, 2 * HOUR, 37 * MINUTE])
      const startMs = start + random.below(12) * pick([HOUR, 7 * MINUTE])
      const grid = { startMs, endMs: end - Math.max(0, random.below(20) - 10) * HOUR, stepMs }
      const query = `label_replace(${inner}, "name", "$1", "__name__", "(.*)")`
      const got = await rowsOf(planner(), query, grid)
      streaming.isOn = false
      const wanted = await rowsOf(planner(), query, grid)
      streaming.isOn = true
      expect(got.rows, `SEED=${SEED} round ${round}: ${query} ${JSON.stringify(grid)}`).toEqual(wanted.rows)
      expect([got.infos, got.warnings]).toEqual([wanted.infos, wanted.warnings])
      compared += got.rows.length
    }
    expect(streaming.count).toBeGreaterThan(50)
    expect(compared).toBeGreaterThan(20_000)
  })

  it('is what raw samples give on aligned ranges, up to the newest of them', async () => {
    const grid = { startMs: start + 3 * HOUR, endMs: start + HOURS * HOUR, stepMs: HOUR }
    expect(grid.endMs - grid.startMs).toBeGreaterThan(DAY)
    for (const [query, tolerance] of [
      ['min_over_time(g[1h])', 0],
      ['max by (job) (max_over_time(g[2h]))', 0],
      ['count_over_time(g[1h])', 0],
      ['last_over_time(g[1h])', 0],
      ['sum_over_time(g[1h])', 1e-12],
      ['avg_over_time(g[2h])', 1e-12],
    ] as const) {
      const got = await rowsOf(planner(), query, grid)
      const wanted = await rowsOf(world.database, query, grid)
      expect(got.infos.join()).toContain('resolution 1h')
      expect(wanted.rows.length, query).toBeGreaterThan(50)
      const numberOf = (row: string) => Number(row.split(' ').at(-1))
      const placeOf = (row: string) => row.split(' ').slice(0, -1).join(' ')
      expect(got.rows.map(placeOf), query).toEqual(wanted.rows.map(placeOf))
      got.rows.forEach((row, i) => {
        const bound = tolerance * Math.max(1, Math.abs(numberOf(wanted.rows[i])))
        expect(Math.abs(numberOf(row) - numberOf(wanted.rows[i])), `${query}: ${row}`).toBeLessThanOrEqual(bound)
      })
    }
  })

  it('gives batches that may be kept to whoever does not say otherwise', async () => {
    const namespace = world.database.namespace('1h_1y')
    const select = namespace.select.bind(namespace)
    const reused: ArrayBufferLike[] = []
    const spy = vi.spyOn(namespace, 'select').mockImplementation(async (request) => {
      const result = await select(request)
      async function* batches() {
        for await (const batch of result.batches) {
          if (request.reusesBatches) reused.push(batch.values.buffer)
          yield batch
        }
      }
      return { ...result, batches: batches() }
    })
    // The second has samples within the windows alone, so nothing stands beside them.
    for (const [name, value] of [
      ['__name__', 'c_total'],
      ['instance', 'i2'],
    ] as const) {
      const matchers = [{ name, operator: '=' as const, value }]
      const request = { matchers, startMs: start + 1, endMs: end + 1, hints }
      streaming.count = 0
      for await (const { values } of (await planner().select(request)).batches) {
        expect(values.length).toBeGreaterThan(0)
        expect(reused).not.toContain(values.buffer)
      }
      expect(streaming.count).toBe(1)
    }
    expect(reused.length).toBeGreaterThan(0)
    spy.mockRestore()
  })

  it('lets go of the store when nobody reads it, or stops to', async () => {
    const matchers = [{ name: '__name__', operator: '=' as const, value: 'c_total' }]
    const namespace = world.database.namespace('1h_1y')
    const select = namespace.select.bind(namespace)
    let open = 0
    const spy = vi.spyOn(namespace, 'select').mockImplementation(async (request) => {
      const result = await select(request)
      open++
      const batches = result.batches[Symbol.asyncIterator]()
      const end = batches.return?.bind(batches)
      let isOpen = true
      batches.return = async (value) => {
        if (isOpen) open--
        isOpen = false
        return end?.(value) ?? { done: true, value: undefined }
      }
      return { ...result, batches: batches as typeof result.batches & typeof batches }
    })
    const request = { matchers, startMs: start + 1, endMs: end + 1, hints }
    const unread = await planner().select(request)
    expect(open).toBe(1)
    await unread.batches[Symbol.asyncIterator]().return?.()
    expect(open).toBe(0)
    for await (const batch of (await planner().select(request)).batches) {
      expect(batch.seriesCount).toBeGreaterThan(0)
      break
    }
    expect(open).toBe(0)
    spy.mockRestore()
  })
})
