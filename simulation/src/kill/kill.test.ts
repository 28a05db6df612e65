import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { killWhileWriting } from './kill-while-writing.js'

const KILLS = Number(process.env.VARVE_KILLS ?? 50)

it(`a process that is killed ${KILLS} times under load loses no acknowledged sample`, {
  timeout: 300_000,
}, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'varve-kill-'))
  try {
    const figures = await killWhileWriting({
      directory,
      kills: KILLS,
      seed: Number(process.env.SEED ?? 7),
      loadMsMax: 80,
    })
    expect(figures.kills).toBe(KILLS)
    expect(figures.acknowledgedSamples).toBeGreaterThan(KILLS * 20)
    expect(figures.checkedSamples).toBeGreaterThanOrEqual(figures.acknowledgedSamples)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})
