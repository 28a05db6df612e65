/** Lives of drawn steps that end by power cuts and kills at drawn calls, with drawn errors of the disk in between. */
import { EngineLife } from '../engine-life.js'
import { drawStep } from '../steps.js'
import { addFigures, newSimulation } from './crash-everywhere.js'
import { type Scenario, ScenarioFailure } from './scenario.js'

const LIVES_PER_SEED = 6
const STEPS_PER_LIFE = 14
/** Not reads: a select that cannot read a block answers without it, with a warning, and the model asks for all. */
const FAILING = ['write', 'sync', 'create', 'rename', 'remove', 'syncDirectory', 'truncate'] as const

export const randomLife: Scenario = {
  name: 'random-life',
  async run({ seed, scale }) {
    const sum: Record<string, number> = {}
    for (let round = 0; round < 10 * scale; round++) addFigures(sum, await liveOn(this.name, seed + round))
    return sum
  },
}

async function liveOn(scenario: string, seed: number) {
  const simulation = await newSimulation(seed)
  const { random, disk } = simulation
  const life = new EngineLife(simulation)
  const trail: string[] = []
  const fail = (problems: readonly string[]) =>
    new ScenarioFailure(scenario, seed, [...problems, 'steps:', ...trail.slice(-15)], disk.lastOperations)
  let crashes = 0
  try {
    for (let number = 0; number < LIVES_PER_SEED; number++) {
      await simulation.run(async (env) => {
        await life.open(env)
        life.expire()
        const problems = await life.check({ settle: true })
        if (problems.length > 0) throw fail(['after opening:', ...problems])
      })
      if (random.chance(0.7)) disk.crashAt(disk.operationCount + random.below(300))
      if (random.chance(0.3)) {
        const operation = random.pick(FAILING)
        const code = random.pick(['IO', 'NO_SPACE'] as const)
        disk.fail({ operation, code, skip: random.below(12), count: 1 + random.below(3) })
      }
      await simulation.run(async (env) => {
        for (let i = 0; i < STEPS_PER_LIFE; i++) {
          const step = drawStep(random)
          trail.push(`life ${number}: ${JSON.stringify(step)}`)
          await life.step(step, env)
          // Reading while calls fail may itself fail: what is there is then seen after the next opening.
          const problems = await life.check().catch(() => [])
          if (problems.length > 0) throw fail(problems)
        }
      })
      disk.clearFaults()
      const isPowerCut = random.chance(0.7)
      trail.push(isPowerCut ? 'the power goes' : 'the process is killed')
      if (isPowerCut) simulation.crash()
      else simulation.kill()
      crashes++
    }
  } catch (error) {
    if (error instanceof ScenarioFailure) throw error
    throw fail([(error as Error).stack ?? String(error)])
  }
  return {
    lives: LIVES_PER_SEED,
    crashes,
    acknowledgedSamples: life.model.acknowledgedCount,
    checkedSamples: life.model.checkedCount,
    virtualMinutes: Math.round(simulation.nowMs / 60_000),
  }
}
