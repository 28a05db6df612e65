/**
 * The commit log at its limit: how large it gets while open blocks are sealed early for its sake, what that costs, and how long
 * a start takes that finds it full. docs/decisions/0010 rests on these figures.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Database } from '@varve/tsdb-core'
import { Labels } from '@varve/tsdb-core/model'

const BATCH = 2000
const NOW = 1_700_006_400_000
/** Maintenance comes every ten seconds; this is what a busy second brings, tenfold. */
const SAMPLES_PER_ROUND = 5_000_000

export interface BoundedLogFigures {
  readonly logSizeBytesMax: number
  readonly logSizeBytesPeak: number
  /** Append, early seals and merges together. */
  readonly appendPerCpuSecond: number
  /** Samples that a start found in the log, and its time. */
  readonly replayedSamples: number
  readonly openCpuSeconds: number
}

export async function runBoundedLogBenchmark(
  options: { seriesCount: number; steps: number; logSizeBytesMax: number; samplesPerRound?: number },
  print: (line: string) => void,
): Promise<BoundedLogFigures> {
  const { seriesCount, steps, logSizeBytesMax, samplesPerRound = SAMPLES_PER_ROUND } = options
  const directory = await mkdtemp(join(tmpdir(), 'varve-bounded-log-'))
  const open = () =>
    Database.open({
      directory,
      namespaces: { default: { retentionMs: Number.POSITIVE_INFINITY } },
      syncMode: 'interval',
      maintenanceIntervalMs: 0,
      memoryBytesMax: 8 * 1024 ** 3,
      newSeriesPerSecondMax: 1e9,
      segmentSizeBytes: Math.min(64 * 1024 ** 2, logSizeBytesMax / 4),
      logSizeBytesMax,
    })
  try {
    let database = await open()
    const namespace = database.namespace('default')
    const labels = Array.from({ length: seriesCount }, (_, i) => Labels.from({ __name__: 'm', i: `${i}`, job: 'node' }))
    const cpu = process.cpuUsage()
    const values = new Float64Array(BATCH)
    let logSizeBytesPeak = 0
    let sinceRound = 0
    let refs = await namespace.resolveLabels(labels)
    for (let step = 0; step < steps; step++) {
      const timestampsMs = new Float64Array(BATCH).fill(NOW + step * 15_000)
      for (let from = 0; from < seriesCount; from += BATCH) {
        const count = Math.min(BATCH, seriesCount - from)
        for (let k = 0; k < count; k++) values[k] = sampleOf(from + k, step)
        const seriesRefs = refs.subarray(from, from + count)
        const { rejections } = await namespace.append({ count, seriesRefs, timestampsMs, values })
        if (rejections.length > 0) throw new Error(`refused: ${JSON.stringify(rejections[0])}`)
      }
      sinceRound += seriesCount
      if (sinceRound < samplesPerRound) continue
      sinceRound = 0
      logSizeBytesPeak = Math.max(logSizeBytesPeak, database.stats().logSizeBytes)
      await database.maintain()
      // Series whose blocks were sealed may have been evicted.
      refs = await namespace.resolveLabels(labels)
    }
    const sampleCount = seriesCount * steps
    const appendPerCpuSecond = sampleCount / cpuSeconds(cpu)
    logSizeBytesPeak = Math.max(logSizeBytesPeak, database.stats().logSizeBytes)
    const before = database.stats().namespaces.get('default')
    await database.close()
    const openCpu = process.cpuUsage()
    database = await open()
    const openCpuSeconds = cpuSeconds(openCpu)
    const after = database.stats().namespaces.get('default')
    const replayedSamples = after?.headSampleCount ?? 0
    if (
      replayedSamples !== before?.headSampleCount ||
      replayedSamples + (after?.sealedSampleCount ?? 0) !== sampleCount
    ) {
      throw new Error(`${replayedSamples} and ${after?.sealedSampleCount} samples, wanted ${sampleCount} in all`)
    }
    await database.close()
    const mib = (bytes: number) => `${(bytes / 1024 ** 2).toFixed(0)} MiB`
    print(
      `log limit ${mib(logSizeBytesMax)}: peak ${mib(logSizeBytesPeak)}, append with early seals and merges ` +
        `${(appendPerCpuSecond / 1e6).toFixed(2)} M samples per CPU s, start with ${(replayedSamples / 1e6).toFixed(1)} M samples in the log ${openCpuSeconds.toFixed(2)} CPU s`,
    )
    return { logSizeBytesMax, logSizeBytesPeak, appendPerCpuSecond, replayedSamples, openCpuSeconds }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** A third constant, a third counters, a third gauges of two decimals. */
function sampleOf(series: number, step: number): number {
  const kind = series % 3
  if (kind === 0) return series
  if (kind === 1) return step * (series % 977) + (Math.imul(series ^ step, 0x9e3779b1) >>> 26)
  return (Math.imul(series * 31 + step, 0x85ebca6b) >>> 19) / 100
}

function cpuSeconds(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1e6
}
