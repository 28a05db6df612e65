/**
 * What the store costs in process: append, seal, disk, scans, memory, recovery. Every answer is checked before it is timed.
 */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Database, type Namespace } from '@varve/tsdb-core'
import { Labels } from '@varve/tsdb-core/model'
import { type RecordedFleet, recordFleet } from './recorded-fleet.js'

const BATCH = 2000

export interface StorageFigures {
  readonly hosts: number
  readonly seriesCount: number
  readonly sampleCount: number
  readonly appendPerCpuSecond: number
  readonly headBytesPerSeries: number
  readonly residentBytesPerSeries: number
  readonly recoveryPerCpuSecond: number
  readonly flushNsPerSample: number
  readonly diskBytesPerSample: number
  readonly scanSeriesUsFirst: number
  readonly scanSeriesUs: number
  readonly scanThousandNsFirst: number
  readonly scanThousandNs: number
}

export async function runStorageBenchmark(
  options: { hosts: number; steps: number; jitterShare?: number },
  print: (line: string) => void,
): Promise<StorageFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'varve-bench-'))
  try {
    const recorded = recordFleet(options)
    return await measure(recorded, options.hosts, folder, print)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function measure(
  recorded: RecordedFleet,
  hosts: number,
  folder: string,
  print: (line: string) => void,
): Promise<StorageFigures> {
  const { fleet, sampleCount } = recorded
  const seriesCount = fleet.series.length
  const open = () =>
    Database.open({
      directory: folder,
      namespaces: { default: { retentionMs: Number.POSITIVE_INFINITY } },
      syncMode: 'interval',
      syncIntervalMs: 100,
      maintenanceIntervalMs: 0,
      memoryBytesMax: 4 * 1024 ** 3,
      newSeriesPerSecondMax: 1e9,
      logSizeBytesMax: Number.POSITIVE_INFINITY,
    })
  const labels = fleet.series.map((one) => Labels.fromSorted(one.labels))
  global.gc?.()
  const residentBefore = process.memoryUsage().rss
  let database = await open()
  let namespace = database.namespace('default')
  const refs = await namespace.resolveLabels(labels)
  const seriesRefs = recorded.series.map((index) => refs[index])
  const figures: Record<string, number> = { hosts, seriesCount, sampleCount }

  let cpu = process.cpuUsage()
  for (let from = 0; from < sampleCount; from += BATCH) {
    const to = Math.min(sampleCount, from + BATCH)
    const result = await namespace.append({
      count: to - from,
      seriesRefs: seriesRefs.subarray(from, to),
      timestampsMs: recorded.timestampsMs.subarray(from, to),
      values: recorded.values.subarray(from, to),
    })
    if (result.rejections.length > 0) throw new Error(`refused: ${JSON.stringify(result.rejections[0])}`)
  }
  figures.appendPerCpuSecond = sampleCount / cpuSeconds(cpu)
  print(`append              ${(figures.appendPerCpuSecond / 1e6).toFixed(2)} M samples per CPU s`)
  const stats = database.stats()
  figures.headBytesPerSeries = stats.memoryBytes / seriesCount
  global.gc?.()
  figures.residentBytesPerSeries = (process.memoryUsage().rss - residentBefore) / seriesCount
  print(
    `memory              ${figures.headBytesPerSeries.toFixed(0)} B a series by count, ${figures.residentBytesPerSeries.toFixed(0)} B resident (with refs of the benchmark), log ${(stats.logSizeBytes / sampleCount).toFixed(2)} B/sample`,
  )
  await database.close()

  cpu = process.cpuUsage()
  database = await open()
  namespace = database.namespace('default')
  figures.recoveryPerCpuSecond = sampleCount / cpuSeconds(cpu)
  print(`recovery            ${(figures.recoveryPerCpuSecond / 1e6).toFixed(2)} M samples per CPU s`)
  await checkCount(namespace, sampleCount)

  cpu = process.cpuUsage()
  const flushStart = performance.now()
  await database.flush()
  figures.flushNsPerSample = (cpuSeconds(cpu) * 1e9) / sampleCount
  print(
    `flush               ${figures.flushNsPerSample.toFixed(1)} ns/sample CPU, ${(performance.now() - flushStart).toFixed(0)} ms`,
  )
  figures.diskBytesPerSample = (await sizeOf(join(folder, 'namespaces'))) / sampleCount
  print(`disk                ${figures.diskBytesPerSample.toFixed(3)} B/sample`)
  await checkCount(namespace, sampleCount)
  await database.close()

  database = await open()
  namespace = database.namespace('default')
  await measureScans(namespace, recorded, figures, print)
  await database.close()
  return figures as unknown as StorageFigures
}

async function measureScans(
  namespace: Namespace,
  recorded: RecordedFleet,
  figures: Record<string, number>,
  print: (line: string) => void,
): Promise<void> {
  const { startMs, stepMs, steps } = recorded.fleet.options
  const range = { startMs, endMs: startMs + (steps + 1) * stepMs }
  const one = async (host: number): Promise<number> => {
    const matchers = [
      { name: '__name__', operator: '=', value: 'node_load1' },
      { name: 'instance', operator: '=', value: `host-${String(host).padStart(4, '0')}:9100` },
    ] as const
    return sum(namespace, { matchers, ...range })
  }
  const hosts = recorded.fleet.options.hosts
  let start = performance.now()
  await one(1)
  figures.scanSeriesUsFirst = (performance.now() - start) * 1000
  figures.scanSeriesUs = Number.POSITIVE_INFINITY
  for (let round = 0; round < 12; round++) {
    const cpu = process.cpuUsage()
    for (let i = 0; i < 500; i++) await one(i % hosts)
    figures.scanSeriesUs = Math.min(figures.scanSeriesUs, (cpuSeconds(cpu) * 1e6) / 500)
  }
  print(
    `one series          ${figures.scanSeriesUs.toFixed(1)} µs CPU, best of 12 rounds (first: ${figures.scanSeriesUsFirst.toFixed(0)} µs)`,
  )
  const many = [{ name: '__name__', operator: '=~', value: 'node_cpu_seconds_total' }] as const
  let count = 0
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 12; round++) {
    start = performance.now()
    count = await sum(namespace, { matchers: many, ...range })
    const ns = ((performance.now() - start) * 1e6) / count
    if (round === 0) figures.scanThousandNsFirst = ns
    best = Math.min(best, ns)
  }
  figures.scanThousandNs = best
  print(
    `${count} samples   ${best.toFixed(2)} ns/sample best of 12 (first: ${figures.scanThousandNsFirst.toFixed(1)} ns/sample)`,
  )
}

/** Reads everything; returns how many samples there were. */
async function sum(namespace: Namespace, request: Parameters<Namespace['select']>[0]): Promise<number> {
  const { batches } = await namespace.select({ ...request, hints: HINTS, reusesBatches: true })
  let count = 0
  for await (const batch of batches) count += batch.values.length
  return count
}

const HINTS = { function: '', stepMs: 0, rangeMs: 0, evaluationStartMs: 0, evaluationEndMs: 0 }

async function checkCount(namespace: Namespace, wanted: number): Promise<void> {
  const matchers = [{ name: '__name__', operator: '=~', value: '.+' }] as const
  const count = await sum(namespace, { matchers, startMs: 0, endMs: Number.MAX_SAFE_INTEGER })
  if (count !== wanted) throw new Error(`the store holds ${count} samples, wanted ${wanted}`)
}

function cpuSeconds(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1e6
}

async function sizeOf(folder: string): Promise<number> {
  let size = 0
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) size += (await stat(join(entry.parentPath, entry.name))).size
  }
  return size
}
