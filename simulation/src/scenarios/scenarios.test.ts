import type { FileSystem } from '@varve/tsdb-core/env'
import { describe, expect, it } from 'vitest'
import { DIRECTORY, EngineLife, type LifeOptions } from '../engine-life.js'
import { SCRIPT, type Step } from '../steps.js'
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

  it('takes a restored folder apart before it is durable in its place', async () => {
    const script: readonly Step[] = [
      { kind: 'append', series: [0, 5], ageMs: 0, count: 2 },
      { kind: 'snapshot' },
      { kind: 'restore' },
    ]
    const isInPlace = (path: string) => path === DIRECTORY || path.startsWith(`${DIRECTORY}/restored`)
    const mutate = (files: FileSystem): FileSystem => ({
      ...files,
      syncDirectory: async (path) => (isInPlace(path) ? undefined : files.syncDirectory(path)),
    })
    /** Each change of names that is not synced right behind the call that removes the copy is lost once. */
    const losses = async (options: LifeOptions) => {
      const simulation = await newSimulation(SEED)
      const life = new EngineLife(simulation, options)
      let crashIndex = -1
      let nameCount = 0
      simulation.disk.onOperation = (operation, path) => {
        const { operationCount, unsyncedNameCount } = simulation.disk
        if (operationCount - 1 === crashIndex) nameCount = unsyncedNameCount
        if (operation === 'remove' && path === `${DIRECTORY}/restored`) crashIndex = operationCount
      }
      await simulation.run(async (env) => {
        await life.open(env)
        for (const step of script) await life.step(step, env)
      })
      expect(nameCount).toBeGreaterThan(0)
      const found: string[] = []
      for (let lostName = 0; lostName < nameCount; lostName++) {
        const plan = { seed: SEED, script, crashIndex, end: 'power', lostName, ...options } as const
        await crashOnce('mutant', plan).catch((error: Error) => found.push(error.message))
      }
      return found
    }
    expect(await losses({})).toEqual([])
    expect((await losses({ mutate })).join('\n')).toMatch(/was acknowledged, and is lost/)
  })
})
