/**
 * Random native histograms over HTTP: remote write 1.0 and 2.0 in, remote read of both response types out, and lines of
 * JSON out and in again, every bit the same. `VARVE_HISTOGRAMS=1000000 npm test -- random-histograms` is the long run.
 */
import { type Histogram, halvesOf, isStaleAt } from '@varve/tsdb-core/model'
import { RandomHistogramSeries } from '@varve/tsdb-core/testing'
import { expect, it } from 'vitest'
import { decodeReadResponse } from './fanout/read-response.js'
import { decodeHistogramChunk } from './prometheus-chunk/histogram-chunk.js'
import { writeHistogram } from './proto/histogram-message.js'
import { chunkedReadResponseCodec, readRequestCodec, writeRequestV2Codec } from './proto/messages.js'
import { ProtobufWriter } from './proto/protobuf-writer.js'
import { decodeSnappy, encodeSnappy } from './snappy/index.js'
import { seeded } from './testing/seeded.js'
import { startCoordinator, type TestCoordinator } from './testing/start-coordinator.js'

const COUNT = Number(process.env.VARVE_HISTOGRAMS ?? 3_000)
const SEED = Number(process.env.SEED ?? 1)
/** So many for one server: its open block holds them as objects. */
const PER_ROUND = 50_000
const PER_SERIES = 250
const START_MS = Math.floor(Date.now() / 7_200_000) * 7_200_000 - 3_600_000
const STEP_MS = 10_000

interface Series {
  readonly number: string
  readonly histograms: Histogram[]
  readonly startTimestampsMs: number[]
}

it(`${COUNT} histograms go in by both versions and come out in both forms bit for bit (SEED=${SEED})`, async () => {
  const random = seeded(SEED)
  for (let done = 0; done < COUNT; done += PER_ROUND) {
    const store = await startCoordinator({ yaml: 'self_scrape: off' })
    const copy = await startCoordinator({ yaml: 'self_scrape: off' })
    try {
      for (let first = done; first < Math.min(COUNT, done + PER_ROUND); first += PER_SERIES) {
        const source = new RandomHistogramSeries(random.u32, ['unknown', 'gauge'])
        const drawn = Array.from({ length: Math.min(PER_SERIES, COUNT - first) }, () => source.next())
        const series: Series = {
          number: String(first),
          histograms: drawn.map(({ histogram }) => histogram),
          startTimestampsMs: drawn.map(({ startTimestampMs }) => startTimestampMs),
        }
        await write(store, (first / PER_SERIES) % 2 === 0 ? 1 : 2, series)
        await expectSamples(store, series)
        await expectChunks(store, series)
        await expectSamples(await copyOf(store, copy, series), series)
      }
    } finally {
      await copy.stop()
      await store.stop()
    }
  }
}, 1_800_000)

async function write(store: TestCoordinator, version: 1 | 2, series: Series): Promise<void> {
  const out = new ProtobufWriter()
  if (version === 1) {
    out.message(1, () => {
      for (const [name, value] of [
        ['__name__', 'h'],
        ['n', series.number],
      ]) {
        out.message(1, () => {
          out.text(1, name)
          out.text(2, value)
        })
      }
      writeHistograms(out, 4, series, false)
    })
  } else {
    const symbols = ['', '__name__', 'h', 'n', series.number]
    for (const symbol of symbols) out.text(4, symbol)
    const labels = writeRequestV2Codec.encode({ timeseries: [{ labelsRefs: [1, 2, 3, 4] }] }).finish()
    // The series' message without its frame, then its histograms.
    out.message(5, () => {
      out.bytes(1, labels.subarray(4))
      writeHistograms(out, 3, series, true)
    })
  }
  const message = version === 1 ? '' : ';proto=io.prometheus.write.v2.Request'
  const response = await fetch(`${store.url}/api/v1/write`, {
    method: 'POST',
    headers: { 'Content-Type': `application/x-protobuf${message}`, 'Content-Encoding': 'snappy' },
    body: encodeSnappy(out.finish()) as Uint8Array<ArrayBuffer>,
  })
  expect(response.status, await response.text()).toBeLessThan(300)
}

/** What the store exports as lines, in the other one. */
async function copyOf(store: TestCoordinator, copy: TestCoordinator, series: Series): Promise<TestCoordinator> {
  const lines = await fetch(`${store.url}/api/v1/export?match[]=h{n="${series.number}"}`)
  const imported = await fetch(`${copy.url}/api/v1/import`, { method: 'POST', body: await lines.text() })
  expect(imported.status, await imported.text()).toBe(204)
  return copy
}

function writeHistograms(out: ProtobufWriter, field: number, series: Series, withStart: boolean): void {
  series.histograms.forEach((histogram, i) => {
    out.message(field, () => {
      writeHistogram(out, histogram, START_MS + i * STEP_MS)
      if (withStart) out.int64(17, series.startTimestampsMs[i])
    })
  })
}

async function read(store: TestCoordinator, series: Series, responseType: 0 | 1): Promise<Uint8Array> {
  const matchers = [
    { type: 0, name: '__name__', value: 'h' },
    { type: 0, name: 'n', value: series.number },
  ]
  const query = { matchers, startTimestampMs: START_MS, endTimestampMs: START_MS + PER_SERIES * STEP_MS }
  const body = readRequestCodec.encode({ queries: [query], acceptedResponseTypes: [responseType] }).finish()
  const response = await fetch(`${store.url}/api/v1/read`, {
    method: 'POST',
    body: encodeSnappy(body) as Uint8Array<ArrayBuffer>,
  })
  expect(response.status).toBe(200)
  return new Uint8Array(await response.arrayBuffer())
}

async function expectSamples(store: TestCoordinator, series: Series): Promise<void> {
  const [found] = decodeReadResponse(decodeSnappy(await read(store, series, 0), 1 << 28))
  expect([...found.timestampsMs]).toEqual(series.histograms.map((_, i) => START_MS + i * STEP_MS))
  expectSame(found.histograms as Histogram[], series.histograms)
}

async function expectChunks(store: TestCoordinator, series: Series): Promise<void> {
  const frame = await read(store, series, 1)
  let at = 0
  while (frame[at++] >= 0x80);
  const { chunkedSeries } = chunkedReadResponseCodec.decode(frame.subarray(at + 4))
  const found: Histogram[] = []
  for (const { type, data } of chunkedSeries[0].chunks) found.push(...decodeHistogramChunk(type, data).histograms)
  // A chunk tells of gauges, and else what lies before a histogram, which the store does not.
  const plain = found.map((histogram): Histogram => {
    if (histogram.stale) return { ...histogram, schema: 0, zeroThreshold: 0, customValues: new Float64Array(0) }
    return histogram.counterResetHint === 'gauge' ? histogram : { ...histogram, counterResetHint: 'unknown' }
  })
  expectSame(
    plain.map((histogram, i) => {
      // Markers are written into the chunk at hand, of whatever kind that is.
      const { counterResetHint, integer } = series.histograms[i]
      return histogram.stale ? { ...histogram, counterResetHint, integer } : histogram
    }),
    series.histograms,
  )
}

function expectSame(given: readonly Histogram[], wanted: readonly Histogram[]): void {
  expect(given.length).toBe(wanted.length)
  for (let i = 0; i < wanted.length; i++) {
    if (fingerprint(given[i]) !== fingerprint(wanted[i])) expect(given[i]).toEqual(wanted[i])
  }
}

/** All that is in a histogram, numbers by their bits; which bits a NaN has is not told, but for the staleness marker. */
function fingerprint(histogram: Histogram): string {
  const { schema, counterResetHint, stale, integer, positiveSpans, negativeSpans } = histogram
  const { zeroThreshold, zeroCount, count, sum, positiveBuckets, negativeBuckets, customValues } = histogram
  const numbers = Float64Array.of(
    zeroThreshold,
    zeroCount,
    count,
    Number.isNaN(sum) ? Number.NaN : sum,
    ...positiveBuckets,
    ...negativeBuckets,
    ...customValues,
  )
  const isStale = stale || isStaleAt(halvesOf(Float64Array.of(sum)), 0)
  const spans = [positiveSpans, negativeSpans].map((list) => list.map(({ offset, length }) => `${offset} ${length}`))
  return [
    schema,
    counterResetHint,
    isStale,
    integer,
    spans.join('|'),
    Buffer.from(numbers.buffer).toString('latin1'),
  ].join(';')
}
