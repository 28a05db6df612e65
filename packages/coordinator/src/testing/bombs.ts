/** Requests that are made to hold or to fill a server, for the tests that play them. */
import { gzipSync } from 'node:zlib'
import { otlpRequestCodec } from '../ingest/otlp/otlp-message.js'
import { readRequestCodec } from '../proto/messages.js'
import { encodeSnappy } from '../snappy/index.js'
import { type Seeded, seeded } from './seeded.js'
import { bodyV1 } from './write-bodies.js'

export const V1 = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' }
export const V2 = {
  'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
  'content-encoding': 'snappy',
}
export const OTLP = { 'content-type': 'application/x-protobuf' }
export const JSON_TYPE = { 'content-type': 'application/json' }
export const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

export interface Request {
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: Uint8Array | string
}

/** One of each kind of metric. */
export const otlpMessage = (random: Seeded, nowMs: number) => {
  const attributes = [{ key: 'service.name', value: { stringValue: `s${random.below(3)}` } }]
  const point = (i: number) => ({ timeUnixNano: `${nowMs + i}000000`, asDouble: random.below(100) / 3, attributes })
  const points = Array.from({ length: 1 + random.below(4) }, (_, i) => point(i))
  const cumulative = { aggregationTemporality: 2 }
  const histogram = { ...point(9), count: 3, sum: 2.5, bucketCounts: [1, 2], explicitBounds: [0.5] }
  const exponential = { ...point(9), count: 3, sum: 1, scale: 2, positive: { offset: 1, bucketCounts: [1, 0, 2] } }
  const metrics = [
    { name: 'g', unit: 's', gauge: { dataPoints: points } },
    { name: 'c', sum: { ...cumulative, isMonotonic: true, dataPoints: points } },
    { name: 'h', histogram: { ...cumulative, dataPoints: [histogram] } },
    { name: 'e', exponentialHistogram: { ...cumulative, dataPoints: [exponential] } },
    {
      name: 's',
      summary: { dataPoints: [{ ...point(9), count: 1, sum: 2, quantileValues: [{ quantile: 0.5, value: 2 }] }] },
    },
  ]
  return { resourceMetrics: [{ resource: { attributes }, scopeMetrics: [{ metrics }] }] }
}
export interface Bomb {
  readonly name: string
  readonly statuses: readonly number[]
  readonly make: () => Request
}

/** Small on the wire, large behind it; or large on the wire and made to be slow. Most decode to the 32 MiB that are accepted. */
export function bombs(nowMs: number): Bomb[] {
  const MIB = 1 << 20
  const labels = (i: number, count: number, padding: number): [string, string][] => [
    ['__name__', 'bomb'],
    ...Array.from({ length: count }, (_, k): [string, string] => [`l${k}`, `${i}`.padStart(padding, 'x')]),
  ]
  const snappy =
    (path: string, make: () => Uint8Array, headers = V1) =>
    () => ({
      path,
      headers,
      body: encodeSnappy(make()),
    })
  const write = (make: () => Uint8Array) => snappy('/api/v1/write', make)
  const plain =
    (path: string, make: () => string, headers = {}) =>
    () => ({ path, headers, body: make() })
  const zipped =
    (path: string, make: () => Uint8Array | string, headers = {}) =>
    () => ({
      path,
      headers: { ...headers, 'content-encoding': 'gzip' },
      body: gzipSync(make()),
    })
  const query =
    (text: string, more = '') =>
    () => ({
      path: more === '' ? '/api/v1/query' : '/api/v1/query_range',
      headers: FORM,
      body: `query=${encodeURIComponent(text)}&time=${nowMs / 1000}${more}`,
    })
  const series = (count: number, labelCount: number, padding: number) =>
    bodyV1(
      Array.from({ length: count }, (_, i) => ({
        labels: labels(i, labelCount, padding),
        samples: [{ value: 1, timestamp: nowMs }],
      })),
    )
  const histogram = (more: object) =>
    bodyV1([
      {
        labels: labels(1, 1, 1),
        samples: [],
        histograms: [
          { countInt: 1, zeroCountInt: 0, sum: 3, schema: 3, zeroThreshold: 1e-5, timestamp: nowMs, ...more },
        ],
      },
    ])
  const twoBytes = (a: number, b: number, size = 32 * MIB) => Buffer.alloc(size, Buffer.from([a, b]))
  const nested = (field: number, inner: Uint8Array) => {
    const length: number[] = []
    for (let rest = inner.length; length.length === 0 || rest > 0; rest >>>= 7)
      length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0))
    return Buffer.concat([Uint8Array.of((field << 3) | 2, ...length), inner])
  }
  /** The metric's name, and the same sample over and over. */
  const repeated = (count: number) => {
    const plain = bodyV1([{ labels: labels(1, 0, 0), samples: [{ value: 1, timestamp: nowMs }] }]).subarray(2)
    const sample = plain.subarray(-18)
    const out = Buffer.alloc(plain.length + (count - 1) * sample.length, sample)
    out.set(plain.subarray(0, plain.length - sample.length))
    return out
  }
  const NAMED = bodyV1([{ labels: labels(1, 0, 0), samples: [] }]).subarray(2)
  /** Of 2.0: nothing, `__name__`, 2,000 characters. */
  const SYMBOLS = Buffer.concat([
    Uint8Array.of(0x22, 0),
    nested(4, Buffer.from('__name__')),
    nested(4, Buffer.alloc(2_000, 'x')),
  ])
  const longSymbol = nested(4, Buffer.alloc(16 * MIB, 'x'))
  const longLabels = Uint8Array.of(0x0a, 14, ...new Array(7).fill([1, 2]).flat())
  const points = (count: number) => {
    const message = otlpMessage(seeded(1), nowMs)
    const metric = message.resourceMetrics[0].scopeMetrics[0].metrics[0] as { gauge: { dataPoints: object[] } }
    const attributes = [{ key: 'k', value: { stringValue: 'v' } }]
    metric.gauge.dataPoints = Array.from({ length: count }, (_, i) => ({
      timeUnixNano: `${nowMs + i}000000`,
      asDouble: i,
      attributes,
    }))
    return message
  }
  const list: readonly (readonly [string, readonly number[], () => Request])[] = [
    [
      'a snappy length of 2.5 GB',
      [413],
      () => ({ path: '/api/v1/write', headers: V1, body: Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x0a, 0) }),
    ],
    ['16 million empty series', [413], write(() => twoBytes(0x0a, 0))],
    ['32 MiB of an unknown field', [413], write(() => twoBytes(0x78, 1))],
    ['16 million labels of one series', [413], write(() => nested(1, twoBytes(0x0a, 0, 32 * MIB - 8)))],
    ['16 million timestamps of one sample', [413], write(() => nested(1, nested(2, twoBytes(0x10, 1, 32 * MIB - 16))))],
    [
      '16 million unknown fields of one exemplar',
      [204],
      write(() => nested(1, Buffer.concat([NAMED, nested(3, twoBytes(0x78, 1, 32 * MIB - 64))]))),
    ],
    ['1.8 million samples of one series', [204], write(() => nested(1, repeated(1_800_000)))],
    [
      '30 million label references of one series',
      [413],
      snappy('/api/v1/write', () => Buffer.concat([SYMBOLS, nested(5, nested(1, new Uint8Array(30 * MIB)))]), V2),
    ],
    [
      '2.0 with 700 MiB of labels, written out',
      [413],
      snappy('/api/v1/write', () => Buffer.concat([SYMBOLS, ...new Array(50_000).fill(nested(5, longLabels))]), V2),
    ],
    [
      '2.0 with a symbol of 16 MiB in each of 50,000 exemplars',
      [400],
      snappy(
        '/api/v1/write',
        () =>
          Buffer.concat([
            SYMBOLS,
            longSymbol,
            nested(
              5,
              Buffer.concat([
                Uint8Array.of(0x0a, 2, 1, 1),
                ...new Array(49_999).fill(Uint8Array.of(0x22, 4, 0x0a, 2, 3, 3)),
              ]),
            ),
          ]),
        V2,
      ),
    ],
    ['900 new series with 16 KiB of labels each', [204], write(() => series(900, 8, 2_000))],
    ['6,000 new series with 30 labels each', [204], write(() => series(6_000, 30, 20))],
    ['a series with 10,000 labels', [400], write(() => series(1, 10_000, 10))],
    ['values of a megabyte', [400], write(() => series(20, 1, MIB))],
    [
      'a histogram of two million buckets',
      [400],
      write(() =>
        histogram({
          positiveSpans: [{ offset: 0, length: 2_000_000 }],
          positiveDeltas: [1, ...new Array(1_999_999).fill(0)],
        }),
      ),
    ],
    [
      'a histogram of a million spans',
      [400],
      write(() =>
        histogram({ positiveSpans: new Array(1_000_000).fill({ offset: 0, length: 0 }), positiveDeltas: [] }),
      ),
    ],
    ['16 million empty OTLP resources', [413], zipped('/api/v1/otlp/v1/metrics', () => twoBytes(0x0a, 0), OTLP)],
    [
      '20,000 OTLP points in one metric',
      [200],
      () => ({
        path: '/api/v1/otlp/v1/metrics',
        headers: OTLP,
        body: otlpRequestCodec.encode(points(20_000)).finish(),
      }),
    ],
    [
      '20,000 OTLP points as JSON',
      [200],
      plain('/api/v1/otlp/v1/metrics', () => JSON.stringify(points(20_000)), JSON_TYPE),
    ],
    [
      'OTLP JSON of 11 million objects',
      [400],
      zipped('/api/v1/otlp/v1/metrics', () => `{"resourceMetrics":[${'{},'.repeat(11_000_000)}{}]}`, JSON_TYPE),
    ],
    ['OTLP JSON that only opens', [400], plain('/api/v1/otlp/v1/metrics', () => '['.repeat(16 * MIB), JSON_TYPE)],
    ['gzip of a thousand to one', [413], zipped('/api/v1/import/prometheus', () => new Uint8Array(256 * MIB))],
    ['32 MiB of comments', [204], zipped('/api/v1/import/prometheus', () => '#\n'.repeat(16 * MIB - 1))],
    ['a line of 32 MiB', [400], zipped('/api/v1/import/prometheus', () => `a{x="${'y'.repeat(31 * MIB)}"} 1`)],
    [
      'a million HELP lines',
      [204],
      zipped('/api/v1/import/prometheus', () =>
        Array.from({ length: 1_000_000 }, (_, i) => `# HELP h${i} xxxxxxxx\n`).join(''),
      ),
    ],
    ['JSON lines that only open', [400], zipped('/api/v1/import', () => '['.repeat(31 * MIB))],
    [
      'a JSON line with a million labels',
      [400],
      zipped(
        '/api/v1/import',
        () =>
          `{"metric":{${Array.from({ length: 1_000_000 }, (_, i) => `"l${i}":""`).join()}},"values":[1],"timestamps":[1]}`,
      ),
    ],
    [
      'a JSON line of 50,000 samples',
      [204],
      zipped(
        '/api/v1/import',
        () =>
          `{"metric":{"__name__":"long"},"values":[${'1,'.repeat(49_999)}1],"timestamps":[${Array.from({ length: 50_000 }, (_, i) => nowMs - i).join()}]}`,
      ),
    ],
    ['Influx junk without an end', [400], zipped('/write', () => 'x'.repeat(31 * MIB))],
    ['remote read of 2 million queries', [400, 413], snappy('/api/v1/read', () => twoBytes(0x0a, 0, 4 * MIB - 2))],
    [
      'remote read of 100,000 queries',
      [400],
      snappy('/api/v1/read', () =>
        readRequestCodec
          .encode({ queries: new Array(100_000).fill({ startTimestampMs: 1, endTimestampMs: 2, matchers: [] }) })
          .finish(),
      ),
    ],
    [
      'an alternation of 600 patterns over all values',
      [200],
      query(`count({l0=~"${Array.from({ length: 600 }, (_, i) => `x${i}.*`).join('|')}"})`),
    ],
    [
      'patterns that other engines try for ever',
      [200],
      query('count({l0=~"(x+x+)+y"} or {l1=~"(.*.*.*=.*)"} or {l2=~"(a|aa)+b"})'),
    ],
    [
      'labels replaced three times over',
      [200, 422],
      query(`${'label_replace('.repeat(3)}bomb${', "a", "$1", "l0", "(.*)x")'.repeat(3)}`),
    ],
    [
      'every series, sorted',
      [200],
      () => ({
        path: '/api/v1/series',
        headers: FORM,
        body: `match[]=${encodeURIComponent('{__name__!=""}')}&match[]=bomb`,
      }),
    ],
    [
      '100 selectors',
      [200],
      () => ({
        path: '/api/v1/series',
        headers: FORM,
        body: new Array(100).fill(`match[]=${encodeURIComponent('{__name__=~".+m1"}')}`).join('&'),
      }),
    ],
    ['a megabyte of query', [400], query('1+'.repeat(300_000))],
  ]
  return list.map(([name, statuses, make]) => ({ name, statuses, make }))
}
