/** What a drop rule leaves on disk: raw samples and windows of the same data, with and without the rule, in one run. */
import { Aggregator, FileRuleStore } from '@varve/aggregator'
import { Database } from '@varve/tsdb-core'
import type { Env } from '@varve/tsdb-core/env'
import { nodeEnv } from '@varve/tsdb-core/env/node'
import { Labels } from '@varve/tsdb-core/model'

const HOUR = 3_600_000
const alive = setInterval(() => {}, 1000)
const seriesCount = Number(process.argv[2] ?? 200)
const hours = Number(process.argv[3] ?? 24)
const startMs = Date.UTC(2026, 0, 1)
const real = nodeEnv()
const root = `${process.env.TMPDIR ?? '/tmp'}/varve-drop-${process.pid}`

async function run(drops: boolean): Promise<void> {
  let nowMs = startMs
  const env: Env = { ...real, clock: { ...real.clock, wallMs: () => nowMs } }
  const folder = `${root}/${drops}`
  const options = {
    directory: folder,
    env,
    maintenanceIntervalMs: 0,
    syncMode: 'never' as const,
    newSeriesPerSecondMax: 1e9,
  }
  const database = await Database.open(options)
  const store = new FileRuleStore({ files: env.files, path: `${folder}-rules` })
  await store.put({ kind: 'mapping', name: 'm' }, '{"match": "{job=\\"x\\"}", "policies": ["5m:1y"]}')
  if (drops) await store.put({ kind: 'drop', name: 'd' }, '{"match": "{job=\\"x\\"}"}')
  const aggregator = new Aggregator({ database, env, store, stateDirectory: `${folder}/rules`, dropHoldMs: 0 })
  await aggregator.start()
  const raw = database.namespace('default')
  const labels = Array.from({ length: seriesCount }, (_, i) =>
    Labels.from({ __name__: i % 2 ? 'c_total' : 'g', job: 'x', instance: `host-${i}:9100` }),
  )
  const values = new Float64Array(seriesCount)
  const timestampsMs = new Float64Array(seriesCount)
  let refs = await raw.resolveLabels(labels)
  for (let atMs = 15_000; atMs <= hours * HOUR + 30_000; atMs += 15_000) {
    nowMs = startMs + atMs
    for (let i = 0; i < seriesCount; i++)
      values[i] = i % 2 ? values[i] + ((i * atMs) % 97) : Math.round(1e4 * Math.sin(i + atMs / 9e5)) / 100
    await raw.append({ count: seriesCount, seriesRefs: refs, timestampsMs: timestampsMs.fill(nowMs), values })
    if (atMs % 300_000 === 30_000) await aggregator.settle()
    if (atMs % (2 * HOUR) === 30_000) {
      await raw.flush(Math.floor(nowMs / (2 * HOUR)) * 2 * HOUR)
      refs = await raw.resolveLabels(labels)
    }
  }
  await database.flush()
  const { namespaces } = database.stats()
  const text = [...namespaces].map(
    ([name, { sealedSizeBytes, sealedSampleCount }]) =>
      `${name} ${(sealedSizeBytes / 1024).toFixed(0)} KiB, ${sealedSampleCount} samples`,
  )
  console.log(`${drops ? 'with' : 'without'} a drop rule: ${text.join('; ')}`)
  await aggregator.stop()
  await database.close()
}

console.log(`${seriesCount} series of 15 s, ${hours} h, windows of 5 m`)
await run(false)
await run(true)
await real.files.removeTree(root)
clearInterval(alive)
