/**
 * What storing finished windows costs, in process: CPU of the whole process for `appendWindow` of 100,000 series in slices, as the
 * aggregator calls it, with the log synced, and the head's bytes; answers are checked first.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Database, type WindowBatch } from '@varve/tsdb-core'
import type { Clock, Env } from '@varve/tsdb-core/env'
import { nodeEnv } from '@varve/tsdb-core/env/node'
import { type AggregateColumn, Labels } from '@varve/tsdb-core/model'

export interface WindowStoreOptions {
  readonly seriesCount: number
  /** Counted ones; as many windows as a stripe has are stored before. */
  readonly windows: number
}

export interface WindowStoreCost extends WindowStoreOptions {
  /** CPU of the process, and of these what the kernel took. */
  readonly nsPerSeries: number
  readonly systemNsPerSeries: number
  /** The longest time between two turns of the event loop. */
  readonly turnMsMax: number
  readonly headBytesPerValue: number
  readonly logBytesPerSeries: number
}

const SLICE = 1024
const STRIPE_WINDOWS = 48
const SAMPLES = 4
const COLUMNS: readonly AggregateColumn[] = ['last', 'min', 'max', 'sum', 'count', 'increase']
const GAUGE_MASK = 0b011111
const COUNTER_MASK = 0b111111

/** Half of the series are counters of whole numbers, half gauges of quarters that stand still for a while. */
class Fleet {
  readonly seriesCount: number
  readonly values: Float64Array
  readonly columns: readonly Float64Array[]
  readonly masks: Uint8Array
  #random = 1

  constructor(seriesCount: number) {
    this.seriesCount = seriesCount
    this.values = new Float64Array(seriesCount)
    this.columns = COLUMNS.map(() => new Float64Array(seriesCount))
    this.masks = Uint8Array.from({ length: seriesCount }, (_, i) => (i % 10 < 5 ? COUNTER_MASK : GAUGE_MASK))
  }

  next(): void {
    const [lasts, mins, maxs, sums, counts, increases] = this.columns
    for (let i = 0; i < this.seriesCount; i++) {
      const before = this.values[i]
      let value = before
      let [min, max, sum] = [Infinity, -Infinity, 0]
      for (let k = 0; k < SAMPLES; k++) {
        const drawn = this.#draw()
        if (i % 10 < 5) value += drawn % 50
        else if (drawn % 4 === 0) value = (drawn % 1000) / 4
        min = Math.min(min, value)
        max = Math.max(max, value)
        sum += value
      }
      this.values[i] = lasts[i] = value
      mins[i] = min
      maxs[i] = max
      sums[i] = sum
      counts[i] = SAMPLES
      increases[i] = value - before
    }
  }

  #draw(): number {
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0
    return this.#random >>> 8
  }
}

export async function measureWindowStore(options: WindowStoreOptions): Promise<WindowStoreCost> {
  const folder = await mkdtemp(join(tmpdir(), 'varve-window-store-'))
  // The store's timers do not keep a process alive.
  const alive = setInterval(() => {}, 1000)
  try {
    return await measure(options, folder)
  } finally {
    clearInterval(alive)
    await rm(folder, { recursive: true, force: true })
  }
}

async function measure(options: WindowStoreOptions, folder: string): Promise<WindowStoreCost> {
  const { seriesCount, windows } = options
  const startMs = Date.UTC(2026, 0, 1)
  let nowMs = startMs
  const real = nodeEnv()
  const clock: Clock = { ...real.clock, wallMs: () => nowMs }
  const env: Env = { ...real, clock }
  const database = await Database.open({
    directory: join(folder, 'data'),
    env,
    maintenanceIntervalMs: 0,
    memoryBytesMax: 8 * 1024 ** 3,
    newSeriesPerSecondMax: 1e9,
    namespaces: { '1m_90d': { resolutionMs: 60_000, retentionMs: 90 * 86_400_000, blockSizeMs: 43_200_000 } },
  })
  const target = database.namespace('1m_90d')
  const fleet = new Fleet(seriesCount)
  const refs = await target.resolveLabels(
    Array.from({ length: seriesCount }, (_, i) =>
      Labels.from({ __name__: `metric_${i % 10}`, instance: `host-${Math.floor(i / 10)}`, job: `job-${i % 7}` }),
    ),
  )
  let cpu = { user: 0, system: 0 }
  let turnMsMax = 0
  let logBytes = 0
  for (let window = 0; window < STRIPE_WINDOWS + windows; window++) {
    nowMs = startMs + window * 60_000 + 60_000
    fleet.next()
    const before = process.cpuUsage()
    const logBefore = database.stats().logSizeBytes
    const stored: Promise<unknown>[] = []
    for (let from = 0; from < seriesCount; from += SLICE) {
      const to = Math.min(seriesCount, from + SLICE)
      const startedMs = performance.now()
      const batch: WindowBatch = {
        timestampMs: nowMs,
        count: to - from,
        seriesRefs: refs.subarray(from, to),
        masks: fleet.masks.subarray(from, to),
        columns: COLUMNS.map((column, k) => ({ column, values: fleet.columns[k].subarray(from, to) })),
      }
      const { durable } = await target.appendWindow(batch, { deferred: true })
      stored.push(durable)
      if (window >= STRIPE_WINDOWS) turnMsMax = Math.max(turnMsMax, performance.now() - startedMs)
      if (stored.length % 24 === 0) target.writeDeferred()
      await real.clock.yield()
    }
    target.writeDeferred()
    await Promise.all(stored)
    if (window < STRIPE_WINDOWS) continue
    const used = process.cpuUsage(before)
    cpu = { user: cpu.user + used.user, system: cpu.system + used.system }
    logBytes += database.stats().logSizeBytes - logBefore
  }
  await check(database, fleet, nowMs)
  const stats = target.stats()
  await database.close()
  const count = seriesCount * windows
  return {
    ...options,
    nsPerSeries: ((cpu.user + cpu.system) * 1000) / count,
    systemNsPerSeries: (cpu.system * 1000) / count,
    turnMsMax,
    headBytesPerValue: stats.headSizeBytes / stats.headSampleCount,
    logBytesPerSeries: logBytes / count,
  }
}

/** The sums of the last window, and of the first, are those of the fleet. */
async function check(database: Database, fleet: Fleet, endMs: number): Promise<void> {
  for (const [k, column] of COLUMNS.entries()) {
    const { batches } = await database.namespace('1m_90d').select({
      matchers: [{ name: 'instance', operator: '!=', value: '' }],
      startMs: endMs,
      endMs: endMs + 1,
      column,
      exactColumn: true,
    })
    let got = 0
    for await (const batch of batches) for (const value of batch.values) got += value
    let wanted = 0
    fleet.columns[k].forEach((value, i) => {
      if ((fleet.masks[i] & (1 << k)) !== 0) wanted += value
    })
    if (got !== wanted) throw new Error(`the last window's ${column} sum to ${got}, wanted ${wanted}`)
  }
}
