/**
 * Damage to each kind of file of a closed store: bits flipped, cut off, a page zeroed, replaced by another file of its kind.
 *
 * Whatever the damage, no answer is wrong: samples may be missing, none is another. `verify` names the file, and what does
 * not lie in it is still served.
 */
import { StorageError, verifyDatabase } from '@varve/tsdb-core'
import { type SimulatedDisk, Simulation } from '@varve/tsdb-core/env/simulated'
import { DIRECTORY, EngineLife, WALL_MS } from '../engine-life.js'
import { readAll } from '../read-all.js'
import type { FoundSample } from '../sample-model.js'
import type { Step } from '../steps.js'
import { newSimulation } from './crash-everywhere.js'
import { type Scenario, ScenarioFailure } from './scenario.js'

const MINUTE = 60_000
const PAGE_SIZE_BYTES = 512
/** A store with some of each: several blocks, late data, deletes, an open head in the log. */
const STEPS: readonly Step[] = [
  { kind: 'append', series: [0, 1, 2, 5], ageMs: 0, count: 2 },
  { kind: 'append', series: [0, 3], ageMs: 5 * MINUTE, count: 2 },
  { kind: 'rollUp' },
  { kind: 'flush' },
  { kind: 'append', series: [1, 4], ageMs: 0, count: 2 },
  { kind: 'delete', code: '500', fromAgeMs: 4 * MINUTE, toAgeMs: 0 },
  { kind: 'wait', forMs: 3 * MINUTE },
  { kind: 'append', series: [0, 4], ageMs: 0, count: 2 },
  { kind: 'maintain' },
  { kind: 'append', series: [2, 3, 5], ageMs: 0, count: 1 },
]

type Answers = ReadonlyMap<string, readonly FoundSample[]>
type Outcome = 'identical' | 'less' | 'refused' | { readonly wrong: string }

/** What stands for a kind of file: `…/default/0/x.block` is `block`. */
function kindOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const dot = name.lastIndexOf('.')
  return dot > 0 ? name.slice(dot + 1) : name
}

export const everyBit: Scenario = {
  name: 'every-bit',
  async run({ seed, scale }) {
    const simulation = await newSimulation(seed)
    const life = new EngineLife(simulation)
    let baseline: Answers = new Map()
    await simulation.run(async (env) => {
      await life.open(env)
      for (const step of STEPS) await life.step(step, env)
      baseline = await readAll(life.database.namespace('default'))
      await life.database.close()
    })
    simulation.kill()
    const { disk } = simulation
    const figures: Record<string, number> = { flips: 0, truncations: 0, zeroedPages: 0, replacements: 0 }
    const problems: string[] = []
    const paths = disk.paths().filter((path) => path.startsWith(`${DIRECTORY}/`) && disk.read(path).length > 0)
    /** One place in so many is tried; a large scale tries all. */
    const bitStep = Math.max(1, Math.floor(331 / scale))
    const byteStep = Math.max(1, Math.floor(97 / scale))
    const attempt = async (path: string, what: string, figure: string, damage: (disk: SimulatedDisk) => void) => {
      const damaged = disk.fork()
      damage(damaged)
      figures[figure]++
      const outcome = await look(damaged, simulation.nowMs, path, baseline)
      if (typeof outcome === 'object') problems.push(`${path}: ${what}: ${outcome.wrong}`)
      else figures[outcome] = (figures[outcome] ?? 0) + 1
    }
    for (const path of paths) {
      const whole = disk.read(path)
      for (let bit = seed % bitStep; bit < whole.length * 8; bit += bitStep) {
        await attempt(path, `bit ${bit} of ${whole.length * 8} flipped`, 'flips', (on) => on.flipBit(path, bit))
      }
      for (let size = seed % byteStep; size < whole.length; size += byteStep) {
        const cut = (on: SimulatedDisk) => on.replace(path, whole.subarray(0, size))
        await attempt(path, `cut to ${size} of ${whole.length} bytes`, 'truncations', cut)
      }
      for (let start = 0; start < whole.length; start += PAGE_SIZE_BYTES) {
        const zeroed = whole.slice()
        zeroed.fill(0, start, start + PAGE_SIZE_BYTES)
        if (Buffer.compare(zeroed, whole) === 0) continue
        await attempt(path, `page at ${start} zeroed`, 'zeroedPages', (on) => on.replace(path, zeroed))
      }
      const twin = paths.find((other) => other !== path && kindOf(other) === kindOf(path))
      if (twin === undefined) continue
      const other = disk.read(twin)
      if (Buffer.compare(other, whole) === 0) continue
      await attempt(path, `replaced by ${twin}`, 'replacements', (on) => on.replace(path, other))
    }
    if (problems.length > 0) throw new ScenarioFailure(this.name, seed, problems)
    return { ...figures, fileKinds: new Set(paths.map(kindOf)).size }
  },
}

/** Opens and reads a damaged store: identical answers, fewer samples with the damage named, or what is wrong. */
async function look(disk: SimulatedDisk, nowMs: number, path: string, baseline: Answers): Promise<Outcome> {
  const simulation = new Simulation({ seed: 1, wallMs: WALL_MS + nowMs, disk })
  const life = new EngineLife(simulation)
  const run = await simulation.run(async (env): Promise<Outcome> => {
    const { problems, remarks } = await verifyDatabase({ directory: DIRECTORY, env })
    // The torn end of a log is remarked for the log as a whole.
    const isNamed = [...problems, ...remarks].some((line) => line.includes(path) || line.includes(folderOf(path)))
    try {
      await life.open(env)
    } catch (error) {
      const isCorrupt = error instanceof StorageError && error.code === 'CORRUPT' && error.message.includes(path)
      if (isCorrupt && path.endsWith('/identity.json'))
        return isNamed ? 'refused' : { wrong: 'verify does not name it' }
      return { wrong: `it does not open: ${error}` }
    }
    const outcome = compare(await readAll(life.database.namespace('default')), baseline)
    if (typeof outcome === 'object' || isNamed) return outcome
    return { wrong: `verify does not name it, and answers are ${outcome}` }
  })
  return run.kind === 'done' ? run.value : { wrong: 'crashed' }
}

function folderOf(path: string): string {
  const folder = path.slice(0, path.lastIndexOf('/'))
  return folder.endsWith('/commit-log') ? `${folder}: ` : path
}

function compare(found: Answers, baseline: Answers): Outcome {
  let foundCount = 0
  let baselineCount = 0
  for (const [name, samples] of found) {
    const known = new Map(baseline.get(name)?.map(({ timestampMs, bits }) => [timestampMs, bits]))
    for (const { timestampMs, bits } of samples) {
      foundCount++
      if (known.get(timestampMs) !== bits) return { wrong: `WRONG ANSWER: ${name} at ${timestampMs} is ${bits}` }
    }
  }
  for (const samples of baseline.values()) baselineCount += samples.length
  if (foundCount === baselineCount) return 'identical'
  return foundCount * 5 >= baselineCount
    ? 'less'
    : { wrong: `only ${foundCount} of ${baselineCount} samples are served` }
}
