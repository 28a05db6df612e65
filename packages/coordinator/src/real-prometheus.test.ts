/**
 * A real Prometheus beside us: it writes to us and federates from us, and we read from it.
 *
 *     prometheus ── remote write ──▶ store      front ── remote read ──▶ prometheus
 *         └──────── federate ──────▶ store
 *
 * With the one that is installed, and with each that VARVE_PROMETHEUS names: `tools/newer-prometheus.sh DIR` fetches those of
 * newer Debian suites and prints the variable.
 */
import { decodeXorChunk } from '@varve/gorilla-codec'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeHistogramChunk } from './prometheus-chunk/histogram-chunk.js'
import { chunkedReadResponseCodec, readRequestCodec, readResponseCodec } from './proto/messages.js'
import { decodeSnappy, encodeSnappy } from './snappy/index.js'
import { startCoordinator, type TestCoordinator, writeSeries } from './testing/start-coordinator.js'
import {
  hasPrometheus,
  prometheusBinaries,
  type RunningPrometheus,
  startPrometheus,
} from './testing/start-prometheus.js'
import { bodyV1 } from './testing/write-bodies.js'

interface Answer {
  readonly data: { result: { metric: Record<string, string>; value?: [number, string]; values?: [number, string][] }[] }
  readonly warnings?: string[]
}

/** Samples as texts: a histogram by what it counts, since it travels in other bytes in a chunk. */
type Read = Map<string, string[]>

const keyOf = (labels: readonly { name: string; value: string }[]) =>
  labels.map(({ name, value }) => `${name}=${value}`).join()

async function readSamples(url: string, message: object): Promise<Read> {
  const { results } = readResponseCodec.decode(decodeSnappy(await read(url, message, [0]), 1 << 26))
  const found: Read = new Map()
  for (const { labels, samples, histograms } of results[0].timeseries) {
    const floats = samples.map(({ timestamp, value }) => `${timestamp} ${value}`)
    const others = histograms.map(({ timestamp, countInt, sum }) => `${timestamp} ${countInt} ${sum}`)
    found.set(keyOf(labels), [...floats, ...others])
  }
  return found
}

async function readStream(url: string, message: object): Promise<Read> {
  const bytes = await read(url, message, [1])
  const found: Read = new Map()
  for (let at = 0; at < bytes.length; ) {
    let length = 0
    for (let shift = 0; ; shift += 7) {
      length |= (bytes[at] & 0x7f) << shift
      if (bytes[at++] < 0x80) break
    }
    const [{ labels, chunks }] = chunkedReadResponseCodec.decode(bytes.subarray(at + 4, at + 4 + length)).chunkedSeries
    at += 4 + length
    const rows = found.get(keyOf(labels)) ?? []
    for (const { type, data } of chunks) {
      if (type !== 1) {
        const { timestampsMs, histograms } = decodeHistogramChunk(type, data)
        histograms.forEach(({ count, sum }, i) => {
          rows.push(`${timestampsMs[i]} ${count} ${sum}`)
        })
        continue
      }
      const times = new Float64Array(1000)
      const values = new Float64Array(1000)
      const count = decodeXorChunk(data, 0, data.length, times, values, 0)
      for (let i = 0; i < count; i++) rows.push(`${times[i]} ${values[i]}`)
    }
    found.set(keyOf(labels), rows)
  }
  return found
}

async function read(url: string, message: object, acceptedResponseTypes: number[]): Promise<Buffer> {
  const response = await fetch(`${url}/api/v1/read`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' },
    body: encodeSnappy(
      readRequestCodec.encode({ ...message, acceptedResponseTypes }).finish(),
    ) as Uint8Array<ArrayBuffer>,
  })
  const body = Buffer.from(await response.arrayBuffer())
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}: ${body}`)
  return body
}

/** The lines of samples of a text exposition, without what is nobody's business: the order of labels, how a number is written. */
function samplesOf(text: string): string[] {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return lines
    .map((line) => {
      const open = line.indexOf('{')
      const close = line.lastIndexOf('}')
      const pairs = line.slice(open + 1, close).match(/("(?:[^"\\]|\\.)*"|[^",=]+)(?:="(?:[^"\\]|\\.)*")?/g) ?? []
      const [value, timestamp] = line
        .slice(close + 1)
        .trim()
        .split(' ')
      return `${line.slice(0, open)}{${pairs.sort().join()}} ${value.endsWith('Inf') ? value : Number(value)} ${timestamp}`
    })
    .sort()
}

test.skipIf(hasPrometheus)('a real Prometheus (skipped: it is not installed)', () => {})
test.skipIf(prometheusBinaries.length > 1)('newer Prometheus (skipped: VARVE_PROMETHEUS names none)', () => {})

describe.each(prometheusBinaries)('a real Prometheus $version', ({ path: binary, version }) => {
  let store: TestCoordinator
  let front: TestCoordinator
  let prometheus: RunningPrometheus

  beforeAll(async () => {
    store = await startCoordinator({ yaml: 'self_scrape: off' })
    const seeded = [[Date.now() - 1000, 42]] as const
    await writeSeries(store.url, [
      { labels: { __name__: 'seeded', part: 'a' }, samples: seeded },
      { labels: { __name__: 'seeded.dots', 'pärt.of': 'b' }, samples: seeded },
    ])
    prometheus = await startPrometheus(
      (address) => `
global: { scrape_interval: 1s, external_labels: { replica: a, cluster: test } }
scrape_configs:
  - job_name: prometheus
    static_configs: [{ targets: ["${address}"] }]
  - job_name: federate
    honor_labels: true
    metrics_path: /federate
    params: { 'match[]': ['{__name__=~"seeded.*"}'] }
    static_configs: [{ targets: ["${new URL(store.url).host}"] }]
remote_write:
  - url: ${store.url}/api/v1/write
    send_exemplars: true
    send_native_histograms: true
    metadata_config: { send_interval: 1s }
    queue_config: { batch_send_deadline: 100ms }
${version >= 3 ? '    protobuf_message: io.prometheus.write.v2.Request' : ''}
`,
      {
        binary,
        flags: [
          '--web.enable-remote-write-receiver',
          ...(version >= 3 ? ['--enable-feature=metadata-wal-records'] : []),
        ],
      },
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
      const counts = [...metrics.matchAll(new RegExp(`^prometheus_remote_storage_${name}\\{[^}]*\\} (\\S+)$`, 'gm'))]
      expect(
        counts.map(([, count]) => Number(count)).filter((count) => count > 0),
        name,
      ).toEqual([])
    }
  })

  test('its metadata is served', async () => {
    await expect
      .poll(async () => JSON.stringify((await ask(store.url, 'metadata', { metric: 'go_goroutines' })).data), {
        timeout: 10_000,
      })
      .toContain('Number of goroutines that currently exist.')
  })

  test('it federates from us, names that it cannot read written so that it can', async () => {
    const query = 'sort_desc({__name__=~"seeded.*"})'
    const named = version < 3 ? { __name__: 'seeded_dots', p_rt_of: 'b' } : { __name__: 'seeded.dots', 'pärt.of': 'b' }
    await expect
      .poll(async () => (await ask(prometheus.url, 'query', { query })).data.result.length, { timeout: 10_000 })
      .toBe(2)
    expect((await ask(prometheus.url, 'query', { query: 'seeded' })).data.result).toMatchObject([
      { metric: { __name__: 'seeded', part: 'a' }, value: [expect.any(Number), '42'] },
    ])
    const { result } = (await ask(prometheus.url, 'query', { query: `{__name__="${named.__name__}"}` })).data
    expect(result).toMatchObject([{ metric: named, value: [expect.any(Number), '42'] }])
  })

  test('what it tells in its own federation can be imported, with its times', async () => {
    const metric = version < 3 ? 'taken_dots' : 'taken.dots'
    const label = version < 3 ? 'part_of' : 'pärt.of'
    const body = bodyV1([
      {
        labels: [
          ['__name__', metric],
          [label, 'quo"te\\n\n'],
        ],
        samples: [{ value: 1 / 3, timestamp: Date.now() - 7_000 }],
      },
    ])
    const pushed = await fetch(`${prometheus.url}/api/v1/write`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' },
      body: encodeSnappy(body) as Uint8Array<ArrayBuffer>,
    })
    expect(pushed.status).toBe(204)
    const federated = async (url: string) => {
      const parameters = new URLSearchParams({ 'match[]': '{__name__=~"up|taken.*|go_.*|prometheus_http_.*_bucket"}' })
      const headers = {
        Accept: version < 3 ? 'text/plain;version=0.0.4' : 'text/plain;version=1.0.0;escaping=allow-utf-8',
      }
      const response = await fetch(`${url}/federate?${parameters}`, { headers })
      expect(response.status).toBe(200)
      return response.text()
    }
    const taker = await startCoordinator({ yaml: 'self_scrape: off' })
    try {
      const text = await federated(prometheus.url)
      const imported = await fetch(`${taker.url}/api/v1/import/prometheus`, { method: 'POST', body: text })
      expect([imported.status, await imported.text()]).toEqual([204, ''])
      const lines = samplesOf(text)
      expect(lines.length).toBeGreaterThan(50)
      expect(lines.filter((line) => line.includes('taken'))).toHaveLength(1)
      expect(samplesOf(await federated(taker.url))).toEqual(lines)
    } finally {
      await taker.stop()
    }
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

  test('native histograms and exemplars that it was given arrive, and remote read tells the same in both forms', async () => {
    const now = Math.floor(Date.now() / 1000) * 1000
    const histogram = (i: number) => ({
      countInt: 6 + i,
      zeroCountInt: 1,
      sum: 18.5 + i,
      schema: 1,
      zeroThreshold: 0.001,
      positiveSpans: [{ offset: 0, length: 2 }],
      positiveDeltas: [2 + i, 1 - i],
      timestamp: now - 5_000 + i * 1_000,
    })
    const series = (name: string): [string, string][] => [
      ['__name__', name],
      ['part', 'é'],
    ]
    const exemplars = [{ labels: [['trace_id', 'abc']] as [string, string][], value: 2.5, timestamp: now - 3_000 }]
    const body = bodyV1([
      {
        labels: series('pushed_total'),
        samples: [1, 2, 3].map((value) => ({ value: value / 3, timestamp: now - 5_000 + value * 1_000 })),
        exemplars,
      },
      { labels: series('pushed_seconds'), samples: [], histograms: [0, 1].map(histogram) },
    ])
    const pushed = await fetch(`${prometheus.url}/api/v1/write`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' },
      body: encodeSnappy(body) as Uint8Array<ArrayBuffer>,
    })
    expect([pushed.status, await pushed.text()]).toEqual([204, ''])
    const time = String(now / 1000)
    await expect
      .poll(async () => (await ask(store.url, 'query', { query: 'histogram_sum(pushed_seconds)', time })).data.result, {
        timeout: 15_000,
      })
      .toMatchObject([{ metric: { part: 'é', replica: 'a' }, value: [now / 1000, '19.5'] }])
    const range = { query: 'pushed_total', start: String(now / 1000 - 60), end: time }
    await expect
      .poll(async () => JSON.stringify((await ask(store.url, 'query_exemplars', range)).data), { timeout: 15_000 })
      .toMatch(/"trace_id":"abc"\},"value":"2.5"/)

    const message = {
      queries: [
        {
          startTimestampMs: now - 60_000,
          endTimestampMs: now,
          // 2.42 has no histograms in its own answers yet.
          matchers: [{ type: 2, name: '__name__', value: version < 2.43 ? 'pushed_total' : 'pushed_.*' }],
        },
      ],
    }
    const own = await readSamples(prometheus.url, message)
    expect([...own.values()].map((rows) => rows.length).sort()).toEqual(version < 2.43 ? [3] : [2, 3])
    const sorted = (found: Read) => [...found].sort()
    await expect
      .poll(async () => sorted(await readSamples(store.url, message)), { timeout: 10_000 })
      .toEqual(sorted(own))
    expect(sorted(await readStream(store.url, message))).toEqual(sorted(own))
    expect(sorted(await readStream(prometheus.url, message))).toEqual(sorted(own))
  })
})
