/** Every bit and every truncation of manifests and watermarks. */
import { describe, expect, it } from 'vitest'
import { readWatermarks, writeWatermarks } from './data-folder.js'
import { type SimulatedDisk, Simulation } from './env/simulated/index.js'
import { StorageError } from './errors.js'
import { type Manifest, manifestCopyPath, manifestPath, readManifest, writeManifest } from './manifest.js'
import { namespaceOptions } from './options.js'

const MANIFEST: Manifest = {
  id: 7,
  options: namespaceOptions(),
  nextGeneration: 3,
  blocks: [
    {
      shard: 0,
      fileName: '0-7200000-2.block',
      startMs: 0,
      endMs: 7_200_000,
      generation: 2,
      sizeBytes: 512,
      digest: '0123456789abcdef',
      seriesCount: 1,
      sampleCount: 2,
      firstMs: 1,
      lastMs: 2,
      deletions: [{ matchers: [{ name: 'code', operator: '=', value: '500' }], startMs: 0, endMs: 9 }],
    },
  ],
  sealedWindows: [{ shard: 0, startMs: 0, segment: 4 }],
}
const FOLDER = '/data/namespaces/default'

/** All damages of one file, and what reading gives then. */
async function forEachDamage<T>(
  path: string,
  disk: SimulatedDisk,
  read: (files: Parameters<typeof readManifest>[0]) => Promise<T>,
  check: (what: string, outcome: T | StorageError) => void,
): Promise<number> {
  const whole = disk.read(path)
  const damages: [string, (on: SimulatedDisk) => void][] = []
  for (let bit = 0; bit < whole.length * 8; bit++) damages.push([`bit ${bit}`, (on) => on.flipBit(path, bit)])
  for (let size = 0; size < whole.length; size++) {
    damages.push([`${size} bytes`, (on) => on.replace(path, whole.subarray(0, size))])
  }
  for (const [what, damage] of damages) {
    const damaged = disk.fork()
    damage(damaged)
    const run = await new Simulation({ seed: 1, disk: damaged }).run(({ files }) =>
      read(files).catch((error: unknown) => {
        if (error instanceof StorageError) return error
        throw error
      }),
    )
    if (run.kind === 'crashed') throw new Error('crashed')
    check(what, run.value)
  }
  return damages.length
}

async function written(): Promise<SimulatedDisk> {
  const simulation = new Simulation({ seed: 1 })
  await simulation.run(async ({ files }) => {
    await files.makeDirectory(FOLDER)
    await files.makeDirectory('/data/state')
    await writeManifest(files, FOLDER, MANIFEST)
    await writeWatermarks(files, '/data', [{ policy: '1m:1h', shard: 0, timestampMs: 60_000 }])
  })
  return simulation.disk
}

describe('a damaged document', { timeout: 120_000 }, () => {
  it.each([manifestPath(FOLDER), manifestCopyPath(FOLDER)])('%s: the other of the two counts', async (path) => {
    const disk = await written()
    const read = (files: Parameters<typeof readManifest>[0]) => readManifest(files, FOLDER)
    const cases = await forEachDamage(path, disk, read, (what, outcome) => {
      expect(outcome, what).toMatchObject({ manifest: MANIFEST, isWhole: false })
      expect((outcome as { damage: string }).damage, what).toMatch(`${path} at byte `)
    })
    expect(cases).toBeGreaterThan(1_000)
  })

  it('the manifest is refused by name when its copy is gone', async () => {
    const disk = await written()
    disk.replace(manifestCopyPath(FOLDER), new Uint8Array())
    const read = (files: Parameters<typeof readManifest>[0]) => readManifest(files, FOLDER)
    await forEachDamage(manifestPath(FOLDER), disk, read, (what, outcome) => {
      expect(outcome, what).toMatchObject({ code: 'CORRUPT' })
    })
  })

  it('watermarks are refused by name', async () => {
    const disk = await written()
    const read = (files: Parameters<typeof readManifest>[0]) => readWatermarks(files, '/data')
    await forEachDamage('/data/state/watermarks', disk, read, (what, outcome) => {
      expect(outcome, what).toMatchObject({
        code: 'CORRUPT',
        message: expect.stringContaining('/data/state/watermarks at byte '),
      })
    })
  })
})
