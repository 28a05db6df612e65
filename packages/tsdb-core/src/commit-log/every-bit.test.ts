/** Every bit of a small segment flipped, every truncation, every byte zeroed: records are as written, or missing and named. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { type SimulatedDisk, Simulation } from '../env/simulated/index.js'
import type { StorageError } from '../errors.js'
import { findSegments } from './directory.js'
import { replaySegments } from './replay.js'

const GOLDEN = fileURLToPath(new URL('../../../../vectors/commit-log/each-type.log', import.meta.url))
const PATH = '/log/000001.log'

/** A disk with the segment on it, to fork from. */
async function diskWith(bytes: Uint8Array): Promise<SimulatedDisk> {
  const simulation = new Simulation({ seed: 1 })
  await simulation.run(async ({ files }) => {
    await files.makeDirectory('/log')
    const file = await files.open(PATH, 'create')
    await file.write(bytes)
    await file.close()
  })
  return simulation.disk
}

interface Outcome {
  readonly payloads: readonly string[]
  readonly isNamed: boolean
}

/** What is read of the log as it lies there; a replay does the same, and then cuts off and copies aside. */
async function look(disk: SimulatedDisk): Promise<Outcome> {
  const simulation = new Simulation({ seed: 1, disk })
  const payloads: string[] = []
  const run = await simulation.run(async ({ files }) => {
    const { report } = await replaySegments({
      files,
      segments: await findSegments(files, '/log'),
      closeMark: null,
      quarantineDirectory: null,
      apply: ({ payload }) => void payloads.push(Buffer.from(payload).toString('hex')),
    })
    const isNamed = report.damages.every(({ message }) => message.includes(PATH))
    return isNamed && report.damages.length + report.tornTailBytes > 0
  })
  if (run.kind === 'crashed') throw new Error('crashed')
  return { payloads, isNamed: run.value }
}

it('a damaged segment gives back records as they were written, and names what is missing', {
  timeout: 120_000,
}, async () => {
  const whole = Uint8Array.from(readFileSync(GOLDEN))
  const disk = await diskWith(whole)
  const written = (await look(disk.fork())).payloads
  expect(written).toHaveLength(5)
  const problems: string[] = []
  let cases = 0
  const attempt = async (what: string, damage: (on: SimulatedDisk) => void) => {
    cases++
    const damaged = disk.fork()
    damage(damaged)
    const { payloads, isNamed } = await look(damaged).catch((error: StorageError) => {
      // Of another version, as far as anyone can tell.
      if (error.code === 'CORRUPT' && error.message.includes(PATH)) return { payloads: [], isNamed: true }
      throw error
    })
    // In order, each at most once: a part of what was written.
    let next = 0
    for (const payload of written) if (payload === payloads[next]) next++
    if (next < payloads.length) problems.push(`${what}: a record that was never written: ${payloads[next]}`)
    if (!isNamed) problems.push(`${what}: nobody says so, and ${payloads.length} of 5 records are there`)
  }
  for (let bit = 0; bit < whole.length * 8; bit++) await attempt(`bit ${bit}`, (on) => on.flipBit(PATH, bit))
  // Cut at the end of a record, it is a shorter log: nothing was acknowledged behind it, as far as anyone can tell.
  const ends = endsOf(whole, written)
  for (let size = 0; size < whole.length; size++) {
    if (!ends.has(size)) await attempt(`${size} bytes`, (on) => on.replace(PATH, whole.subarray(0, size)))
  }
  for (let at = 0; at < whole.length; at++) {
    if (whole[at] === 0) continue
    const zeroed = whole.slice()
    zeroed[at] = 0
    await attempt(`byte ${at} zeroed`, (on) => on.replace(PATH, zeroed))
  }
  expect(problems).toEqual([])
  expect(cases).toBeGreaterThan(whole.length * 9)
})

/** Where records end, the header of the segment included. */
function endsOf(whole: Uint8Array, payloads: readonly string[]): Set<number> {
  const RECORD_HEADER = 24
  const ends = new Set<number>()
  let end = whole.length
  for (const payload of [...payloads].reverse()) {
    ends.add(end)
    end -= RECORD_HEADER + payload.length / 2
  }
  return ends.add(end)
}
