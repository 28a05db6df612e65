/**
 * A block directory of a Prometheus (or Thanos, Cortex, Mimir) store, read series by series.
 *
 * Every checksum is checked before the bytes behind it are believed. Deleted intervals are left out.
 */
import type { FileSystem } from '@varve/tsdb-core/env'
import type { Labels } from '@varve/tsdb-core/model'
import { readIndex } from './block-index.js'
import { ChunkSegments, type EncodedChunk, readWhole } from './chunk-segments.js'
import { ImportError } from './import-error.js'
import { type DeletedInterval, readTombstones } from './tombstones.js'

export interface PrometheusBlockMeta {
  readonly ulid: string
  readonly minTimeMs: number
  /** Exclusive. */
  readonly maxTimeMs: number
  readonly sampleCount: number
  readonly seriesCount: number
}

export interface PrometheusSeries {
  readonly labels: Labels
  /** In order of time. */
  chunks(): AsyncGenerator<EncodedChunk>
  /** Samples in these are to be left out. */
  readonly deleted: readonly DeletedInterval[]
}

/** Names of the block directories in a Prometheus data directory, sorted by the time that they start. */
export async function listBlocks(files: FileSystem, dataDirectory: string): Promise<PrometheusBlockMeta[]> {
  const metas: PrometheusBlockMeta[] = []
  for (const name of await files.list(dataDirectory)) {
    if (await files.stat(`${dataDirectory}/${name}/meta.json`))
      metas.push(await readMeta(files, `${dataDirectory}/${name}`))
  }
  return metas.sort((a, b) => a.minTimeMs - b.minTimeMs)
}

/** @throws {ImportError} `CORRUPT`, `UNSUPPORTED` or `NOT_FOUND`, naming the file and where in it. */
export async function* readBlock(files: FileSystem, directory: string): AsyncGenerator<PrometheusSeries> {
  const index = `${directory}/index`
  const bytes = await readWhole(files, index)
  const segments = await ChunkSegments.open(files, `${directory}/chunks`)
  const stones = `${directory}/tombstones`
  const deleted = (await files.stat(stones)) ? readTombstones(stones, await readWhole(files, stones)) : new Map()
  for (const series of readIndex(index, bytes)) {
    yield {
      labels: series.labels,
      deleted: deleted.get(series.id) ?? [],
      async *chunks() {
        for (const { segment, offset } of series.chunks) yield await segments.read(segment, offset)
      },
    }
  }
}

async function readMeta(files: FileSystem, directory: string): Promise<PrometheusBlockMeta> {
  const path = `${directory}/meta.json`
  let meta: unknown
  try {
    meta = JSON.parse(new TextDecoder().decode(await readWhole(files, path)))
  } catch (cause) {
    throw new ImportError('CORRUPT', `${path}: ${(cause as Error).message}`, { cause })
  }
  const { ulid, minTime, maxTime, version, stats } = (meta ?? {}) as Record<string, unknown>
  if (typeof ulid !== 'string' || typeof minTime !== 'number' || typeof maxTime !== 'number') {
    throw new ImportError(
      'CORRUPT',
      `${path}: wanted ulid, minTime and maxTime, got ${JSON.stringify(meta)?.slice(0, 200)}`,
    )
  }
  if (version !== 1) throw new ImportError('UNSUPPORTED', `${path}: block version ${String(version)}; known is 1`)
  const counts = (stats ?? {}) as Record<string, unknown>
  return {
    ulid,
    minTimeMs: minTime,
    maxTimeMs: maxTime,
    sampleCount: typeof counts.numSamples === 'number' ? counts.numSamples : 0,
    seriesCount: typeof counts.numSeries === 'number' ? counts.numSeries : 0,
  }
}
