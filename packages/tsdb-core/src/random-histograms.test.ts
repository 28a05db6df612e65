/**
 * Random native histograms through the chunk codec, the commit log's records and the library: every bit comes back, from the
 * open block and from the sealed one. `VARVE_HISTOGRAMS=1000000 npm test -- random-histograms` is the long run.
 */
import { expect, it } from 'vitest'
import { ByteReader, ByteWriter } from './bytes/byte-writer.js'
import { readHistogramColumn, writeHistogramColumn } from './commit-log/histogram-column.js'
import { decodeHistogramChunk, encodeHistogramChunk } from './histogram-chunk/histogram-chunk.js'
import type { Histogram } from './model/histogram.js'
import { compareHistograms } from './model/histogram-order.js'
import { Labels } from './model/labels.js'
import { openTemporaryDatabase, RandomHistogramSeries } from './testing/index.js'

const COUNT = Number(process.env.VARVE_HISTOGRAMS ?? 3_000)
const SEED = Number(process.env.SEED ?? 1)
/** So many in one database: the open block holds them as objects. */
const PER_ROUND = 50_000
const PER_SERIES = 500
const HOUR = 3_600_000
const NOW = Date.UTC(2024, 0, 1, 2)

it(`${COUNT} histograms come back from the codecs bit for bit (SEED=${SEED})`, () => {
  const u32 = generator(SEED)
  for (let done = 0; done < COUNT; done += PER_SERIES) {
    const series = new RandomHistogramSeries(u32, ['unknown', 'reset', 'notReset', 'gauge'])
    const histograms = Array.from({ length: Math.min(PER_SERIES, COUNT - done) }, () => series.next().histogram)
    expectSame(decodeHistogramChunk(encodeHistogramChunk(histograms)), histograms)
    const out = new ByteWriter(1 << 16)
    writeHistogramColumn(out, { sampleIndexes: Uint32Array.from(histograms, (_, i) => i), histograms })
    const read = readHistogramColumn(new ByteReader(out.view(), 'record'), histograms.length)
    expectSame(read.histograms, histograms)
  }
}, 1_200_000)

it(`${COUNT} histograms come back from the library bit for bit (SEED=${SEED})`, async () => {
  const u32 = generator(SEED + 1)
  for (let done = 0; done < COUNT; done += PER_ROUND) {
    const temporary = await openTemporaryDatabase({ nowMs: NOW })
    try {
      const namespace = temporary.database.namespace('default')
      const written = new Map<string, Histogram[]>()
      const starts = new Map<string, number[]>()
      for (let first = done; first < Math.min(COUNT, done + PER_ROUND); first += PER_SERIES) {
        const labels = Labels.from({ __name__: 'h', n: String(first) })
        const series = new RandomHistogramSeries(u32, ['unknown', 'gauge'])
        const samples = Array.from({ length: Math.min(PER_SERIES, COUNT - first) }, (_, i) => ({
          labels,
          timestampMs: NOW - 2 * HOUR + i * 14_000,
          ...series.next(),
        }))
        const { rejections } = await namespace.appendSamples(samples)
        expect(rejections).toEqual([])
        written.set(
          labels.key,
          samples.map(({ histogram }) => histogram),
        )
        starts.set(
          labels.key,
          samples.map(({ startTimestampMs }) => startTimestampMs),
        )
      }
      for (const state of ['open', 'sealed', 'reopened']) {
        if (state === 'sealed') await temporary.database.flush()
        if (state === 'reopened') await temporary.reopen()
        const namespace = temporary.database.namespace('default')
        const { symbols, batches } = await namespace.select({
          matchers: [{ name: '__name__', operator: '=', value: 'h' }],
          startMs: NOW - 2 * HOUR,
          endMs: NOW + HOUR,
        })
        let seen = 0
        for await (const batch of batches) {
          for (let i = 0; i < batch.seriesCount; i++) {
            const flat = [...batch.labelPairs.subarray(2 * batch.labelOffsets[i], 2 * batch.labelOffsets[i + 1])]
            const { key } = Labels.fromSorted(flat.map((id) => symbols[id]))
            const [from, to] = batch.sampleOffsets.subarray(i, i + 2)
            const { sampleIndexes, histograms } = batch.histograms!
            expectSame(
              histograms.slice(sampleIndexes.indexOf(from), sampleIndexes.indexOf(to - 1) + 1),
              written.get(key)!,
            )
            expect([...(batch.startTimestampsMs ?? new Float64Array(batch.values.length)).subarray(from, to)]).toEqual(
              starts.get(key),
            )
            seen += to - from
          }
        }
        expect(seen).toBe(Math.min(COUNT - done, PER_ROUND))
      }
    } finally {
      await temporary.remove()
    }
  }
}, 1_200_000)

function expectSame(given: readonly Histogram[], wanted: readonly Histogram[]): void {
  expect(given.length).toBe(wanted.length)
  for (let i = 0; i < wanted.length; i++) {
    // `toEqual` has the last word, and says what differs.
    if (compareHistograms(given[i], wanted[i]) !== 0) expect(given[i]).toEqual(wanted[i])
  }
}

function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
}
