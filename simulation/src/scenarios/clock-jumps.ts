/** The wall clock jumps, in both directions and far: nothing is deleted by it, and time that really passes still counts. */
import { EngineLife } from '../engine-life.js'
import { addFigures, newSimulation } from './crash-everywhere.js'
import { type Scenario, ScenarioFailure } from './scenario.js'

const HOUR = 3_600_000
const YEAR = 365 * 24 * HOUR
const JUMPS_MS = [HOUR, -HOUR, 10 * YEAR, -10 * YEAR, -5_000, 24 * HOUR] as const

export const clockJumps: Scenario = {
  name: 'clock-jumps',
  async run({ seed, scale }) {
    const sum: Record<string, number> = {}
    for (let round = 0; round < scale; round++) {
      for (const byMs of JUMPS_MS) {
        const simulation = await newSimulation(seed + round)
        const life = new EngineLife(simulation)
        const fail = (problems: readonly string[]) =>
          new ScenarioFailure(this.name, seed + round, [`after a jump by ${byMs / 1000} s:`, ...problems])
        await simulation.run(async (env) => {
          await life.open(env)
          await life.step({ kind: 'append', series: [0, 1, 2], ageMs: 0, count: 3 }, env)
          await life.step({ kind: 'append', series: [0, 3], ageMs: 6 * 60_000, count: 3 }, env)
          await life.step({ kind: 'flush' }, env)
          await life.step({ kind: 'append', series: [0, 1], ageMs: 0, count: 1 }, env)
          await life.step({ kind: 'jump', byMs }, env)
          for (let i = 0; i < 3; i++) {
            await life.step({ kind: 'maintain' }, env)
            await life.step({ kind: 'wait', forMs: 10_000 }, env)
          }
          await life.step({ kind: 'jump', byMs: -byMs }, env)
          await life.step({ kind: 'maintain' }, env)
          const problems = await life.check()
          if (problems.length > 0) throw fail(problems)
          await life.step({ kind: 'append', series: [0, 1], ageMs: 0, count: 1 }, env)
          await life.step({ kind: 'reopen' }, env)
          const after = await life.check()
          if (after.length > 0) throw fail(['and a reopening:', ...after])
        })
        addFigures(sum, { jumps: 1, acknowledgedSamples: life.model.acknowledgedCount })
      }
    }
    return sum
  },
}
