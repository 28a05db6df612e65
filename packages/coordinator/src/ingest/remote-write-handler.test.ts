import { StorageError } from '@varve/tsdb-core'
import type { Labels } from '@varve/tsdb-core/model'
import { beforeEach, describe, expect, it } from 'vitest'
import { ExemplarStore } from '../exemplars/exemplar-store.js'
import { MetadataStore } from '../metadata/metadata-store.js'
import { DEFAULT_TENANT, type HttpRequest, type HttpResponse } from '../server/http.js'
import { encodeSnappy } from '../snappy/index.js'
import { MemorySink } from '../testing/memory-sink.js'
import { bodyV1, bodyV2, type TestSeries } from '../testing/write-bodies.js'
import type { Door, ReplicaGate } from './door/door.js'
import { LabelCache } from './label-cache.js'
import { REMOTE_WRITE_PATHS, RemoteWriteCounters, remoteWriteRoutes } from './remote-write-handler.js'
import { WRITE_LIMITS } from './write-columns.js'
import { WriteMemory } from './write-memory.js'
import { WritePipeline } from './write-pipeline.js'
import { typescriptScanner } from './write-scanner.js'

const V1 = 'application/x-protobuf'
const V2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request'
const NOW = 1_700_000_000_000
const memory = new WriteMemory({ ...WRITE_LIMITS, seriesCountMax: 100, sampleCountMax: 200 })

let sink: MemorySink
let pipeline: WritePipeline
let exemplars: ExemplarStore
let metadata: MetadataStore
let counters: RemoteWriteCounters

beforeEach(() => {
  sink = new MemorySink()
  exemplars = new ExemplarStore(10)
  metadata = new MetadataStore()
  counters = new RemoteWriteCounters()
  pipeline = makePipeline()
})

function makePipeline(door?: Door, replicas?: ReplicaGate): WritePipeline {
  const cache = new LabelCache({ seed: 7 })
  return new WritePipeline({
    sink,
    scanner: typescriptScanner,
    memory,
    cache,
    exemplars,
    metadata,
    ...(door ? { door } : {}),
    ...(replicas ? { replicas } : {}),
  })
}

async function post(
  contentType: string,
  body: Uint8Array,
  headers: Record<string, string> = {},
): Promise<HttpResponse> {
  const all = new Map(Object.entries({ 'content-type': contentType, 'content-encoding': 'snappy', ...headers }))
  const [route] = remoteWriteRoutes({ pipelineOf: () => pipeline, counters })
  const request: HttpRequest = {
    method: 'POST',
    path: '/api/v1/write',
    query: new URLSearchParams(),
    header: (name) => all.get(name),
    pathParameters: new Map(),
    remoteAddress: '127.0.0.1',
    tenant: DEFAULT_TENANT,
    body,
    signal: new AbortController().signal,
    cancel: () => {},
  }
  return route.beforeBody?.(request) ?? route.handle(request)
}

const send1 = (series: TestSeries[], meta: object[] = []) => post(V1, encodeSnappy(bodyV1(series, meta)))
const send2 = (series: TestSeries[]) => post(V2, encodeSnappy(bodyV2(series)))

function series(name: string, value: number, timestamp = NOW, more: [string, string][] = []): TestSeries {
  return { labels: [['__name__', name], ...more], samples: [{ value, timestamp }] }
}

function written(response: HttpResponse): (string | undefined)[] {
  return ['Samples', 'Histograms', 'Exemplars'].map(
    (what) => response.headers?.[`X-Prometheus-Remote-Write-${what}-Written`],
  )
}

describe('remote write 1.0', () => {
  it('stores samples and answers 204 without headers', async () => {
    const response = await send1([series('up', 1, NOW, [['job', 'a']]), series('up', 0, NOW, [['job', 'b']])])
    expect(response).toEqual({ status: 204, headers: {} })
    expect(sink.samples).toEqual([
      { labels: 'up{job="a"}', timestampMs: NOW, bits: '3ff0000000000000' },
      { labels: 'up{job="b"}', timestampMs: NOW, bits: '0000000000000000' },
    ])
  })

  it('asks the store for a series once, however often it is sent', async () => {
    for (let i = 0; i < 5; i++)
      await send1([series('a', i, NOW + i), series('b', i, NOW + i), series('a', 9, NOW + 99)])
    expect(sink.resolveCount).toBe(3) // Twice in the first request, in which the cache did not know it yet.
    expect(sink.samples).toHaveLength(11)
  })

  it('serves every documented path', () => {
    const paths = remoteWriteRoutes({ pipelineOf: () => pipeline, counters }).map(({ path }) => path)
    expect(paths).toEqual([...REMOTE_WRITE_PATHS])
    expect(paths).toContain('/api/v1/prom/remote/write')
  })

  it('keeps the bits of staleness markers and NaNs', async () => {
    const body = bodyV1([series('stale', Number.NaN)])
    const at = Buffer.from(body).indexOf(Buffer.from('000000000000f87f', 'hex'))
    Buffer.from('020000000000f07f', 'hex').copy(body, at)
    expect((await post(V1, encodeSnappy(body))).status).toBe(204)
    expect(sink.samples[0].bits).toBe('7ff0000000000002')
  })

  it('stores the good series of a bad request and names each reason once', async () => {
    const response = await send1([
      series('good', 1),
      { labels: [['job', 'a']], samples: [{ value: 1, timestamp: NOW }] },
      { labels: [['job', 'b']], samples: [{ value: 1, timestamp: NOW }] },
      {
        labels: [
          ['__name__', 'x'],
          ['a', '1'],
          ['a', '2'],
        ],
        samples: [],
      },
      {
        labels: [
          ['__name__', 'x'],
          ['', '1'],
        ],
        samples: [],
      },
      series('old', 1, -5),
    ])
    expect(response.status).toBe(400)
    expect(String(response.body).split('\n')).toEqual([
      '2 series: missing metric name, first {"job"="a"}',
      '1 series: duplicate label name, first {"__name__"="x", "a"="1", "a"="2"}',
      '1 series: empty label name, first {"__name__"="x", ""="1"}',
      '1 sample: too old sample: older than the retention, first old at 1969-12-31T23:59:59.995Z',
      '',
    ])
    expect(sink.samples.map(({ labels }) => labels)).toEqual(['good'])
  })

  it('sorts labels, leaves empty values out, and takes any UTF-8 name', async () => {
    await send1([
      {
        labels: [
          ['z', '1'],
          ['a', ''],
          ['__name__', 'x.ÿ'],
          ['__proto__', 'p'],
        ],
        samples: [{ value: 1, timestamp: NOW }],
      },
    ])
    expect(sink.series[0].flat).toEqual(['__name__', 'x.ÿ', '__proto__', 'p', 'z', '1'])
  })

  it('refuses labels that are not UTF-8', async () => {
    const body = Buffer.from(bodyV1([series('ab', 1), series('ok', 1)]))
    body[body.indexOf('ab')] = 0xff
    const response = await post(V1, encodeSnappy(body))
    expect(response.status).toBe(400)
    expect(response.body).toContain('1 series: invalid UTF-8')
    expect(sink.samples).toHaveLength(1)
  })

  it('writes at most 1,024 bytes of reasons', async () => {
    const long = 'é'.repeat(1000)
    const response = await send1(
      ['a', 'b', 'c', 'd'].flatMap((name) => [
        { labels: [[name, long]], samples: [] } satisfies TestSeries,
        series(long, 1, -1),
        {
          labels: [
            ['__name__', long],
            ['x', '1'],
            ['x', long],
          ],
          samples: [],
        } satisfies TestSeries,
      ]),
    )
    expect(Buffer.byteLength(String(response.body))).toBeLessThanOrEqual(1024)
  })

  it('keeps exemplars and metadata, and accepts requests of them alone', async () => {
    const exemplar = { labels: [['trace_id', 'x']] as [string, string][], value: 2, timestamp: NOW }
    expect((await send1([{ labels: [['__name__', 'm']], samples: [], exemplars: [exemplar] }])).status).toBe(204)
    expect((await send1([], [{ type: 1, metricFamilyName: 'm', help: 'Many.', unit: 's' }])).status).toBe(204)
    expect(exemplars.select({ matches: () => true, startMs: NOW, endMs: NOW })[0].exemplars[0].value).toBe(2)
    expect(metadata.of('m')).toEqual([{ type: 'counter', help: 'Many.', unit: 's' }])
  })

  it('resolves again when a series has left the store', async () => {
    await send1([series('a', 1), series('b', 1)])
    sink.evict(0)
    expect((await send1([series('a', 2, NOW + 1), series('b', 2, NOW + 1)])).status).toBe(204)
    expect(sink.samples.map(({ labels }) => labels)).toEqual(['a', 'b', 'b', 'a'])
  })

  it('goes on with known series when new ones are over the limit', async () => {
    sink.seriesCountMax = 2
    await send1([series('a', 1), series('b', 1)])
    pipeline = makePipeline() // With an empty cache, so that all are asked for.
    const response = await send1([series('n1', 1), series('a', 2, NOW + 1), series('n2', 1), series('b', 2, NOW + 1)])
    expect(response.status).toBe(400)
    expect(response.body).toContain('2 series: series limit reached, first too many series: wanted 2')
    expect(sink.samples).toHaveLength(4)
  })
})

describe('remote write 2.0', () => {
  const histogram = {
    countInt: 3,
    zeroCountInt: 1,
    sum: 4,
    schema: 0,
    zeroThreshold: 0.001,
    positiveSpans: [{ offset: 0, length: 2 }],
    positiveDeltas: [1, 0],
    timestamp: NOW,
    startTimestamp: NOW - 500,
  }

  it('answers with exact counts', async () => {
    const response = await send2([
      { labels: [['__name__', 'a']], samples: [{ value: 1, timestamp: NOW, startTimestamp: NOW - 1000 }] },
      { labels: [['__name__', 'h']], samples: [], histograms: [histogram] },
      {
        labels: [['__name__', 'a']],
        samples: [],
        exemplars: [{ labels: [['trace_id', 'x']], value: 2, timestamp: NOW }],
      },
    ])
    expect(response.status).toBe(204)
    expect(written(response)).toEqual(['1', '1', '1'])
    expect(sink.samples).toMatchObject([
      { labels: 'a', startTimestampMs: NOW - 1000 },
      {
        labels: 'h',
        startTimestampMs: NOW - 500,
        histogram: { schema: 0, count: 3, sum: 4, integer: true, positiveBuckets: Float64Array.of(1, 1) },
      },
    ])
  })

  it('counts only what was stored when part of it was not', async () => {
    const broken = { ...histogram, countInt: 9 }
    const response = await send2([
      series('good', 1),
      series('old', 1, -1),
      { labels: [['__name__', 'h']], samples: [], histograms: [histogram, broken] },
      { labels: [['x', 'y']], samples: [{ value: 1, timestamp: NOW }] },
    ])
    expect(response.status).toBe(400)
    expect(written(response)).toEqual(['1', '1', '0'])
    expect(response.body).toContain(
      "1 histogram: histogram's observation count should equal the number of observations found in the buckets (in absence of NaN), first 3 observations found in buckets, but the Count field is 9",
    )
  })

  it('recognises series of remote write 1.0', async () => {
    await send1([series('a', 1, NOW, [['job', 'x']])])
    await send2([series('a', 2, NOW + 1, [['job', 'x']])])
    expect(sink.resolveCount).toBe(1)
  })

  it('keeps metadata under the name of the family', async () => {
    const described = { type: 3, help: 'How long.', unit: 'seconds' }
    await send2([
      { ...series('d_bucket', 1, NOW, [['le', '1']]), metadata: described },
      { ...series('d_bucket', 1, NOW, [['le', '2']]), metadata: described },
      { ...series('d_sum', 1), metadata: described },
      { ...series('e', 1), metadata: { type: 2, help: 'E.', unit: '' } },
    ])
    expect([...metadata]).toEqual([
      ['d', [{ type: 'histogram', help: 'How long.', unit: 'seconds' }]],
      ['e', [{ type: 'gauge', help: 'E.', unit: '' }]],
    ])
  })

  it('stores samples although an exemplar is out of order', async () => {
    const at = (timestamp: number): TestSeries => ({
      ...series('a', 1, NOW),
      exemplars: [{ labels: [['t', 'x']], value: 1, timestamp }],
    })
    const response = await send2([at(NOW), at(NOW - 1)])
    expect(response.status).toBe(400)
    expect(written(response)).toEqual(['2', '0', '1'])
    expect(response.body).toContain('1 exemplar: out of order exemplar')
  })

  it.each([
    ['a reference behind the table', { symbols: ['', 'a'], refs: [1, 7] }, 'symbol reference is out of range'],
    ['an odd number of references', { symbols: ['', 'a'], refs: [1] }, 'number of label references is odd'],
    ['a first symbol that is not empty', { symbols: ['a'], refs: [0, 0] }, 'first symbol is not the empty string'],
  ])('refuses %s', async (_, { symbols, refs }, text) => {
    const { writeRequestV2Codec } = await import('../proto/messages.js')
    const body = writeRequestV2Codec.encode({ symbols, timeseries: [{ labelsRefs: refs }] }).finish()
    const response = await post(V2, encodeSnappy(body))
    expect(response.status).toBe(400)
    expect(response.body).toContain(text)
    expect(written(response)).toEqual(['0', '0', '0'])
  })

  it('does not take a message of the other version for an empty one', async () => {
    expect((await post(V2, encodeSnappy(bodyV1([series('a', 1)])))).status).toBe(400)
    expect((await post(V1, encodeSnappy(bodyV2([series('a', 1)])))).status).toBe(400)
    expect((await post(V2, encodeSnappy(new Uint8Array(0)))).status).toBe(204)
  })
})

describe('what is refused as a whole', () => {
  it.each([
    ['text', 'text/plain', 'snappy', 415],
    ['zstd, as VictoriaMetrics sends it first', V1, 'zstd', 415],
    ['gzip', V1, 'gzip', 415],
    ['an unknown message', 'application/x-protobuf;proto=foo.Bar', 'snappy', 415],
    ['a space before the parameter', 'application/x-protobuf; proto=prometheus.WriteRequest', 'snappy', 204],
    ['no encoding', V1, '', 204],
    ['no type', '', 'snappy', 204],
  ])('%s', async (_, type, encoding, status) => {
    const response = await post(type, encodeSnappy(bodyV1([series('a', 1)])), { 'content-encoding': encoding })
    expect(response.status).toBe(status)
  })

  it('malformed bytes, with the offset and nothing stored', async () => {
    const plain = Buffer.concat([bodyV1([series('a', 1)]), Uint8Array.of(0x0a, 0x05, 1)])
    const response = await post(V1, encodeSnappy(plain))
    expect(response).toMatchObject({
      status: 400,
      body: `protobuf: a field is longer than its message (at byte ${plain.length - 3})\n`,
    })
    expect(sink.samples).toEqual([])
  })

  it('bombs and too many samples, with the limit', async () => {
    const bomb = await post(V1, Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0))
    expect(bomb).toMatchObject({ status: 413, body: expect.stringContaining('the limit is 33554432') })
    const many = await send1([{ labels: [['__name__', 'a']], samples: Array(201).fill({ value: 1, timestamp: NOW }) }])
    expect(many).toMatchObject({ status: 413, body: expect.stringContaining('too many samples') })
    const empty = await post(V1, encodeSnappy(new Uint8Array(100_000).fill(0).map((_, i) => (i % 2 === 0 ? 0x0a : 0))))
    expect(empty).toMatchObject({ status: 413, body: expect.stringContaining('too many series') })
  })

  it.each([
    ['UNAVAILABLE', 503],
    ['READ_ONLY', 503],
    ['CLOSED', 503],
    ['CORRUPT', 500],
  ] as const)('%s of the store is %d, with nothing written', async (code, status) => {
    sink.failure = new StorageError(code, 'no')
    const response = await send2([series('a', 1)])
    expect(response.status).toBe(status)
    expect(written(response)).toEqual(['0', '0', '0'])
    if (status === 503) expect(response.headers?.['Retry-After']).toMatch(/^\d+$/)
  })
})

describe('fields that bring nothing', () => {
  const IDLE = 500_001
  const pair = (a: number, b: number, count: number) =>
    new Uint8Array(2 * count).fill(b).map((byte, i) => (i % 2 ? byte : a))
  const nested = (field: number, inner: Uint8Array) => {
    const size = inner.length
    const length = [size & 0x7f, (size >>> 7) & 0x7f, (size >>> 14) & 0x7f, size >>> 21].map((byte, i) =>
      i < 3 ? byte | 0x80 : byte,
    )
    return Buffer.concat([Uint8Array.of((field << 3) | 2, ...length), inner])
  }
  const good = bodyV1([series('good', 1)])
  const idle = pair(0x78, 1, IDLE)

  it.each([
    ['unknown ones', V1, idle],
    ['inside of an unknown group', V1, Buffer.concat([Uint8Array.of(0x7b), idle, Uint8Array.of(0x7c)])],
    ['in a series', V1, nested(1, idle)],
    ['in a sample', V1, nested(1, nested(2, idle))],
    ['timestamps of one sample', V1, nested(1, nested(2, pair(0x10, 1, IDLE + 3)))],
    ['unknown ones of 2.0', V2, idle],
    ['in a series of 2.0', V2, nested(5, idle)],
    ['metadata of one series', V2, nested(5, pair(0x2a, 0, IDLE + 1))],
    ['empty lists of references', V2, nested(5, pair(0x0a, 0, IDLE))],
  ])('are refused when they are too many: %s', async (_, type, bytes) => {
    const response = await post(type, encodeSnappy(Buffer.concat([type === V1 ? good : bodyV2([]), bytes])))
    expect(response).toMatchObject({
      status: 413,
      body: expect.stringMatching(/^too many fields in one request that are unknown or .* the limit is 500000\)/),
    })
    expect(sink.samples).toEqual([])
  })

  it('are skipped when they are fewer', async () => {
    const response = await post(V1, encodeSnappy(Buffer.concat([good, pair(0x78, 1, IDLE - 1)])))
    expect(response.status).toBe(204)
    expect(sink.samples.length).toBe(1)
  })

  it.each([
    ['labels', V1, nested(1, pair(0x0a, 0, 3_400_000))],
    ['labels behind a sample', V1, nested(1, Buffer.concat([Uint8Array.of(0x12, 0), pair(0x0a, 0, 3_400_000)]))],
    ['references', V2, Buffer.concat([Uint8Array.of(0x22, 0), nested(5, pair(0x08, 0, 6_800_000))])],
  ])('%s of a request are bounded', async (_, type, bytes) => {
    expect(await post(type, encodeSnappy(bytes))).toMatchObject({
      status: 413,
      body: expect.stringMatching(/^too many labels in one request .*: the limit is 3355444\)/),
    })
  })

  it('labels of 2.0 are bounded by what they are written out', async () => {
    const long: [string, string][] = Array.from({ length: 8 }, (_, i) => [`l${i}`, 'x'.repeat(2000)])
    const many = Array.from({ length: 100 }, (_, i) => series('a', i, NOW, long))
    const own = { ...WRITE_LIMITS, decodedSizeBytesMax: 1 << 20 }
    const other = new WritePipeline({
      ...{ sink, scanner: typescriptScanner, memory: new WriteMemory(own), exemplars, metadata },
      cache: new LabelCache({ seed: 7 }),
    })
    await expect(other.write(2, encodeSnappy(bodyV2(many)))).rejects.toThrowError(
      /written out, are too long .* 1048576/,
    )
  })

  it('exemplars and metadata that are too large are left out, the rest is stored', async () => {
    const text = 'x'.repeat(70_000)
    const exemplar = { labels: [['a', text]] as [string, string][], value: 1, timestamp: NOW }
    const first = await send1(
      [{ ...series('a', 1), exemplars: [exemplar] }],
      [{ type: 1, metricFamilyName: 'a', help: text }],
    )
    expect(first.status).toBe(204)
    expect(metadata.refusedCount).toBe(1)
    // The symbols of 2.0 are long while the exemplar itself is not.
    const second = await send2([
      { ...series('b', 1), exemplars: [exemplar], metadata: { type: 1, help: text, unit: '' } },
    ])
    expect(second).toMatchObject({ status: 400, body: expect.stringContaining('exemplar labels too long') })
    expect(metadata.of('b')[0].help.length).toBe(1024)
    expect(sink.samples.length).toBe(2)
  })
})

describe('a large body', () => {
  const LARGE = 5 << 20
  const padded = (name: string) =>
    Buffer.concat([
      bodyV1([series(name, 1)]),
      Uint8Array.of(0x7a, 0x80, 0x80, 0x80 | (LARGE >>> 14), LARGE >>> 21),
      new Uint8Array(LARGE),
    ])

  it('is decoded in turns, while others are stored; large ones one after the other', async () => {
    const turns: string[] = []
    const pause = () => {
      turns.push('turn')
      return new Promise<void>((resolve) => setImmediate(resolve))
    }
    pipeline = new WritePipeline({
      ...{ sink, scanner: typescriptScanner, memory, exemplars, metadata, pause },
      cache: new LabelCache({ seed: 7 }),
    })
    const write = async (body: Uint8Array, name: string) => {
      await pipeline.write(1, encodeSnappy(body))
      turns.push(name)
    }
    await Promise.all([
      write(padded('large_1'), 'large_1'),
      write(padded('large_2'), 'large_2'),
      write(bodyV1([series('small', 1)]), 'small'),
    ])
    expect(turns.filter((name) => name !== 'turn')).toEqual(['small', 'large_1', 'large_2'])
    expect(turns.lastIndexOf('turn') - turns.indexOf('turn')).toBeGreaterThanOrEqual(10)
    expect(sink.samples.length).toBe(3)
  })

  it('that is damaged is refused, and the next one is not', async () => {
    const block = encodeSnappy(padded('large'))
    const cut = await post(V1, block.subarray(0, block.length - 2))
    expect(cut).toMatchObject({ status: 400, body: expect.stringContaining('snappy') })
    expect((await post(V1, block)).status).toBe(204)
    expect(sink.samples.length).toBe(1)
  })
})

describe('a request with more samples than columns ordinarily hold', () => {
  it('is stored whole, in parts, one such at a time', async () => {
    const count = 250_000
    const own = new WriteMemory({ ...WRITE_LIMITS, seriesCountMax: 100, sampleCountMax: 300_000 })
    let rows = 0
    let parts = 0
    let appending = 0
    const wide = new WritePipeline({
      sink: {
        resolve: async (_, offsets) => new Uint32Array(offsets.length - 1),
        labelsOf: () => undefined,
        append: async (batch) => {
          // Two at once would take columns for both.
          expect(++appending).toBe(1)
          await new Promise((resolve) => setImmediate(resolve))
          appending--
          expect(batch.timestampsMs[0]).toBe(NOW + (rows % count))
          rows += batch.count
          parts++
          return { appendedCount: batch.count, rejections: [] }
        },
      },
      scanner: typescriptScanner,
      memory: own,
      cache: new LabelCache({ seed: 1 }),
      exemplars,
      metadata,
    })
    const samples = Array.from({ length: count }, (_, i) => ({ value: i, timestamp: NOW + i }))
    const body = encodeSnappy(bodyV1([{ labels: [['__name__', 'a']], samples }]))
    for (const outcome of await Promise.all([wide.write(1, body), wide.write(1, body)])) {
      expect(outcome.samplesWritten).toBe(count)
    }
    expect([rows, parts]).toEqual([2 * count, 26])
  })
})

describe('requests of many new series at a time', () => {
  it('do not take each other for their own while they wait', async () => {
    const own = new WriteMemory({ ...WRITE_LIMITS, seriesCountMax: 5_000 })
    const many = new WritePipeline({
      sink,
      scanner: typescriptScanner,
      memory: own,
      cache: new LabelCache({ seed: 1 }),
      exemplars,
      metadata,
      pause: () => new Promise((resolve) => setImmediate(resolve)),
    })
    const names = Array.from({ length: 3 }, (_, r) =>
      Array.from({ length: 4_500 - r }, (_, i) => `r${'_'.repeat(1 + 3 * r)}${i}`),
    )
    const bodies = names.map((of, r) => encodeSnappy(bodyV1(of.map((name, i) => series(name, i, NOW + r)))))
    const outcomes = await Promise.all(bodies.map((body) => many.write(1, body)))
    expect(outcomes.map(({ samplesWritten }) => samplesWritten)).toEqual([4_500, 4_499, 4_498])
    const stored = new Map(sink.samples.map((sample) => [sample.labels, sample]))
    expect(stored.size).toBe(13_497)
    for (const [r, of] of names.entries()) {
      for (const name of of) expect(stored.get(name)?.timestampMs).toBe(NOW + r)
    }
  })
})

describe('the door', () => {
  it('drops and renames series, once for all', async () => {
    let asked = 0
    pipeline = makePipeline({
      admit(labels) {
        asked++
        if (labels.metricName.startsWith('go_')) return null
        return labels.with('replica', '')
      },
    })
    for (let i = 0; i < 3; i++) {
      const response = await send2([series('go_x', 1, NOW + i), series('up', 1, NOW + i, [['replica', 'a']])])
      expect(response.status).toBe(204)
      expect(written(response)).toEqual(['2', '0', '0']) // Dropped on purpose: the sender has lost nothing.
    }
    expect(asked).toBe(2)
    expect(sink.series.map(String)).toEqual(['up'])
  })

  it('acknowledges the replica that is not elected and stores nothing', async () => {
    pipeline = makePipeline(undefined, { accepts: (labels: Labels) => labels.get('replica') === 'a' })
    const response = await send2([series('up', 1, NOW, [['replica', 'b']])])
    expect(response.status).toBe(204)
    expect(written(response)).toEqual(['1', '0', '0'])
    expect(sink.samples).toEqual([])
    expect(counters.deduplicatedSamples).toBe(1)
    await send2([series('up', 1, NOW, [['replica', 'a']])])
    expect(sink.samples).toHaveLength(1)
  })
})
