/** Kills a real process under load, again and again, and looks for every batch that it had acknowledged. */
import { spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Database } from '@varve/tsdb-core'
import { SeededRandom } from '@varve/tsdb-core/env/simulated'
import { build } from 'esbuild'
import { readAll } from '../read-all.js'
import type { ScenarioFigures } from '../scenarios/scenario.js'
import { BLOCK_SIZE_MS, bitsOfBatch, SERIES, timestampOf } from './batches.js'

const PROGRAM = fileURLToPath(new URL('./writer.program.ts', import.meta.url))
/** Inside the workspace, so that packages that are not bundled are found. */
const BUNDLE = fileURLToPath(new URL('../../dist/kill-writer.mjs', import.meta.url))
const KILLS_PER_CHECK = 10

export interface KillOptions {
  readonly directory: string
  readonly kills: number
  readonly seed: number
  /** Longest time between the first acknowledgement and the kill. */
  readonly loadMsMax: number
}

export async function killWhileWriting(options: KillOptions): Promise<ScenarioFigures> {
  const { directory, kills, seed, loadMsMax } = options
  const random = new SeededRandom(seed)
  await bundleWriter()
  await mkdir(directory, { recursive: true })
  const startMs = Math.floor(Date.now() / BLOCK_SIZE_MS) * BLOCK_SIZE_MS - 40 * 86_400_000
  const acknowledged: number[] = []
  const openMs: number[] = []
  let checkedSamples = 0
  for (let kill = 0; kill < kills; kill++) {
    // More than could have been on their way when the process before was killed: no number is used twice.
    const first = (acknowledged.at(-1) ?? -1) + 50
    const life = await writeUntilKilled(directory, startMs, first, 1 + random.below(loadMsMax))
    for (const batch of life.acknowledged) acknowledged.push(batch)
    acknowledged.sort((a, b) => a - b)
    openMs.push(life.openMs)
    if ((kill + 1) % KILLS_PER_CHECK === 0 || kill === kills - 1) {
      checkedSamples += await checkAll(directory, startMs, acknowledged, kill + 1)
    }
  }
  openMs.sort((a, b) => a - b)
  return {
    kills,
    acknowledgedSamples: acknowledged.length * SERIES.length,
    checkedSamples,
    recoveryMsMedian: openMs[Math.floor(openMs.length / 2)],
    recoveryMsMax: openMs[openMs.length - 1],
  }
}

async function bundleWriter(): Promise<void> {
  await build({
    entryPoints: [PROGRAM],
    outfile: BUNDLE,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['source'],
    external: ['lz4', '@varve/native'],
  })
}

interface KilledLife {
  readonly acknowledged: readonly number[]
  readonly openMs: number
}

function writeUntilKilled(directory: string, startMs: number, first: number, loadMs: number): Promise<KilledLife> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [BUNDLE, directory, String(startMs), String(first)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    let errors = ''
    let killing = false
    child.stderr.on('data', (bytes: Buffer) => (errors += bytes.toString()))
    child.stdout.on('data', (bytes: Buffer) => {
      output += bytes.toString()
      if (killing || !output.includes('\n')) return
      killing = true
      setTimeout(() => child.kill('SIGKILL'), loadMs)
    })
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (signal !== 'SIGKILL') {
        reject(new Error(`the writer ended by itself with ${code ?? signal}: ${errors}`))
        return
      }
      // A line that the kill cut short is not counted.
      const lines = output.split('\n').slice(0, -1)
      const openMs = Number(lines[0]?.replace('open ', ''))
      resolve({ acknowledged: lines.slice(1).map(Number), openMs })
    })
  })
}

async function checkAll(directory: string, startMs: number, acknowledged: readonly number[], kills: number) {
  const notices: string[] = []
  const database = await Database.open({
    directory,
    diskReserveBytes: 0,
    maintenanceIntervalMs: 0,
    onNotice: ({ severity, message }) => {
      if (severity !== 'info') notices.push(message)
    },
  })
  const problems: string[] = notices.map((notice) => `after a kill nothing is damaged, yet: ${notice}`)
  let checkedSamples = 0
  try {
    const found = await readAll(database)
    SERIES.forEach((labels, index) => {
      const samples = found.get(labels.toString()) ?? []
      const byTime = new Map(samples.map(({ timestampMs, bits }) => [timestampMs, bits]))
      if (byTime.size !== samples.length) problems.push(`${labels}: a sample stands twice`)
      for (const batch of acknowledged) {
        const timestampMs = timestampOf(startMs, batch)
        checkedSamples++
        if (byTime.get(timestampMs) !== bitsOfBatch(startMs, batch)[index]) {
          problems.push(`${labels} of batch ${batch}: acknowledged, found ${byTime.get(timestampMs)}`)
        }
      }
      const first = found.get(SERIES[0].toString())
      if (first?.length !== samples.length) problems.push(`${labels}: a batch is there in part only`)
    })
  } finally {
    await database.close()
  }
  if (problems.length > 0) {
    throw new Error(`after ${kills} kills of ${directory}:\n  ${problems.slice(0, 20).join('\n  ')}`)
  }
  return checkedSamples
}
