/** What the scenarios found, each as a case of its own: docs/RELIABILITY.md has the table. */
import type { Simulation } from '@varve/tsdb-core/env/simulated'
import { expect, it } from 'vitest'
import { EngineLife } from '../engine-life.js'
import type { Step } from '../steps.js'
import { newSimulation } from './crash-everywhere.js'

type Action = Step | { readonly kind: 'do'; readonly act: (simulation: Simulation) => void }

const APPEND: Step = { kind: 'append', series: [0, 1, 2], ageMs: 0, count: 1 }
const MOMENT: Step = { kind: 'wait', forMs: 50 }
const fails = (operation: 'sync' | 'syncDirectory', path: string): Action => ({
  kind: 'do',
  act: (simulation) => simulation.disk.fail({ operation, path, code: 'IO' }),
})

/** Lives through the actions; then the power goes, over all legal states of a few seeds. */
async function survives(...actions: readonly Action[]): Promise<void> {
  for (let seed = 0; seed < 8; seed++) {
    const simulation = await newSimulation(seed)
    const life = new EngineLife(simulation)
    await simulation.run(async (env) => {
      await life.open(env)
      for (const action of actions) {
        if (action.kind === 'do') action.act(simulation)
        else await life.step(action, env)
      }
      expect(await life.check(), 'while it lives').toEqual([])
    })
    simulation.disk.clearFaults()
    simulation.crash()
    await simulation.run(async (env) => {
      await life.open(env)
      expect(await life.check({ settle: true }), 'after the power went').toEqual([])
    })
  }
}

it('samples that came between a seal that failed and its next try are not taken for sealed', async () => {
  await survives(APPEND, fails('syncDirectory', 'namespaces/default'), { kind: 'flush' }, MOMENT, APPEND, {
    kind: 'maintain',
  })
})

it('samples after a refused delete are not logged without their series', async () => {
  const noSegments: Action = {
    kind: 'do',
    act: (simulation) => simulation.disk.fail({ operation: 'create', path: 'commit-log', code: 'IO', count: 2 }),
  }
  const refused: Step = { kind: 'delete', code: '200', fromAgeMs: 30_000, toAgeMs: 20_000 }
  const append = (index: number): Step => ({ kind: 'append', series: [index], ageMs: 0, count: 1 })
  // The process that is started again has other references than the log before it.
  await survives(
    append(0),
    { kind: 'flush' },
    append(1),
    { kind: 'reopen' },
    noSegments,
    { kind: 'flush' },
    refused,
    MOMENT,
    append(1),
  )
})

it('a close that fails lets go of the folder', async () => {
  await survives(APPEND, fails('sync', 'closed'), { kind: 'reopen' }, APPEND)
})

it('deleted samples stay deleted when the manifest that says so is damaged', async () => {
  const simulation = await newSimulation(1)
  const life = new EngineLife(simulation)
  await simulation.run(async (env) => {
    await life.open(env)
    await life.step(APPEND, env)
    await life.step({ kind: 'flush' }, env)
    await life.step({ kind: 'delete', code: '500', fromAgeMs: 60_000, toAgeMs: -1 }, env)
    await life.database.close()
  })
  const path = simulation.disk.paths().find((each) => each.endsWith('/default/manifest'))!
  simulation.disk.flipBit(path, 700)
  await simulation.run(async (env) => {
    await life.open(env)
    expect(life.notices.join('\n')).toContain(path)
    expect(await life.check()).toEqual([])
  })
})
