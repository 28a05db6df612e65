/**
 * A disk that is slow for a minute, as slow as a failing one: a sync takes up to two seconds. Appends wait, none is lost, none
 * waits for more than a few syncs, reads do not wait at all; then the power goes in the middle of it, or the disk gets well.
 */
import type { Env } from '@varve/tsdb-core/env'
import type { Simulation } from '@varve/tsdb-core/env/simulated'
import { EngineLife, isNamed } from '../engine-life.js'
import { addFigures, newSimulation } from './crash-everywhere.js'
import { type Scenario, ScenarioFailure } from './scenario.js'

const SLOW_SYNC_MS = 2_000
const SLOW_CALL_MS = 10
const SLOW_FOR_MS = 60_000
const WRITERS = 4
/** The sync that runs, its own one, and those of a segment that ends in between. */
const SYNCS_PER_APPEND_MAX = 6

export const slowDisk: Scenario = {
  name: 'slow-disk',
  async run({ seed, scale }) {
    const sum: Record<string, number> = {}
    for (let round = 0; round < 4 * scale; round++) addFigures(sum, await liveSlowly(this.name, seed + round))
    return sum
  },
}

async function liveSlowly(scenario: string, seed: number) {
  const simulation = await newSimulation(seed)
  const { disk, random } = simulation
  const life = new EngineLife(simulation, { maintenanceIntervalMs: 10_000 })
  const fail = (problems: readonly string[]) => new ScenarioFailure(scenario, seed, problems, disk.lastOperations)
  const [well, slow] = [
    { sync: disk.syncMsMax, call: disk.callMsMax },
    { sync: SLOW_SYNC_MS, call: SLOW_CALL_MS },
  ]
  const become = ({ sync, call }: typeof well) => {
    disk.syncMsMax = sync
    disk.callMsMax = call
  }
  const endsByPowerCut = random.chance(0.5)
  let appends = 0
  let slowestMs = 0
  await simulation.run(async (env) => {
    await life.open(env)
    await life.step({ kind: 'append', series: [0, 1, 2, 3], ageMs: 0, count: 3 }, env)
    become(slow)
    const endMs = simulation.nowMs + (endsByPowerCut ? random.below(SLOW_FOR_MS) : SLOW_FOR_MS)
    const write = async (series: number) => {
      while (simulation.nowMs < endMs) {
        const startMs = simulation.nowMs
        await life.tryAppend({ kind: 'append', series: [series], ageMs: 0, count: 1 })
        slowestMs = Math.max(slowestMs, simulation.nowMs - startMs)
        appends++
        await pause(env, random.below(300))
      }
    }
    const read = async () => {
      while (simulation.nowMs < endMs) {
        const startMs = simulation.nowMs
        const problems = await life.check()
        if (problems.length > 0) throw fail(['while the disk is slow:', ...problems])
        if (simulation.nowMs - startMs > SLOW_SYNC_MS) throw fail([`a read took ${simulation.nowMs - startMs} ms`])
        await pause(env, 1_000)
      }
    }
    await Promise.all([read(), ...Array.from({ length: WRITERS }, (_, series) => write(series))])
    if (slowestMs > SYNCS_PER_APPEND_MAX * SLOW_SYNC_MS) throw fail([`an append took ${slowestMs} ms`])
    if (endsByPowerCut) return
    become(well)
    await recoversItsPace(simulation, life, env, fail)
  })
  become(well)
  simulation.crash()
  await simulation.run(async (env) => {
    await life.open(env)
    life.expire()
    const problems = await life.check({ settle: true })
    if (problems.length > 0) throw fail(['after the power went:', ...problems])
  })
  return { slowAppends: appends, slowestMsSum: Math.round(slowestMs) }
}

async function recoversItsPace(
  simulation: Simulation,
  life: EngineLife,
  env: Env,
  fail: (problems: readonly string[]) => ScenarioFailure,
): Promise<void> {
  // What waits in the background may still be written first.
  await pause(env, 100)
  const startMs = simulation.nowMs
  await life.tryAppend({ kind: 'append', series: [0], ageMs: 0, count: 1 }).catch((error) => {
    if (!isNamed(error)) throw error
  })
  const tookMs = simulation.nowMs - startMs
  if (tookMs > 100) throw fail([`the disk is well, and an append takes ${tookMs} ms`])
}

function pause(env: Env, forMs: number): Promise<void> {
  return new Promise((resolve) => void env.clock.setTimer(forMs, resolve))
}
