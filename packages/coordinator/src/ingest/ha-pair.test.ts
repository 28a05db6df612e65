/**
 * Two real Prometheus servers scrape the same target and write it to one coordinator: one of them is stored, and when it dies
 * the other one takes over. Both read back, by streamed chunks, what is stored.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasPrometheus, type PrometheusProcess, startPrometheus, until } from '../testing/prometheus-process.js'
import { startCoordinator, type TestCoordinator } from '../testing/start-coordinator.js'

const FAILOVER_SECONDS = 3

let coordinator: TestCoordinator
const replicas = new Map<string, PrometheusProcess>()

beforeAll(async () => {
  if (!hasPrometheus) return
  coordinator = await startCoordinator({
    yaml: `self_scrape: off\ningest:\n  ha: { enabled: true, failover: ${FAILOVER_SECONDS}s }\n`,
  })
  for (const replica of ['a', 'b']) {
    const config = `
global: {scrape_interval: 1s, scrape_timeout: 1s, external_labels: {cluster: pair, __replica__: ${replica}}}
scrape_configs:
  - job_name: varve
    static_configs: [{targets: ['${new URL(coordinator.url).host}']}]
remote_write:
  - url: ${coordinator.url}/api/v1/write
    send_exemplars: true
    send_native_histograms: true
    metadata_config: {send: true, send_interval: 1s}
    queue_config: {batch_send_deadline: 200ms, min_backoff: 30ms, max_backoff: 500ms}
remote_read:
  - url: ${coordinator.url}/api/v1/read
    read_recent: true
    filter_external_labels: false
`
    replicas.set(replica, await startPrometheus(config, ['--enable-feature=exemplar-storage,native-histograms']))
  }
}, 60_000)

afterAll(async () => {
  for (const prometheus of replicas.values()) await prometheus.stop()
  await coordinator?.stop()
})

interface Answered {
  readonly metric: Record<string, string>
  readonly value?: readonly [number, string]
  readonly values?: readonly (readonly [number, string])[]
}

async function instantQuery(url: string, query: string, timeSeconds = Date.now() / 1000): Promise<Answered[]> {
  const response = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query, time: String(timeSeconds) })}`)
  const { data } = (await response.json()) as { data: { result: Answered[] } }
  return data.result
}

/** Times of the stored samples of `up`, in seconds. */
async function times(): Promise<number[]> {
  const result = await instantQuery(coordinator.url, 'up{job="varve"}[5m]', Date.now() / 1000 + 1)
  expect(result.length).toBeLessThanOrEqual(1)
  return (result[0]?.values ?? []).map(([seconds]) => seconds)
}

async function counterOf(replica: string, name: string): Promise<number> {
  const text = await (await fetch(`${replicas.get(replica)?.url}/metrics`)).text()
  const values = [...text.matchAll(new RegExp(`^${name}{[^}]*} (\\S+)$`, 'gm'))].map(([, value]) => Number(value))
  return values.reduce((sum, value) => sum + value, 0)
}

describe.skipIf(!hasPrometheus)('an HA pair (skipped without prometheus)', () => {
  it('is stored once, without the replica label, and neither replica fails', async () => {
    await until('six samples', 30_000, async () => (await times()).length >= 6)
    const [series] = await instantQuery(coordinator.url, 'up{job="varve"}')
    expect(series.metric).toMatchObject({ __name__: 'up', cluster: 'pair' })
    expect(series.metric).not.toHaveProperty('__replica__')
    const stored = await times()
    // One replica scrapes once a second; of both, samples would stand closer together.
    for (let i = 1; i < stored.length; i++) expect(stored[i] - stored[i - 1]).toBeGreaterThan(0.9)
    for (const replica of ['a', 'b']) {
      expect(await counterOf(replica, 'prometheus_remote_storage_samples_total')).toBeGreaterThan(0)
      expect(await counterOf(replica, 'prometheus_remote_storage_samples_failed_total')).toBe(0)
      expect(await counterOf(replica, 'prometheus_remote_storage_samples_dropped_total')).toBe(0)
      expect(await counterOf(replica, 'prometheus_remote_storage_metadata_failed_total')).toBe(0)
    }
  }, 60_000)

  it('serves the metadata that was sent', async () => {
    const url = `${coordinator.url}/api/v1/metadata`
    const metric = 'varve_ingest_samples_total'
    const metadata = async () => ((await (await fetch(`${url}?metric=${metric}`)).json()) as { data: object }).data
    await until('metadata', 20_000, async () => metric in (await metadata()))
    expect(await metadata()).toMatchObject({ [metric]: [{ type: 'counter', help: 'Samples stored, by kind.' }] })
  }, 30_000)

  it('goes on with the other one when the elected one dies', async () => {
    const text = await (await fetch(`${coordinator.url}/metrics`)).text()
    expect(text).toMatch(/varve_ingest_deduplicated_samples_total [1-9]/)
    // Which one is elected is not shown to clients: the one that is killed first is either, then the other.
    await replicas.get('a')?.stop()
    replicas.delete('a')
    const killedSeconds = Date.now() / 1000
    await until(
      'samples of the other replica',
      30_000,
      async () => ((await times()).at(-1) ?? 0) > killedSeconds + FAILOVER_SECONDS + 1,
    )
    // What only the coordinator has is read back by streamed chunks.
    const pushed = await fetch(`${coordinator.url}/api/v1/import/prometheus`, { method: 'POST', body: 'only_here 7\n' })
    expect(pushed.status).toBe(204)
    const { url } = replicas.get('b') as PrometheusProcess
    await until('an answer by remote read', 20_000, async () => {
      const [read] = await instantQuery(url, 'only_here')
      return read?.value?.[1] === '7'
    })
  }, 60_000)
})
