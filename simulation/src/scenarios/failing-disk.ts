/**
 * One call to the disk fails, each in turn and with each error, and the store goes on; later the power goes. And a disk
 * that is full for a while: writes are refused by name, reads go on, and writes are taken again once there is room.
 */
import { StorageError } from '@varve/tsdb-core'
import type { SimulatedDisk } from '@varve/tsdb-core/env/simulated'
import { EngineLife, isNamed } from '../engine-life.js'
import { SCRIPT, SCRIPT_OF_CHANGES, type Step } from '../steps.js'
import { addFigures, lengthOfLife, newSimulation } from './crash-everywhere.js'
import { type Scenario, ScenarioFailure } from './scenario.js'

export const failEveryCall: Scenario = {
  name: 'fail-every-call',
  async run({ seed, scale }) {
    const sum: Record<string, number> = {}
    for (const script of [SCRIPT, SCRIPT_OF_CHANGES]) {
      const length = await lengthOfLife(this.name, seed, script)
      const step = Math.max(1, Math.floor(12 / scale))
      for (let index = 2 + (seed % step); index < length; index += step) {
        for (const code of ['IO', 'NO_SPACE'] as const) {
          const what = `call ${index} fails with ${code}`
          const life = await liveOn({ scenario: this.name, seed, index, script, what }, (disk) =>
            disk.failAt(index, code),
          )
          addFigures(sum, { failures: 1, acknowledgedSamples: life.model.acknowledgedCount })
        }
      }
    }
    return sum
  },
}

/** Each sync fails once, and its pages are taken for clean: what was acknowledged later must not rest on it. */
export const failEverySync: Scenario = {
  name: 'fail-every-sync',
  async run({ seed, scale }) {
    const sum: Record<string, number> = {}
    const script = SCRIPT.slice(0, 12)
    for (const operation of ['sync', 'syncDirectory'] as const) {
      const step = Math.max(1, Math.floor(4 / scale))
      for (let index = seed % step; ; index += step) {
        let hasStruck = false
        const what = `${operation} ${index} fails`
        const life = await liveOn(
          { scenario: this.name, seed, index, script, what, look: (disk) => (hasStruck = disk.faultsLeft === 0) },
          (disk) => disk.fail({ operation, code: 'IO', skip: index }),
        )
        if (!hasStruck) break
        addFigures(sum, { failures: 1, acknowledgedSamples: life.model.acknowledgedCount })
      }
    }
    return sum
  },
}

interface FailingLife {
  readonly scenario: string
  readonly seed: number
  readonly index: number
  readonly script: readonly Step[]
  readonly what: string
  /** Called at the end, before the power goes. */
  readonly look?: (disk: SimulatedDisk) => void
}

/** Lives through the script on a disk that is about to fail; then the power goes, and what was acknowledged is looked for. */
async function liveOn(plan: FailingLife, arm: (disk: SimulatedDisk) => void): Promise<EngineLife> {
  const simulation = await newSimulation(plan.seed + plan.index)
  const life = new EngineLife(simulation)
  const fail = (problems: readonly string[]) =>
    new ScenarioFailure(plan.scenario, plan.seed, [plan.what, ...problems], simulation.disk.lastOperations)
  arm(simulation.disk)
  try {
    await simulation.run(async (env) => {
      // A store that cannot be opened says why; the next attempt is on a sound disk.
      await life.open(env).catch(async (error) => {
        if (!isNamed(error)) throw error
        await life.open(env)
      })
      for (const each of plan.script) await life.step(each, env)
      life.expire()
      const problems = await life.check()
      if (problems.length > 0) throw fail(['while it lives:', ...problems])
    })
    plan.look?.(simulation.disk)
    simulation.disk.clearFaults()
    simulation.crash()
    await simulation.run(async (env) => {
      await life.open(env)
      life.expire()
      const problems = await life.check({ settle: true })
      if (problems.length > 0) throw fail(['after the power went:', ...problems])
    })
  } catch (error) {
    if (error instanceof ScenarioFailure) throw error
    throw fail([(error as Error).stack ?? String(error)])
  }
  return life
}

export const fullDisk: Scenario = {
  name: 'full-disk',
  async run({ seed, scale }) {
    const sum: Record<string, number> = {}
    for (let round = 0; round < 10 * scale; round++) {
      const simulation = await newSimulation(seed + round)
      const life = new EngineLife(simulation, { diskReserveBytes: 1_000, maintenanceIntervalMs: 10_000 })
      const fail = (problems: readonly string[]) =>
        new ScenarioFailure(this.name, seed + round, problems, simulation.disk.lastOperations)
      await simulation.run(async (env) => {
        await life.open(env)
        await life.step({ kind: 'append', series: [0, 1, 2], ageMs: 0, count: 3 }, env)
        await life.step({ kind: 'flush' }, env)
        simulation.disk.capacityBytes = simulation.disk.usedBytes() + simulation.random.below(4_000)
        let refusal: StorageError | null = null
        for (let i = 0; i < 200 && refusal === null; i++) {
          await life.tryAppend({ kind: 'append', series: [0, 1, 2, 3, 4], ageMs: i * 40, count: 2 }).catch((error) => {
            if (!(error instanceof StorageError)) throw error
            refusal = error
          })
          await life.step({ kind: 'wait', forMs: 20 }, env)
        }
        const refused = refusal as StorageError | null
        if (refused?.code !== 'READ_ONLY')
          throw fail([`a full disk was answered by ${refused?.code}: ${refused?.message}`])
        await life.step({ kind: 'maintain' }, env)
        const whileFull = await life.check()
        if (whileFull.length > 0) throw fail(['while the disk is full:', ...whileFull])
        // A restart on a full disk: what is stored is read, nothing is written.
        simulation.disk.capacityBytes = Math.min(simulation.disk.capacityBytes, simulation.disk.usedBytes())
        await life.step({ kind: 'reopen' }, env)
        const afterRestart = await life.check()
        if (afterRestart.length > 0) throw fail(['after a restart on the full disk:', ...afterRestart])
        simulation.disk.capacityBytes = 2 ** 40
        // It recovers by itself: within a moment, without being told.
        let isTaken = false
        for (let i = 0; i < 100 && !isTaken; i++) {
          await life.step({ kind: 'wait', forMs: 1_000 }, env)
          isTaken = await life.tryAppend({ kind: 'append', series: [0, 1], ageMs: 0, count: 1 }).then(
            () => true,
            () => false,
          )
        }
        if (!isTaken) throw fail(['100 s after there was room again, writes were still refused'])
        const after = await life.check()
        if (after.length > 0) throw fail(['after there was room again:', ...after])
      })
      simulation.crash()
      await simulation.run(async (env) => {
        await life.open(env)
        const problems = await life.check({ settle: true })
        if (problems.length > 0) throw fail(['after the power went:', ...problems])
      })
      addFigures(sum, { fullDisks: 1, acknowledgedSamples: life.model.acknowledgedCount })
    }
    return sum
  },
}
