/**
 * What senders of remote write rely on, case by case, over HTTP into a real store: types and encodings, statuses, the
 * counts that 2.0 wants told, partial writes, and that what was acknowledged is there at once.
 *
 * The cases are those that Prometheus' compliance suite for receivers is about (remotewrite/receiver), in our own words.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeRequestV2Codec } from '../proto/messages.js'
import { encodeSnappy } from '../snappy/index.js'
import { startCoordinator, type TestCoordinator } from '../testing/start-coordinator.js'
import { bodyV1, bodyV2, type TestSeries } from '../testing/write-bodies.js'

const NOW = Date.now() - 5_000
const HOUR = 3_600_000
const V1 = 'application/x-protobuf'
const V2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request'

let server: TestCoordinator
beforeAll(async () => {
  server = await startCoordinator({ yaml: 'self_scrape: off' })
})
afterAll(() => server.stop())

interface Answer {
  readonly status: number
  /** Samples, histograms, exemplars; null where the answer does not say. */
  readonly written: readonly (string | null)[]
  readonly text: string
}

async function post(body: Uint8Array | string, headers: Record<string, string>): Promise<Answer> {
  const response = await fetch(`${server.url}/api/v1/write`, {
    method: 'POST',
    headers,
    body: body as Uint8Array<ArrayBuffer>,
  })
  const written = ['Samples', 'Histograms', 'Exemplars'].map((what) =>
    response.headers.get(`X-Prometheus-Remote-Write-${what}-Written`),
  )
  return { status: response.status, written, text: await response.text() }
}

const snappy = { 'Content-Encoding': 'snappy' }
const v1 = (series: TestSeries[], metadata: object[] = []) =>
  post(encodeSnappy(bodyV1(series, metadata)), { 'Content-Type': V1, ...snappy })
const v2 = (series: TestSeries[]) =>
  post(encodeSnappy(bodyV2(series)), { 'Content-Type': V2, 'X-Prometheus-Remote-Write-Version': '2.0.0', ...snappy })

let count = 0
/** A series that no other case has. */
const named = (more: Partial<TestSeries> = {}, labels: [string, string][] = []): TestSeries => ({
  labels: [['__name__', `case_${++count}`], ['job', 'compliance'], ...labels],
  samples: [],
  ...more,
})
const sample = (ageMs = 0, value = 1) => ({ value, timestamp: NOW - ageMs })
const exemplar = (ageMs = 0) => ({
  labels: [['trace_id', 'abc']] as [string, string][],
  value: 3,
  timestamp: NOW - ageMs,
})
const integers = {
  ...{ countInt: 6, zeroCountInt: 1, sum: 18.4, schema: 1, zeroThreshold: 0.001, timestamp: NOW },
  ...{ positiveSpans: [{ offset: 0, length: 2 }], positiveDeltas: [2, 1] },
}
const floats = {
  ...{ countFloat: 5.5, zeroCountFloat: 0.5, sum: 18.4, schema: 1, zeroThreshold: 0.001, timestamp: NOW },
  ...{ negativeSpans: [{ offset: 0, length: 2 }], negativeCounts: [2, 3] },
}
const custom = {
  ...{ countInt: 6, sum: 18.4, schema: -53, customValues: [0.5, 1], timestamp: NOW },
  ...{ positiveSpans: [{ offset: 0, length: 3 }], positiveDeltas: [1, 1, 1] },
}
const metadata = { type: 1, help: 'Help.', unit: 's' }

async function stored(series: TestSeries): Promise<number> {
  const name = series.labels[0][1]
  const query = `count_over_time(${name}[3h])`
  const response = await fetch(`${server.url}/api/v1/query?${new URLSearchParams({ query, time: String(NOW / 1000) })}`)
  const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } }
  return data.result.reduce((sum, { value }) => sum + Number(value[1]), 0)
}

const NOTHING_SAID = [null, null, null]

describe('messages of 1.0', () => {
  it.each<[string, Partial<TestSeries>, number]>([
    ['a sample', { samples: [sample()] }, 1],
    ['samples in order', { samples: [sample(30_000), sample(15_000), sample()] }, 3],
    ['a sample of an hour ago', { samples: [sample(HOUR)] }, 1],
    ['samples out of order', { samples: [sample(), sample(HOUR)] }, 2],
    ['a sample with an exemplar', { samples: [sample()], exemplars: [exemplar()] }, 1],
    ['an exemplar alone', { exemplars: [exemplar()] }, 0],
    ['a histogram of integers', { histograms: [integers] }, 1],
    ['a histogram of floats', { histograms: [floats] }, 1],
    ['a series without anything', {}, 0],
  ])('%s: 204, without counts', async (_, more, wanted) => {
    const series = named(more)
    expect(await v1([series])).toEqual({ status: 204, written: NOTHING_SAID, text: '' })
    expect(await stored(series)).toBe(wanted)
  })

  it('metadata alone, nothing at all, and the same once more are successes', async () => {
    const family = { type: 1, metricFamilyName: 'case_family', help: 'Help.', unit: '' }
    expect((await v1([], [family])).status).toBe(204)
    expect((await v1([])).status).toBe(204)
    const series = named({ samples: [sample()] })
    for (let i = 0; i < 2; i++) expect((await v1([series])).status).toBe(204)
    expect(await stored(series)).toBe(1)
  })

  it('a staleness marker is stored as one', async () => {
    const series = named({ samples: [sample(15_000)] })
    const marker = encodeSnappy(withStaleMarker(bodyV1([{ ...series, samples: [sample(0, 12345.678)] }])))
    await v1([series])
    expect((await post(marker, { 'Content-Type': V1, ...snappy })).status).toBe(204)
    const response = await fetch(`${server.url}/api/v1/query?query=${series.labels[0][1]}&time=${NOW / 1000}`)
    expect(((await response.json()) as { data: { result: unknown[] } }).data.result).toEqual([])
    const lines = await fetch(`${server.url}/api/v1/export?match[]=${series.labels[0][1]}`)
    expect(await lines.text()).toContain('"values":[1,"StaleNaN"]')
  })

  it('a bad series beside good ones: 400 that names it, the good ones stored', async () => {
    const good = [named({ samples: [sample()] }), named({ samples: [sample()] })]
    const bad = named({ samples: [{ value: 1, timestamp: Date.now() + HOUR }] })
    const answer = await v1([good[0], bad, good[1]])
    expect(answer).toMatchObject({
      status: 400,
      written: NOTHING_SAID,
      text: expect.stringContaining(bad.labels[0][1]),
    })
    expect(await Promise.all([...good, bad].map(stored))).toEqual([1, 1, 0])
  })
})

describe('messages of 2.0', () => {
  it.each<[string, Partial<TestSeries>, [number, number, number]]>([
    ['a sample', { samples: [sample()] }, [1, 0, 0]],
    ['a sample of an hour ago', { samples: [sample(HOUR)] }, [1, 0, 0]],
    ['samples with start times', { samples: [{ ...sample(), startTimestamp: NOW - HOUR }] }, [1, 0, 0]],
    ['a sample with exemplars', { samples: [sample()], exemplars: [exemplar(10), exemplar()] }, [1, 0, 2]],
    ['an exemplar alone', { exemplars: [exemplar()] }, [0, 0, 1]],
    ['metadata alone', { metadata }, [0, 0, 0]],
    ['a sample with metadata', { samples: [sample()], metadata }, [1, 0, 0]],
    ['a histogram of integers', { histograms: [integers] }, [0, 1, 0]],
    ['a histogram of floats with an exemplar', { histograms: [floats], exemplars: [exemplar()] }, [0, 1, 1]],
    ['a histogram with custom buckets', { histograms: [custom] }, [0, 1, 0]],
    ['a histogram with a start time', { histograms: [{ ...integers, startTimestamp: NOW - HOUR }] }, [0, 1, 0]],
    ['a series without anything', {}, [0, 0, 0]],
  ])('%s: 204 with exact counts', async (_, more, counts) => {
    const series = named(more)
    expect(await v2([series])).toEqual({ status: 204, written: counts.map(String), text: '' })
    expect(await stored(series)).toBe(counts[0] + counts[1])
  })

  it('the same labels in several series of a request are one series', async () => {
    const series = named({ samples: [sample(15_000)] })
    const answer = await v2([
      series,
      { ...series, samples: [sample()], exemplars: [exemplar()] },
      { ...series, samples: [] },
    ])
    expect(answer.written).toEqual(['2', '0', '1'])
    expect(await stored(series)).toBe(2)
  })

  it('the same request again counts as written', async () => {
    const series = named({ samples: [sample()], histograms: [], exemplars: [exemplar()] })
    expect(await v2([series])).toEqual(await v2([series]))
    expect(await stored(series)).toBe(1)
  })

  it.each<[string, TestSeries, RegExp]>([
    ['far ahead', named({ samples: [{ value: 1, timestamp: Date.now() + HOUR }] }), /case_\d+/],
    ['without a name', { labels: [['job', 'x']], samples: [sample()] }, /name/],
    ['with an empty name', { labels: [['__name__', '']], samples: [sample()] }, /name/],
    [
      'with a label twice',
      named({ samples: [sample()] }, [
        ['x', '1'],
        ['x', '2'],
      ]),
      /x/,
    ],
    ['with a label without a name', named({ samples: [sample()] }, [['', 'x']]), /label/],
    ['with a histogram whose counts do not add up', named({ histograms: [{ ...integers, countInt: 2 }] }), /histogram/],
    ['with a histogram of an unknown schema', named({ histograms: [{ ...integers, schema: 60 }] }), /schema/],
  ])('a series %s: 400, its neighbours written and counted', async (_, bad, said) => {
    const good = [
      named({ samples: [sample(15_000), sample()] }),
      named({ histograms: [floats], exemplars: [exemplar()] }),
    ]
    const answer = await v2([good[0], bad, good[1]])
    expect(answer).toMatchObject({ status: 400, written: ['2', '1', '1'] })
    expect(answer.text).toMatch(said)
    expect(await Promise.all(good.map(stored))).toEqual([2, 1])
  })

  it('a time that is refused: the answer says which series, which time, and what is allowed', async () => {
    const strict = await startCoordinator({ yaml: 'self_scrape: off\nstorage: { retention: 2h }', retention: false })
    const told = async (timestamp: number, headers: Record<string, string>, path: string, body: Uint8Array) => {
      const response = await fetch(`${strict.url}${path}`, {
        method: 'POST',
        headers,
        body: body as Uint8Array<ArrayBuffer>,
      })
      expect(response.status, String(timestamp)).toBe(400)
      return response.text()
    }
    const time = '\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z'
    try {
      const [old, ahead] = [Date.now() - 3 * HOUR, Date.now() + HOUR]
      for (const [timestamp, wanted] of [
        [
          old,
          `too old sample: older than the retention, first up\\{\\} at ${new Date(old).toISOString()}, allowed from ${time}`,
        ],
        [
          ahead,
          `out of bounds: too far ahead of the clock, first up\\{\\} at ${new Date(ahead).toISOString()}, allowed up to ${time}`,
        ],
      ] as const) {
        const series = { labels: [['__name__', 'up']] as [string, string][], samples: [{ value: 1, timestamp }] }
        const pattern = new RegExp(wanted.replace('up\\{\\}', 'up'))
        const body = encodeSnappy(bodyV2([series]))
        expect(await told(timestamp, { 'Content-Type': V2, ...snappy }, '/api/v1/write', body)).toMatch(pattern)
        const line = new TextEncoder().encode(`up 1 ${timestamp}\n`)
        expect(await told(timestamp, {}, '/api/v1/import/prometheus', line)).toMatch(pattern)
      }
    } finally {
      await strict.stop()
    }
  })

  it('another value for a stored time: 400, and not counted', async () => {
    const series = named({ samples: [sample()] })
    await v2([series])
    const answer = await v2([{ ...series, samples: [sample(0, 2), { value: 3, timestamp: NOW + 1 }] }])
    expect(answer).toMatchObject({ status: 400, written: ['1', '0', '0'], text: expect.stringContaining('duplicate') })
  })

  it('an exemplar out of order does not cost the samples', async () => {
    const series = named({ samples: [sample()], exemplars: [exemplar()] })
    await v2([series])
    const answer = await v2([{ ...series, samples: [{ value: 3, timestamp: NOW + 2 }], exemplars: [exemplar(HOUR)] }])
    expect(answer).toMatchObject({ written: ['1', '0', '0'] })
    expect(await stored({ ...series })).toBe(1)
  })

  it('labels that are not sorted make the same series', async () => {
    const series = named({ samples: [sample(15_000)] })
    await v2([series])
    const answer = await v2([{ labels: [...series.labels].reverse(), samples: [sample()] }])
    expect(answer.status).toBe(204)
    const listed = await fetch(`${server.url}/api/v1/series?match[]=${series.labels[0][1]}`)
    expect(((await listed.json()) as { data: unknown[] }).data).toHaveLength(1)
  })

  it.each<[string, { symbols: string[]; labelsRefs: number[] }]>([
    ['a reference behind the symbols', { symbols: ['', '__name__', 'x'], labelsRefs: [1, 9] }],
    ['an odd number of references', { symbols: ['', '__name__', 'x'], labelsRefs: [1, 2, 1] }],
    ['a first symbol that is not empty', { symbols: ['__name__', 'x'], labelsRefs: [0, 1] }],
  ])('%s: 400, zeros', async (_, { symbols, labelsRefs }) => {
    const body = writeRequestV2Codec.encode({ symbols, timeseries: [{ labelsRefs, samples: [sample()] }] }).finish()
    const answer = await post(encodeSnappy(body), { 'Content-Type': V2, ...snappy })
    expect(answer).toMatchObject({ status: 400, written: ['0', '0', '0'] })
  })
})

describe('what a request says of itself', () => {
  const body1 = () => encodeSnappy(bodyV1([named({ samples: [sample()] })]))
  const body2 = () => encodeSnappy(bodyV2([named({ samples: [sample()] })]))

  it.each<[string, Record<string, string>, () => Uint8Array, number, (string | null)[]]>([
    [
      'the message of 1.0 named',
      { 'Content-Type': `${V1};proto=prometheus.WriteRequest`, ...snappy },
      body1,
      204,
      NOTHING_SAID,
    ],
    ['no encoding', { 'Content-Type': V1 }, body1, 204, NOTHING_SAID],
    ['a space before the message', { 'Content-Type': V2.replace(';', '; '), ...snappy }, body2, 204, ['1', '0', '0']],
    ['2.0 without a version', { 'Content-Type': V2, ...snappy }, body2, 204, ['1', '0', '0']],
    [
      'a version that is not that of the message',
      { 'Content-Type': V1, 'X-Prometheus-Remote-Write-Version': '2.0.0', ...snappy },
      body1,
      204,
      NOTHING_SAID,
    ],
    ['another type', { 'Content-Type': 'text/plain', ...snappy }, body1, 415, NOTHING_SAID],
    ['JSON', { 'Content-Type': 'application/json', ...snappy }, body1, 415, NOTHING_SAID],
    [
      'an unknown message',
      { 'Content-Type': `${V1};proto=io.prometheus.write.v3.Request`, ...snappy },
      body1,
      415,
      NOTHING_SAID,
    ],
    ['gzip', { 'Content-Type': V1, 'Content-Encoding': 'gzip' }, body1, 415, NOTHING_SAID],
    [
      "VictoriaMetrics' zstd",
      { 'Content-Type': V1, 'Content-Encoding': 'zstd', 'X-VictoriaMetrics-Remote-Write-Version': '1' },
      body1,
      415,
      NOTHING_SAID,
    ],
  ])('%s', async (_, headers, body, status, written) => {
    expect(await post(body(), headers)).toMatchObject({ status, written })
  })

  it.each<[string, string, Uint8Array]>([
    ['snappy that is none', V1, new TextEncoder().encode('not snappy at all')],
    ['protobuf that is none', V1, encodeSnappy(new TextEncoder().encode('not protobuf at all'))],
    [
      'a body that is cut off',
      V1,
      encodeSnappy(bodyV1([{ labels: [['__name__', 'cut']], samples: [sample()] }])).subarray(0, -3),
    ],
    ['2.0: snappy that is none', V2, new TextEncoder().encode('not snappy at all')],
    ['2.0: protobuf that is none', V2, encodeSnappy(new TextEncoder().encode('not protobuf at all'))],
    [
      'a message of 1.0 as one of 2.0',
      V2,
      encodeSnappy(bodyV1([{ labels: [['__name__', 'x']], samples: [sample()] }])),
    ],
    [
      'a message of 2.0 as one of 1.0',
      V1,
      encodeSnappy(bodyV2([{ labels: [['__name__', 'x']], samples: [sample()] }])),
    ],
  ])('%s: 400', async (_, type, body) => {
    const answer = await post(body, { 'Content-Type': type, ...snappy })
    expect(answer).toMatchObject({ status: 400, written: type === V2 ? ['0', '0', '0'] : NOTHING_SAID })
  })

  it('a length of gigabytes in the first bytes is refused with the limit', async () => {
    const answer = await post(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0x00), { 'Content-Type': V1, ...snappy })
    expect([400, 413]).toContain(answer.status)
    expect(answer.text).toContain('33554432')
  })

  it('GET: 405', async () => {
    expect((await fetch(`${server.url}/api/v1/write`)).status).toBe(405)
  })
})

/** The marker's bits cannot be told to an encoder of numbers, so they are put in place of a value. */
function withStaleMarker(body: Uint8Array): Uint8Array {
  const value = Buffer.from(Float64Array.of(12345.678).buffer)
  const at = Buffer.from(body).indexOf(value)
  const bytes = Uint8Array.from(body)
  new DataView(bytes.buffer).setBigUint64(at, 0x7ff0_0000_0000_0002n, true)
  return bytes
}
