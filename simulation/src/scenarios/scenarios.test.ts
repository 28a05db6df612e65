import { describe, expect, it } from 'vitest'
import { EngineLife, SCRIPT } from '../engine-life.js'
import { crashOnce, lengthOfLife, newSimulation } from './crash-everywhere.js'
import { SCENARIOS } from './index.js'

const SEED = Number(process.env.SEED ?? 20260)

describe('a database on one seed', { timeout: 300_000 }, () => {
  it.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))('%s', async (_, scenario) => {
    const figures = await scenario.run({ seed: SEED, scale: 1 })
    for (const [name, value] of Object.entries(figures)) expect(value, name).toBeGreaterThan(0)
  })

  it('is the same run for the same seed', async () => {
    const run = async () => {
      const simulation = await newSimulation(SEED)
      const life = new EngineLife(simulation)
      await simulation.run(async (env) => {
        await life.open(env)
        for (const step of SCRIPT) await life.step(step, env)
      })
      simulation.crash()
      return [
        simulation.traceHash,
        simulation.disk.operationCount,
        simulation.disk.paths(),
        simulation.disk.usedBytes(),
      ]
    }
    expect(await run()).toEqual(await run())
  })
})

/** The same scenario over a store with one promise broken must fail: so it is known to look. */
describe('the scenarios find a store that', { timeout: 300_000 }, () => {
  const finds = async (mutate: NonNullable<Parameters<typeof crashOnce>[1]['mutate']>) => {
    const length = await lengthOfLife('mutant', SEED, SCRIPT)
    for (let crashIndex = 2; crashIndex < length; crashIndex += 3) {
      for (let state = 0; state < 3; state++) {
        try {
          await crashOnce('mutant', { seed: SEED + state, script: SCRIPT, crashIndex, end: 'power', mutate })
        } catch (error) {
          return (error as Error).message
        }
      }
    }
    return 'nothing found'
  }

  it('acknowledges before the sync', async () => {
    const found = await finds((files) => ({
      ...files,
      open: async (path, mode) => {
        const file = await files.open(path, mode)
        return path.includes('/commit-log/') ? { ...file, sync: async () => {} } : file
      },
    }))
    expect(found).toMatch(/was acknowledged, and is lost/)
  })

  it('syncs no names', async () => {
    expect(await finds((files) => ({ ...files, syncDirectory: async () => {} }))).toMatch(
      /was acknowledged, and is lost|CORRUPT/,
    )
  })
})
