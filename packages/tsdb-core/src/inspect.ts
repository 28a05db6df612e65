/** What is in one block file, without a database around it. */
import { basename, dirname, resolve } from 'node:path'
import { BlockReader } from './block/block-reader.js'
import { HAS_COLUMNS, HAS_STARTS, parseBlockFileName, Section } from './block/format.js'
import type { Env } from './env/env.js'
import { nodeEnv } from './env/node/index.js'
import { StorageError } from './errors.js'
import { METRIC_NAME } from './model/labels.js'

export interface BlockInspection {
  readonly path: string
  readonly namespace: string
  readonly shard: number
  readonly startMs: number
  readonly endMs: number
  readonly generation: number
  readonly digest: string
  readonly fileSizeBytes: number
  readonly seriesCount: number
  readonly sampleCount: number
  readonly chunkCount: number
  readonly timeColumnCount: number
  readonly histogramSeriesCount: number
  readonly firstMs: number
  readonly lastMs: number
  readonly hasStartTimestamps: boolean
  readonly hasAggregateColumns: boolean
  readonly sections: readonly { readonly name: string; readonly storedBytes: number; readonly plainBytes: number }[]
  /** Value bytes, series and samples of each metric name, largest first. */
  readonly metrics: readonly MetricSize[]
}

export interface MetricSize {
  readonly name: string
  readonly seriesCount: number
  readonly sampleCount: number
  readonly valueBytes: number
}

/**
 * Reads header, footer and index of a block file. Namespace and shard are those of the folders it lies in.
 *
 * @throws {StorageError} `CORRUPT` with the damaged place, `INVALID_ARGUMENT` for a file that is not named like a block.
 */
export async function inspectBlock(path: string, env: Pick<Env, 'files'> = nodeEnv()): Promise<BlockInspection> {
  const absolute = resolve(path)
  const parsed = parseBlockFileName(basename(absolute))
  const shard = Number(basename(dirname(absolute)))
  const namespace = basename(dirname(dirname(absolute)))
  if (parsed === undefined || !Number.isInteger(shard)) {
    throw new StorageError(
      'INVALID_ARGUMENT',
      `${path}: wanted …/namespaces/<namespace>/<shard>/<startMs>-<endMs>-<generation>.block`,
    )
  }
  const reader = await BlockReader.open(env.files, absolute, { namespace, shard, ...parsed })
  try {
    const { footer } = reader
    const names = new Map<number, string>(Object.entries(Section).map(([name, number]) => [number, name]))
    return {
      path: absolute,
      namespace,
      shard,
      ...parsed,
      digest: footer.digest,
      fileSizeBytes: footer.fileSizeBytes,
      seriesCount: footer.seriesCount,
      sampleCount: footer.sampleCount,
      chunkCount: footer.chunkCount,
      timeColumnCount: footer.timeColumnCount,
      histogramSeriesCount: footer.histogramSeriesCount,
      firstMs: footer.firstMs,
      lastMs: footer.lastMs,
      hasStartTimestamps: (footer.flags & HAS_STARTS) !== 0,
      hasAggregateColumns: (footer.flags & HAS_COLUMNS) !== 0,
      sections: [...footer.sections].map(([number, section]) => ({
        name: names.get(number) ?? `${number}`,
        storedBytes: section.storedSize,
        plainBytes: section.plainSize,
      })),
      metrics: await metricsOf(reader),
    }
  } finally {
    await reader.close()
  }
}

async function metricsOf(reader: BlockReader): Promise<MetricSize[]> {
  const index = await reader.readIndex(() => undefined)
  const sizes = new Map<string, { seriesCount: number; sampleCount: number; valueBytes: number }>()
  const label = index.label(METRIC_NAME)
  for (let series = 0; series < index.seriesCount; series++) {
    const value = index.valueIndexOf(series, METRIC_NAME)
    const name = label === undefined || value < 0 ? '' : label.text(value)
    let size = sizes.get(name)
    if (size === undefined) sizes.set(name, (size = { seriesCount: 0, sampleCount: 0, valueBytes: 0 }))
    size.seriesCount++
    for (let chunk = index.chunkOffsets[series]; chunk < index.chunkOffsets[series + 1]; chunk++) {
      size.sampleCount += index.timeCounts[index.chunkTimeColumns[chunk]]
      size.valueBytes += index.chunkEnds[chunk] - (chunk === 0 ? 0 : index.chunkEnds[chunk - 1])
    }
  }
  return [...sizes]
    .map(([name, size]) => ({ name, ...size }))
    .sort((a, b) => b.valueBytes - a.valueBytes || (a.name < b.name ? -1 : 1))
}
