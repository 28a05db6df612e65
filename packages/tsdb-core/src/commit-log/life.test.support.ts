/**
 * The scripted life of a commit log over a simulated disk, and what must hold whenever it ends: for crash.test.ts and for
 * the tests that show that a broken log does not pass.
 */

import { ByteWriter } from '../bytes/byte-writer.js'
import type { Env } from '../env/env.js'
import { type File, FileError, type FileSystem } from '../env/file-system.js'
import type { SeededRandom } from '../env/simulated/index.js'
import { Simulation } from '../env/simulated/index.js'
import type { SyncMode } from './commit-log.js'
import { RecordType } from './format.js'
import { decodeNamespaceChange, encodeNamespaceChange } from './records.js'
import { verifyCommitLog } from './verify.js'
import { CommitLog } from './writer.js'

const DIRECTORY = '/data/commit-log'

export interface LifeOptions {
  readonly syncMode: SyncMode
  /** Stands between the log and its disk, to break a promise on purpose. */
  readonly mutate?: (files: FileSystem) => FileSystem
}

/** What the callers of the log know, over all of its incarnations. Records are numbered in the order of their appends. */
export class Ledger {
  submittedCount = 0
  readonly acknowledged = new Set<number>()
  readonly refused = new Set<number>()
  /** All below may have been removed with their segments. */
  removedBelow = 0
}

/** Opens, checks what is there, appends, rotates, removes, closes. */
export async function live(env: Env, ledger: Ledger, random: SeededRandom, options: LifeOptions): Promise<void> {
  const recovery = await recover(env, ledger, options).catch((error) => {
    // A disk that fails while the log is opened is reported, and that is all that can be asked for.
    if (error instanceof FileError) return null
    throw error
  })
  if (recovery === null) return
  const { log } = recovery
  for (let round = 0; round < 3; round++) {
    await appendSome(log, ledger, random, 3)
    const startOfNext = ledger.submittedCount
    const rotated = log.rotate()
    const behind = appendSome(log, ledger, random, 2)
    const segment = await rotated.catch(() => null)
    await behind
    if (round >= 1 && segment !== null) {
      ledger.removedBelow = startOfNext
      await log.removeBefore(segment).catch(() => {})
    }
  }
  await log.close().catch(() => {})
}

async function appendSome(log: CommitLog, ledger: Ledger, random: SeededRandom, count: number): Promise<void> {
  const waiting: Promise<void>[] = []
  for (let i = 0; i < count; i++) {
    const id = ledger.submittedCount++
    const appended = log.append(RecordType.NamespaceChange, [recordOf(id, random.pick([0, 10, 700, 3000]))]).then(
      () => void ledger.acknowledged.add(id),
      () => void ledger.refused.add(id),
    )
    if (random.chance(0.5)) await appended
    else waiting.push(appended)
  }
  await Promise.all(waiting)
}

export interface Recovery {
  readonly log: CommitLog
  readonly found: readonly number[]
}

/**
 * Opens and replays, and throws when the log gives back anything but what it promised.
 *
 * `lossAllowed`: after a power cut in a mode that says that it loses, the end may be missing, but only the end.
 */
export async function recover(env: Env, ledger: Ledger, options: LifeOptions, lossAllowed = false): Promise<Recovery> {
  const files = options.mutate?.(env.files) ?? env.files
  const mutated = { ...env, files }
  const log = await CommitLog.open({
    env: mutated,
    directory: DIRECTORY,
    syncMode: options.syncMode,
    syncIntervalMs: 3,
  })
  const found: number[] = []
  const report = await log.replay((record) => {
    found.push(idOf(record.payload))
  })
  const problems = report.damages.map((damage) => damage.message)
  found.forEach((id, i) => {
    if (id >= ledger.submittedCount) problems.push(`phantom record ${id}`)
    if (i > 0 && found[i - 1] >= id) problems.push(`record ${id} after ${found[i - 1]}`)
  })
  const present = new Set(found)
  const last = found.at(-1) ?? -1
  for (const id of ledger.acknowledged) {
    if (present.has(id) || id < ledger.removedBelow || (lossAllowed && id > last)) continue
    problems.push(`acknowledged record ${id} is lost`)
  }
  const { damages, tornTailBytes } = await verifyCommitLog(files, DIRECTORY)
  problems.push(...damages.map((damage) => `after recovery: ${damage.message}`))
  if (tornTailBytes > 0) problems.push(`after recovery: ${tornTailBytes} bytes of a torn tail are still there`)
  if (problems.length > 0) throw new Error(problems.join('\n'))
  // What is there now is durable, and what is not there must not come back.
  ledger.acknowledged.clear()
  for (const id of found) ledger.acknowledged.add(id)
  return { log, found }
}

export interface Trouble {
  readonly seed: number
  readonly options: LifeOptions
  /** Before the life begins. */
  readonly arrange?: (simulation: Simulation) => void
  /** How the first life ends, if its crash point did not end it. */
  readonly end: 'power' | 'kill'
  /** How the lives after it end; as the first unless it says otherwise. */
  readonly laterEnd?: 'power' | 'kill'
  /** The recovery crashes too, at this call. */
  readonly secondCrashAfter?: number
}

/** A life that ends somewhere, a recovery that may crash too, a second life, and a last recovery. */
export async function survive(trouble: Trouble): Promise<void> {
  const { options, seed } = trouble
  const simulation = new Simulation({ seed })
  const ledger = new Ledger()
  await simulation.run(async (env) => {
    await env.files.makeDirectory('/data')
  })
  const lossAllowed = options.syncMode !== 'always' && (trouble.end === 'power' || trouble.laterEnd === 'power')
  const end = (how: 'power' | 'kill') => {
    simulation.disk.clearFaults()
    if (how === 'power') simulation.crash()
    else simulation.kill()
  }
  const laterEnd = trouble.laterEnd ?? trouble.end
  try {
    trouble.arrange?.(simulation)
    await simulation.run((env) => live(env, ledger, simulation.random, options))
    end(trouble.end)
    if (trouble.secondCrashAfter !== undefined) {
      simulation.disk.crashAt(simulation.disk.operationCount + trouble.secondCrashAfter)
      await simulation.run((env) => recover(env, ledger, options, lossAllowed))
      end(laterEnd)
    }
    await simulation.run(async (env) => {
      const { log } = await recover(env, ledger, options, lossAllowed)
      await appendSome(log, ledger, simulation.random, 2)
    })
    end(laterEnd)
    await simulation.run((env) => recover(env, ledger, options, lossAllowed))
  } catch (error) {
    const calls = simulation.disk.lastOperations.join('\n  ')
    throw new Error(`SEED=${seed} ${JSON.stringify(trouble)}\n${(error as Error).message}\nlast calls:\n  ${calls}`, {
      cause: error,
    })
  }
}

/** How many calls an undisturbed life makes. */
export async function lengthOfLife(seed: number, options: LifeOptions): Promise<number> {
  const simulation = new Simulation({ seed })
  await simulation.run(async (env) => {
    await env.files.makeDirectory('/data')
    await live(env, new Ledger(), simulation.random, options)
  })
  return simulation.disk.operationCount
}

/** Breaks one promise of the files that are opened. */
export function mutateFile(change: (file: File) => Partial<File>): (files: FileSystem) => FileSystem {
  return (files) => ({
    ...files,
    open: async (path, mode) => {
      const file = await files.open(path, mode)
      return { ...file, ...change(file) }
    },
  })
}

function recordOf(id: number, padding: number): Uint8Array {
  const out = new ByteWriter()
  const options = new Uint8Array(padding).fill(id)
  encodeNamespaceChange(out, { operation: 'put', namespaceId: id, name: `record-${id}`, options })
  return out.view()
}

function idOf(payload: Uint8Array): number {
  const { namespaceId, name, options } = decodeNamespaceChange(payload)
  if (name !== `record-${namespaceId}` || options.some((byte) => byte !== (namespaceId & 255))) {
    throw new Error(`a record that was never written: ${name}`)
  }
  return namespaceId
}
