import { crc32c, decodeXorChunk } from '@varve/gorilla-codec'
import { type Histogram, halvesOf, Labels } from '@varve/tsdb-core/model'
import { MemoryQueryable, STALE } from '@varve/tsdb-core/testing'
import { describe, expect, it } from 'vitest'
import { CHUNK_ENCODING_FLOAT_HISTOGRAM } from '../prometheus-chunk/format.js'
import { decodeHistogramChunk } from '../prometheus-chunk/histogram-chunk.js'
import {
  chunkedReadResponseCodec,
  readRequestCodec,
  readResponseCodec,
  type TimeSeriesMessage,
} from '../proto/messages.js'
import { DEFAULT_TENANT, type HttpResponse } from '../server/http.js'
import { decodeSnappy, encodeSnappy } from '../snappy/index.js'
import { remoteReadRoutes } from './remote-read-handler.js'

const EQ = 0
const all = [{ type: EQ, name: '__name__', value: 'm' }]
const histogram: Histogram = {
  schema: 1,
  zeroThreshold: 0.001,
  zeroCount: 2,
  count: 9,
  sum: 12.5,
  counterResetHint: 'gauge',
  positiveSpans: [{ offset: -1, length: 2 }],
  negativeSpans: [{ offset: 0, length: 1 }],
  positiveBuckets: Float64Array.of(3, 1),
  negativeBuckets: Float64Array.of(3),
  customValues: new Float64Array(0),
  stale: false,
  integer: false,
}

function store(): MemoryQueryable {
  const queryable = new MemoryQueryable()
  for (const [instance, count] of [
    ['b', 300],
    ['a', 3],
  ] as const) {
    const labels = Labels.from({ __name__: 'm', instance })
    for (let i = 0; i < count; i++) queryable.append(labels, 1_000 + i * 15_000, i === 2 ? STALE : i * 1.5)
  }
  const labels = Labels.from({ __name__: 'm', instance: 'h' })
  queryable.append(labels, 1_000, 5)
  queryable.append(labels, 2_000, histogram)
  queryable.append(labels, 3_000, { ...histogram, integer: true, counterResetHint: 'unknown' })
  return queryable
}

async function read(message: object, external: Record<string, string> = {}): Promise<HttpResponse> {
  const queryable = store()
  const [route] = remoteReadRoutes({
    pause: async () => {},
    queryable: () => queryable,
    externalLabels: () => external,
    sampleCountMax: 400,
  })
  return route.handle({
    method: 'POST',
    path: '/api/v1/read',
    query: new URLSearchParams(),
    header: () => undefined,
    pathParameters: new Map(),
    remoteAddress: '127.0.0.1',
    tenant: DEFAULT_TENANT,
    body: encodeSnappy(readRequestCodec.encode(message).finish()),
    signal: new AbortController().signal,
    cancel: () => {},
  })
}

const query = (matchers: object[], startTimestampMs = 0, endTimestampMs = 10_000_000) => ({
  matchers,
  startTimestampMs,
  endTimestampMs,
})

describe('remote read of samples', () => {
  async function samples(message: object, external?: Record<string, string>): Promise<TimeSeriesMessage[][]> {
    const response = await read(message, external)
    expect(response).toMatchObject({
      status: 200,
      headers: { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' },
      identity: true,
    })
    return readResponseCodec.decode(decodeSnappy(response.body as Uint8Array, 1e6)).results.map((r) => r.timeseries)
  }

  it('answers each query in order, series sorted by labels, both ends inclusive', async () => {
    const results = await samples({
      queries: [query(all, 16_000, 31_000), query([{ type: EQ, name: '__name__', value: 'none' }])],
    })
    expect(results.map((series) => series.map(({ labels }) => labels.map(({ value }) => value)))).toEqual([
      [
        ['m', 'a'],
        ['m', 'b'],
      ],
      [],
    ])
    expect(results[0][0].samples.map(({ timestamp }) => timestamp.toNumber())).toEqual([16_000, 31_000])
    const value = Float64Array.of(0)
    value[0] = results[0][0].samples[1].value
    expect([...halvesOf(value)]).toEqual([2, 0x7ff00000])
  })

  it('gives histograms in the kind in which they came', async () => {
    const [[series]] = await samples({ queries: [query([...all, { type: EQ, name: 'instance', value: 'h' }])] })
    expect(series.samples).toHaveLength(1)
    expect(series.histograms).toMatchObject([
      { countFloat: 9, zeroCountFloat: 2, schema: 1, resetHint: 3, positiveCounts: [3, 1], negativeCounts: [3] },
      { sum: 12.5, schema: 1, resetHint: 0, positiveCounts: [] },
    ])
    expect(series.histograms[1].countInt?.toNumber()).toBe(9)
    expect(series.histograms[1].positiveDeltas.map(Number)).toEqual([3, -2])
    expect(series.histograms[1].positiveSpans).toMatchObject([{ offset: -1, length: 2 }])
  })

  it('adds external labels and takes them out of matchers', async () => {
    const external = { region: 'eu', instance: 'no' }
    const [series] = await samples(
      { queries: [query([...all, { type: EQ, name: 'region', value: 'eu' }], 0, 1_000)] },
      external,
    )
    expect(series[0].labels.map(({ name, value }) => `${name}=${value}`)).toEqual([
      '__name__=m',
      'instance=a',
      'region=eu',
    ])
  })

  it.each([
    ['an unknown matcher type', { queries: [query([{ type: 9, name: 'a', value: 'b' }])] }, 'matcher type 9'],
    ['an unknown response type', { queries: [], acceptedResponseTypes: [7] }, 'response types 7'],
    ['too many samples', { queries: [query(all), query(all)] }, 'exceeded sample limit (400)'],
    ['too many queries', { queries: Array(101).fill(query(all)) }, 'more than 100 queries'],
  ])('refuses %s', async (_, message, text) => {
    expect(await read(message)).toMatchObject({ status: 400, body: expect.stringContaining(text) })
  })

  it('refuses bytes that are none, and bombs, before they take memory', async () => {
    const [route] = remoteReadRoutes({ pause: async () => {}, queryable: () => store() })
    const handle = (body: Uint8Array) => route.handle({ body, signal: new AbortController().signal } as never)
    expect(await handle(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0))).toMatchObject({ status: 413 })
    expect(await handle(encodeSnappy(Uint8Array.of(0x0a, 0x55)))).toMatchObject({ status: 400 })
  })
})

describe('streamed remote read', () => {
  async function frames(message: object) {
    const response = await read({ ...message, acceptedResponseTypes: [1, 0] })
    expect(response).toMatchObject({
      status: 200,
      headers: { 'Content-Type': 'application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse' },
      identity: true,
    })
    expect(response.headers).not.toHaveProperty('Content-Encoding')
    const found = []
    for await (const frame of response.body as AsyncIterable<Uint8Array>) {
      const bytes = Buffer.from(frame)
      let at = 0
      let length = 0
      for (let shift = 0; ; shift += 7) {
        length |= (bytes[at] & 0x7f) << shift
        if (bytes[at++] < 0x80) break
      }
      expect(bytes.length).toBe(at + 4 + length)
      expect(bytes.readUInt32BE(at)).toBe(crc32c(bytes, at + 4, bytes.length))
      found.push(chunkedReadResponseCodec.decode(bytes.subarray(at + 4)))
    }
    return found
  }

  it('sends one series a frame, sorted, in chunks of 120 samples', async () => {
    const found = await frames({ queries: [query([{ type: EQ, name: 'instance', value: 'x' }]), query(all)] })
    expect(found.map(({ queryIndex }) => queryIndex.toNumber())).toEqual([1, 1, 1])
    expect(found.map(({ chunkedSeries: [series] }) => series.labels.at(-1)?.value)).toEqual(['a', 'b', 'h'])
    const { chunks } = found[1].chunkedSeries[0]
    expect(chunks.map(({ type, minTimeMs }) => [type, minTimeMs.toNumber()])).toEqual([
      [1, 1_000],
      [1, 1_801_000],
      [1, 3_601_000],
    ])
    const timestamps = new Float64Array(120)
    const values = new Float64Array(120)
    expect(decodeXorChunk(chunks[0].data, 0, chunks[0].data.length, timestamps, values, 0)).toBe(120)
    expect(timestamps[119]).toBe(chunks[0].maxTimeMs.toNumber())
    expect(values[119]).toBe(178.5)
    expect([...halvesOf(values).subarray(4, 6)]).toEqual([2, 0x7ff00000])
  })

  it('sends floats and histograms of one series in chunks of their own', async () => {
    const [{ chunkedSeries }] = await frames({ queries: [query([...all, { type: EQ, name: 'instance', value: 'h' }])] })
    const { chunks } = chunkedSeries[0]
    expect(chunks.map(({ type }) => type)).toEqual([1, 3, 2])
    const { histograms } = decodeHistogramChunk(CHUNK_ENCODING_FLOAT_HISTOGRAM, chunks[1].data)
    expect(histograms[0]).toMatchObject({ count: 9, sum: 12.5, positiveBuckets: Float64Array.of(3, 1) })
  })
})
