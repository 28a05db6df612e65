/** The golden block files of vectors/block, and how they are read. */
import type { FileSystem } from '../env/file-system.js'
import { MemoryBudget } from '../memory-budget.js'
import type { Histogram } from '../model/histogram.js'
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
    readonly histograms?: readonly GoldenHistogram[]
  }[]
}

/** A native histogram in plain text; numbers by their bits, spans as offset and length in turn. */
export interface GoldenHistogram {
  readonly timestamp: string
  readonly startTimestamp: string
  readonly kind: string
  readonly schema: number
  /** Zero threshold, zero count, count and sum. */
  readonly numbers: readonly string[]
  readonly positiveSpans: readonly number[]
  readonly positiveBuckets: readonly string[]
  readonly negativeSpans: readonly number[]
  readonly negativeBuckets: readonly string[]
  readonly customValues: readonly string[]
}

/** What the file holds now, read through `files`; what cannot be read is warned of. @throws {StorageError} `CORRUPT`. */
export async function decode(
  golden: Golden,
  files: FileSystem,
  warn: (message: string) => void,
): Promise<Golden['series']> {
  const reader = await BlockReader.open(files, VECTORS + golden.encoded, golden.identity)
  const index = await reader.readIndex(() => undefined)
  const histograms = reader.footer.histogramSeriesCount > 0 ? await reader.readHistograms() : undefined
  const source = new BlockSource({
    index,
    pages: new ColumnPages(reader, index, new MemoryBudget(1e9)),
    startMs: 0,
    endMs: golden.identity.endMs,
    flags: reader.footer.flags,
    histograms,
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
    const { seriesCount, values, startTimestampsMs, histograms: column, ...times } = builder.finish()
    if (seriesCount === 0) continue
    const timeColumn = times.timestampColumns[0]
    const timestampsMs = times.timestampsMs.subarray(...times.timestampOffsets.subarray(timeColumn, timeColumn + 2))
    const pairs = new Uint32Array(source.pairsLength(one))
    source.readPairs(one, pairs, 0)
    const floats = [...values.keys()].filter((k) => column?.sampleIndexes.includes(k) !== true)
    const bits = new BigUint64Array(values.slice().buffer)
    const startOf = (k: number) => String(startTimestampsMs?.[k] ?? 0)
    series.push({
      labels: [...pairs].map((symbol) => source.symbolText(symbol)),
      timestamps: floats.map((k) => String(timestampsMs[k])),
      valueBits: floats.map((k) => hexOf(bits[k])),
      ...(column === undefined && startTimestampsMs !== undefined && { startTimestamps: floats.map(startOf) }),
      ...(column !== undefined && {
        histograms: column.histograms.map((histogram, i) => {
          const k = column.sampleIndexes[i]
          return { timestamp: String(timestampsMs[k]), startTimestamp: startOf(k), ...goldenOf(histogram) }
        }),
      }),
    })
  }
  await reader.close()
  return series
}

const HINTS = ['unknown', 'reset', 'notReset', 'gauge'] as const

export function goldenOf(histogram: Histogram): Omit<GoldenHistogram, 'timestamp' | 'startTimestamp'> {
  const { schema, zeroThreshold, zeroCount, count, stale, integer, counterResetHint } = histogram
  const bitsOf = (numbers: Float64Array) => [...new BigUint64Array(numbers.slice().buffer)].map(hexOf)
  const spansOf = (spans: Histogram['positiveSpans']) => spans.flatMap(({ offset, length }) => [offset, length])
  return {
    kind: [counterResetHint, integer ? 'integer' : 'float', ...(stale ? ['stale'] : [])].join(' '),
    schema,
    numbers: bitsOf(Float64Array.of(zeroThreshold, zeroCount, count, stale ? 0 : histogram.sum)),
    positiveSpans: spansOf(histogram.positiveSpans),
    positiveBuckets: bitsOf(histogram.positiveBuckets),
    negativeSpans: spansOf(histogram.negativeSpans),
    negativeBuckets: bitsOf(histogram.negativeBuckets),
    customValues: bitsOf(histogram.customValues),
  }
}

export function histogramOf(golden: Omit<GoldenHistogram, 'timestamp' | 'startTimestamp'>): Histogram {
  const numbersOf = (bits: readonly string[]) => new Float64Array(BigUint64Array.from(bits, BigInt).buffer)
  const spansOf = (flat: readonly number[]) =>
    Array.from({ length: flat.length / 2 }, (_, i) => ({ offset: flat[2 * i], length: flat[2 * i + 1] }))
  const [zeroThreshold, zeroCount, count, sum] = numbersOf(golden.numbers)
  const words = golden.kind.split(' ')
  const stale = words.includes('stale')
  return {
    ...{ schema: golden.schema, zeroThreshold, zeroCount, count, sum: stale ? Number.NaN : sum },
    counterResetHint: HINTS.find((hint) => hint === words[0]) ?? 'unknown',
    positiveSpans: spansOf(golden.positiveSpans),
    negativeSpans: spansOf(golden.negativeSpans),
    positiveBuckets: numbersOf(golden.positiveBuckets),
    negativeBuckets: numbersOf(golden.negativeBuckets),
    customValues: numbersOf(golden.customValues),
    ...{ stale, integer: words.includes('integer') },
  }
}

function hexOf(bits: bigint): string {
  return `0x${bits.toString(16).padStart(16, '0')}`
}
