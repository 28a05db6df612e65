import { type Histogram, Labels } from '@varve/tsdb-core/model'
import { describe, expect, it } from 'vitest'
import { protobufExposition, wantsProtobuf } from './federate-protobuf.js'

const PROTOBUF = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited'

describe('the form that a scraper asks for', () => {
  it.each([
    [`${PROTOBUF},application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5,*/*;q=0.1`, true],
    [`application/openmetrics-text;version=1.0.0,${PROTOBUF};q=0.3,text/plain;q=0.2`, false],
    ['application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1', false],
    ['application/vnd.google.protobuf;proto=another.Message;encoding=delimited', false],
    ['*/*', false],
    [undefined, false],
  ])('%s', (accept, wanted) => {
    expect(wantsProtobuf(accept)).toBe(wanted)
  })
})

const histogram: Histogram = {
  schema: 1,
  zeroThreshold: 0,
  zeroCount: 1,
  count: 3,
  sum: 3,
  counterResetHint: 'unknown',
  positiveSpans: [{ offset: -1, length: 1 }],
  negativeSpans: [],
  positiveBuckets: Float64Array.of(2),
  negativeBuckets: new Float64Array(0),
  customValues: new Float64Array(0),
  stale: false,
  integer: true,
}

async function exposed(...samples: { name: string; value?: number; histogram?: Histogram }[]): Promise<string[]> {
  const given = samples.map(({ name, value = 0, histogram }) => {
    const labels = Labels.from({ __name__: name, a: 'b' })
    return histogram === undefined ? { labels, value, timestampMs: 5 } : { labels, value, timestampMs: 5, histogram }
  })
  const messages: string[] = []
  const pause = () => Promise.resolve()
  for await (const part of protobufExposition(given, ({ labels }) => [...labels], pause)) {
    messages.push(Buffer.from(part).toString('hex'))
  }
  return messages
}

describe('delimited messages', () => {
  // By hand: MetricFamily{1 name, 3 type, 4 Metric{1 LabelPair, 5 Untyped, 6 timestamp, 7 Histogram}}.
  const label = '0a060a0161120162'
  it('hold floats as untyped, and histograms with the sign of what they count', async () => {
    expect(await exposed({ name: 'f', value: 2 })).toEqual([`1c0a016618032215${label}2a090900000000000000403005`])
    const [family] = await exposed({ name: 'h', histogram })
    // Count 3, sum 3, schema 1, zero count 1, the span {offset -1, length 1}, and its bucket 2 as a delta.
    expect(family).toContain(['0803', '110000000000000840', '2802', '3801', '620408011001', '6a0104'].join(''))
  })

  it('are one for each run of one name and kind; what has no form is left out', async () => {
    const custom = { ...histogram, schema: -53, customValues: Float64Array.of(1) }
    const gauge: Histogram = { ...histogram, counterResetHint: 'gauge' }
    const families = await exposed(
      { name: 'a', histogram },
      { name: 'a', histogram },
      { name: 'a', histogram: gauge },
      { name: 'b', histogram: custom },
      { name: 'c', value: 1 },
    )
    expect(families.map((family) => family.slice(family.indexOf('0a01') + 4).slice(0, 6))).toEqual([
      '611804',
      '611805',
      '631803',
    ])
  })
})
