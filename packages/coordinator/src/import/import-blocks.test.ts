/** Blocks that Prometheus' own tool and server made, imported into a store and asked for again. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Database } from '@varve/tsdb-core'
import { nodeEnv } from '@varve/tsdb-core/env/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { importPrometheusBlocks } from './import-blocks.js'
import { listBlocks } from './prometheus-block/prometheus-block.js'

const run = promisify(execFile)
const START_S = 1_700_000_000
const SERIES = ['200', '404', '500']
const SAMPLE_COUNT = 700

let directory: string
let blocks: string
const { files } = nodeEnv()

const valueAt = (code: string, i: number) => (i % 100 === 99 ? Number.NaN : Number(code) + i * 0.25)

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'varve-import-'))
  blocks = join(directory, 'blocks')
  const lines = ['# TYPE http_requests gauge']
  for (const code of SERIES) {
    for (let i = 0; i < SAMPLE_COUNT; i++) {
      lines.push(`http_requests{code="${code}",path="/é\\"x"} ${valueAt(code, i)} ${START_S + i * 15}`)
    }
  }
  await writeFile(join(directory, 'samples.txt'), `${lines.join('\n')}\n# EOF\n`)
  await run('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', join(directory, 'samples.txt'), blocks])
})

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
})

async function storedSamples(db: Database): Promise<Map<string, Map<number, number>>> {
  const { symbols, batches } = await db.select({
    matchers: [{ name: '__name__', operator: '=', value: 'http_requests' }],
    startMs: 0,
    endMs: 2e12,
  })
  const stored = new Map<string, Map<number, number>>()
  for await (const batch of batches) {
    for (let i = 0; i < batch.seriesCount; i++) {
      const pairs: [string, string][] = []
      for (let k = batch.labelOffsets[i]; k < batch.labelOffsets[i + 1]; k++) {
        pairs.push([symbols[batch.labelPairs[2 * k]], symbols[batch.labelPairs[2 * k + 1]]])
      }
      const labels = new Map(pairs)
      expect(labels.get('path')).toBe('/é"x')
      const times = batch.timestampOffsets[batch.timestampColumns[i]]
      const samples = new Map<number, number>()
      for (let k = batch.sampleOffsets[i]; k < batch.sampleOffsets[i + 1]; k++) {
        samples.set(batch.timestampsMs[times + k - batch.sampleOffsets[i]], batch.values[k])
      }
      stored.set(labels.get('code') ?? '', samples)
    }
  }
  return stored
}

describe('importing Prometheus blocks', () => {
  it('stores every sample once, also when it is done twice', async () => {
    expect((await listBlocks(files, blocks)).length).toBeGreaterThan(1)
    const db = await Database.open({ namespaces: { default: { retentionMs: Number.POSITIVE_INFINITY } } })
    try {
      const progress: number[] = []
      const first = await importPrometheusBlocks({
        files,
        directory: blocks,
        namespace: db.namespace('default'),
        onProgress: ({ sampleCount }) => progress.push(sampleCount),
      })
      expect(first).toMatchObject({ sampleCount: SERIES.length * SAMPLE_COUNT, rejectedCount: 0 })
      expect(progress.at(-1)).toBe(SERIES.length * SAMPLE_COUNT)
      await importPrometheusBlocks({ files, directory: blocks, namespace: db.namespace('default') })

      const stored = await storedSamples(db)
      expect([...stored.keys()].sort()).toEqual(SERIES)
      for (const [code, samples] of stored) {
        expect(samples.size).toBe(SAMPLE_COUNT)
        for (let i = 0; i < SAMPLE_COUNT; i++) expect(samples.get((START_S + i * 15) * 1000)).toBe(valueAt(code, i))
      }
    } finally {
      await db.close()
    }
  })

  it('names the file and the offset of damage', async () => {
    const [block] = await listBlocks(files, blocks)
    const path = `${blocks}/${block.ulid}/chunks/000001`
    const bytes = await readFile(path)
    bytes[40] ^= 1
    await writeFile(path, bytes)
    const db = await Database.open({ namespaces: { default: { retentionMs: Number.POSITIVE_INFINITY } } })
    try {
      await expect(
        importPrometheusBlocks({ files, directory: blocks, namespace: db.namespace('default') }),
      ).rejects.toMatchObject({ code: 'CORRUPT', message: expect.stringContaining(`${path} at byte`) })
    } finally {
      await db.close()
    }
  })
})
