import { fork } from 'node:child_process'
import { constants } from 'node:fs'
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { describeFileSystem } from '../file-system.conformance.js'
import { nodeFileSystem } from './node-file-system.js'

describeFileSystem('node', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'varve-files-'))
  return { files: nodeFileSystem(), folder, close: () => rm(folder, { recursive: true }) }
})

describe.runIf(process.platform === 'linux')('a file whose writes sync', () => {
  it('is opened so that the kernel makes each write durable', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'varve-files-'))
    try {
      const path = join(folder, 'a')
      const file = await nodeFileSystem().open(path, 'append-synced')
      expect(file.syncsWrites).toBe(true)
      const links = await Promise.all(
        (await readdir('/proc/self/fd')).map(async (fd) => [fd, await readlink(`/proc/self/fd/${fd}`).catch(() => '')]),
      )
      const fd = links.find(([, target]) => target === path)?.[0]
      const flags = /flags:\s+(\d+)/.exec(await readFile(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
      expect(Number.parseInt(flags ?? '0', 8) & constants.O_DSYNC).toBe(constants.O_DSYNC)
      await file.close()
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

describe.runIf(process.platform === 'linux')('a folder that cannot be', () => {
  it('is refused, and not asked for again and again', async () => {
    await expect(nodeFileSystem().makeDirectory('/proc/no-such/folder')).rejects.toMatchObject({
      message: expect.stringContaining('cannot make directory /proc/no-such'),
    })
  })
})

describe('the lock of a data directory', () => {
  let folder: string
  const files = nodeFileSystem()
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'varve-lock-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  /** Another process that takes the lock, says so, and holds it until it is killed. */
  const holder = async (path: string) => {
    const child = fork(new URL('./lock-holder.test.program.ts', import.meta.url).pathname, [path], {
      execArgv: ['--import', 'tsx'],
    })
    const said = await new Promise<string>((resolve) => child.once('message', (text) => resolve(String(text))))
    return {
      pid: child.pid!,
      said,
      kill: () =>
        new Promise<void>((resolve) => {
          child.once('exit', () => resolve())
          child.kill('SIGKILL')
        }),
    }
  }

  it('is refused while another process has it, with its number, and free once that was killed', async () => {
    const child = await holder(`${folder}/LOCK`)
    expect(child.said).toBe('locked')
    await expect(files.lock(`${folder}/LOCK`)).rejects.toMatchObject({
      code: 'LOCKED',
      message: expect.stringContaining(`in use by process ${child.pid}:`),
    })
    await child.kill()
    const lock = await files.lock(`${folder}/LOCK`)
    expect((await readdir(folder)).length).toBe(1)
    const second = await holder(`${folder}/LOCK`)
    expect(second.said).toContain(`in use by process ${process.pid}`)
    await second.kill()
    await lock.release()
    expect(await readdir(folder)).toEqual([])
  })

  it('works below a path that is longer than a socket address', async () => {
    const deep = join(folder, 'a'.repeat(100), 'b'.repeat(100))
    await files.makeDirectory(deep)
    const lock = await files.lock(`${deep}/LOCK`)
    await expect(files.lock(`${deep}/LOCK`)).rejects.toMatchObject({ code: 'LOCKED' })
    await lock.release()
  })

  it('of many that ask at once, one gets it', async () => {
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => files.lock(`${folder}/LOCK`)))
    const held = results.filter((result) => result.status === 'fulfilled')
    expect(held.length).toBeLessThanOrEqual(1)
    for (const lock of held) await lock.value.release()
    const lock = await files.lock(`${folder}/LOCK`)
    await lock.release()
  })
})
