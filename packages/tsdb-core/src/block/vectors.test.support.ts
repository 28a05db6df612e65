/** The golden block files of vectors/block, and how they are read. */
import type { FileSystem } from '../env/file-system.js'
import { MemoryBudget } from '../memory-budget.js'
import { BatchBuilder } from '../read/batch-builder.js'
import { BlockReader } from './block-reader.js'
import { BlockSource } from './block-source.js'
import { ColumnPages } from './column-pages.js'
import type { BlockIdentity } from './format.js'

export const VECTORS = new URL('../../../../vectors/block/', import.meta.url).pathname

export interface Golden {
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

/** What the file holds now, read through `files`; what cannot be read is warned of. @throws {StorageError} `CORRUPT`. */
export async function decode(
  golden: Golden,
  files: FileSystem,
  warn: (message: string) => void,
): Promise<Golden['series']> {
  const reader = await BlockReader.open(files, VECTORS + golden.encoded, golden.identity)
  const index = await reader.readIndex(() => undefined)
  const source = new BlockSource({
    index,
    pages: new ColumnPages(reader, index, new MemoryBudget(1e9)),
    startMs: 0,
    endMs: golden.identity.endMs,
    flags: reader.footer.flags,
    histograms: undefined,
    deleted: undefined,
    warn,
  })
  const builder = new BatchBuilder([source], { startMs: 0, endMs: golden.identity.endMs, replaces: false })
  const series = []
  for (const one of index.all()) {
    await source.load([one], 0, golden.identity.endMs)
    const entries = { sources: Uint16Array.of(0), series: Uint32Array.of(one) }
    builder.begin()
    builder.add(entries, 0, 1)
    const { seriesCount, values, startTimestampsMs, ...times } = builder.finish()
    if (seriesCount === 0) continue
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
