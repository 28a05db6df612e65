/**
 * Memory of many active series with a full open block, and what appends cost then. Samples are made on the fly, so that the process
 * holds little besides the store.
 */
import { Database } from '@varve/tsdb-core'
import { encodeCanonicalLabels, Labels } from '@varve/tsdb-core/model'

const BATCH = 2000
const SERIES_PER_HOST = 500
const NOW = 1_700_006_400_000

export interface MemoryFigures {
  readonly seriesCount: number
  readonly sampleCount: number
  readonly residentBytesPerSeries: number
  readonly countedBytesPerSeries: number
  readonly appendPerCpuSecond: number
  readonly newSeriesUs: number
}

export async function runMemoryBenchmark(
  options: { seriesCount: number; steps: number },
  print: (line: string) => void,
): Promise<MemoryFigures> {
  const { seriesCount, steps } = options
  global.gc?.()
  const before = process.memoryUsage().rss
  const database = await Database.open({
    namespaces: { default: { retentionMs: Number.POSITIVE_INFINITY } },
    memoryBytesMax: 8 * 1024 ** 3,
    newSeriesPerSecondMax: 1e9,
  })
  const namespace = database.namespace('default')
  let cpu = process.cpuUsage()
  const refs = new Uint32Array(seriesCount)
  for (let from = 0; from < seriesCount; from += BATCH) {
    const to = Math.min(seriesCount, from + BATCH)
    const parts = Array.from({ length: to - from }, (_, k) => encodeCanonicalLabels(labelsOf(from + k)))
    const offsets = new Uint32Array(parts.length + 1)
    parts.forEach((part, k) => {
      offsets[k + 1] = offsets[k] + part.length
    })
    refs.set(await namespace.resolve(Buffer.concat(parts), offsets), from)
  }
  const newSeriesUs = (cpuSeconds(cpu) * 1e6) / seriesCount
  const timestampsMs = new Float64Array(BATCH)
  const values = new Float64Array(BATCH)
  let appendSeconds = 0
  for (let step = 0; step < steps; step++) {
    for (let from = 0; from < seriesCount; from += BATCH) {
      const count = Math.min(BATCH, seriesCount - from)
      for (let k = 0; k < count; k++) {
        const series = from + k
        const host = Math.floor(series / SERIES_PER_HOST)
        timestampsMs[k] = NOW + step * 15_000 + ((host * 7919) % 15_000)
        values[k] = sampleOf(series, step)
      }
      cpu = process.cpuUsage()
      const batch = { count, seriesRefs: refs.subarray(from, from + count), timestampsMs, values }
      const { rejections } = await namespace.append(batch)
      appendSeconds += cpuSeconds(cpu)
      if (rejections.length > 0) throw new Error(`refused: ${JSON.stringify(rejections[0])}`)
    }
  }
  global.gc?.()
  const sampleCount = seriesCount * steps
  const figures = {
    seriesCount,
    sampleCount,
    residentBytesPerSeries: (process.memoryUsage().rss - before) / seriesCount,
    countedBytesPerSeries: database.stats().memoryBytes / seriesCount,
    appendPerCpuSecond: sampleCount / appendSeconds,
    newSeriesUs,
  }
  const { headSampleCount } = database.stats().namespaces.get('default') ?? { headSampleCount: 0 }
  if (headSampleCount !== sampleCount)
    throw new Error(`the head holds ${headSampleCount} samples, wanted ${sampleCount}`)
  print(
    `${seriesCount} series × ${steps}: ${figures.residentBytesPerSeries.toFixed(0)} B a series resident, ${figures.countedBytesPerSeries.toFixed(0)} B counted, rss ${(process.memoryUsage().rss / 1e9).toFixed(2)} GB`,
  )
  print(
    `append ${(figures.appendPerCpuSecond / 1e6).toFixed(2)} M samples per CPU s, ${newSeriesUs.toFixed(2)} µs a new series`,
  )
  await database.close()
  return figures
}

/** Ten labels, as node exporters have them. */
function labelsOf(series: number): Labels {
  const host = Math.floor(series / SERIES_PER_HOST)
  const own = series % SERIES_PER_HOST
  return Labels.from({
    __name__: `node_metric_${own % 120}_total`,
    cpu: `${own % 16}`,
    dc: `dc${host % 3}`,
    device: `sd${own % 9}`,
    env: 'production',
    instance: `host-${host}:9100`,
    job: 'node',
    mode: ['idle', 'user', 'system', 'iowait', 'irq'][own % 5],
    own: `${own}`,
    rack: `r${host % 40}`,
  })
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
