/**
 * One call to the disk fails, each in turn and with each error, and the store goes on; later the power goes. And a disk
 * that is full for a while: writes are refused by name, reads go on, and writes are taken again once there is room.
 */
import { StorageError } from '@varve/tsdb-core'
import { EngineLife, isNamed, SCRIPT } from '../engine-life.js'
import { addFigures, lengthOfLife, newSimulation } from './crash-everywhere.js'
import { type Scenario, ScenarioFailure } from './scenario.js'

export const failEveryCall: Scenario = {
  name: 'fail-every-call',
  async run({ seed, scale }) {
    const sum: Record<string, number> = {}
    const length = await lengthOfLife(this.name, seed, SCRIPT)
    const step = Math.max(1, Math.floor(8 / scale))
    for (let index = 2 + (seed % step); index < length; index += step) {
      for (const code of ['IO', 'NO_SPACE'] as const) {
        const simulation = await newSimulation(seed + index)
        const life = new EngineLife(simulation)
        const fail = (problems: readonly string[]) =>
          new ScenarioFailure(
            this.name,
            seed,
            [`call ${index} fails with ${code}`, ...problems],
            simulation.disk.lastOperations,
          )
        simulation.disk.failAt(index, code)
        try {
          await simulation.run(async (env) => {
            // A store that cannot be opened says why; the next attempt is on a sound disk.
            await life.open(env).catch(async (error) => {
              if (!isNamed(error)) throw error
              await life.open(env)
            })
            for (const each of SCRIPT) await life.step(each, env)
            life.expire()
            const problems = await life.check()
            if (problems.length > 0) throw fail(['while it lives:', ...problems])
          })
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
        addFigures(sum, { failures: 1, acknowledgedSamples: life.model.acknowledgedCount })
      }
    }
    return sum
  },
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
