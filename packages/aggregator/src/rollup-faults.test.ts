/**
 * Seeds of trouble: crashes at any point of the disk, etcd lost, slow or lying, jumping clocks, repeated batches. No window
 * is missing, doubled or wrong. `SEED=8123` replays one, `SEEDS=1000` runs more.
 */
import type { Labels } from '@varve/tsdb-core/model'
import { describe, expect, it } from 'vitest'
import { RawDrops } from './drops/raw-drops.js'
import { type Plant, runFaultScenario } from './testing/fault-scenario.test.support.js'
import { type EvaluateRequest, type Evaluation, Evaluator } from './windows/evaluator.js'
import { PolicyRunner } from './windows/policy-runner.js'
import { SeriesScan, type SeriesState } from './windows/series-scan.js'
import { SliceScan } from './windows/slice-scan.js'

const SEED = process.env.SEED === undefined ? null : Number(process.env.SEED)
const SEEDS = Number(process.env.SEEDS ?? 200)
const PARTS = SEED === null ? 4 : 1

async function runSeeds(seeds: readonly number[], plant: Plant = {}) {
  let compared = 0
  let crashes = 0
  let dropped = 0
  for (const seed of seeds) {
    try {
      const { comparedCount, crashCount, droppedCount } = await runFaultScenario(seed, plant)
      compared += comparedCount
      crashes += crashCount
      dropped += droppedCount
    } catch (error) {
      const replay = `SEED=${seed} npx vitest run packages/aggregator/src/rollup-faults`
      throw new Error(`${replay}\n${(error as Error).message}`, { cause: error })
    }
  }
  return { compared, crashes, dropped }
}

describe('under faults every window is there, once, and right', () => {
  for (let part = 0; part < PARTS; part++) {
    it(`over generated seeds, part ${part + 1} of ${PARTS}`, async () => {
      const seeds =
        SEED === null ? Array.from({ length: Math.ceil(SEEDS / PARTS) }, (_, i) => part + i * PARTS) : [SEED]
      const { compared, crashes } = await runSeeds(seeds)
      expect(compared).toBeGreaterThan(seeds.length)
      expect(crashes).toBeGreaterThanOrEqual(seeds.length)
    }, 120_000)
  }
})

describe('raw samples that a rule drops', () => {
  it('leave every rollup of them as it is, over generated seeds', async () => {
    const seeds = SEED === null ? Array.from({ length: Math.ceil(SEEDS / 8) }, (_, i) => i) : [SEED]
    const { compared, dropped } = await runSeeds(seeds, { drops: true })
    expect(compared).toBeGreaterThan(seeds.length)
    if (SEED === null) expect(dropped).toBeGreaterThan(seeds.length * 10)
  }, 120_000)
})

/** Bugs that others have shipped. The scenario is good enough if it finds each. */
describe('a planted bug is found', () => {
  const SEEDS_MAX = 150

  async function expectCaught(plant: Plant = {}): Promise<void> {
    for (let seed = 0; seed < SEEDS_MAX; seed++) {
      try {
        await runFaultScenario(seed, plant)
      } catch {
        return // Found: the comparison with the naive twin, or with etcd, failed.
      }
    }
    expect.fail(`${SEEDS_MAX} seeds found nothing`)
  }

  /** Replaces a method for one test. */
  async function withMethod<T extends object, K extends keyof T>(
    target: T,
    name: K,
    method: T[K],
    run: () => Promise<void>,
  ) {
    const original = target[name]
    target[name] = method
    try {
      await run()
    } finally {
      target[name] = original
    }
  }

  const scan = SeriesScan.prototype.scan
  type ScanArguments = Parameters<typeof scan>

  it('the watermark is committed before the windows', async () => {
    const { evaluate } = Evaluator.prototype
    async function markFirst(this: Evaluator, request: EvaluateRequest): Promise<Evaluation> {
      const { target, resolutionMs } = this.options
      if (request.watermark !== null) {
        const timestampMs = request.firstEndMs + (request.windowCount - 1) * resolutionMs
        const nothing = {
          count: 0,
          seriesRefs: new Uint32Array(0),
          timestampsMs: new Float64Array(0),
          values: new Float64Array(0),
        }
        await target.append(nothing, { watermarks: [{ ...request.watermark, timestampMs }] })
      }
      return evaluate.call(this, request)
    }
    await withMethod(Evaluator.prototype, 'evaluate', markFirst, () => expectCaught())
  }, 180_000)

  it('late samples are not computed again', async () => {
    async function never(this: PolicyRunner): Promise<void> {}
    await withMethod(PolicyRunner.prototype, 'computeDirty', never, () => expectCaught())
  }, 180_000)

  it('the first sample of a counter is counted', async () => {
    function counting(this: SeriesScan, ...args: ScanArguments): void {
      const state: SeriesState = args[6]
      if (state.valueMs === -Infinity) Object.assign(state, { valueMs: args[0][args[1]] - 1, value: 0 })
      scan.apply(this, args)
    }
    await withMethod(SeriesScan.prototype, 'scan', counting, () => expectCaught())
  }, 180_000)

  it('a reset is ignored', async () => {
    function ignoring(this: SeriesScan, ...args: ScanArguments): void {
      let previous = args[6].value
      scan.apply(this, args)
      for (let window = 0; window < this.windowCount; window++) {
        if (this.counts[window] === 0) continue
        if (this.lasts[window] < previous) this.increases[window] = 0
        previous = this.lasts[window]
      }
    }
    const scanSlice = SliceScan.prototype.scan
    function ignoringToo(this: SliceScan, ...args: Parameters<typeof scanSlice>): void {
      const { states } = args[1]
      const before = Float64Array.from(this.members.subarray(0, this.count), (member) => states.values[member])
      scanSlice.apply(this, args)
      for (let i = 0; i < this.count; i++) if (this.lasts[i] < before[i]) this.increases[i] = 0
    }
    await withMethod(SliceScan.prototype, 'scan', ignoringToo, () =>
      withMethod(SeriesScan.prototype, 'scan', ignoring, () => expectCaught()),
    )
  }, 180_000)

  it('raw samples are dropped before their windows are computed', async () => {
    const ask = RawDrops.prototype.forBlock
    function atOnce(this: RawDrops, startMs: number, endMs: number) {
      const { history } = this.facts
      const drop = ask.call(this, startMs, endMs)
      return drop && { ...drop, rangesOf: (labels: Labels) => history.spansOf(labels) }
    }
    await withMethod(RawDrops.prototype, 'forBlock', atOnce, () => expectCaught({ drops: true }))
  }, 180_000)

  it('the watch is trusted alone', async () => {
    await expectCaught({ watchAlone: true })
  }, 180_000)
})
