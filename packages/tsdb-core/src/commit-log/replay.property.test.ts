/**
 * Laws of replay over damaged logs: what it gives back was written, in order; what was durable and is not given back is
 * reported with its sequence; it ends; and a second replay gives the same.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Simulation } from '../env/simulated/index.js'
import type { LogDamage } from './commit-log.js'
import { RecordType } from './format.js'
import { CommitLog } from './writer.js'

const DIRECTORY = '/data/log'

const damage = fc.record({
  kind: fc.constantFrom('flip', 'zero', 'cut', 'copy', 'swap', 'remove'),
  file: fc.nat(9),
  at: fc.nat(1_000_000),
  size: fc.integer({ min: 1, max: 600 }),
})
const life = fc.record({
  sizes: fc.array(fc.nat(400), { minLength: 1, maxLength: 30 }),
  rotations: fc.uniqueArray(fc.nat(29), { maxLength: 3 }),
  damages: fc.array(damage, { minLength: 1, maxLength: 3 }),
  isClosed: fc.boolean(),
})

function payloadOf(id: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size + 2).fill(id)
  bytes[0] = id & 255
  bytes[1] = size & 255
  return bytes
}

it('a damaged log gives back what was written, in order, and names all that it does not give back', {
  timeout: 300_000,
}, async () => {
  const property = fc.asyncProperty(life, fc.nat(2 ** 31), async ({ sizes, rotations, damages, isClosed }, seed) => {
    const simulation = new Simulation({ seed })
    await simulation.run(async (env) => {
      await env.files.makeDirectory('/data')
      const log = await CommitLog.open({ env, directory: DIRECTORY })
      await log.replay(() => {})
      for (let id = 0; id < sizes.length; id++) {
        await log.append(RecordType.SampleBatch, [payloadOf(id, sizes[id])])
        if (rotations.includes(id)) await log.rotate()
      }
      if (isClosed) await log.close()
    })
    simulation.kill()
    const { disk } = simulation
    const segments = disk.paths().filter((path) => path.endsWith('.log'))
    const removed = new Set<string>()
    for (const { kind, file, at, size } of damages) {
      const path = segments[file % segments.length]
      if (removed.has(path)) continue
      const bytes = disk.read(path)
      if (bytes.length === 0) continue
      const start = at % bytes.length
      const end = Math.min(bytes.length, start + size)
      const twin = segments[(file + 1) % segments.length]
      if (kind === 'flip') disk.flipBit(path, start * 8 + (size & 7))
      else if (kind === 'zero') disk.replace(path, bytes.fill(0, start, end))
      else if (kind === 'cut') disk.replace(path, bytes.subarray(0, start))
      else if (kind === 'copy') {
        bytes.copyWithin(start, 0, Math.min(size, bytes.length - start))
        disk.replace(path, bytes)
      } else if (kind === 'swap') {
        if (!removed.has(twin)) disk.replace(path, disk.read(twin))
      } else {
        await simulation.run((env) => env.files.remove(path))
        removed.add(path)
      }
    }
    const replayed = async () => {
      const found: number[] = []
      let damaged: readonly LogDamage[] = []
      let tornTailBytes = 0
      await simulation.run(async (env) => {
        const log = await CommitLog.open({ env, directory: DIRECTORY })
        const report = await log.replay(({ payload, sequence }) => {
          expect(payload).toEqual(payloadOf(sequence, sizes[sequence]))
          found.push(sequence)
        })
        damaged = report.damages
        tornTailBytes = report.tornTailBytes
      })
      simulation.kill()
      return { found, damaged, tornTailBytes }
    }
    const first = await replayed()
    expect(first.found).toEqual([...first.found].sort((a, b) => a - b))
    expect(new Set(first.found).size).toBe(first.found.length)
    const isReported = (sequence: number) =>
      first.damaged.some(({ sequenceFirst, sequenceEnd }) => sequence >= sequenceFirst && sequence < sequenceEnd)
    // Of the last segment, only what a later record or the close shows to have been durable can be known to be missing.
    const last = first.found.at(-1) ?? -1
    const isWholeLost = first.damaged.some(({ message }) => /segment header|it is segment/.test(message))
    for (let sequence = first.found[0] ?? 0; sequence < sizes.length; sequence++) {
      if (first.found.includes(sequence) || isReported(sequence)) continue
      const isEnd = sequence > last && (!isClosed || isWholeLost || removed.size > 0)
      if (!isEnd) throw new Error(`record ${sequence} is neither given back nor reported`)
    }
    const second = await replayed()
    expect(second.found).toEqual(first.found)
    expect(second.tornTailBytes).toBe(0)
  })
  await fc.assert(property, { numRuns: Number(process.env.VARVE_PROPERTY_RUNS ?? 100) })
})
