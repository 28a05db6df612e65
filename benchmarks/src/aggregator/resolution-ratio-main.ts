/** How much cheaper a long query is through windows than through raw samples: CPU time, in one run, answers compared first. */
import { Aggregator, FileRuleStore } from '@varve/aggregator'
import { Engine } from '@varve/promql'
import { Database } from '@varve/tsdb-core'
import type { Env } from '@varve/tsdb-core/env'
import { nodeEnv } from '@varve/tsdb-core/env/node'
import { Labels } from '@varve/tsdb-core/model'
import type { Queryable } from '@varve/tsdb-core/query'

const HOUR = 3_600_000
/** The store's timers do not keep a process alive. */
const alive = setInterval(() => {}, 1000)
const seriesCount = Number(process.argv[2] ?? 50)
const days = Number(process.argv[3] ?? 4)
const startMs = Date.UTC(2026, 0, 1)
let nowMs = startMs
const real = nodeEnv()
const env: Env = { ...real, clock: { ...real.clock, wallMs: () => nowMs } }
const database = await Database.open({
  env,
  maintenanceIntervalMs: 0,
  memoryBytesMax: 4 * 1024 ** 3,
  newSeriesPerSecondMax: 1e9,
})
const folder = `${process.env.TMPDIR ?? '/tmp'}/varve-ratio-${process.pid}`
const store = new FileRuleStore({ files: env.files, path: folder })
await store.put(
  { kind: 'mapping', name: 'm' },
  '{"match": "x_total", "policies": ["1h:2y"], "aggregations": ["increase"]}',
)
const aggregator = new Aggregator({ database, env, store })
await aggregator.start()
const raw = database.namespace('default')
const refs = await raw.resolveLabels(
  Array.from({ length: seriesCount }, (_, i) =>
    Labels.from({ __name__: 'x_total', job: `j${i % 5}`, instance: `i${i}` }),
  ),
)
const values = new Float64Array(seriesCount)
for (let atMs = 15_000; atMs <= days * 24 * HOUR; atMs += 15_000) {
  nowMs = startMs + atMs
  for (let i = 0; i < seriesCount; i++) values[i] += (i + atMs / 15_000) % 13
  await raw.append({
    count: seriesCount,
    seriesRefs: refs,
    timestampsMs: new Float64Array(seriesCount).fill(nowMs),
    values,
  })
  if (atMs % HOUR === 0) {
    nowMs += 20_000
    await aggregator.settle()
  }
}
const engine = new Engine()
async function measure(queryable: Queryable, query: string): Promise<{ ms: number; sum: number }> {
  const run = () =>
    engine.rangeQuery({
      queryable,
      query,
      startMs: startMs + 2 * HOUR,
      endMs: startMs + days * 24 * HOUR,
      stepMs: HOUR,
    })
  const result = await run()
  let sum = 0
  for (let i = 0; i < result.series.count; i++) result.series.forEachSample(i, (_, value) => (sum += value))
  const cpu = process.cpuUsage()
  for (let i = 0; i < 3; i++) await run()
  const { user, system } = process.cpuUsage(cpu)
  return { ms: (user + system) / 3000, sum }
}
const fromRaw = await measure(database, 'avg by (job) (rate(x_total[1h] anchored))')
const fromWindows = await measure(aggregator.queryable(), 'avg by (job) (rate(x_total[1h]))')
if (Math.abs(fromRaw.sum - fromWindows.sum) > 1e-9 * fromRaw.sum)
  throw new Error(`${fromWindows.sum} is not ${fromRaw.sum}`)
console.log(`${seriesCount} series, ${days} days of 15 s, avg by (job) (rate(x[1h])) by the hour`)
console.log(
  `raw ${fromRaw.ms.toFixed(1)} ms CPU, 1h ${fromWindows.ms.toFixed(1)} ms CPU: ${(fromRaw.ms / fromWindows.ms).toFixed(0)} times`,
)
await aggregator.stop()
await database.close()
await env.files.removeTree(folder)
clearInterval(alive)
