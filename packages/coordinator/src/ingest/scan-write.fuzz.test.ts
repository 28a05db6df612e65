/**
 * The one-pass scanners against protobufjs: what we accept, it reads in the same way; what we refuse and it accepts, has one
 * of the reasons in which Prometheus is stricter than protobufjs.
 */
import { describe, expect, it } from 'vitest'
import { writeRequestCodec, writeRequestV2Codec } from '../proto/messages.js'
import { hasEndlessVarint, labelText, STRICTER_FAULTS, withAnyText } from '../testing/protobuf-judge.js'
import { type Seeded, seeded } from '../testing/seeded.js'
import { bodyV1, bodyV2, mutate, randomSeries } from '../testing/write-bodies.js'
import { FAULT, WireError } from '../wire-error.js'
import { decodeHistogram } from './histogram-wire.js'
import { LabelCache } from './label-cache.js'
import { ProtobufReader } from './protobuf-reader.js'
import { scanWriteV1 } from './scan-write-v1.js'
import { scanWriteV2 } from './scan-write-v2.js'
import { EXTRA_EXEMPLAR, EXTRA_HISTOGRAM, STATUS, UNKNOWN_STRIDE, WRITE_LIMITS, WriteColumns } from './write-columns.js'
import { decodeExemplar, decodeMetadataV1, decodeMetadataV2, Symbols } from './write-extras.js'
import { Scratch } from './write-scanner.js'

const LIMITS = { ...WRITE_LIMITS, decodedSizeBytesMax: 1 << 18, sampleCountMax: 2000, seriesCountMax: 2000 }

type Row = { labels: string; bits: bigint; timestamp: number; start: number }

describe.each([1, 2] as const)('scan of remote write %d', (version) => {
  const scan = version === 1 ? scanWriteV1 : scanWriteV2
  const encode = version === 1 ? bodyV1 : bodyV2
  const columns = new WriteColumns(LIMITS)
  const scratch = new Scratch(LIMITS)

  function ours(body: Uint8Array, cache: LabelCache, known: Map<number, string>): Row[] | number {
    scratch.bytes.set(body)
    const fault = scan(scratch.bytes, scratch.view, body.length, cache, columns, LIMITS)
    const { status } = columns
    if (fault !== FAULT.NONE) return fault
    cache.lastEntry = status[STATUS.LAST_ENTRY]
    const labels = new Array<string>(status[STATUS.SAMPLE_COUNT])
    const unknownRows = new Set<number>()
    for (let u = 0; u < status[STATUS.UNKNOWN_COUNT]; u++) {
      const [at, length, first, rows] = columns.unknowns.subarray(u * UNKNOWN_STRIDE, (u + 1) * UNKNOWN_STRIDE)
      const text = labelText(scratch.bytes.slice(at, at + length))
      if (text === null) return FAULT.NO_WIRE_TYPE // What a parse of the unknown labels would say.
      for (let row = first; row < first + rows; row++) {
        labels[row] = text
        unknownRows.add(row)
      }
      if (length > 0) {
        cache.insert(scratch.bytes, at, length, known.size)
        known.set(known.size, text)
      }
    }
    const bits = new BigUint64Array(columns.values.buffer)
    const histogramRows = new Set<number>()
    for (let x = 0; x < status[STATUS.EXTRA_COUNT]; x++) {
      if (columns.extras[x * 6] === 1) histogramRows.add(columns.extras[x * 6 + 3])
      const fault = extraFault(columns.extras.subarray(x * 6, x * 6 + 3))
      if (fault !== FAULT.NONE) return fault
    }
    const rows: Row[] = []
    for (let row = 0; row < status[STATUS.SAMPLE_COUNT]; row++) {
      if (histogramRows.has(row)) continue
      rows.push({
        labels: unknownRows.has(row) ? labels[row] : (known.get(columns.seriesRefs[row]) as string),
        bits: bits[row],
        timestamp: columns.timestampsMs[row],
        start: version === 2 ? columns.startTimestampsMs[row] : 0,
      })
    }
    return rows
  }

  function extraFault([kind, at, length]: Uint32Array): number {
    const reader = new ProtobufReader(scratch.bytes, at, at + length)
    const symbols = new Symbols(scratch.bytes, columns, columns.status[STATUS.SYMBOL_COUNT])
    try {
      if (kind === EXTRA_HISTOGRAM) decodeHistogram(scratch.bytes, at, at + length)
      else if (kind === EXTRA_EXEMPLAR) decodeExemplar(reader, version, symbols)
      else if (version === 1) decodeMetadataV1(reader)
      else decodeMetadataV2(reader, symbols)
      return FAULT.NONE
    } catch (error) {
      if (error instanceof WireError) return error.fault
      throw error
    }
  }

  it('finds what protobufjs finds', () => {
    const random = seeded(10 + version)
    const cache = new LabelCache({ seed: 99 })
    const known = new Map<number, string>()
    for (let round = 0; round < 150; round++) {
      const body = encode(randomSeries(random, random.below(40)))
      expect(ours(body, cache, known)).toEqual(body.length === 0 ? [] : theirs(version, body))
    }
    expect(known.size).toBeLessThan(700) // Series that came before were recognised.
  })

  it('agrees with protobufjs on 12,000 mutated bodies', () => {
    const random = seeded(20 + version)
    const bodies = Array.from({ length: 30 }, () => encode(randomSeries(random, 1 + random.below(12))))
    let cache = new LabelCache({ seed: 1 })
    let known = new Map<number, string>()
    const seen = { both: 0, neither: 0, stricter: 0, badText: 0 }
    for (let round = 0; round < 12_000; round++) {
      if (round % 1000 === 0) {
        cache = new LabelCache({ seed: round })
        known = new Map()
      }
      const pick = (from: Seeded) => bodies[from.below(bodies.length)]
      const body = random.below(10) === 0 ? pick(random) : mutate(random, pick(random), pick(random))
      const expected = theirs(version, body)
      const got = ours(body, cache, known)
      const replay = `round ${round}: ${Buffer.from(body).toString('hex').slice(0, 6000)}`
      if (typeof got === 'number') {
        if (expected === null) seen.neither++
        else {
          const endless = got === FAULT.VARINT && hasEndlessVarint(body)
          expect(endless || STRICTER_FAULTS.has(got), `fault ${got} where protobufjs reads it, ${replay}`).toBe(true)
          seen.stricter++
        }
      } else {
        if (body.length === 0) continue
        if (expected === null && theirs(version, body, { anyText: true }) !== null) {
          seen.badText++ // Labels that are not UTF-8 are refused later, and for their series only.
          continue
        }
        expect(got, replay).toEqual(expected)
        seen.both++
      }
    }
    expect(seen.both).toBeGreaterThan(2000)
    expect(seen.neither).toBeGreaterThan(2000)
  })
})

/** Rows as protobufjs sees them, or null when it refuses the bytes. */
function theirs(version: 1 | 2, body: Uint8Array, { anyText = false } = {}): Row[] | null {
  if (anyText) return withAnyText(() => theirs(version, body))
  try {
    const rows: Row[] = []
    const bits = new BigUint64Array(1)
    const value = new Float64Array(bits.buffer)
    const add = (labels: string, samples: { value: number; timestamp: unknown; startTimestamp?: unknown }[]) => {
      for (const sample of samples) {
        value[0] = sample.value
        rows.push({
          labels,
          bits: bits[0],
          timestamp: Number(String(sample.timestamp)),
          start: Number(String(sample.startTimestamp ?? 0)),
        })
      }
    }
    if (version === 1) {
      for (const { labels, samples } of writeRequestCodec.decode(body).timeseries) {
        add(JSON.stringify(labels.map(({ name, value: text }) => [name, text])), samples)
      }
    } else {
      const { symbols, timeseries } = writeRequestV2Codec.decode(body)
      for (const { labelsRefs, samples } of timeseries) {
        const pairs: string[][] = []
        for (let i = 0; i < labelsRefs.length; i += 2) pairs.push([symbols[labelsRefs[i]], symbols[labelsRefs[i + 1]]])
        add(JSON.stringify(pairs), samples)
      }
    }
    return rows
  } catch {
    return null
  }
}
