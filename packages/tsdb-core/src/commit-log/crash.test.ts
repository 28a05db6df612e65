import { describe, expect, it } from 'vitest'
import { sleep } from '../env/clock.js'
import { Simulation } from '../env/simulated/index.js'
import type { SyncMode } from './commit-log.js'
import { RecordType } from './format.js'
import { type LifeOptions, lengthOfLife, mutateFile, survive } from './life.test.support.js'
import { CommitLog } from './writer.js'

const ALWAYS: LifeOptions = { syncMode: 'always' }
/** Each state is one legal outcome of the same crash. */
const STATE_COUNT = Number(process.env.VARVE_CRASH_STATES ?? 4)
const SEED = Number(process.env.SEED ?? 1)

describe('a commit log over a disk that crashes', { timeout: 300_000 }, () => {
  it('loses no acknowledged record and invents none, at every call of its life', async () => {
    const length = await lengthOfLife(SEED, ALWAYS)
    expect(length).toBeGreaterThan(40)
    for (let index = 0; index < length; index++) {
      for (let state = 0; state < STATE_COUNT; state++) {
        const arrange = (simulation: { disk: { crashAt(index: number): void } }) => simulation.disk.crashAt(index)
        await survive({ seed: SEED + state, options: ALWAYS, arrange, end: 'power' })
      }
    }
  })

  it('nor when the recovery crashes as well', async () => {
    const length = await lengthOfLife(SEED, ALWAYS)
    for (let index = 0; index < length; index += 3) {
      for (let second = 0; second < 8; second++) {
        await survive({
          seed: SEED + second,
          options: ALWAYS,
          arrange: (simulation) => simulation.disk.crashAt(index),
          end: 'power',
          secondCrashAfter: second,
        })
      }
    }
  })

  it('nor when any one call fails, with either error, and the power goes later', async () => {
    const length = await lengthOfLife(SEED, ALWAYS)
    for (let index = 0; index < length; index++) {
      for (const code of ['IO', 'NO_SPACE'] as const) {
        const arrange = (simulation: { disk: { failAt(index: number, code: 'IO' | 'NO_SPACE'): void } }) =>
          simulation.disk.failAt(index, code)
        await survive({ seed: SEED + index, options: ALWAYS, arrange, end: 'power' })
        await survive({ seed: SEED + index, options: { syncMode: 'interval' }, arrange, end: 'kill' })
      }
    }
  })

  it('nor when the disk is full for a while', async () => {
    for (let seed = SEED; seed < SEED + 20; seed++) {
      await survive({
        seed,
        options: ALWAYS,
        arrange(simulation) {
          simulation.at(3, () => {
            simulation.disk.capacityBytes = simulation.disk.usedBytes() + 500
          })
          simulation.at(30, () => {
            simulation.disk.capacityBytes = 2 ** 40
          })
        },
        end: 'power',
      })
    }
  })

  it('nor when the process is killed and the power goes later: what was found then stays', async () => {
    const length = await lengthOfLife(SEED, ALWAYS)
    for (let index = 0; index < length; index++) {
      await survive({
        seed: SEED + index,
        options: ALWAYS,
        arrange: (simulation) => simulation.disk.crashAt(index),
        end: 'kill',
        laterEnd: 'power',
      })
    }
  })

  it('refuses with a record all that was appended behind it until then', async () => {
    const simulation = new Simulation({ seed: SEED })
    await simulation.run(async (env) => {
      await env.files.makeDirectory('/data')
      const log = await CommitLog.open({ env, directory: '/data/log' })
      await log.replay(() => {})
      const append = () => log.append(RecordType.SampleBatch, [new Uint8Array(600)])
      await append()
      simulation.disk.capacityBytes = simulation.disk.usedBytes() + 100
      const first = append()
      // The first is being written when the second comes, so that they are in two groups.
      await sleep(env.clock, 0.001)
      const outcomes = await Promise.allSettled([first, append()])
      expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
      expect(log.counts.refusals).toBe(1)
      simulation.disk.capacityBytes = 2 ** 40
      await append()
    })
  })

  it.each<SyncMode>(['interval', 'never'])(
    'in mode %s loses nothing to a kill, and only its end to a power cut',
    async (mode) => {
      const options: LifeOptions = { syncMode: mode }
      const length = await lengthOfLife(SEED, options)
      for (let index = 0; index < length; index++) {
        const arrange = (simulation: { disk: { crashAt(index: number): void } }) => simulation.disk.crashAt(index)
        await survive({ seed: SEED + index, options, arrange, end: 'kill' })
        await survive({ seed: SEED + index, options, arrange, end: 'power' })
      }
    },
  )
})

/** The same lives with one promise broken must fail: what passes these tests is shown to keep that promise. */
describe('the crash test finds a log that', { timeout: 300_000 }, () => {
  const finds = async (options: LifeOptions, arrange?: 'failSyncs') => {
    const length = await lengthOfLife(SEED, ALWAYS)
    for (let index = 0; index < length; index++) {
      for (let state = 0; state < STATE_COUNT; state++) {
        try {
          await survive({
            seed: SEED + state,
            options,
            arrange: (simulation) => {
              if (arrange === 'failSyncs') simulation.disk.fail({ operation: 'sync', code: 'IO', skip: index })
              else simulation.disk.crashAt(index)
            },
            end: 'power',
          })
        } catch (error) {
          return (error as Error).message
        }
      }
    }
    return 'nothing found'
  }

  it('acknowledges before the sync', async () => {
    const mutate = mutateFile(() => ({ sync: async () => {} }))
    expect(await finds({ ...ALWAYS, mutate })).toMatch(/acknowledged record \d+ is lost/)
  })

  it('syncs the file and not its name', async () => {
    const mutate: LifeOptions['mutate'] = (files) => ({ ...files, syncDirectory: async () => {} })
    expect(await finds({ ...ALWAYS, mutate })).toMatch(/acknowledged record \d+ is lost/)
  })

  it('tries a failed sync again on the same file', async () => {
    const mutate = mutateFile((file) => ({ sync: () => file.sync().catch(() => file.sync()) }))
    expect(await finds({ ...ALWAYS, mutate }, 'failSyncs')).toMatch(/acknowledged record \d+ is lost/)
  })

  it('leaves the torn tail where it is', async () => {
    const mutate = mutateFile(() => ({ truncate: async () => {} }))
    expect(await finds({ ...ALWAYS, mutate })).toMatch(/torn tail are still there/)
  })
})
