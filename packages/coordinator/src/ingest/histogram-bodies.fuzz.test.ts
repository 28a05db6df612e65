/**
 * 22,000 bodies with histograms, most of them mutated: remote write 1.0 and 2.0 by both scanners against protobufjs and the
 * validation rules, OTLP's exponential histograms against their own rules. Nothing crashes, nothing takes long.
 */
import { histogramProblem } from '@varve/promql'
import type { Histogram } from '@varve/tsdb-core/model'
import { describe, expect, it } from 'vitest'
import { CoordinatorError } from '../errors.js'
import { type HistogramMessage, writeRequestCodec, writeRequestV2Codec } from '../proto/messages.js'
import { encodeSnappy } from '../snappy/index.js'
import {
  expectedHistogram,
  hasEndlessVarint,
  histogramFields,
  labelText,
  STRICTER_FAULTS,
  withAnyText,
} from '../testing/protobuf-judge.js'
import { type Seeded, seeded } from '../testing/seeded.js'
import { bodyV1, bodyV2, mutate, randomHistogram, type TestSeries } from '../testing/write-bodies.js'
import { FAULT, WireError } from '../wire-error.js'
import { decodeHistogram } from './histogram-wire.js'
import { LabelCache } from './label-cache.js'
import { nativeScanner } from './native-scanner.js'
import { otlpRequestCodec } from './otlp/otlp-message.js'
import { partsOfProtobuf } from './otlp/otlp-parts.js'
import { OtlpTranslation } from './otlp/otlp-rows.js'
import { ProtobufReader } from './protobuf-reader.js'
import { reduceSchema } from './reduce-schema.js'
import {
  EXTRA_EXEMPLAR,
  EXTRA_HISTOGRAM,
  EXTRA_STRIDE,
  STATUS,
  UNKNOWN_STRIDE,
  WRITE_LIMITS,
  WriteColumns,
} from './write-columns.js'
import { decodeExemplar, decodeMetadataV1, decodeMetadataV2, Symbols } from './write-extras.js'
import { Scratch, typescriptScanner, type WriteScanner } from './write-scanner.js'

const LIMITS = { ...WRITE_LIMITS, decodedSizeBytesMax: 1 << 18, sampleCountMax: 2000, seriesCountMax: 2000 }
const scanners = [typescriptScanner, nativeScanner()].filter((scanner) => scanner !== undefined)

/** One histogram of a body, with the verdict on it. */
type Found = {
  labels: string | null
  timestampMs: number
  startMs: number
  fields: object
  problem: string | undefined
}

describe.each([1, 2] as const)('histograms in bodies of remote write %d', (version) => {
  const encode = version === 1 ? bodyV1 : bodyV2

  it('are what protobufjs reads, and sound or not by our rules, in 8,000 bodies', () => {
    const random = seeded(60 + version)
    const bodies = Array.from({ length: 60 }, () => encode(randomHistogramSeries(random)))
    const sides = scanners.map((scanner) => new Side(scanner))
    const seen = { same: 0, neither: 0, stricter: 0, sound: 0, unsound: 0 }
    const kinds = new Map<string, number>()
    for (let round = 0; round < 8000; round++) {
      const pick = () => bodies[random.below(bodies.length)]
      const body = random.below(8) === 0 ? pick() : mutate(random, pick(), pick())
      const replay = () => `round ${round}: ${Buffer.from(body).toString('hex').slice(0, 6000)}`
      const [ours, ...twins] = sides.map((side) => side.read(version, body))
      for (const twin of twins) if (!alike(twin, ours)) expect(twin, replay()).toEqual(ours)
      const theirs = judged(version, body)
      if (typeof ours === 'number') {
        if (theirs === null) seen.neither++
        else {
          const strict = STRICTER_FAULTS.has(ours) || ours === FAULT.FIELD_TOO_LONG
          expect(strict || (ours === FAULT.VARINT && hasEndlessVarint(body)), `fault ${ours}, ${replay()}`).toBe(true)
          seen.stricter++
        }
        continue
      }
      if (body.length === 0) continue
      if (!alike(ours, theirs)) expect(ours, replay()).toEqual(theirs)
      seen.same++
      for (const { fields, problem } of ours) {
        if (problem === undefined) {
          seen.sound++
          const { integer, schema, sum } = fields as { integer: boolean; schema: number; sum: number | 'stale' }
          const shape = sum === 'stale' ? 'stale' : schema === -53 ? 'custom' : 'exponential'
          const kind = `${integer ? 'integer' : 'float'} ${shape}`
          kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
        } else seen.unsound++
      }
    }
    expect(seen.same).toBeGreaterThan(1500)
    expect(seen.neither).toBeGreaterThan(1000)
    expect(seen.sound).toBeGreaterThan(2000)
    expect(seen.unsound).toBeGreaterThan(200)
    for (const kind of [
      'integer exponential',
      'float exponential',
      'integer custom',
      'float custom',
      'integer stale',
    ]) {
      expect(kinds.get(kind) ?? 0, kind).toBeGreaterThan(50)
    }
  })
})

describe('exponential histograms of OTLP', () => {
  it('give rows that are sound or named, or the body is refused, in 6,000 bodies', () => {
    const random = seeded(71)
    const bodies = Array.from({ length: 60 }, () => otlpRequestCodec.encode(randomOtlp(random)).finish())
    const seen = { refused: 0, sound: 0, unsound: 0, named: 0 }
    for (let round = 0; round < 6000; round++) {
      const pick = () => bodies[random.below(bodies.length)]
      const body = random.below(8) === 0 ? pick() : mutate(random, pick(), pick())
      const replay = `round ${round}: ${Buffer.from(body).toString('hex').slice(0, 6000)}`
      try {
        const translation = new OtlpTranslation({
          row: ({ histogram }) => {
            if (histogram === undefined) return
            expect(histogram.positiveBuckets.length, replay).toBe(bucketCount(histogram.positiveSpans))
            expect(histogram.negativeBuckets.length, replay).toBe(bucketCount(histogram.negativeSpans))
            if (histogramProblem(reduceSchema(histogram)) === undefined) seen.sound++
            else seen.unsound++
          },
          exemplar: () => {},
          metadata: () => {},
          refusesDeltas: false,
          refuse: () => seen.named++,
        })
        for (const part of partsOfProtobuf(body)) translation.add(part)
      } catch (error) {
        expect(error instanceof WireError || error instanceof CoordinatorError, `${error}, ${replay}`).toBe(true)
        seen.refused++
      }
    }
    expect(seen.refused).toBeGreaterThan(1000)
    expect(seen.sound).toBeGreaterThan(1000)
    expect(seen.unsound).toBeGreaterThan(100)
    expect(seen.named).toBeGreaterThan(100)
  })
})

it('refuses a staleness marker whose spans claim billions of buckets', () => {
  const span = { offset: 0, length: 0xffff_ffff }
  const message = { countInt: 0, zeroCountInt: 0, sum: 0, schema: 0, positiveSpans: [span], timestamp: 1 }
  const body = staleSum(bodyV1([{ labels: [['__name__', 'h']], samples: [], histograms: [message] }]))
  const found = new Side(typescriptScanner).read(1, body)
  expect((found as Found[])[0]).toMatchObject({ fields: { sum: 'stale' } })
  expect((found as Found[])[0].problem).toContain('spans need 4294967295 buckets, have 0 buckets')
})

/** Cheaper than `toEqual`, which has the last word. */
function alike(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/** A scanner and the memory that it works in. */
class Side {
  readonly #scanner: WriteScanner
  readonly #scratch = new Scratch(LIMITS)
  readonly #columns = new WriteColumns(LIMITS)
  /** Nothing is put into it, so that all series are unknown. */
  readonly #cache = new LabelCache({ seed: 3 })

  constructor(scanner: WriteScanner) {
    this.#scanner = scanner
  }

  /** The histograms of a body, or the fault for which it is refused. */
  read(version: 1 | 2, body: Uint8Array): Found[] | number {
    const columns = this.#columns
    const scratch = this.#scratch
    const cache = this.#cache
    this.#scanner.scan({ version, body: encodeSnappy(body), scratch, cache, columns, limits: LIMITS })
    const { status, extras, unknowns } = columns
    if (status[STATUS.FAULT] !== FAULT.NONE) return status[STATUS.FAULT]
    const textAt = (at: number, length: number) => labelText(scratch.bytes.slice(at, at + length))
    for (let u = 0; u < status[STATUS.UNKNOWN_COUNT] * UNKNOWN_STRIDE; u += UNKNOWN_STRIDE) {
      if (textAt(unknowns[u], unknowns[u + 1]) === null) return FAULT.NO_WIRE_TYPE
    }
    const symbols = new Symbols(scratch.bytes, columns, status[STATUS.SYMBOL_COUNT])
    const found: Found[] = []
    for (let x = 0; x < status[STATUS.EXTRA_COUNT] * EXTRA_STRIDE; x += EXTRA_STRIDE) {
      const [kind, at, length, , labelsAt, labelsLength] = extras.subarray(x, x + EXTRA_STRIDE)
      const reader = new ProtobufReader(scratch.bytes, at, at + length)
      try {
        if (kind === EXTRA_HISTOGRAM) {
          const { timestampMs, startTimestampMs: startMs, histogram } = decodeHistogram(scratch.bytes, at, at + length)
          found.push({ labels: textAt(labelsAt, labelsLength), timestampMs, startMs, ...verdictOn(histogram) })
        } else if (kind === EXTRA_EXEMPLAR) decodeExemplar(reader, version, symbols)
        else if (version === 1) decodeMetadataV1(reader)
        else decodeMetadataV2(reader, symbols)
      } catch (error) {
        if (error instanceof WireError) return error.fault as number
        throw error
      }
    }
    return found
  }
}

function verdictOn(histogram: Histogram): Pick<Found, 'fields' | 'problem'> {
  return { fields: histogramFields(histogram), problem: histogramProblem(reduceSchema(histogram)) }
}

/** What protobufjs and the rules make of a body, or null where protobufjs refuses it. */
function judged(version: 1 | 2, body: Uint8Array): Found[] | null {
  const found: Found[] = []
  const add = (labels: readonly (readonly string[])[], histograms: readonly HistogramMessage[]) => {
    for (const message of histograms) {
      const fields = expectedHistogram(message)
      found.push({
        labels: JSON.stringify(labels),
        timestampMs: Number(String(message.timestamp)),
        startMs: Number(String(message.startTimestamp ?? 0)),
        fields,
        problem: histogramProblem(reduceSchema(modelOf(fields as Parameters<typeof modelOf>[0]))),
      })
    }
  }
  try {
    if (version === 1) {
      for (const { labels, histograms } of withAnyText(() => writeRequestCodec.decode(body)).timeseries) {
        const pairs = labels.map(({ name, value }) => [name, value])
        add(pairs, histograms)
      }
    } else {
      const { symbols, timeseries } = withAnyText(() => writeRequestV2Codec.decode(body))
      for (const { labelsRefs, histograms } of timeseries) {
        const pairs: string[][] = []
        for (let i = 0; i < labelsRefs.length; i += 2) pairs.push([symbols[labelsRefs[i]], symbols[labelsRefs[i + 1]]])
        add(pairs, histograms)
      }
    }
    return found
  } catch {
    return null
  }
}

function modelOf(
  fields: Pick<Histogram, 'schema' | 'zeroThreshold' | 'zeroCount' | 'count' | 'integer' | 'counterResetHint'> & {
    sum: number | 'stale'
    customValues: number[]
    spans: Histogram['positiveSpans'][]
    buckets: number[][]
  },
): Histogram {
  const { sum, customValues, spans, buckets, ...rest } = fields
  return {
    ...rest,
    sum: sum === 'stale' ? Number.NaN : sum,
    stale: sum === 'stale',
    customValues: Float64Array.from(customValues),
    negativeSpans: spans[0],
    positiveSpans: spans[1],
    negativeBuckets: Float64Array.from(buckets[0]),
    positiveBuckets: Float64Array.from(buckets[1]),
  }
}

function randomHistogramSeries(random: Seeded): TestSeries[] {
  return Array.from({ length: 1 + random.below(4) }, (_, i) => ({
    labels: [
      ['__name__', `latency_${i}`],
      ['instance', `host-${random.below(4)}:9100`],
    ],
    samples: random.below(4) === 0 ? [{ value: random.below(100), timestamp: 1_700_000_000_000 }] : [],
    histograms: Array.from({ length: 1 + random.below(2) }, () =>
      random.below(8) === 0
        ? { countInt: 0, zeroCountInt: 0, sum: STALE_MARKER[0], timestamp: 1_700_000_000_000 }
        : randomHistogram(random),
    ),
  }))
}

const STALE_MARKER = new Float64Array(BigUint64Array.of(0x7ff0_0000_0000_0002n).buffer)

/** The same body with a marker where the sum 0 was left out: field 3, in the only histogram of the only series. */
function staleSum(body: Uint8Array): Uint8Array {
  const request = writeRequestCodec.decode(body)
  request.timeseries[0].histograms[0].sum = STALE_MARKER[0]
  return writeRequestCodec.encode(request).finish()
}

function randomOtlp(random: Seeded): object {
  const buckets = () => ({
    offset: random.below(40) - 20,
    bucketCounts: Array.from({ length: random.below(12) }, () => random.below(30)),
  })
  const dataPoints = Array.from({ length: 1 + random.below(3) }, () => {
    const positive = buckets()
    const negative = random.below(2) === 0 ? buckets() : null
    const zeroCount = random.below(5)
    const count = [...positive.bucketCounts, ...(negative?.bucketCounts ?? [])].reduce((a, b) => a + b, zeroCount)
    return {
      attributes: [{ key: 'path', value: { stringValue: `/${random.below(9)}` } }],
      timeUnixNano: '1700000000000000000',
      startTimeUnixNano: '1600000000000000000',
      count,
      sum: random.below(1000) / 7,
      scale: random.below(28) - 6,
      zeroCount,
      positive,
      negative,
      flags: random.below(10) === 0 ? 1 : 0,
    }
  })
  const exponentialHistogram = { dataPoints, aggregationTemporality: random.below(6) === 0 ? 1 : 2 }
  return { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'latency', unit: 's', exponentialHistogram }] }] }] }
}

function bucketCount(spans: Histogram['positiveSpans']): number {
  return spans.reduce((count, { length }) => count + length, 0)
}
