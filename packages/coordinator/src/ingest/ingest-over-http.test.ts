/** Every way in, over HTTP into a real store, and out again by queries. */
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readRequestCodec, readResponseCodec, writeRequestCodec } from '../proto/messages.js'
import { decodeSnappy, encodeSnappy } from '../snappy/index.js'
import { seeded } from '../testing/seeded.js'
import { startCoordinator, type TestCoordinator } from '../testing/start-coordinator.js'
import { bodyV1, bodyV2, mutate, randomSeries } from '../testing/write-bodies.js'
import { otlpRequestCodec } from './otlp/otlp-message.js'

const NOW = 1_700_000_000_000
const V1 = 'application/x-protobuf'
const V2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request'
let server: TestCoordinator

beforeAll(async () => {
  server = await startCoordinator({
    yaml: `
self_scrape: off
ingest:
  otlp_delta: accumulate
  relabel:
    - { source_labels: [__name__], regex: 'noisy_.*', action: drop }
    - { regex: 'pod_hash', action: labeldrop }
  ha: { enabled: true }
`,
  })
})
afterAll(() => server.stop())

async function post(path: string, body: Uint8Array | string, headers: Record<string, string> = {}) {
  const response = await fetch(`${server.url}${path}`, {
    method: 'POST',
    body: body as Uint8Array<ArrayBuffer>,
    headers,
  })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

const write = (type: string, body: Uint8Array) =>
  post('/api/v1/write', encodeSnappy(body), { 'Content-Type': type, 'Content-Encoding': 'snappy' })

// biome-ignore lint/suspicious/noExplicitAny: answers of the API, looked at field by field.
const json = async (path: string): Promise<any> => (await fetch(`${server.url}${path}`)).json()

/** Labels and value of each series of an instant query, sorted. */
async function query(text: string, timeMs = NOW): Promise<string[]> {
  const parameters = new URLSearchParams({ query: text, time: String(timeMs / 1000) })
  const { data } = await json(`/api/v1/query?${parameters}`)
  return data.result
    .map(
      ({ metric, value, histogram }: { metric: object; value?: [number, string]; histogram?: [number, object] }) =>
        `${JSON.stringify(metric)} ${value ? value[1] : JSON.stringify(histogram?.[1])}`,
    )
    .sort()
}

const integerHistogram = {
  countInt: 6,
  zeroCountInt: 1,
  sum: 18.4,
  schema: 1,
  zeroThreshold: 0.001,
  positiveSpans: [{ offset: 0, length: 2 }],
  positiveDeltas: [2, 1],
  timestamp: NOW,
}

describe('remote write', () => {
  it('1.0: what was acknowledged is there at once', async () => {
    const body = bodyV1([
      {
        labels: [
          ['__name__', 'rw1'],
          ['a', 'ü'],
        ],
        samples: [{ value: 1.5, timestamp: NOW }],
      },
    ])
    expect((await write(V1, body)).status).toBe(204)
    expect(await query('rw1')).toEqual(['{"__name__":"rw1","a":"ü"} 1.5'])
    expect((await write(V1, body)).status).toBe(204) // The same again is a success.
    const other = bodyV1([
      {
        labels: [
          ['__name__', 'rw1'],
          ['a', 'ü'],
        ],
        samples: [{ value: 2, timestamp: NOW }],
      },
    ])
    const refused = await write(V1, other)
    expect(refused).toMatchObject({ status: 400, text: expect.stringContaining('duplicate sample for timestamp') })
  })

  it('2.0: floats, histograms, exemplars and metadata with exact counts', async () => {
    const answer = await write(
      V2,
      bodyV2([
        {
          labels: [['__name__', 'rw2_total']],
          samples: [{ value: 7, timestamp: NOW, startTimestamp: NOW - 60_000 }],
          exemplars: [{ labels: [['trace_id', 't']], value: 7, timestamp: NOW }],
          metadata: { type: 1, help: 'Seven.', unit: '' },
        },
        { labels: [['__name__', 'rw2_histogram']], samples: [], histograms: [integerHistogram] },
      ]),
    )
    expect(answer.status).toBe(204)
    const written = (what: string) => answer.headers.get(`x-prometheus-remote-write-${what}-written`)
    expect(['samples', 'histograms', 'exemplars'].map(written)).toEqual(['1', '1', '1'])
    expect(await query('rw2_total')).toEqual(['{"__name__":"rw2_total"} 7'])
    expect(await query('histogram_count(rw2_histogram)')).toEqual(['{} 6'])
    const metadata = await json('/api/v1/metadata?metric=rw2_total')
    expect(metadata.data).toEqual({ rw2_total: [{ type: 'counter', help: 'Seven.', unit: '' }] })
    const exemplars = await json('/api/v1/query_exemplars?query=rw2_total')
    expect(exemplars.data[0].exemplars[0]).toMatchObject({ labels: { trace_id: 't' }, value: '7' })
  })

  it('1.0 takes native histograms too, and tells the broken ones', async () => {
    const good = {
      labels: [['__name__', 'rw1_histogram']] as [string, string][],
      samples: [],
      histograms: [integerHistogram],
    }
    const broken = { ...good, histograms: [{ ...integerHistogram, countInt: 1, timestamp: NOW + 1 }] }
    expect((await write(V1, bodyV1([good]))).status).toBe(204)
    const answer = await write(V1, bodyV1([broken]))
    expect(answer).toMatchObject({
      status: 400,
      text: expect.stringContaining("histogram's observation count should equal"),
    })
    expect(await query('histogram_sum(rw1_histogram)')).toEqual(['{} 18.4'])
  })

  it('relabels at the door', async () => {
    const series = (name: string) => ({
      labels: [
        ['__name__', name],
        ['pod_hash', 'x'],
      ] as [string, string][],
      samples: [{ value: 1, timestamp: NOW }],
    })
    expect((await write(V1, bodyV1([series('noisy_a'), series('quiet')]))).status).toBe(204)
    expect(await query('{__name__=~"noisy_a|quiet"}')).toEqual(['{"__name__":"quiet"} 1'])
  })

  it('stores one replica of a pair', async () => {
    const of = (replica: string, value: number) =>
      bodyV1([
        {
          labels: [
            ['__name__', 'ha'],
            ['__replica__', replica],
            ['cluster', 'c1'],
          ],
          samples: [{ value, timestamp: NOW + value }],
        },
      ])
    for (const [replica, value] of [
      ['a', 1],
      ['b', 2],
      ['a', 3],
      ['b', 4],
    ] as const) {
      expect((await write(V1, of(replica, value))).status).toBe(204)
    }
    expect(await query('count_over_time(ha[1m])', NOW + 1000)).toEqual(['{"cluster":"c1"} 2'])
  })

  it('is read back by remote read', async () => {
    await write(
      V1,
      bodyV1([
        {
          labels: [['__name__', 'rr']],
          samples: [
            { value: 1, timestamp: NOW },
            { value: 2, timestamp: NOW + 15_000 },
          ],
        },
      ]),
    )
    const request = {
      queries: [
        { startTimestampMs: NOW, endTimestampMs: NOW + 15_000, matchers: [{ type: 0, name: '__name__', value: 'rr' }] },
      ],
    }
    const response = await fetch(`${server.url}/api/v1/read`, {
      method: 'POST',
      body: encodeSnappy(readRequestCodec.encode(request).finish()) as Uint8Array<ArrayBuffer>,
    })
    const { results } = readResponseCodec.decode(decodeSnappy(new Uint8Array(await response.arrayBuffer()), 1e6))
    expect(results[0].timeseries[0].samples.map(({ value, timestamp }) => [value, timestamp.toNumber()])).toEqual([
      [1, NOW],
      [2, NOW + 15_000],
    ])
  })
})

describe('other protocols', () => {
  const metric = {
    name: 'otlp.requests',
    unit: '1',
    sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: [{ asInt: '4', timeUnixNano: `${NOW}000000` }] },
  }
  const request = {
    resourceMetrics: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 's' } }] },
        scopeMetrics: [{ metrics: [metric] }],
      },
    ],
  }

  it('OTLP as JSON, gzipped', async () => {
    const headers = { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' }
    const answer = await post('/api/v1/otlp/v1/metrics', gzipSync(JSON.stringify(request)), headers)
    expect(answer).toMatchObject({ status: 200, text: '{}' })
    expect(await query('otlp_requests_total')).toEqual(['{"__name__":"otlp_requests_total","job":"s"} 4'])
  })

  it('OTLP as protobuf, with deltas added up and refused points counted', async () => {
    const point = (asInt: number, ms: number) => ({ asInt, timeUnixNano: NOW * 1e6 + ms * 1e6 })
    const sums = (aggregationTemporality: number, dataPoints: object[]) => ({
      resourceMetrics: [
        {
          scopeMetrics: [
            { metrics: [{ name: 'deltas', sum: { aggregationTemporality, isMonotonic: true, dataPoints } }] },
          ],
        },
      ],
    })
    const send = (message: object) =>
      post('/opentelemetry/v1/metrics', otlpRequestCodec.encode(message).finish(), {
        'Content-Type': 'application/x-protobuf',
      })
    expect((await send(sums(1, [point(2, 0), point(3, 1000)]))).text).toBe('')
    expect(await query('deltas_total', NOW + 5000)).toEqual(['{"__name__":"deltas_total"} 5'])
    const partial = await send(sums(0, [point(1, 0)]))
    expect(partial.status).toBe(200)
    expect(partial.text).toContain('aggregation temporality is not given')
    expect((await post('/otlp/v1/metrics', 'x', { 'Content-Type': 'text/plain' })).status).toBe(415)
    expect((await post('/otlp/v1/metrics', '{', { 'Content-Type': 'application/json' })).status).toBe(400)
  })

  it('Prometheus text, with the labels of the path', async () => {
    const text = `# TYPE pushed gauge\n# HELP pushed Pushed.\npushed{a="1"} 3 ${NOW}\n`
    expect((await post('/api/v1/import/prometheus/metrics/job/backup/instance/db%2F1', text)).status).toBe(204)
    expect(await query('pushed')).toEqual(['{"__name__":"pushed","a":"1","instance":"db/1","job":"backup"} 3'])
    const broken = await post('/api/v1/import/prometheus', 'ok 1\nnot ok at all\n')
    expect(broken).toMatchObject({
      status: 400,
      text: expect.stringContaining('line 2: column 5: wanted a value, got'),
    })
  })

  it('JSON lines keep the bits of every NaN, and take their own export again', async () => {
    const bits = [0x7ff8000000000001n, 0x7ff0000000000002n, 0x7ff8000000000000n, 0xfff8000000000123n]
    const body = Buffer.from(
      writeRequestCodec
        .encode({
          timeseries: [
            {
              labels: [{ name: '__name__', value: 'nans' }],
              samples: bits.map((_, i) => ({ value: 1 + i, timestamp: NOW + i })),
            },
          ],
          metadata: [],
        })
        .finish(),
    )
    // A number would lose the bits: they are written over the values on the wire.
    const before = Buffer.alloc(8)
    bits.forEach((one, i) => {
      before.writeDoubleLE(1 + i)
      body.writeBigUInt64LE(one, body.indexOf(before))
    })
    expect((await write(V1, body)).status).toBe(204)
    const exported = await (await fetch(`${server.url}/api/v1/export?match[]=nans`)).text()
    expect(JSON.parse(exported).values).toEqual(['NaN', 'StaleNaN', 'NaN:0x7ff8000000000000', 'NaN:0xfff8000000000123'])
    expect(await post('/api/v1/import', exported)).toMatchObject({ status: 204 })
    expect((await post('/api/v1/import', exported.replace('"nans"', '"nans_copy"'))).status).toBe(204)
    const copied = await (await fetch(`${server.url}/api/v1/export?match[]=nans_copy`)).text()
    expect(JSON.parse(copied).values).toEqual(JSON.parse(exported).values)
  })

  it('a namespace that is not there is named in the answer', async () => {
    for (const path of [
      'export?match[]=up',
      `query?query=up&time=${NOW / 1000}`,
      'query_range?query=up&start=0&end=1&step=1',
    ]) {
      const response = await fetch(`${server.url}/api/v1/${path}&namespace=nope`)
      const answer = (await response.json()) as { errorType: string; error: string }
      expect([path, response.status, answer.errorType]).toEqual([path, 400, 'bad_data'])
      expect(answer.error).toContain('no namespace "nope"; there are default')
    }
    const imported = await post(
      '/api/v1/import?namespace=nope',
      '{"metric":{"__name__":"x"},"values":[1],"timestamps":[1]}',
    )
    expect(imported).toMatchObject({ status: 400, text: 'no namespace "nope"; there are default\n' })
  })

  it('JSON lines: what export gives, import takes', async () => {
    const line = `{"metric":{"__name__":"lines","x":"y"},"values":[1,2],"timestamps":[${NOW},${NOW + 1000}]}`
    expect((await post('/api/v1/import', line)).status).toBe(204)
    const exported = await (await fetch(`${server.url}/api/v1/export?match[]=lines`)).text()
    expect(exported.trim()).toBe(line)
    expect((await post('/api/v1/import', exported)).status).toBe(204)
  })

  it('Influx line protocol', async () => {
    expect((await post('/api/v2/write?precision=ms', `cpu,host=a usage=0.25 ${NOW}`)).status).toBe(204)
    expect(await query('cpu_usage')).toEqual(['{"__name__":"cpu_usage","host":"a"} 0.25'])
    expect((await post('/write?precision=week', 'cpu usage=1')).status).toBe(400)
  })

  it('tells what the store refuses', async () => {
    const answer = await post('/api/v1/import', `{"metric":{"__name__":"future"},"values":[1],"timestamps":[${9e12}]}`)
    expect(answer).toMatchObject({
      status: 400,
      text: expect.stringContaining('out of bounds: too far ahead of the clock'),
    })
  })
})

describe('hostile bodies', () => {
  it('300 mutated requests of each kind: never a 500, and the server goes on', async () => {
    const random = seeded(77)
    const kinds = [
      { type: V1, body: () => encodeSnappy(mutate(random, bodyV1(randomSeries(random, 8)), random.bytes(50))) },
      { type: V2, body: () => encodeSnappy(mutate(random, bodyV2(randomSeries(random, 8)), random.bytes(50))) },
      { type: V1, body: () => mutate(random, encodeSnappy(bodyV1(randomSeries(random, 8))), random.bytes(50)) },
    ]
    for (const { type, body } of kinds) {
      for (let i = 0; i < 300; i++) {
        const bytes = body()
        const { status } = await post('/api/v1/write', bytes, { 'Content-Type': type })
        expect([204, 400, 413], `${type}: ${Buffer.from(bytes).toString('hex')}`).toContain(status)
      }
    }
    for (let i = 0; i < 300; i++) {
      const { status } = await post('/api/v1/read', mutate(random, encodeSnappy(random.bytes(40)), random.bytes(9)))
      expect([200, 400, 413]).toContain(status)
    }
    expect(await query('rw1')).toEqual(['{"__name__":"rw1","a":"ü"} 1.5'])
  })
})
