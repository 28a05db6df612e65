/**
 * The engine against a plain map. Among the commands: floats and native histograms, late data, deletes, merges, namespaces that come
 * and go, snapshots and restores, clocks that jump, restarts, kills and power cuts.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { EngineLife } from './engine-life.js'
import { FLEET } from './fleet.js'
import { newSimulation } from './scenarios/crash-everywhere.js'
import { EXTRA_RETENTIONS_MS, type Step } from './steps.js'

const MINUTE = 60_000
type Command = Step | { readonly kind: 'power' } | { readonly kind: 'kill' }

const append = fc.record({
  kind: fc.constant('append' as const),
  series: fc.uniqueArray(fc.nat(FLEET.length - 1)),
  ageMs: fc.oneof(fc.constant(0), fc.nat(15 * MINUTE)),
  count: fc.integer({ min: 1, max: 5 }),
})
const remove = fc.record({
  kind: fc.constant('delete' as const),
  code: fc.constantFrom('200', '500'),
  fromAgeMs: fc.nat(15 * MINUTE),
  toAgeMs: fc.nat(5 * MINUTE),
})
const wait = fc.record({ kind: fc.constant('wait' as const), forMs: fc.constantFrom(1_000, MINUTE, 7 * MINUTE) })
const appendExtra = fc.record({
  kind: fc.constant('appendExtra' as const),
  series: fc.uniqueArray(fc.nat(FLEET.length - 1)),
  count: fc.integer({ min: 1, max: 3 }),
})
const changeExtra = fc.record({
  kind: fc.constant('changeExtra' as const),
  retentionMs: fc.constantFrom(...EXTRA_RETENTIONS_MS),
})
const setClock = fc.record({
  kind: fc.constant('setClock' as const),
  aheadMs: fc.constantFrom(0, 0, 0, MINUTE, -MINUTE, 60 * MINUTE, -60 * MINUTE, 5_000_000 * MINUTE),
})
const plain = fc
  .constantFrom('rollUp', 'maintain', 'flush', 'reopen', 'power', 'kill')
  .map((kind) => ({ kind }) as Command)
const rare = fc
  .constantFrom('createExtra', 'createExtra', 'deleteExtra', 'snapshot', 'restore')
  .map((kind) => ({ kind }) as Command)
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: append },
  { weight: 5, arbitrary: plain },
  { weight: 3, arbitrary: rare },
  appendExtra,
  changeExtra,
  setClock,
  remove,
  wait,
)

it('the engine holds what a plain map holds, whatever is done to it', { timeout: 300_000 }, async () => {
  const property = fc.asyncProperty(
    fc.array(command, { maxLength: 30, size: 'max' }),
    fc.nat(1_000_000),
    async (commands, seed) => {
      const simulation = await newSimulation(seed)
      const life = new EngineLife(simulation)
      await simulation.run((env) => life.open(env))
      for (const each of commands) {
        if (each.kind === 'power') simulation.crash()
        else if (each.kind === 'kill') simulation.kill()
        await simulation.run(async (env) => {
          if (each.kind === 'power' || each.kind === 'kill') {
            await life.open(env)
            life.expire()
          } else await life.step(each, env)
          expect(await life.check({ settle: each.kind === 'power' })).toEqual([])
        })
      }
    },
  )
  await fc.assert(property, { numRuns: Number(process.env.VARVE_PROPERTY_RUNS ?? 60) })
})
