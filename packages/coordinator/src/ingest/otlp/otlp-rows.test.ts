import type { Labels } from '@varve/tsdb-core/model'
import { describe, expect, it } from 'vitest'
import { ProtobufReader } from '../protobuf-reader.js'
import { DeltaSums } from './delta-sums.js'
import { checkOtlpMessages, type OtlpRequest, otlpRequestCodec, parseOtlpJson } from './otlp-message.js'
import { prometheusMetricName } from './otlp-names.js'
import { type OtlpPart, partsOfMessage, partsOfProtobuf } from './otlp-parts.js'
import { OtlpTranslation } from './otlp-rows.js'

const T = '1700000000123456789'
const MS = 1_700_000_000_123
const text = (key: string, stringValue: string) => ({ key, value: { stringValue } })

const noPause = () => Promise.resolve()
const translated = (request: OtlpRequest | object) => translatedParts(partsOfMessage(request))

function translatedParts(parts: Iterable<OtlpPart>, refusesDeltas = false) {
  const rows: string[] = []
  const refused: string[] = []
  const families: string[] = []
  const exemplars: string[] = []
  const histograms: unknown[] = []
  const translation = new OtlpTranslation({
    row: ({ labels, timestampMs, value, histogram, stale }, delta) => {
      rows.push(
        `${labels} ${stale ? 'stale' : value}${timestampMs === MS ? '' : ` at ${timestampMs}`}${delta ? ' delta' : ''}`,
      )
      if (histogram) histograms.push(histogram)
    },
    exemplar: (labels: Labels, exemplar) => exemplars.push(`${labels} ${exemplar.labels} ${exemplar.value}`),
    metadata: (family, { type, unit }) => families.push(`${family} ${type} ${unit}`.trim()),
    refuse: (reason, metric) => refused.push(`${metric}: ${reason}`),
    refusesDeltas,
  })
  for (const part of parts) translation.add(part)
  return { rows, refused, families, exemplars, histograms }
}

const of = (metric: object, attributes: object[] = []) => ({
  resourceMetrics: [{ resource: { attributes }, scopeMetrics: [{ metrics: [metric] }] }],
})
const point = { timeUnixNano: T, asInt: '5' }

describe('OTLP names', () => {
  it.each([
    ['http.server.duration', { unit: 'ms' }, 'http_server_duration_milliseconds'],
    ['requests', { unit: '{request}', counter: true }, 'requests_total'],
    ['requests.total', { unit: '', counter: true }, 'requests_total'],
    ['network.io', { unit: 'By', counter: true }, 'network_io_bytes_total'],
    ['speed', { unit: 'm/s' }, 'speed_meters_per_second'],
    ['cpu.utilization', { unit: '1', gauge: true }, 'cpu_utilization_ratio'],
    ['memory.bytes', { unit: 'By' }, 'memory_bytes'],
    ['5xx', { unit: '' }, '_5xx'],
    ['flow', { unit: 'By/s/m' }, 'flow_bytes_per_s_m'],
    ['a--b::c', { unit: '' }, 'a_b::c'],
  ])('%s in %o is %s', (name, shape, wanted) => {
    expect(prometheusMetricName(name, { counter: false, gauge: false, ...shape })).toBe(wanted)
  })
})

describe('OTLP metrics', () => {
  it('makes job, instance and target_info of the resource', () => {
    const attributes = [
      text('service.name', 'api'),
      text('service.namespace', 'shop'),
      text('service.instance.id', 'i-1'),
      text('host.name', 'h'),
    ]
    const metric = {
      name: 'up.time',
      unit: 's',
      gauge: { dataPoints: [{ ...point, attributes: [text('a.b', 'x'), text('a_b', 'y')] }] },
    }
    expect(translated(of(metric, attributes)).rows).toEqual([
      'up_time_seconds{a_b="x;y", instance="i-1", job="shop/api"} 5',
      'target_info{host_name="h", instance="i-1", job="shop/api"} 1',
    ])
  })

  it('takes sums by their temporality', () => {
    const sum = (aggregationTemporality: number | string, isMonotonic: boolean) =>
      translated(of({ name: 'n', sum: { aggregationTemporality, isMonotonic, dataPoints: [point] } }))
    expect(sum(2, true).rows).toEqual(['n_total 5'])
    expect(sum('AGGREGATION_TEMPORALITY_CUMULATIVE', false).rows).toEqual(['n 5'])
    expect(sum(1, true).rows).toEqual(['n_total 5 delta'])
    expect(sum(0, true).refused).toEqual(['n_total: aggregation temporality is not given'])
  })

  it('lays histograms out in buckets, with exemplars', () => {
    const dataPoints = [
      {
        timeUnixNano: T,
        count: '6',
        sum: 12.5,
        bucketCounts: ['1', '2', '3'],
        explicitBounds: [0.5, 10],
        exemplars: [{ asDouble: 3, timeUnixNano: T, traceId: 'ab12' }],
      },
    ]
    const { rows, exemplars } = translated(
      of({ name: 'h', unit: 's', histogram: { aggregationTemporality: 2, dataPoints } }),
    )
    expect(rows).toEqual([
      'h_seconds_bucket{le="0.5"} 1',
      'h_seconds_bucket{le="10"} 3',
      'h_seconds_bucket{le="+Inf"} 6',
      'h_seconds_count 6',
      'h_seconds_sum 12.5',
    ])
    expect(exemplars).toEqual(['h_seconds_bucket{le="+Inf"} {trace_id="ab12"} 3'])
  })

  it('writes bounds as Go does, and makes no buckets of bounds without counts', () => {
    const histogram = (dataPoint: object) =>
      translated(
        of({ name: 'h', histogram: { aggregationTemporality: 2, dataPoints: [{ timeUnixNano: T, ...dataPoint }] } }),
      ).rows
    const bounds = [1e-7, 2.5e-10, 1, 1.5e21, 1.5e-9]
    expect(histogram({ count: 5, explicitBounds: bounds, bucketCounts: [1, 0, 0, 0, 0, 4] }).slice(0, 5)).toEqual([
      'h_bucket{le="0.0000001"} 1',
      'h_bucket{le="0.00000000025"} 1',
      'h_bucket{le="1"} 1',
      'h_bucket{le="1500000000000000000000"} 1',
      'h_bucket{le="0.0000000015"} 1',
    ])
    expect(histogram({ count: 5, explicitBounds: [1, 2], bucketCounts: [] })).toEqual([
      'h_bucket{le="+Inf"} 5',
      'h_count 5',
    ])
  })

  it('counts a refused delta as the one data point that it is', () => {
    const dataPoints = [{ timeUnixNano: T, count: 3, bucketCounts: [1, 1, 1], explicitBounds: [1, 2] }]
    const parts = partsOfMessage(of({ name: 'h', histogram: { aggregationTemporality: 1, dataPoints } }))
    const { rows, refused } = translatedParts(parts, true)
    expect([rows, refused]).toEqual([[], ['h: delta temporality is not accepted']])
  })

  it.each([
    ['asDouble', { asDouble: 'twelve' }],
    ['asInt', { asInt: {} }],
    ['asInt', { asInt: '12 ' }],
    ['timeUnixNano', { timeUnixNano: 'now' }],
    ['asDouble', { asDouble: true }],
  ])('a JSON point whose %s is no number has not the shape of a request', (key, fields) => {
    const request = of({ name: 'g', gauge: { dataPoints: [{ ...point, ...fields }] } })
    expect(() => translated(request)).toThrowError(new RegExp(`"${key}" has not the shape`))
  })

  it('takes the numbers that JSON has not as texts', () => {
    const dataPoints = ['NaN', 'Infinity', '-Infinity', '1e3', 2].map((asDouble) => ({ timeUnixNano: T, asDouble }))
    expect(translated(of({ name: 'g', gauge: { dataPoints } })).rows).toEqual(
      ['NaN', 'Infinity', '-Infinity', '1000', '2'].map((value) => `g ${value}`),
    )
  })

  it('refuses an exponential histogram whose buckets lie nowhere', () => {
    const dataPoints = [{ timeUnixNano: T, count: 1, scale: 0, positive: { offset: 1e300, bucketCounts: [1] } }]
    const metric = { name: 'h', exponentialHistogram: { aggregationTemporality: 2, dataPoints } }
    expect(translated(of(metric)).refused).toEqual(['h: exponential histogram whose offset is no 32-bit number'])
  })

  it('makes native histograms of exponential ones', () => {
    const dataPoints = [
      {
        timeUnixNano: T,
        count: '7',
        sum: 9,
        scale: 3,
        zeroCount: '1',
        positive: { offset: -2, bucketCounts: ['0', '4', '0', '2', '0'] },
        negative: { offset: 0, bucketCounts: [] },
      },
    ]
    const { histograms } = translated(
      of({ name: 'e', exponentialHistogram: { aggregationTemporality: 2, dataPoints } }),
    )
    expect(histograms).toMatchObject([
      {
        schema: 3,
        count: 7,
        zeroCount: 1,
        integer: true,
        positiveSpans: [{ offset: 0, length: 3 }],
        positiveBuckets: Float64Array.of(4, 0, 2),
        negativeSpans: [],
      },
    ])
  })

  it('marks points without a value as stale', () => {
    expect(translated(of({ name: 'g', gauge: { dataPoints: [{ ...point, flags: 1 }] } })).rows).toEqual(['g stale'])
  })

  it('reads protobuf and JSON alike', async () => {
    const request = of(
      {
        name: 's',
        summary: { dataPoints: [{ timeUnixNano: T, count: 3, sum: 6, quantileValues: [{ quantile: 0.5, value: 2 }] }] },
      },
      [text('service.name', 'x')],
    )
    const wanted = ['s{job="x", quantile="0.5"} 2', 's_sum{job="x"} 6', 's_count{job="x"} 3']
    const bytes = otlpRequestCodec.encode(request).finish()
    expect(translatedParts(partsOfProtobuf(bytes)).rows.map((row) => row.replace(/ at \d+$/, ''))).toEqual(wanted)
    expect(translated(await parseOtlpJson(JSON.stringify(request), noPause)).rows).toEqual(wanted)
  })

  it.each([
    { resourceMetrics: [null] },
    { resourceMetrics: [{ scopeMetrics: [7] }] },
    { resourceMetrics: [{ scopeMetrics: [{ metrics: [null] }] }] },
    { resourceMetrics: [{ resource: { attributes: [null] }, scopeMetrics: [] }] },
    of({ name: 5, gauge: { dataPoints: [point] } }),
    of({ name: 'g', gauge: { dataPoints: [null] } }),
    of({ name: 'g', gauge: { dataPoints: [{ ...point, attributes: [{ key: 1 }] }] } }),
    of({ name: 'g', gauge: { dataPoints: [{ ...point, attributes: {} }] } }),
    of({
      name: 'h',
      histogram: { aggregationTemporality: 2, dataPoints: [{ bucketCounts: [{}], explicitBounds: [] }] },
    }),
    of({ name: 'g', gauge: { dataPoints: [{ ...point, exemplars: ['x'] }] } }),
  ])('refuses JSON of another shape by name: %j', (request) => {
    expect(() => translated(request)).toThrowError(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('has not the shape') }),
    )
  })

  it('cut into parts says what it says whole', () => {
    const points = (count: number, more: object = {}) =>
      Array.from({ length: count }, (_, i) => ({
        timeUnixNano: 1_700_000_000_000_000_000 + i * 1e6,
        asDouble: i,
        attributes: [text('k', `${i}`.padStart(200, 'x'))],
        ...more,
      }))
    const request = {
      resourceMetrics: [
        {
          resource: { attributes: [text('service.name', 'a'), text('host.name', 'h')] },
          scopeMetrics: [
            { metrics: [{ name: 'g', gauge: { dataPoints: points(1_700) } }, { name: 'nothing' }] },
            {
              metrics: [{ name: 'c', sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: points(900) } }],
            },
          ],
        },
        { scopeMetrics: [{ metrics: [{ name: 'other', gauge: { dataPoints: points(2) } }] }] },
      ],
    }
    const bytes = otlpRequestCodec.encode(request).finish()
    const parts = [...partsOfProtobuf(bytes)]
    expect(parts.length).toBeGreaterThan(10)
    const wanted = translated(otlpRequestCodec.decode(bytes))
    expect(wanted.rows).toHaveLength(1_700 + 900 + 2 + 1)
    expect(wanted.rows.filter((row) => row.includes('target_info'))).toHaveLength(1)
    expect(translatedParts(parts).rows).toEqual(wanted.rows)
    expect(translatedParts(parts).refused).toEqual(wanted.refused)
    // The resource may stand behind its metrics.
    const [resource, ...rest] = fieldsOf(bytes.subarray(0))
    expect(rest).toHaveLength(1)
    const inner = fieldsOf(resource.content)
    const turned = Buffer.concat([...inner.reverse().map(({ whole }) => whole)])
    const message = Buffer.concat([Uint8Array.from([0x0a, ...varint(turned.length)]), turned])
    expect(translatedParts(partsOfProtobuf(message)).rows).toContain(
      wanted.rows.find((row) => row.startsWith('target')),
    )
  })

  it.each([
    ['a label value', of({ name: 'g', gauge: { dataPoints: [{ ...point, attributes: [text('a', 'mark')] }] } })],
    ['a label name', of({ name: 'g', gauge: { dataPoints: [{ ...point, attributes: [text('mark', 'a')] }] } })],
    [
      'a value in a list',
      of({ name: 'g', gauge: { dataPoints: [point] } }, [
        { key: 'k', value: { arrayValue: { values: [{ stringValue: 'mark' }] } } },
      ]),
    ],
    [
      'an exemplar',
      of({
        name: 'g',
        gauge: { dataPoints: [{ ...point, exemplars: [{ filteredAttributes: [text('a', 'mark')] }] }] },
      }),
    ],
    ['a metric', of({ name: 'mark', gauge: { dataPoints: [point] } })],
  ])('refuses bytes that are not UTF-8 in %s', async (_, request) => {
    const bytes = Buffer.from(otlpRequestCodec.encode(request as never).finish())
    await checkOtlpMessages(bytes, noPause)
    const at = bytes.indexOf('mark')
    bytes[at] = 0xff
    await expect(checkOtlpMessages(bytes, noPause)).rejects.toThrowError(`the text at byte ${at} is not UTF-8`)
  })

  it('refuses what would fill the memory, and what is nested without end', async () => {
    const bomb = new Uint8Array(4_000_000).map((_, i) => (i % 2 === 0 ? 0x0a : 0))
    await expect(checkOtlpMessages(bomb, noPause)).rejects.toThrowError(expect.objectContaining({ code: 'TOO_LARGE' }))
    let value: Uint8Array = new Uint8Array(0)
    const wrap = (tag: number, inner: Uint8Array) => Uint8Array.from([tag, ...varint(inner.length), ...inner])
    for (let i = 0; i < 100; i++) value = wrap(0x2a, wrap(0x0a, value))
    const request = wrap(0x0a, wrap(0x0a, wrap(0x0a, wrap(0x12, value))))
    await expect(checkOtlpMessages(request, noPause)).rejects.toThrowError(/nested too deep/)
    await expect(parseOtlpJson('[1]', noPause)).rejects.toThrowError(/JSON object/)
    const wide = {
      name: 'h',
      exponentialHistogram: { dataPoints: [{ positive: { bucketCounts: Array(300_000).fill(1) } }] },
    }
    const large = otlpRequestCodec.encode(of(wide)).finish()
    expect(() => [...partsOfProtobuf(large)]).toThrowError(expect.objectContaining({ code: 'TOO_LARGE' }))
  })
})

/** The fields of a message that all have a length. */
function fieldsOf(bytes: Uint8Array): { content: Uint8Array; whole: Uint8Array }[] {
  const fields: { content: Uint8Array; whole: Uint8Array }[] = []
  const reader = new ProtobufReader(bytes)
  for (let from = 0; reader.next(); from = reader.at) {
    const { at, end } = reader.span()
    fields.push({ content: bytes.slice(at, end), whole: bytes.slice(from, end) })
  }
  return fields
}

describe('DeltaSums', () => {
  it('adds up, keeps the first start, takes a repetition once, and refuses what is older', () => {
    const sums = new DeltaSums()
    const { rows } = translated(of({ name: 'd', sum: { aggregationTemporality: 1, dataPoints: [point] } }))
    expect(rows).toHaveLength(1)
    const labels = { key: 'd' } as Labels
    expect(sums.add(labels, { value: 2, timestampMs: 10, startMs: 5 })).toEqual({ total: 2, startMs: 5 })
    expect(sums.add(labels, { value: 3, timestampMs: 20, startMs: 10 })).toEqual({ total: 5, startMs: 5 })
    expect(sums.add(labels, { value: 3, timestampMs: 20, startMs: 10 }), 'repeated').toEqual({ total: 5, startMs: 5 })
    expect(sums.add(labels, { value: 4, timestampMs: 20, startMs: 10 })).toBeNull()
    expect(sums.add(labels, { value: 2, timestampMs: 10, startMs: 5 })).toBeNull()
    expect(sums.add(labels, { value: 1, timestampMs: 30, startMs: 20 })).toEqual({ total: 6, startMs: 5 })
  })
})

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)]
}
