/** Golden and reject vectors of block files: vectors/block. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { nodeEnv } from '../env/node/index.js'
import { MemoryBudget } from '../memory-budget.js'
import { BatchBuilder } from '../read/batch-builder.js'
import { BlockReader } from './block-reader.js'
import { BlockSource } from './block-source.js'
import { BlockWriter } from './block-writer.js'
import { ColumnPages } from './column-pages.js'
import type { BlockIdentity } from './format.js'

const VECTORS = new URL('../../../../vectors/block/', import.meta.url).pathname

interface Golden {
  readonly identity: BlockIdentity
  readonly digest: string
  readonly encoded: string
  readonly series: readonly {
    readonly labels: readonly string[]
    readonly timestamps: readonly string[]
    readonly valueBits: readonly string[]
    readonly startTimestamps?: readonly string[]
  }[]
}

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
    expect(await decode(golden)).toEqual(golden.series)
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
  for (const { labels, timestamps, valueBits, startTimestamps } of golden.series) {
    const pairs = Uint32Array.from(labels, (text) => writer.symbols.internText(text))
    const values = new Float64Array(BigUint64Array.from(valueBits, BigInt).buffer)
    const starts = startTimestamps === undefined ? undefined : Float64Array.from(startTimestamps, Number)
    writer.beginSeries(pairs, pairs.length)
    writer.addSamples(0, Float64Array.from(timestamps, Number), values, starts, values.length, false)
    await writer.endSeries()
  }
  const { fileName, digest } = await writer.finish()
  return { bytes: new Uint8Array(await readFile(join(directory, fileName))), digest }
}

async function decode(golden: Golden): Promise<Golden['series']> {
  const reader = await BlockReader.open(nodeEnv().files, join(VECTORS, golden.encoded), golden.identity)
  const index = await reader.readIndex(() => undefined)
  const source = new BlockSource({
    index,
    pages: new ColumnPages(reader, index, new MemoryBudget(1e9)),
    startMs: 0,
    endMs: golden.identity.endMs,
    flags: reader.footer.flags,
    histograms: undefined,
    deleted: undefined,
    warn: (message) => expect.fail(message),
  })
  const builder = new BatchBuilder([source], { startMs: 0, endMs: golden.identity.endMs, replaces: false })
  const series = []
  for (const one of index.all()) {
    await source.load([one], 0, golden.identity.endMs)
    const entries = { sources: Uint16Array.of(0), series: Uint32Array.of(one) }
    builder.begin()
    builder.add(entries, 0, 1)
    const { values, startTimestampsMs, ...times } = builder.finish()
    const timeColumn = times.timestampColumns[0]
    const timestampsMs = times.timestampsMs.subarray(...times.timestampOffsets.subarray(timeColumn, timeColumn + 2))
    const pairs = new Uint32Array(source.pairsLength(one))
    source.readPairs(one, pairs, 0)
    series.push({
      labels: [...pairs].map((symbol) => source.symbolText(symbol)),
      timestamps: [...timestampsMs].map(String),
      valueBits: [...new BigUint64Array(values.slice().buffer)].map(
        (bits) => `0x${bits.toString(16).padStart(16, '0')}`,
      ),
      ...(startTimestampsMs !== undefined && { startTimestamps: [...startTimestampsMs].map(String) }),
    })
  }
  await reader.close()
  return series
}
