import { describe, expect, it } from 'vitest'
import { sleep } from '../clock.js'
import type { Env } from '../env.js'
import { describeFileSystem } from '../file-system.conformance.js'
import type { FileSystem } from '../file-system.js'
import { Simulation } from './simulation.js'

/** A file system whose events happen by themselves, for the suite that waits for real promises. */
describeFileSystem('simulated', async () => {
  const simulation = new Simulation({ seed: 1 })
  const files = simulation.env().files
  const drive = <A extends unknown[], T>(call: (...args: A) => Promise<T>) => {
    return async (...args: A): Promise<T> => {
      const outcome = await simulation.run(() => call(...args))
      if (outcome.kind === 'crashed') throw new Error('crashed')
      return outcome.value
    }
  }
  const driven: FileSystem = {
    ...files,
    open: drive(async (path, mode) => {
      const file = await files.open(path, mode)
      return {
        syncsWrites: file.syncsWrites,
        read: drive(file.read),
        write: drive(file.write),
        sync: drive(file.sync),
        truncate: drive(file.truncate),
        size: drive(file.size),
        close: drive(file.close),
      }
    }),
    rename: drive(files.rename),
    remove: drive(files.remove),
    removeTree: drive(files.removeTree),
    link: drive(files.link),
    makeDirectory: drive(files.makeDirectory),
    list: drive(files.list),
    stat: drive(files.stat),
    syncDirectory: drive(files.syncDirectory),
    freeBytes: drive(files.freeBytes),
    lock: drive(async (path) => {
      const lock = await files.lock(path)
      return { release: drive(lock.release) }
    }),
  }
  await driven.makeDirectory('/data')
  return { files: driven, folder: '/data', close: async () => {} }
})

const text = (value: string) => new TextEncoder().encode(value)
const contentOf = (simulation: Simulation, path: string) => new TextDecoder().decode(simulation.disk.read(path))

async function writeFile(env: Env, path: string, content: string, options: { sync: boolean; syncName: boolean }) {
  const file = await env.files.open(path, 'create')
  await file.write(text(content))
  if (options.sync) await file.sync()
  if (options.syncName) await env.files.syncDirectory('/data')
  await file.close()
}

async function withFolder(seed: number): Promise<Simulation> {
  const simulation = new Simulation({ seed })
  await simulation.run(async (env) => {
    await env.files.makeDirectory('/data')
  })
  return simulation
}

describe('a simulated crash', () => {
  it('never takes what was synced, and over many seeds takes, keeps and tears what was not', async () => {
    const outcomes = new Set<string>()
    for (let seed = 0; seed < 60; seed++) {
      const simulation = await withFolder(seed)
      await simulation.run(async (env) => {
        await writeFile(env, '/data/safe', 'safe', { sync: true, syncName: true })
        await writeFile(env, '/data/loose', 'loose', { sync: false, syncName: true })
        await writeFile(env, '/data/nameless', 'x', { sync: true, syncName: false })
      })
      simulation.crash()
      expect(contentOf(simulation, '/data/safe'), `SEED=${seed}`).toBe('safe')
      const loose = contentOf(simulation, '/data/loose')
      outcomes.add(loose === 'loose' ? 'kept' : loose === '' ? 'lost' : 'torn')
      outcomes.add(simulation.disk.find('/data/nameless') === null ? 'name lost' : 'name kept')
    }
    expect([...outcomes].sort()).toEqual(['kept', 'lost', 'name kept', 'name lost', 'torn'])
  })

  it('shows a rename as a whole: the old file or the new one', async () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 40; seed++) {
      const simulation = await withFolder(seed)
      await simulation.run(async (env) => {
        await writeFile(env, '/data/a', 'old', { sync: true, syncName: true })
        await writeFile(env, '/data/b', 'new', { sync: true, syncName: true })
        await env.files.rename('/data/b', '/data/a')
      })
      simulation.crash()
      seen.add(contentOf(simulation, '/data/a'))
      expect(simulation.disk.find('/data/b') === null).toBe(contentOf(simulation, '/data/a') === 'new')
    }
    expect([...seen].sort()).toEqual(['new', 'old'])
  })

  it('after a failed sync, takes what that sync was for although a later sync succeeded', async () => {
    let lostCount = 0
    for (let seed = 0; seed < 30; seed++) {
      const simulation = await withFolder(seed)
      await simulation.run(async (env) => {
        const file = await env.files.open('/data/a', 'create')
        await env.files.syncDirectory('/data')
        await file.write(text('first'))
        simulation.disk.fail({ operation: 'sync', code: 'IO' })
        await expect(file.sync()).rejects.toMatchObject({ code: 'IO' })
        await file.write(text('second'))
        await file.sync()
      })
      simulation.crash()
      const left = contentOf(simulation, '/data/a')
      expect(left.slice(5)).toBe('second')
      if (!left.startsWith('first')) lostCount++
    }
    expect(lostCount).toBeGreaterThan(5)
  })

  it('at a chosen call ends the work there: what follows never happens', async () => {
    // Calls 0 and 1 made the folder; 2 creates, 3 writes, 4 syncs.
    for (let index = 2; index <= 5; index++) {
      const simulation = await withFolder(index)
      simulation.disk.crashAt(index)
      let steps = 0
      const outcome = await simulation.run(async (env) => {
        const file = await env.files.open('/data/a', 'create')
        steps++
        await file.write(text('x'))
        steps++
        await file.sync()
        steps++
      })
      expect(outcome.kind).toBe(index === 5 ? 'done' : 'crashed')
      expect(steps).toBe(index - 2)
    }
  })

  it('is the same for the same seed, event by event', async () => {
    const run = async () => {
      const simulation = await withFolder(99)
      await simulation.run(async (env) => {
        await Promise.all([
          sleep(env.clock, 5_000),
          writeFile(env, '/data/a', 'abc', { sync: false, syncName: true }),
          writeFile(env, '/data/b', 'def', { sync: true, syncName: false }),
        ])
      })
      simulation.crash()
      return [simulation.traceHash, simulation.nowMs, simulation.disk.paths(), simulation.disk.usedBytes()]
    }
    expect(await run()).toEqual(await run())
  })
})

it('a folder that was made is there after a crash, and so are those above it', async () => {
  for (let seed = 0; seed < 10; seed++) {
    const simulation = new Simulation({ seed })
    await simulation.run((env) => env.files.makeDirectory('/a/b/c'))
    simulation.crash()
    expect(simulation.disk.find('/a/b/c')).not.toBeNull()
  }
})

describe('a simulated platform', () => {
  it('passes hours in no time, and its wall clock jumps alone', async () => {
    const simulation = new Simulation({ seed: 5, wallMs: 1_000_000 })
    await simulation.run(async (env) => {
      await sleep(env.clock, 3_600_000)
      expect(env.clock.wallMs()).toBe(4_600_000)
      simulation.jumpWall(-600_000)
      expect(env.clock.wallMs()).toBe(4_000_000)
      expect(env.clock.monotonicMs()).toBe(3_600_000)
    })
  })

  it('says so when work waits for what never comes', async () => {
    const simulation = new Simulation({ seed: 5 })
    await expect(simulation.run(() => new Promise(() => {}))).rejects.toThrow(/nothing is left to happen/)
  })

  it('a full disk takes a part of a write, and all of it again once there is room', async () => {
    const simulation = await withFolder(3)
    simulation.disk.capacityBytes = 4
    await simulation.run(async (env) => {
      const file = await env.files.open('/data/a', 'create')
      await expect(file.write(text('abcdef'))).rejects.toMatchObject({ code: 'NO_SPACE' })
      expect(await file.size()).toBe(4)
      expect(await env.files.freeBytes('/data')).toBe(0)
      simulation.disk.capacityBytes = 100
      await file.truncate(0)
      await file.write(text('abcdef'))
      expect(await file.size()).toBe(6)
    })
  })

  it('frames arrive in order, and a cut ends their connection', async () => {
    const simulation = new Simulation({ seed: 11 })
    await simulation.run(async (env) => {
      const got: number[] = []
      await env.network.listen('b:1', async (connection) => {
        for await (const frame of connection.frames()) got.push(frame[0])
      })
      const connection = await env.network.dial('b:1')
      await Promise.all([1, 2, 3, 4].map((n) => connection.send(Uint8Array.of(n))))
      await sleep(env.clock, 1)
      expect(got).toEqual([1, 2, 3, 4])
      simulation.network.cut()
      await expect(connection.send(Uint8Array.of(5))).rejects.toThrow(/ended/)
      await expect(env.network.dial('b:1')).rejects.toThrow(/nobody listens/)
    })
  })
})
