/**
 * A real Prometheus beside us: it writes to us and federates from us, and we read from it.
 *
 *     prometheus ── remote write ──▶ store      front ── remote read ──▶ prometheus
 *         └──────── federate ──────▶ store
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startCoordinator, type TestCoordinator, writeSeries } from './testing/start-coordinator.js'
import { hasPrometheus, type RunningPrometheus, startPrometheus } from './testing/start-prometheus.js'

interface Answer {
  readonly data: { result: { metric: Record<string, string>; value?: [number, string]; values?: [number, string][] }[] }
  readonly warnings?: string[]
}

describe.skipIf(!hasPrometheus)(`a real Prometheus${hasPrometheus ? '' : ' (skipped: it is not installed)'}`, () => {
  let store: TestCoordinator
  let front: TestCoordinator
  let prometheus: RunningPrometheus

  beforeAll(async () => {
    store = await startCoordinator({ yaml: 'self_scrape: off' })
    await writeSeries(store.url, [{ labels: { __name__: 'seeded', part: 'a' }, samples: [[Date.now() - 1000, 42]] }])
    prometheus = await startPrometheus(
      (address) => `
global: { scrape_interval: 1s, external_labels: { replica: a, cluster: test } }
scrape_configs:
  - job_name: prometheus
    static_configs: [{ targets: ["${address}"] }]
  - job_name: federate
    honor_labels: true
    metrics_path: /federate
    params: { 'match[]': ['{__name__="seeded"}'] }
    static_configs: [{ targets: ["${new URL(store.url).host}"] }]
remote_write:
  - url: ${store.url}/api/v1/write
    send_exemplars: true
    send_native_histograms: true
    metadata_config: { send_interval: 1s }
    queue_config: { batch_send_deadline: 100ms }
`,
    )
    front = await startCoordinator({
      yaml: `self_scrape: off
remote_read: [{ name: prom, url: "${prometheus.url}/api/v1/read", replica_labels: [replica] }]`,
    })
  })
  afterAll(async () => {
    await front?.stop()
    await prometheus?.stop()
    await store?.stop()
  })

  const ask = async (url: string, path: string, parameters: Record<string, string>) => {
    const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`)
    return (await response.json()) as Answer
  }

  test('what it writes is what it has', async () => {
    const query = 'count by (job) (count_over_time(up[1m]))'
    await expect
      .poll(
        async () =>
          (await ask(store.url, 'query', { query: 'count_over_time(up{job="prometheus"}[1m])' })).data.result[0]
            ?.value?.[1],
        { timeout: 20_000 },
      )
      .toBe('4')
    expect((await ask(store.url, 'query', { query })).data.result).toHaveLength(2)
    // Both ends are past, so that nothing is on its way any more.
    const endS = Math.floor(Date.now() / 1000) - 1
    const range = {
      query: 'sum by (handler) (prometheus_http_requests_total)',
      start: String(endS - 2),
      end: String(endS),
      step: '1',
    }
    const own = await ask(prometheus.url, 'query_range', range)
    await expect
      .poll(async () => (await ask(store.url, 'query_range', range)).data.result, { timeout: 10_000 })
      .toEqual(own.data.result)
    const metrics = await (await fetch(`${prometheus.url}/metrics`)).text()
    for (const name of ['samples_failed_total', 'samples_dropped_total', 'samples_retried_total']) {
      expect(metrics).toMatch(new RegExp(`prometheus_remote_storage_${name}\\{[^}]*\\} 0\n`))
    }
  })

  test('its metadata is served', async () => {
    await expect
      .poll(async () => JSON.stringify((await ask(store.url, 'metadata', { metric: 'go_goroutines' })).data), {
        timeout: 10_000,
      })
      .toContain('Number of goroutines that currently exist.')
  })

  test('it federates from us', async () => {
    await expect
      .poll(async () => (await ask(prometheus.url, 'query', { query: 'seeded' })).data.result, { timeout: 10_000 })
      .toMatchObject([{ metric: { __name__: 'seeded', part: 'a' }, value: [expect.any(Number), '42'] }])
  })

  test('it is a source of ours, its replica label gone', async () => {
    const { data, warnings } = await ask(front.url, 'query', { query: 'up{job="prometheus"}' })
    expect(warnings).toBeUndefined()
    expect(data.result).toHaveLength(1)
    expect(data.result[0].metric).toMatchObject({ cluster: 'test', job: 'prometheus' })
    expect(data.result[0].metric).not.toHaveProperty('replica')
    const names = (await ask(front.url, 'label/__name__/values', {})) as unknown as { data: string[] }
    expect(names.data).toContain('go_goroutines')
  })
})
