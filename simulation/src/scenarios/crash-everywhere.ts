/**
 * The power goes at every call to the disk in a life that opens, appends, rolls up, seals, merges, deletes, expires and
 * reopens; the disk is left in one of its legal states; the recovery may be cut off too.
 */
import { Simulation } from '@varve/tsdb-core/env/simulated'
import { EngineLife, type LifeOptions, WALL_MS } from '../engine-life.js'
import { SCRIPT, SCRIPT_OF_CHANGES, type Step } from '../steps.js'
import { type Scenario, ScenarioFailure, type ScenarioFigures, type ScenarioOptions } from './scenario.js'

export interface CrashPlan extends LifeOptions {
  readonly seed: number
  readonly script: readonly Step[]
  readonly crashIndex: number
  /** Calls of the recovery after which it is cut off as well. */
  readonly secondCrashAfter?: number
  readonly end: 'power' | 'kill'
  /** The first crash loses this change of names and nothing else, instead of what the seed draws. */
  readonly lostName?: number
  /** How the lives after the first one end. */
  readonly laterEnd?: 'power' | 'kill'
}

/** One life, one or two crashes, and a look at what is left. Gives what was counted. */
export async function crashOnce(scenario: string, plan: CrashPlan): Promise<ScenarioFigures> {
  const simulation = await newSimulation(plan.seed)
  const life = new EngineLife(simulation, plan)
  const end = (how: 'power' | 'kill' = plan.laterEnd ?? plan.end) => {
    simulation.disk.clearFaults()
    if (how === 'power') simulation.crash()
    else simulation.kill()
  }
  const fail = (problems: readonly string[]) =>
    new ScenarioFailure(scenario, plan.seed, [JSON.stringify(plan), ...problems], simulation.disk.lastOperations)
  try {
    simulation.disk.crashAt(plan.crashIndex)
    await simulation.run(async (env) => {
      await life.open(env)
      for (const step of plan.script) await life.step(step, env)
    })
    if (plan.lostName === undefined) end(plan.end)
    else simulation.crashWithoutName(plan.lostName)
    if (plan.secondCrashAfter !== undefined) {
      simulation.disk.crashAt(simulation.disk.operationCount + plan.secondCrashAfter)
      await simulation.run((env) => life.open(env))
      end()
    }
    const states: string[] = []
    // Twice: what the first recovery decided, the second finds.
    for (let round = 0; round < 2; round++) {
      await simulation.run(async (env) => {
        await life.open(env)
        life.expire()
        const problems = await life.check({ settle: true })
        if (round === 1) problems.push(...(await life.checkSnapshots(env)))
        if (problems.length > 0) throw fail([`recovery ${round + 1}:`, ...problems])
        states.push(life.notices.splice(0).join('\n'))
        if (round === 0) {
          await life.step({ kind: 'append', series: [0, 1, 2, 3], ageMs: 0, count: 1 }, env)
          await life.step({ kind: 'flush' }, env)
          const after = await life.check()
          if (after.length > 0) throw fail(['after the recovery:', ...after])
        }
      })
      end()
    }
  } catch (error) {
    if (error instanceof ScenarioFailure) throw error
    throw fail([error instanceof Error ? (error.stack ?? error.message) : String(error)])
  }
  return {
    crashes: plan.secondCrashAfter === undefined ? 3 : 4,
    acknowledgedSamples: life.model.acknowledgedCount,
    checkedSamples: life.model.checkedCount,
  }
}

/** How many calls an undisturbed life makes; it must itself be without fault. */
export async function lengthOfLife(scenario: string, seed: number, script: readonly Step[], options: LifeOptions = {}) {
  const simulation = await newSimulation(seed)
  const life = new EngineLife(simulation, options)
  await simulation.run(async (env) => {
    await life.open(env)
    for (const step of script) {
      await life.step(step, env)
      const problems = await life.check()
      if (problems.length > 0) throw new ScenarioFailure(scenario, seed, [JSON.stringify(step), ...problems])
    }
  })
  return simulation.disk.operationCount
}

export async function newSimulation(seed: number): Promise<Simulation> {
  const simulation = new Simulation({ seed, wallMs: WALL_MS })
  await simulation.run(async (env) => {
    await env.files.makeDirectory('/data')
    await env.files.syncDirectory('/')
  })
  return simulation
}

export function addFigures(sum: Record<string, number>, figures: ScenarioFigures): void {
  for (const [name, value] of Object.entries(figures)) sum[name] = (sum[name] ?? 0) + value
}

const SCRIPTS: readonly (readonly Step[])[] = [SCRIPT, SCRIPT_OF_CHANGES]

export const crashEverywhere: Scenario = {
  name: 'crash-everywhere',
  async run({ seed, scale }: ScenarioOptions) {
    const sum: Record<string, number> = {}
    for (const script of SCRIPTS) {
      const length = await lengthOfLife(this.name, seed, script)
      // In a test run every call of the first script, and of the second every other one, by the seed.
      const step = script === SCRIPT || scale > 1 ? 1 : 2
      for (let crashIndex = 2 + (seed % step); crashIndex < length; crashIndex += step) {
        for (let state = 0; state < scale; state++) {
          const plan = {
            seed: seed + state,
            script,
            crashIndex,
            end: (crashIndex + state) % 4 === 0 ? 'kill' : 'power',
            laterEnd: 'power',
          } as const
          addFigures(sum, await crashOnce(this.name, plan))
          addFigures(sum, { states: 1 })
        }
      }
    }
    return sum
  },
}

export const crashTwice: Scenario = {
  name: 'crash-twice',
  async run({ seed, scale }: ScenarioOptions) {
    const sum: Record<string, number> = {}
    for (const script of SCRIPTS) {
      const length = await lengthOfLife(this.name, seed, script)
      const step = Math.max(1, Math.floor(length / (15 * scale)))
      for (let crashIndex = 2; crashIndex < length; crashIndex += step) {
        for (let second = 0; second < 6; second++) {
          const plan = { seed: seed + second, script, crashIndex, secondCrashAfter: second * 2, end: 'power' } as const
          addFigures(sum, await crashOnce(this.name, plan))
          addFigures(sum, { states: 1 })
        }
      }
    }
    return sum
  },
}
