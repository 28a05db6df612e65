/**
 * The codec: sealed columns beside textbook Gorilla, in both languages, on the fleet and on M3's own series.
 *
 * "gorilla" decodes timestamps and values of each series; "sealed" decodes the values of each series and each shared
 * timestamp column once, which gives a reader the same.
 */
import { sealedTimestampsSizeMax, sealedValuesSizeMax } from '@varve/gorilla-codec'
import {
  type BatchCodec,
  GorillaEncoder,
  gorillaSizeMax,
  nativeBatchCodec,
  typescriptCodec,
} from '@varve/gorilla-codec/benchmarking'
import { nativeStatus } from '@varve/native'
import type { Benchmark, BenchmarkSize, PreparedBenchmark } from '../benchmark.js'
import { type CodecDataset, checkBits, codecDataset, rangesOfEnds } from './dataset.js'
import { sizeBenchmarks } from './sizes.js'

const STEPS = 480

const datasetOf = (size: BenchmarkSize): CodecDataset =>
  size === 'small' ? codecDataset(1, 40) : codecDataset(10, STEPS)

/** How many series a query decodes at a time, into columns that it uses again: they stay in the processor's cache. */
const SERIES_PER_BATCH = 64

/** The pairs of `ranges`, a batch at a time. */
function batchesOf(ranges: Uint32Array): Uint32Array[] {
  const batches: Uint32Array[] = []
  for (let at = 0; at < ranges.length; at += 2 * SERIES_PER_BATCH) {
    batches.push(ranges.subarray(at, at + 2 * SERIES_PER_BATCH))
  }
  return batches
}

/** All columns of a dataset, encoded by one codec. */
function encoded(codec: BatchCodec, dataset: CodecDataset) {
  const { values, ranges, seriesCount, sampleCount, sharedTimestampsMs, sharedRanges } = dataset
  const bytes = new Uint8Array(sealedValuesSizeMax(0) * seriesCount + 8 * sampleCount)
  const ends = new Uint32Array(seriesCount)
  codec.encodeSealedValuesBatch(values, ranges, bytes, 0, ends)
  const columns = sharedRanges.length / 2
  const timeBytes = new Uint8Array(sealedTimestampsSizeMax(0) * columns + 8 * sharedTimestampsMs.length)
  const timeEnds = new Uint32Array(columns)
  codec.encodeSealedTimestampsBatch(sharedTimestampsMs, sharedRanges, timeBytes, 0, timeEnds)
  return { bytes, ends, timeBytes, timeEnds }
}

function prepareDecode(codec: BatchCodec, size: BenchmarkSize): PreparedBenchmark {
  const dataset = datasetOf(size)
  const { bytes, ends, timeBytes, timeEnds } = encoded(codec, dataset)
  const ranges = rangesOfEnds(ends)
  const timeRanges = rangesOfEnds(timeEnds)
  const out = new Float64Array(dataset.sampleCount)
  const times = new Float64Array(dataset.sharedTimestampsMs.length)
  const counts = new Uint32Array(dataset.seriesCount)
  codec.decodeSealedTimestampsBatch(timeBytes, timeRanges, times, 0, counts)
  codec.decodeSealedValuesBatch(bytes, ranges, out, 0, counts)
  checkBits(`${codec.name} values`, out, dataset.values)
  checkBits(`${codec.name} timestamps`, times, dataset.sharedTimestampsMs)
  const batches = batchesOf(ranges)
  const timeBatches = batchesOf(timeRanges)
  const batchValues = new Float64Array(SERIES_PER_BATCH * STEPS)
  const batchTimes = new Float64Array(SERIES_PER_BATCH * STEPS)
  const run = (): void => {
    for (const batch of timeBatches) codec.decodeSealedTimestampsBatch(timeBytes, batch, batchTimes, 0, counts)
    for (const batch of batches) codec.decodeSealedValuesBatch(bytes, batch, batchValues, 0, counts)
  }
  const bytesPerSample = (ends[ends.length - 1] + timeEnds[timeEnds.length - 1]) / dataset.sampleCount
  return { count: dataset.sampleCount, unit: 'sample', run, facts: { 'bytes/sample': bytesPerSample } }
}

function prepareGorillaDecode(codec: BatchCodec, size: BenchmarkSize): PreparedBenchmark {
  const dataset = datasetOf(size)
  const { timestampsMs, values, sampleCount, seriesCount } = dataset
  const bytes = new Uint8Array(gorillaSizeMax(0) * seriesCount + 20 * sampleCount)
  const ends = new Uint32Array(seriesCount)
  codec.encodeGorillaBatch(timestampsMs, values, dataset.ranges, bytes, 0, ends)
  const ranges = rangesOfEnds(ends)
  const outTimes = new Float64Array(sampleCount)
  const out = new Float64Array(sampleCount)
  const counts = new Uint32Array(seriesCount)
  codec.decodeGorillaBatch(bytes, ranges, outTimes, out, 0, counts)
  checkBits(`${codec.name} gorilla values`, out, values)
  checkBits(`${codec.name} gorilla timestamps`, outTimes, timestampsMs)
  const batches = batchesOf(ranges)
  const batchValues = new Float64Array(SERIES_PER_BATCH * STEPS)
  const batchTimes = new Float64Array(SERIES_PER_BATCH * STEPS)
  const run = (): void => {
    for (const batch of batches) codec.decodeGorillaBatch(bytes, batch, batchTimes, batchValues, 0, counts)
  }
  return { count: sampleCount, unit: 'sample', run, facts: { 'bytes/sample': ends[seriesCount - 1] / sampleCount } }
}

function prepareEncode(codec: BatchCodec, size: BenchmarkSize): PreparedBenchmark {
  const dataset = datasetOf(size)
  const reference = encoded(typescriptCodec, dataset)
  const ends = new Uint32Array(dataset.seriesCount)
  const bytes = new Uint8Array(reference.bytes.length)
  const run = (): void => {
    codec.encodeSealedValuesBatch(dataset.values, dataset.ranges, bytes, 0, ends)
  }
  run()
  if (!Buffer.from(bytes).equals(Buffer.from(reference.bytes)))
    throw new Error(`${codec.name}: other bytes than TypeScript`)
  return { count: dataset.sampleCount, unit: 'sample', run }
}

function prepareGorillaEncode(codec: BatchCodec, size: BenchmarkSize): PreparedBenchmark {
  const { timestampsMs, values, ranges, sampleCount, seriesCount } = datasetOf(size)
  const bytes = new Uint8Array(gorillaSizeMax(0) * seriesCount + 20 * sampleCount)
  const ends = new Uint32Array(seriesCount)
  const run = (): void => {
    codec.encodeGorillaBatch(timestampsMs, values, ranges, bytes, 0, ends)
  }
  return { count: sampleCount, unit: 'sample', run }
}

/** Appending as a growing chunk does it: one sample a call, all series in turn. */
function prepareAppend(size: BenchmarkSize): PreparedBenchmark {
  const { timestampsMs, values, ranges, sampleCount, seriesCount } = datasetOf(size)
  const run = (): void => {
    for (let series = 0; series < seriesCount; series++) {
      const encoder = new GorillaEncoder(1024)
      for (let index = ranges[2 * series]; index < ranges[2 * series + 1]; index++) {
        encoder.append(timestampsMs[index], values[index])
      }
      encoder.finish()
    }
  }
  return { count: sampleCount, unit: 'sample', run }
}

function prepareCopy(size: BenchmarkSize): PreparedBenchmark {
  const { timestampsMs, values, sampleCount } = datasetOf(size)
  const length = SERIES_PER_BATCH * STEPS
  const out = new Float64Array(2 * length)
  const run = (): void => {
    for (let at = 0; at < sampleCount; at += length) {
      out.set(timestampsMs.subarray(at, at + length))
      out.set(values.subarray(at, at + length), length)
    }
  }
  return { count: sampleCount, unit: 'sample', run }
}

const native = nativeBatchCodec()
const unavailable = native === undefined ? nativeStatus().reason : undefined

function both(
  name: string,
  prefix: string,
  prepare: (codec: BatchCodec, size: BenchmarkSize) => PreparedBenchmark,
): Benchmark[] {
  return [
    { name: `${name}/${prefix}typescript`, prepare: (size) => prepare(typescriptCodec, size) },
    { name: `${name}/${prefix}native`, unavailable, prepare: (size) => prepare(native!, size) },
  ]
}

export const codecBenchmarks: Benchmark[] = [
  ...both('codec/decode/fleet-15s-2h', 'sealed-', prepareDecode),
  ...both('codec/decode/fleet-15s-2h', 'gorilla-', prepareGorillaDecode),
  { name: 'codec/decode/fleet-15s-2h/memcpy-16-bytes', prepare: prepareCopy },
  ...both('codec/encode/fleet-15s-2h', 'sealed-', prepareEncode),
  ...both('codec/encode/fleet-15s-2h', 'gorilla-', prepareGorillaEncode),
  { name: 'codec/append/fleet-15s-2h/gorilla-typescript', prepare: prepareAppend },
  ...sizeBenchmarks,
]
