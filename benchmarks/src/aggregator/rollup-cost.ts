/**
 * What rollups cost beside ingest, in process: CPU of the aggregator over CPU of the appends, in one run, with the outputs
 * checked first; the longest turn of the event loop; and the time to match a new series against many rules.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Aggregator, FileRuleStore, RuleMatcher } from '@varve/aggregator'
import { parseSelector } from '@varve/promql'
import { Database } from '@varve/tsdb-core'
import type { Clock, Env } from '@varve/tsdb-core/env'
import { nodeEnv } from '@varve/tsdb-core/env/node'
import { Labels } from '@varve/tsdb-core/model'

export interface RollupCostOptions {
  readonly seriesCount: number
  readonly minutes: number
  readonly scrapeMs: number
}

export interface RollupCost extends RollupCostOptions {
  readonly ingestCpuMs: number
  readonly rollupCpuMs: number
  /** Of the aggregator's CPU over the appends'. */
  readonly share: number
  readonly rowCount: number
  readonly turnMsMax: number
  readonly turnMsP99: number
}

const METRICS = 10
const JOBS = 20

export async function measureRollupCost(options: RollupCostOptions): Promise<RollupCost> {
  const folder = await mkdtemp(join(tmpdir(), 'varve-rollup-cost-'))
  // The store's timers do not keep a process alive.
  const alive = setInterval(() => {}, 1000)
  try {
    return await measure(options, folder)
  } finally {
    clearInterval(alive)
    await rm(folder, { recursive: true, force: true })
  }
}

async function measure(options: RollupCostOptions, folder: string): Promise<RollupCost> {
  const { seriesCount, minutes, scrapeMs } = options
  const startMs = Date.UTC(2026, 0, 1)
  let nowMs = startMs
  const real = nodeEnv()
  const clock: Clock = { ...real.clock, wallMs: () => nowMs }
  const env: Env = { ...real, clock }
  const database = await Database.open({
    directory: join(folder, 'data'),
    env,
    maintenanceIntervalMs: 0,
    memoryBytesMax: 4 * 1024 ** 3,
    newSeriesPerSecondMax: 1e9,
    namespaces: { default: { retentionMs: Infinity } },
  })
  const store = new FileRuleStore({ files: env.files, path: join(folder, 'rules') })
  for (let i = 0; i < METRICS; i++) {
    const policies = ['1m:90d']
    const name = metricName(i)
    await store.put({ kind: 'mapping', name: `m${i}` }, JSON.stringify({ match: name, policies }))
    const rollup = { match: name, name: `${name}:by_job`, by: ['job'], aggregate: 'sum', policies }
    await store.put({ kind: 'rollup', name: `r${i}` }, JSON.stringify(rollup))
  }
  const aggregator = new Aggregator({ database, env, store, stateDirectory: join(folder, 'state') })
  await aggregator.start()

  const raw = database.namespace('default')
  const labels = Array.from({ length: seriesCount }, (_, i) =>
    Labels.from({
      __name__: metricName(i % METRICS),
      instance: `host-${Math.floor(i / METRICS)}`,
      job: `job-${Math.floor(i / METRICS) % JOBS}`,
      region: `region-${i % 3}`,
      version: '1.2.3',
    }),
  )
  const seriesRefs = await raw.resolveLabels(labels)
  const values = new Float64Array(seriesCount)
  const timestampsMs = new Float64Array(seriesCount)
  let ingestCpuMs = 0
  let rollupCpuMs = 0
  const turns: { p99: number; max: number }[] = []
  // The first minutes meet new series, which is another cost.
  const warmUp = 2
  for (let minute = 0; minute < minutes + warmUp; minute++) {
    const counted = minute >= warmUp
    for (let at = 0; at < 60_000; at += scrapeMs) {
      nowMs = startMs + minute * 60_000 + at + 1
      for (let i = 0; i < seriesCount; i++) values[i] = (i % METRICS < 5 ? minute * 60_000 + at : 0) + (i % 97)
      timestampsMs.fill(nowMs)
      const cpu = process.cpuUsage()
      for (let from = 0; from < seriesCount; from += 2000) {
        const to = Math.min(seriesCount, from + 2000)
        await raw.append({
          count: to - from,
          seriesRefs: seriesRefs.subarray(from, to),
          timestampsMs: timestampsMs.subarray(from, to),
          values: values.subarray(from, to),
        })
      }
      if (counted) ingestCpuMs += cpuMs(cpu)
    }
    nowMs = startMs + (minute + 1) * 60_000 + 15_001
    const cpu = process.cpuUsage()
    const watch = watchTurns()
    await aggregator.settle()
    const longest = watch.stop()
    if (counted) {
      rollupCpuMs += cpuMs(cpu)
      turns.push(longest)
    }
  }
  const rowCount = aggregator.status().policies.reduce((sum, policy) => sum + policy.rowCount, 0)
  await check(database, seriesCount, startMs + (minutes + warmUp) * 60_000, 60_000 / scrapeMs)
  await aggregator.stop()
  await database.close()
  return {
    ...options,
    ingestCpuMs,
    rollupCpuMs,
    share: rollupCpuMs / ingestCpuMs,
    rowCount,
    turnMsMax: Math.max(...turns.map(({ max }) => max)),
    turnMsP99: Math.max(...turns.map(({ p99 }) => p99)),
  }
}

/** The last window counts every sample of every series. */
async function check(database: Database, seriesCount: number, endMs: number, perWindow: number): Promise<void> {
  const { batches } = await database.namespace('1m_90d').select({
    matchers: [{ name: 'instance', operator: '!=', value: '' }],
    startMs: endMs,
    endMs: endMs + 1,
    column: 'count',
  })
  let found = 0
  for await (const batch of batches) for (const value of batch.values) if (value === perWindow) found++
  if (found !== seriesCount) throw new Error(`${found} of ${seriesCount} windows count ${perWindow} samples`)
}

export function measureMatching(ruleCount: number): number {
  const selectors = Array.from({ length: ruleCount }, (_, i) => {
    const forms = [
      `metric_${i}_total{env="prod"}`,
      `{job="job-${i}"}`,
      `{__name__=~"prefix_${i}_.*"}`,
      `m_${i}{code=~"5.."}`,
    ]
    return parseSelector(forms[i % forms.length])
  })
  const matcher = new RuleMatcher(selectors)
  const series = Array.from({ length: 20_000 }, (_, i) =>
    Labels.from({
      __name__: i % 2 === 0 ? `metric_${i % ruleCount}_total` : `prefix_${i % ruleCount}_x`,
      env: 'prod',
      job: `job-${i % 5000}`,
      instance: `host-${i}`,
      code: '500',
    }),
  )
  let matched = 0
  for (const labels of series) matched += matcher.match(labels).length
  if (matched === 0) throw new Error('no series matched')
  const startedMs = performance.now()
  for (const labels of series) matcher.match(labels)
  return ((performance.now() - startedMs) * 1000) / series.length
}

function metricName(i: number): string {
  return i < 5 ? `requests_${i}_total` : `level_${i}`
}

function cpuMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1000
}

/** The longest turns of the event loop, in milliseconds: looking costs next to no CPU, so it can be counted beside. */
function watchTurns(): { stop(): { p99: number; max: number } } {
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  return {
    stop() {
      delays.disable()
      return { p99: delays.percentile(99) / 1e6, max: delays.max / 1e6 }
    },
  }
}
