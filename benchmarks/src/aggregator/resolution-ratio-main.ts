/**
 * How much cheaper a long query is through windows than through raw samples: CPU time, in one run, answers compared first.
 *
 *     node … SERIES DAYS SCRAPE_SECONDS [FOLDER [STEP_HOURS [BUILD_SECONDS [SELECTOR]]]]     in memory without a folder
 *
 * With a folder the data is built there if it is empty, and only queried if it is not: building may take long, on a machine
 * that does other things, and the measurement then wants a quiet one. With BUILD_SECONDS building ends after about so long, at
 * the end of a block, and the next run goes on there. SELECTOR instead of `x_total`: one that the rule for `x_total` is not known to
 * keep all of, say `{__name__=~"x_.*"}`.
 */
import { Aggregator, FileRuleStore } from '@varve/aggregator'
import { Engine } from '@varve/promql'
import { Database } from '@varve/tsdb-core'
import type { Env } from '@varve/tsdb-core/env'
import { nodeEnv } from '@varve/tsdb-core/env/node'
import { Labels } from '@varve/tsdb-core/model'
import type { Queryable } from '@varve/tsdb-core/query'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const BLOCK_DAYS = 5
/** The store's timers do not keep a process alive. */
const alive = setInterval(() => {}, 1000)
const [seriesCount, days, scrapeSeconds] = [50, 4, 15].map((standard, i) => Number(process.argv[2 + i] ?? standard))
const folder = process.argv[5]
const stepHours = Number(process.argv[6] ?? 1)
const buildSeconds = Number(process.argv[7] ?? Infinity)
const selector = process.argv[8] ?? 'x_total'
const scrapeMs = scrapeSeconds * 1000
const startMs = Date.UTC(2026, 0, 1)
const endMs = startMs + days * DAY
let nowMs = startMs
const real = nodeEnv()
const env: Env = { ...real, clock: { ...real.clock, wallMs: () => nowMs } }
const rulesFolder =
  folder === undefined ? `${process.env.TMPDIR ?? '/tmp'}/varve-ratio-${process.pid}` : `${folder}-rules`
const isBuilt = folder !== undefined && (await real.files.stat(`${folder}/built`)) !== null
if (isBuilt) nowMs = endMs + 60_000
const database = await Database.open({
  env,
  maintenanceIntervalMs: 0,
  memoryBytesMax: 6 * 1024 ** 3,
  newSeriesPerSecondMax: 1e9,
  // Long blocks are not merged again and again.
  ...(folder !== undefined && {
    directory: folder,
    syncMode: 'never' as const,
    namespaces: { default: { blockSizeMs: BLOCK_DAYS * DAY, retentionMs: Infinity } },
  }),
})
// What was built before was built up to here.
if (!isBuilt) nowMs = database.namespace('default').stats().lastMs ?? startMs
const store = new FileRuleStore({ files: env.files, path: rulesFolder })
if (!isBuilt) {
  await store.put(
    { kind: 'mapping', name: 'm' },
    '{"match": "x_total", "policies": ["1h:2y"], "aggregations": ["increase"]}',
  )
}
const stateDirectory = folder === undefined ? undefined : `${folder}/rules-state`
const aggregator = new Aggregator({ database, env, store, ...(stateDirectory && { stateDirectory }) })
await aggregator.start()
const isComplete = isBuilt || (await build())

/** Goes on where the last run ended; false when it ended before all was there. */
async function build(): Promise<boolean> {
  const raw = database.namespace('default')
  const labels = Array.from({ length: seriesCount }, (_, i) =>
    Labels.from({ __name__: 'x_total', job: `j${i % 5}`, instance: `i${i}` }),
  )
  let refs = await raw.resolveLabels(labels)
  const doneMs = (raw.stats().lastMs ?? startMs) - startMs
  const values = Float64Array.from({ length: seriesCount }, (_, i) => valueAt(i, doneMs / scrapeMs))
  const timestampsMs = new Float64Array(seriesCount)
  const begunMs = performance.now()
  for (let atMs = doneMs + scrapeMs; atMs <= days * DAY; atMs += scrapeMs) {
    nowMs = startMs + atMs
    for (let i = 0; i < seriesCount; i++) values[i] += (i + atMs / scrapeMs) % 13
    await raw.append({ count: seriesCount, seriesRefs: refs, timestampsMs: timestampsMs.fill(nowMs), values })
    if (atMs % HOUR === 0) {
      nowMs += 20_000
      await aggregator.settle()
    }
    if (folder !== undefined && atMs % (BLOCK_DAYS * DAY) === 0) {
      await database.flush()
      refs = await raw.resolveLabels(labels)
      console.log(`${atMs / DAY} days`)
      if (performance.now() - begunMs > buildSeconds * 1000) return false
    }
  }
  if (folder === undefined) return true
  await database.flush()
  const mark = await real.files.open(`${folder}/built`, 'create')
  await mark.close()
  return true
}

/** The value of a series after so many samples, each of which adds `(series + its number) % 13`. */
function valueAt(series: number, count: number): number {
  let value = Math.floor(count / 13) * 78
  for (let k = 0; k < count % 13; k++) value += (series + k + 1) % 13
  return value
}

// All of it is read, by design: what is compared is its cost.
const engine = new Engine({ limits: { samplesMax: 1e12, bytesMax: 1e13 } })
async function measure(queryable: Queryable, query: string, times: number): Promise<{ ms: number; sum: number }> {
  const run = () =>
    engine.rangeQuery({ queryable, query, startMs: startMs + 2 * stepHours * HOUR, endMs, stepMs: stepHours * HOUR })
  let sum = 0
  const cpu = process.cpuUsage()
  for (let i = 0; i < times; i++) {
    const result = await run()
    sum = 0
    for (let at = 0; at < result.series.count; at++) result.series.forEachSample(at, (_, value) => (sum += value))
  }
  const { user, system } = process.cpuUsage(cpu)
  return { ms: (user + system) / 1000 / times, sum }
}
if (isComplete) await compare()
await aggregator.stop()
await database.close()
if (folder === undefined) await env.files.removeTree(rulesFolder)
clearInterval(alive)

async function compare(): Promise<void> {
  const query = `avg by (job) (rate(${selector}[${stepHours}h]))`
  await measure(aggregator.queryable(), query, 1)
  const fromWindows = await measure(aggregator.queryable(), query, 5)
  // A large one takes its time: one run of it counts.
  const isLarge = seriesCount * days * (DAY / scrapeMs) > 1e8
  if (!isLarge) await measure(database, query, 1)
  const fromRaw = await measure(database, query, isLarge ? 1 : 3)
  // Windows extrapolate nothing: theirs is the answer of `anchored`.
  const exact = await measure(database, query.replace('h]', 'h] anchored'), 1)
  if (!(Math.abs(exact.sum - fromWindows.sum) <= 1e-12 * exact.sum))
    throw new Error(`${fromWindows.sum} is not ${exact.sum}`)
  console.log(`${seriesCount} series, ${days} days of ${scrapeSeconds} s, ${query} every ${stepHours} h`)
  const times = (raw: { ms: number }) => `${raw.ms.toFixed(1)} ms CPU (${(raw.ms / fromWindows.ms).toFixed(0)} times)`
  console.log(`1h ${fromWindows.ms.toFixed(1)} ms CPU, raw ${times(fromRaw)}, raw and anchored ${times(exact)}`)
}
