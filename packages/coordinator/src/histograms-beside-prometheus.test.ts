/**
 * Native histograms beside a real Prometheus: the same samples in both, then the same answers, from queries and remote read;
 * its blocks imported, our remote read merged in by another of ours, and our federation scraped by another one.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Prometheus } from '@varve/end-to-end'
import { nodeEnv } from '@varve/tsdb-core/env/node'
import type { Histogram } from '@varve/tsdb-core/model'
import { openTemporaryDatabase } from '@varve/tsdb-core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeReadResponse } from './fanout/read-response.js'
import { importPrometheusBlocks } from './import/import-blocks.js'
import { decodeHistogramChunk } from './prometheus-chunk/histogram-chunk.js'
import { chunkedReadResponseCodec, readRequestCodec } from './proto/messages.js'
import { seriesOf } from './remote-read/batch-series.js'
import { decodeSnappy, encodeSnappy } from './snappy/index.js'
import { startCoordinator, type TestCoordinator } from './testing/start-coordinator.js'
import { hasPrometheus } from './testing/start-prometheus.js'
import { bodyV1, type TestSeries } from './testing/write-bodies.js'

const STEP_MS = 15_000
const COUNT = 120
const END_MS = Math.floor(Date.now() / STEP_MS) * STEP_MS - 30_000
const START_MS = END_MS - (COUNT - 1) * STEP_MS
const FLAGS = ['--web.enable-remote-write-receiver', '--web.enable-admin-api', '--enable-feature=native-histograms']

interface Answer {
  readonly data: { readonly resultType: string; readonly result: Series[] }
  readonly warnings?: string[]
}
interface Series {
  readonly metric: Record<string, string>
  readonly values?: [number, string][]
  readonly histograms?: [number, JsonHistogram][]
  readonly value?: [number, string]
  readonly histogram?: [number, JsonHistogram]
}
interface JsonHistogram {
  readonly count: string
  readonly sum: string
  readonly buckets?: [number, string, string, string][]
}

describe.skipIf(!hasPrometheus)(`a real Prometheus${hasPrometheus ? '' : ' (skipped: it is not installed)'}`, () => {
  let directory: string
  let prometheus: Prometheus
  let scraper: Prometheus
  let store: TestCoordinator
  let front: TestCoordinator

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'varve-histograms-beside-'))
    store = await startCoordinator({ yaml: 'self_scrape: off' })
    prometheus = await Prometheus.start({ directory, config: '', flags: FLAGS })
    const url = `http://${prometheus.address}`
    front = await startCoordinator({
      // Not of Prometheus 2.42, which leaves histograms out of the form that is asked for.
      yaml: `self_scrape: off\nremote_read: [{ name: store, url: "${store.url}/api/v1/read" }]`,
    })
    const series = generated()
    for (let from = 0; from < COUNT; from += 20) {
      const part = series.map(({ labels, samples, histograms = [] }) => ({
        labels,
        samples: samples.filter(({ timestamp }) => isWithin(timestamp, from, from + 20)),
        histograms: histograms.filter((one) => isWithin((one as { timestamp: number }).timestamp, from, from + 20)),
      }))
      for (const target of [url, store.url]) await write(target, part)
    }
    const scraped = await mkdtemp(join(directory, 'scraper-'))
    scraper = await Prometheus.start({
      directory: scraped,
      config: `scrape_configs:
  - job_name: federate
    honor_labels: true
    metrics_path: /federate
    params: { 'match[]': ['{__name__=~"growing|gauge|floats"}'] }
    static_configs: [{ targets: ["${new URL(store.url).host}"] }]
`,
      flags: FLAGS,
    })
  }, 60_000)
  afterAll(async () => {
    await scraper?.kill()
    await prometheus?.kill()
    await front?.stop()
    await store?.stop()
    await rm(directory, { recursive: true, force: true })
  })

  // Between samples, since Prometheus 2.42 counts one at the very start of a range, and where its rate does not reach zero.
  const range = { start: String((START_MS + 607_000) / 1000), end: String((END_MS - 1000) / 1000), step: '45' }

  test.each([
    'growing',
    'resetting',
    'coarser',
    'gauge',
    'ending',
    'rate(growing[5m])',
    'increase(growing[3m])',
    'rate(resetting[5m])',
    'increase(coarser[4m])',
    'delta(gauge[2m])',
    'sum by (part) (rate(growing[5m]))',
    'sum by (part) (growing)',
    'count by (part) ({__name__=~"growing|floats"})',
    'histogram_count(growing)',
    'histogram_sum(rate(growing[5m]))',
    'histogram_fraction(-Inf, +Inf, growing)',
    'growing + on (part) coarser',
    'count_over_time(growing[5m])',
    'present_over_time(ending[2m])',
    'absent(growing)',
    'growing offset 2m',
    `growing @ ${(START_MS + 900_500) / 1000}`,
    'rate(growing[5m:15s])',
    'histogram_count(mixed)',
    'rate(mixed[1m])',
    'timestamp(growing)',
  ])('answers %s alike', async (query) => {
    const theirs = await ask(`http://${prometheus.address}`, 'query_range', { query, ...range })
    const ours = await ask(store.url, 'query_range', { query, ...range })
    expectClose(ours.data.result, theirs.data.result)
    if (query !== 'absent(growing)') expect(theirs.data.result.length).toBeGreaterThan(0)
    const merged = await ask(front.url, 'query_range', { query, ...range })
    expectClose(merged.data.result, theirs.data.result)
    expect(merged.warnings).toEqual(ours.warnings)
  })

  test('remote read gives the same samples', async () => {
    for (const name of ['growing', 'resetting', 'coarser', 'gauge', 'ending', 'mixed']) {
      const theirs = await chunks(`http://${prometheus.address}`, name)
      expect(theirs.length).toBeGreaterThanOrEqual(COUNT / 2)
      expect(await chunks(store.url, name), name).toEqual(theirs)
      const ours = await samples(store.url, name)
      expect(
        ours.filter(([, sample]) => typeof sample !== 'number'),
        name,
      ).toEqual(theirs)
    }
  })

  test('its blocks hold the same samples, imported', async () => {
    const snapshot = await fetch(`http://${prometheus.address}/api/v1/admin/tsdb/snapshot`, { method: 'POST' })
    const text = await snapshot.text()
    expect(snapshot.status, text).toBe(200)
    const { data } = JSON.parse(text) as { data: { name: string } }
    const temporary = await openTemporaryDatabase({ nowMs: Date.now() })
    try {
      const namespace = temporary.database.namespace('default')
      const blocks = { files: nodeEnv().files, directory: `${directory}/data/snapshots/${data.name}`, namespace }
      const first = await importPrometheusBlocks(blocks)
      expect(first).toMatchObject({ rejectedCount: 0 })
      // Again, and the same sent by remote write: nothing contradicts what is there.
      expect(await importPrometheusBlocks(blocks)).toMatchObject({ rejectedCount: 0 })
      for (const name of ['growing', 'resetting', 'coarser', 'gauge', 'ending']) {
        const matchers = [{ name: '__name__', operator: '=' as const, value: name }]
        const { symbols, batches } = await namespace.select({ matchers, startMs: START_MS, endMs: END_MS + 1 })
        const found: unknown[] = []
        for await (const batch of batches) {
          for (let i = 0; i < batch.seriesCount; i++) {
            const series = seriesOf(batch, symbols, i)
            series.timestampsMs.forEach((timeMs, k) => {
              const histogram = series.histogramAt(k)
              found.push([timeMs, histogram === undefined ? series.values[k] : plain(histogram)])
            })
          }
        }
        expect(found, name).toEqual(await samples(store.url, name))
      }
    } finally {
      await temporary.remove()
    }
  })

  test('another one scrapes our federation', async () => {
    const newest = async (url: string, name: string) => {
      const { data } = await ask(url, 'query', { query: name, time: String(END_MS / 1000 + 1) })
      return data.result.map(({ metric, value, histogram }) => [metric, value?.[1] ?? histogram?.[1]])
    }
    for (const name of ['growing', 'gauge', 'floats']) {
      const ours = await newest(store.url, name)
      expect(ours.length).toBeGreaterThan(0)
      await expect
        .poll(() => newest(`http://${scraper.address}`, name), { timeout: 15_000 })
        .toEqual(ours.map(([metric, value]) => [{ ...(metric as object), job: 'federate' }, value]))
    }
  })
})

/** A counter that grows new buckets, one with resets, one whose schema gets coarser, a gauge, one that ends, both kinds. */
function generated(): TestSeries[] {
  const times = Array.from({ length: COUNT }, (_, i) => START_MS + i * STEP_MS)
  const counter = (name: string, histograms: object[], samples: TestSeries['samples'] = []): TestSeries => ({
    labels: [
      ['__name__', name],
      ['instance', 'a'],
      ['part', 'x'],
    ],
    samples,
    histograms,
  })
  // Enough from the start that a rate does not reach back to where it was zero.
  const base = 1e6
  const growing = times.map((timestamp, i) => integer(timestamp, 3, -5, buckets(5 + Math.floor(i / 12), base + i * 17)))
  const resetting = times.map((timestamp, i) => integer(timestamp, 2, 1, buckets(6, base + (i % 37) * 29)))
  const coarser = times.map((timestamp, i) => integer(timestamp, i < 60 ? 3 : 2, -2, buckets(7, base + i * 11)))
  // One that only rises: of others, Prometheus 2.42 fails to write a block.
  const gauge = times.map((timestamp, i) =>
    float(
      timestamp,
      buckets(5, 50 + i).map((count) => count / 8),
    ),
  )
  const ending = times.map((timestamp, i) =>
    i === 50 || i === 90 ? { countInt: 0, zeroCountInt: 0, sum: STALE[0], timestamp } : growing[i],
  )
  // In turns: Prometheus 2.42 takes the floats of a request before its histograms.
  const isFloat = (i: number) => Math.floor(i / 20) % 2 === 0
  const mixed = growing.filter((_, i) => !isFloat(i))
  const floats = times.map((timestamp, i) => ({ timestamp, value: i * 3 }))
  return [
    counter('growing', growing),
    counter('resetting', resetting),
    counter('coarser', coarser),
    counter('gauge', gauge),
    counter('ending', ending),
    counter(
      'mixed',
      mixed,
      floats.filter((_, i) => isFloat(i)),
    ),
    counter('floats', [], floats),
  ]
}

const STALE = new Float64Array(BigUint64Array.of(0x7ff0_0000_0000_0002n).buffer)

function buckets(count: number, base: number): number[] {
  return Array.from({ length: count }, (_, k) => Math.floor(base / (k + 1)) * (1 + (k % 3)))
}

function integer(timestamp: number, schema: number, offset: number, counts: number[]): object {
  const zeroCountInt = 7
  return {
    countInt: counts.reduce((sum, count) => sum + count, zeroCountInt),
    zeroCountInt,
    sum: counts[0] / 3,
    schema,
    zeroThreshold: 2 ** -128,
    positiveSpans: [
      { offset, length: 2 },
      { offset: 1, length: counts.length - 2 },
    ],
    positiveDeltas: counts.map((count, k) => (k === 0 ? count : count - counts[k - 1])),
    timestamp,
  }
}

function float(timestamp: number, counts: number[]): object {
  return {
    countFloat: counts.reduce((sum, count) => sum + count, 0.5),
    zeroCountFloat: 0.5,
    sum: -counts[0],
    schema: 0,
    zeroThreshold: 0.001,
    negativeSpans: [{ offset: 1, length: counts.length }],
    negativeCounts: counts,
    resetHint: 3,
    timestamp,
  }
}

function isWithin(timeMs: number, from: number, to: number): boolean {
  return timeMs >= START_MS + from * STEP_MS && timeMs < START_MS + to * STEP_MS
}

async function write(url: string, series: TestSeries[]): Promise<void> {
  const response = await fetch(`${url}/api/v1/write`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' },
    body: encodeSnappy(bodyV1(series)) as Uint8Array<ArrayBuffer>,
  })
  expect(response.status, await response.text()).toBeLessThan(300)
}

async function ask(url: string, path: string, parameters: Record<string, string>): Promise<Answer> {
  const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`)
  const text = await response.text()
  expect(response.status, text).toBe(200)
  return JSON.parse(text) as Answer
}

async function read(url: string, name: string, responseType: 0 | 1): Promise<Uint8Array> {
  const matchers = [{ type: 0, name: '__name__', value: name }]
  const query = { matchers, startTimestampMs: START_MS, endTimestampMs: END_MS }
  const body = readRequestCodec.encode({ queries: [query], acceptedResponseTypes: [responseType] }).finish()
  const response = await fetch(`${url}/api/v1/read`, {
    method: 'POST',
    body: encodeSnappy(body) as Uint8Array<ArrayBuffer>,
  })
  const bytes = new Uint8Array(await response.arrayBuffer())
  expect(response.status, Buffer.from(bytes).toString()).toBe(200)
  return bytes
}

async function samples(url: string, name: string): Promise<[number, unknown][]> {
  const found: [number, unknown][] = []
  for (const { timestampsMs, values, histograms } of decodeReadResponse(
    decodeSnappy(await read(url, name, 0), 1 << 28),
  )) {
    timestampsMs.forEach((timeMs, k) => {
      const histogram = histograms?.[k]
      found.push([timeMs, histogram === undefined ? values[k] : plain(histogram)])
    })
  }
  return found
}

async function chunks(url: string, name: string): Promise<unknown[]> {
  const frame = await read(url, name, 1)
  const found: unknown[] = []
  for (let at = 0; at < frame.length; ) {
    let length = 0
    for (let shift = 0; ; shift += 7) {
      length |= (frame[at] & 0x7f) << shift
      if (frame[at++] < 0x80) break
    }
    const { chunkedSeries } = chunkedReadResponseCodec.decode(frame.subarray(at + 4, at + 4 + length))
    at += 4 + length
    for (const { chunks: list } of chunkedSeries) {
      for (const { type, data } of list) {
        if (type === 1) continue
        const { timestampsMs, histograms } = decodeHistogramChunk(type, data)
        // Prometheus sends whole chunks, also of what lies before the range.
        histograms.forEach((histogram, k) => {
          if (timestampsMs[k] >= START_MS && timestampsMs[k] <= END_MS) found.push([timestampsMs[k], plain(histogram)])
        })
      }
    }
  }
  return found
}

/** Layouts written out, and no reset hint: it is a matter of who cut which chunk, and Prometheus 2.42 forgets gauges. */
function plain(histogram: Histogram): unknown {
  if (histogram.stale) return 'stale'
  const { schema, zeroThreshold, zeroCount, count, sum } = histogram
  const bucketsOf = (spans: Histogram['positiveSpans'], counts: Float64Array) => {
    let index = 0
    let at = 0
    return spans.flatMap(({ offset, length }) => {
      index += offset
      return Array.from({ length }, () => [index++, counts[at++]]).filter(([, bucket]) => bucket !== 0)
    })
  }
  return {
    ...{ schema, zeroThreshold, zeroCount, count, sum },
    positive: bucketsOf(histogram.positiveSpans, histogram.positiveBuckets),
    negative: bucketsOf(histogram.negativeSpans, histogram.negativeBuckets),
  }
}

/** The same series, times and bounds; numbers up to rounding, which the order of sums decides. */
function expectClose(ours: readonly Series[], theirs: readonly Series[]): void {
  const ordered = (list: readonly Series[]) =>
    [...list].sort((a, b) => (JSON.stringify(a.metric) < JSON.stringify(b.metric) ? -1 : 1))
  const shape = (_: string, value: unknown) => (typeof value === 'string' && isNumber(value) ? 'number' : value)
  const numbers = (value: unknown): number[] => {
    if (typeof value === 'string') return isNumber(value) ? [Number(value.replace('Inf', 'Infinity'))] : []
    return typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbers) : []
  }
  const [left, right] = [ordered(ours), ordered(theirs)]
  expect(JSON.parse(JSON.stringify(left, shape))).toEqual(JSON.parse(JSON.stringify(right, shape)))
  const [a, b] = [numbers(left), numbers(right)]
  a.forEach((number, i) => {
    if (Number.isNaN(number) || !Number.isFinite(number)) expect(number).toBe(b[i])
    else expect(Math.abs(number - b[i])).toBeLessThanOrEqual(1e-9 * Math.max(1e-9, Math.abs(b[i])))
  })
}

function isNumber(text: string): boolean {
  return /^(NaN|[+-]Inf|-?\d.*)$/.test(text)
}
