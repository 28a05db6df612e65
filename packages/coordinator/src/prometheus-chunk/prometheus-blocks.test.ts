/** The chunks that a real Prometheus writes, read and written again: the same samples, and the same bytes. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Prometheus, remoteWrite } from '@varve/end-to-end'
import { nodeEnv } from '@varve/tsdb-core/env/node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { listBlocks, readBlock } from '../import/prometheus-block/prometheus-block.js'
import { CHUNK_ENCODING_XOR } from './format.js'
import { decodeHistogramChunk, encodeHistogramChunks } from './histogram-chunk.js'

const STEP_MS = 15_000
const SAMPLE_COUNT = 150
/** Past and whole, so that Prometheus cuts its chunks where time has no say. */
const START_MS = Math.floor(Date.now() / 7_200_000) * 7_200_000 - 3_600_000

let directory: string
let prometheus: Prometheus

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'varve-prometheus-blocks-'))
  prometheus = await Prometheus.start({
    directory,
    config: '',
    flags: ['--web.enable-remote-write-receiver', '--web.enable-admin-api', '--enable-feature=native-histograms'],
  })
})

afterAll(async () => {
  await prometheus?.kill()
  await rm(directory, { recursive: true, force: true })
})

/** Counts that rise by a different amount in each of the buckets. */
function bucketCounts(i: number): number[] {
  return [3, 40, 7, 1].map((rate, k) => Math.floor(i * rate * (1.3 + k / 7)))
}

function integerHistogram(i: number): Record<string, unknown> {
  const counts = bucketCounts(i)
  return {
    count_int: counts.reduce((sum, count) => sum + count, 5 + i),
    zero_count_int: 5 + i,
    sum: i * 1.7 + 0.1,
    schema: 3,
    zero_threshold: 2 ** -128,
    positive_spans: [
      { offset: -4, length: 2 },
      { offset: 3, length: 2 },
    ],
    positive_deltas: counts.map((count, k) => (k === 0 ? count : count - counts[k - 1])),
    timestamp: START_MS + i * STEP_MS,
  }
}

function floatHistogram(i: number): Record<string, unknown> {
  const counts = bucketCounts(i).map((count) => count / 4)
  return {
    count_float: counts.reduce((sum, count) => sum + count, 0.5),
    zero_count_float: 0.5,
    sum: -i / 3,
    schema: 0,
    zero_threshold: 0.001,
    negative_spans: [{ offset: 1, length: 4 }],
    negative_counts: counts,
    reset_hint: 3, // gauge
    timestamp: START_MS + i * STEP_MS,
  }
}

it('reads and writes histogram chunks bit for bit', async () => {
  for (let i = 0; i < SAMPLE_COUNT; i += 50) {
    const indexes = Array.from({ length: 50 }, (_, k) => i + k)
    const answer = await remoteWrite(`http://${prometheus.address}`, [
      { labels: { __name__: 'integer' }, samples: [], histograms: indexes.map(integerHistogram) },
      { labels: { __name__: 'float' }, samples: [], histograms: indexes.map(floatHistogram) },
    ])
    expect(answer).toMatchObject({ status: 204 })
  }
  const snapshot = await fetch(`http://${prometheus.address}/api/v1/admin/tsdb/snapshot`, { method: 'POST' })
  const text = await snapshot.text()
  expect(snapshot.status, text).toBe(200)
  const { data } = JSON.parse(text) as { data: { name: string } }
  const folder = `${directory}/data/snapshots/${data.name}`
  const { files } = nodeEnv()

  const seen = new Map<string, number>()
  for (const block of await listBlocks(files, folder)) {
    for await (const series of readBlock(files, `${folder}/${block.ulid}`)) {
      const name = series.labels.metricName
      for await (const chunk of series.chunks()) {
        expect(chunk.encoding).not.toBe(CHUNK_ENCODING_XOR)
        const bytes = chunk.data.slice()
        const samples = decodeHistogramChunk(chunk.encoding, bytes)
        samples.histograms.forEach((histogram, k) => {
          const i = (samples.timestampsMs[k] - START_MS) / STEP_MS
          const integer = name === 'integer'
          const wanted = integer ? bucketCounts(i) : bucketCounts(i).map((count) => count / 4)
          expect([...(integer ? histogram.positiveBuckets : histogram.negativeBuckets)]).toEqual(wanted)
          expect(histogram).toMatchObject({
            integer,
            sum: integer ? i * 1.7 + 0.1 : -i / 3,
            schema: integer ? 3 : 0,
            zeroThreshold: integer ? 2 ** -128 : 0.001,
            zeroCount: integer ? 5 + i : 0.5,
          })
        })
        const again = encodeHistogramChunks(samples)
        expect(again).toHaveLength(1)
        // The flags tell of the chunk before: whether there was a reset between the two, we cannot know from one.
        bytes[2] = again[0].data[2]
        expect(Buffer.from(again[0].data).equals(Buffer.from(bytes)), `${name}: the same bytes`).toBe(true)
        seen.set(name, (seen.get(name) ?? 0) + samples.histograms.length)
      }
    }
  }
  expect(Object.fromEntries(seen)).toEqual({ integer: SAMPLE_COUNT, float: SAMPLE_COUNT })
})
