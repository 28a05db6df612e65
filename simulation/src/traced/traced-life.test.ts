/**
 * The simulated disk is the judge of crashes, so the real one must see the same calls in the same order: a short life under strace
 * beside the same life in the simulation. Skipped, with a word, where there is no strace or tracing is not allowed.
 */
import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Simulation } from '@varve/tsdb-core/env/simulated'
import { build } from 'esbuild'
import { expect, it } from 'vitest'
import { liveShortly } from './life.js'
import { parseTrace, TRACED_CALLS } from './parse-trace.js'

const PROGRAM = fileURLToPath(new URL('./life.program.ts', import.meta.url))
const BUNDLE = fileURLToPath(new URL('../../dist/traced-life.mjs', import.meta.url))
const canTrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0
if (!canTrace) console.warn('traced-life.test.ts: skipped, since strace is not there or may not trace')

it.skipIf(!canTrace)('a life makes the same calls on a real disk as on the simulated one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'varve-traced-'))
  try {
    await build({
      entryPoints: [PROGRAM],
      outfile: BUNDLE,
      bundle: true,
      platform: 'node',
      format: 'esm',
      conditions: ['source'],
      external: ['lz4', '@varve/native'],
    })
    const trace = join(folder, 'trace')
    const directory = join(folder, 'data')
    const flags = ['-f', '-y', '-s', '0', '-e', `trace=${TRACED_CALLS}`, '-o', trace]
    const run = spawnSync('strace', [...flags, process.execPath, BUNDLE, directory], { encoding: 'utf8' })
    expect(run.status, run.stderr).toBe(0)
    const real = withoutRepeats(parseTrace(await readFile(trace, 'utf8'), directory))
    expect(real.length).toBeGreaterThan(100)
    expect(real).toEqual(withoutRepeats(await simulated()))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

async function simulated(): Promise<string[]> {
  const root = '/data'
  const simulation = new Simulation({ seed: 1, wallMs: 10_000_000 })
  const operations: string[] = []
  // A file that is open keeps the name by which it was opened; the trace has the one that it has now.
  const nameNow = new Map<string, string>()
  simulation.disk.onOperation = (operation, path) => {
    if (!path.startsWith(root)) return
    const [from, to] = path.split(/ to | as /).map((name) => name.slice(root.length) || '/')
    if (operation === 'create') nameNow.delete(from)
    else if (operation === 'rename') nameNow.set(from, to)
    const name = operation === 'rename' || operation === 'create' ? from : (nameNow.get(from) ?? from)
    const words = { rename: 'to', link: 'as' }[operation as string]
    operations.push(words === undefined ? `${operation} ${name}` : `${operation} ${name} ${words} ${to}`)
  }
  await simulation.run((env) => liveShortly(root, env))
  return operations
}

/** A file is written in parts of any size, and synced once more than needed: only the order counts. */
function withoutRepeats(operations: readonly string[]): string[] {
  return operations.filter((operation, i) => i === 0 || operation !== operations[i - 1])
}
