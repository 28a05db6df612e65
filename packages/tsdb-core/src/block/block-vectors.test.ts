/** Golden and reject vectors of block files: vectors/block. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { nodeEnv } from '../env/node/index.js'
import { BlockReader } from './block-reader.js'
import { BlockWriter } from './block-writer.js'
import type { BlockIdentity } from './format.js'
import { decode, type Golden, histogramOf, VECTORS } from './vectors.test.support.js'

interface Reject {
  readonly identity: BlockIdentity
  readonly encoded: string
  readonly code: string
  readonly message: string
}

async function vectors<T>(folder: string): Promise<[string, T][]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json'))
  return Promise.all(
    names.map(async (name) => [name, JSON.parse(await readFile(join(folder, name), 'utf8')) as T] as const),
  ) as Promise<[string, T][]>
}

describe('golden blocks', async () => {
  it.each(await vectors<Golden>(VECTORS))('%s', async (_name, golden) => {
    const wanted = new Uint8Array(await readFile(join(VECTORS, golden.encoded)))
    const directory = await mkdtemp(join(tmpdir(), 'varve-'))
    try {
      const { bytes, digest } = await encode(golden, directory)
      expect(digest).toBe(golden.digest)
      expect(bytes).toEqual(wanted)
    } finally {
      await rm(directory, { recursive: true })
    }
    expect(await decode(golden, nodeEnv().files, (message) => expect.fail(message))).toEqual(golden.series)
  })
})

describe('rejected blocks', async () => {
  it.each(await vectors<Reject>(join(VECTORS, 'reject')))('%s', async (_name, reject) => {
    const path = join(VECTORS, 'reject', reject.encoded)
    const problem = await BlockReader.open(nodeEnv().files, path, reject.identity).then(
      async (reader) => {
        const problems = await reader.verify()
        await reader.close()
        return { code: 'CORRUPT', message: problems.join() }
      },
      (error: { code: string; message: string }) => error,
    )
    expect(problem.code).toBe(reject.code)
    expect(problem.message).toContain(reject.message)
  })
})

async function encode(golden: Golden, directory: string): Promise<{ bytes: Uint8Array; digest: string }> {
  const writer = await BlockWriter.create({
    files: nodeEnv().files,
    directory,
    identity: golden.identity,
    hasColumns: false,
    pause: () => undefined,
  })
  for (const { labels, timestamps, valueBits, startTimestamps, histograms } of golden.series) {
    const pairs = Uint32Array.from(labels, (text) => writer.symbols.internText(text))
    const values = new Float64Array(BigUint64Array.from(valueBits, BigInt).buffer)
    const starts = startTimestamps === undefined ? undefined : Float64Array.from(startTimestamps, Number)
    writer.beginSeries(pairs, pairs.length)
    writer.addSamples(0, Float64Array.from(timestamps, Number), values, starts, values.length, false)
    if (histograms !== undefined) {
      writer.addHistograms(0, {
        timestampsMs: histograms.map(({ timestamp }) => Number(timestamp)),
        startTimestampsMs: histograms.map(({ startTimestamp }) => Number(startTimestamp)),
        histograms: histograms.map(histogramOf),
      })
    }
    await writer.endSeries()
  }
  const { fileName, digest } = await writer.finish()
  return { bytes: new Uint8Array(await readFile(join(directory, fileName))), digest }
}
