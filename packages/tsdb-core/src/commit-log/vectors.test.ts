/**
 * The golden and reject vectors in vectors/commit-log. `VARVE_WRITE_VECTORS=1` writes those that are not there yet: a
 * vector that was released is never changed.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { ByteWriter } from '../bytes/byte-writer.js'
import { Simulation } from '../env/simulated/index.js'
import { RecordType, SEGMENT_HEADER_SIZE_BYTES, SEGMENT_VERSION, writeSegmentHeader } from './format.js'
import { RecordGroup } from './record-group.js'
import * as records from './records.js'
import { verifyCommitLog } from './verify.js'
import { decodeWindowBatch, encodeWindowBatch } from './window-record.js'
import { CommitLog } from './writer.js'

const FOLDER = fileURLToPath(new URL('../../../../vectors/commit-log/', import.meta.url))
const SALT = 0x9e3779b9

interface VectorRecord {
  readonly type: keyof typeof RecordType
  readonly payload: string
  readonly content: unknown
}

interface GoldenVector {
  readonly name: string
  readonly source: string
  readonly segment: number
  readonly sequenceFirst: string
  readonly salt: string
  readonly records: readonly VectorRecord[]
  readonly encoded: string
}

interface RejectVector {
  readonly name: string
  readonly encoded: string
  /** An error's code, or what a replay reports. */
  readonly outcome: 'CORRUPT' | 'damage' | 'torn tail'
  readonly offset: number
  /** Numbers of the records that are given back. */
  readonly records: readonly string[]
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const payloadOf = (write: (out: ByteWriter) => void) => {
  const out = new ByteWriter()
  write(out)
  return out.view().slice()
}

const DECODERS: Record<keyof typeof RecordType, (payload: Uint8Array) => unknown> = {
  SeriesDeclarations: records.decodeSeriesDeclarations,
  SampleBatch: records.decodeSampleBatch,
  Tombstones: records.decodeTombstones,
  Watermarks: records.decodeWatermarks,
  NamespaceChange: records.decodeNamespaceChange,
  WindowBatch: decodeWindowBatch,
}

/** Numbers as strings and values as bits: JSON has neither NaN nor 64-bit integers. */
function readable(value: unknown): unknown {
  if (value instanceof Uint8Array) return hex(value)
  if (value instanceof Float64Array) {
    const bits = new BigUint64Array(value.buffer, value.byteOffset, value.length)
    return [...bits].map((each) => `0x${each.toString(16).padStart(16, '0')}`)
  }
  if (value instanceof Uint32Array) return [...value].map(String)
  if (Array.isArray(value)) return value.map(readable)
  if (typeof value === 'number') return String(value)
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, readable(each)]))
  }
  return value
}

const STALE_AND_OTHERS = new Float64Array(
  BigUint64Array.of(0x7ff0000000000002n, 0x8000000000000000n, 0x3ff8000000000000n).buffer,
)

const PAYLOADS: [keyof typeof RecordType, Uint8Array][] = [
  [
    'NamespaceChange',
    payloadOf((out) => {
      const options = new TextEncoder().encode('{"retention":"15d"}')
      records.encodeNamespaceChange(out, { operation: 'put', namespaceId: 1, name: 'default', options })
    }),
  ],
  [
    'SeriesDeclarations',
    payloadOf((out) =>
      records.encodeSeriesDeclarations(out, {
        namespaceId: 1,
        shard: 0,
        seriesRefs: Uint32Array.of(300, 2),
        canonicalLabels: Uint8Array.of(1, 2, 3, 4, 5),
        offsets: Uint32Array.of(0, 3, 5),
      }),
    ),
  ],
  [
    'SampleBatch',
    payloadOf((out) =>
      records.encodeSampleBatch(out, {
        namespaceId: 1,
        shard: 0,
        batch: {
          count: 3,
          seriesRefs: Uint32Array.of(300, 2, 300),
          timestampsMs: Float64Array.of(1_700_000_000_000, 1_700_000_000_000, 1_699_999_985_000),
          values: STALE_AND_OTHERS,
          startTimestampsMs: Float64Array.of(0, 0, 0),
        },
      }),
    ),
  ],
  [
    'Tombstones',
    payloadOf((out) =>
      records.encodeTombstones(out, {
        namespaceId: 1,
        shard: 0,
        startMs: 0,
        endMs: 1_700_000_000_000,
        seriesRefs: Uint32Array.of(2),
      }),
    ),
  ],
  [
    'Watermarks',
    payloadOf((out) =>
      records.encodeWatermarks(out, {
        marks: [{ key: '1m:90d', windowEndMs: 1_700_000_040_000, computation: 1 }],
        samples: {
          namespaceId: 2,
          shard: 0,
          batch: {
            count: 1,
            seriesRefs: Uint32Array.of(9),
            timestampsMs: Float64Array.of(1_700_000_040_000),
            values: Float64Array.of(1.5),
          },
        },
      }),
    ),
  ],
]

const WINDOW_PAYLOADS: [keyof typeof RecordType, Uint8Array][] = [
  [
    'WindowBatch',
    payloadOf((out) =>
      encodeWindowBatch(out, {
        namespaceId: 2,
        shard: 0,
        batch: {
          timestampMs: 1_700_000_040_000,
          count: 3,
          seriesRefs: Uint32Array.of(8, 16, 24),
          masks: Uint8Array.of(0b011, 0b111, 0b011),
          columns: [
            { column: 'count', values: Float64Array.of(4, 4, 4) },
            { column: 'last', values: STALE_AND_OTHERS },
            { column: 'increase', values: Float64Array.of(0, 12.5, 0) },
          ],
        },
      }),
    ),
  ],
  [
    'WindowBatch',
    payloadOf((out) =>
      encodeWindowBatch(out, {
        namespaceId: 2,
        shard: 1,
        batch: {
          timestampMs: 1_700_000_100_000,
          count: 2,
          seriesRefs: Uint32Array.of(800, 8),
          masks: Uint8Array.of(1, 1),
          columns: [{ column: 'value', values: Float64Array.of(0.5, -1) }],
        },
      }),
    ),
  ],
]
/** What the golden files hold, by their names. */
const GOLDEN: Record<string, [keyof typeof RecordType, Uint8Array][]> = {
  'each-type.json': PAYLOADS,
  'windows.json': WINDOW_PAYLOADS,
}

function segmentOf(payloads: readonly [keyof typeof RecordType, Uint8Array][], sequenceFirst: number): Uint8Array {
  const header = new Uint8Array(SEGMENT_HEADER_SIZE_BYTES)
  writeSegmentHeader(header, { version: SEGMENT_VERSION, segment: 1, sequenceFirst, salt: SALT })
  const group = new RecordGroup()
  for (const [type, payload] of payloads) group.add(RecordType[type], [payload])
  return Buffer.concat([header, group.seal(SALT, sequenceFirst, sequenceFirst)])
}

function writeMissing(): void {
  mkdirSync(`${FOLDER}reject`, { recursive: true })
  const put = (path: string, content: Uint8Array | object) => {
    if (existsSync(FOLDER + path)) return
    writeFileSync(FOLDER + path, content instanceof Uint8Array ? content : `${JSON.stringify(content, null, 2)}\n`)
  }
  const source = 'packages/tsdb-core/src/commit-log/vectors.test.ts'
  const whole = segmentOf(PAYLOADS, 41)
  const goldenOf = (name: string, encoded: string, payloads: typeof PAYLOADS): GoldenVector => ({
    name,
    source,
    segment: 1,
    sequenceFirst: '41',
    salt: `0x${SALT.toString(16)}`,
    records: payloads.map(([type, payload]) => ({
      type,
      payload: hex(payload),
      content: readable(DECODERS[type](payload)),
    })),
    encoded,
  })
  put('each-type.log', whole)
  put('each-type.json', goldenOf('one record of each type', 'each-type.log', PAYLOADS))
  put('windows.log', segmentOf(WINDOW_PAYLOADS, 41))
  put('windows.json', goldenOf('windows of many series', 'windows.log', WINDOW_PAYLOADS))

  const secondOffset = SEGMENT_HEADER_SIZE_BYTES + 24 + PAYLOADS[0][1].length
  const lastOffset = whole.length - 24 - PAYLOADS[4][1].length
  const reject = (file: string, bytes: Uint8Array, vector: Omit<RejectVector, 'encoded'>) => {
    put(`reject/${file}.log`, bytes)
    put(`reject/${file}.json`, { ...vector, encoded: `${file}.log` })
  }
  const changed = (offset: number, change: (byte: number) => number) => {
    const bytes = Uint8Array.from(whole)
    bytes[offset] = change(bytes[offset])
    return bytes
  }
  const all = ['41', '42', '43', '44', '45']
  reject('torn-payload', whole.subarray(0, whole.length - 1), {
    name: 'the last record lacks its last byte',
    outcome: 'torn tail',
    offset: lastOffset,
    records: all.slice(0, 4),
  })
  reject('torn-header', whole.subarray(0, lastOffset + 23), {
    name: 'of the last record, most of the header is there',
    outcome: 'torn tail',
    offset: lastOffset,
    records: all.slice(0, 4),
  })
  reject(
    'one-header-copy',
    changed(3, (byte) => byte ^ 1),
    {
      name: 'the first copy of the segment header is damaged',
      outcome: 'damage',
      offset: 0,
      records: all,
    },
  )
  const bothCopies = changed(20, (byte) => byte ^ 1)
  bothCopies[52] ^= 2
  reject('both-header-copies', bothCopies, {
    name: 'both copies of the segment header are damaged',
    outcome: 'damage',
    offset: 0,
    records: [],
  })
  const later = segmentOf(PAYLOADS, 41)
  const lastHeaderStart = lastOffset
  // The last record says that all before it were durable: what is damaged before it was acknowledged.
  const group = new RecordGroup()
  group.add(RecordType.Watermarks, [PAYLOADS[4][1]])
  later.set(group.seal(SALT, 45, 45), lastHeaderStart)
  const middle = Uint8Array.from(later)
  middle[secondOffset + 30] ^= 4
  reject('payload-bit', middle, {
    name: 'a bit of an acknowledged payload is flipped',
    outcome: 'damage',
    offset: secondOffset,
    records: ['41', '43', '44', '45'],
  })
  const middleHeader = Uint8Array.from(later)
  middleHeader[secondOffset + 5] ^= 4
  reject('record-header-bit', middleHeader, {
    name: 'a bit in the length of an acknowledged record is flipped',
    outcome: 'damage',
    offset: secondOffset,
    records: ['41', '43', '44', '45'],
  })
  const unknown = new RecordGroup()
  unknown.add(9 as RecordType, [Uint8Array.of(1)])
  reject('unknown-type', Buffer.concat([whole, unknown.seal(SALT, 46, 46)]), {
    name: 'a record of a type that a newer version wrote',
    outcome: 'CORRUPT',
    offset: whole.length,
    records: all,
  })
  const newer = Uint8Array.from(whole)
  writeSegmentHeader(newer, { version: 2, segment: 1, sequenceFirst: 41, salt: SALT })
  reject('unknown-version', newer, {
    name: 'a segment of a newer version',
    outcome: 'CORRUPT',
    offset: 0,
    records: [],
  })
}

if (process.env.VARVE_WRITE_VECTORS === '1') writeMissing()

const load = <T>(path: string): T => JSON.parse(readFileSync(FOLDER + path, 'utf8')) as T
const namesIn = (folder: string) => readdirSync(FOLDER + folder).filter((name) => name.endsWith('.json'))

/** What a replay of this one segment gives. */
async function replayOf(bytes: Uint8Array) {
  const simulation = new Simulation({ seed: 1 })
  const outcome = await simulation.run(async (env) => {
    await env.files.makeDirectory('/log')
    const file = await env.files.open('/log/000001.log', 'create')
    await file.write(bytes)
    await file.close()
    const verified = await verifyCommitLog(env.files, '/log').catch((error) => error)
    const log = await CommitLog.open({ env, directory: '/log' })
    const found: { type: number; sequence: number; payload: Uint8Array }[] = []
    const replaying = log.replay(({ type, sequence, payload }) => {
      found.push({ type, sequence, payload: payload.slice() })
    })
    return { found, verified, result: await replaying.catch((error) => error) }
  })
  if (outcome.kind === 'crashed') throw new Error('crashed')
  return outcome.value
}

describe('golden vectors of the commit log', () => {
  it.each(namesIn('.'))('%s', async (name) => {
    const vector = load<GoldenVector>(name)
    const bytes = Uint8Array.from(readFileSync(FOLDER + vector.encoded))
    const payloads = vector.records.map(({ type, payload }): [keyof typeof RecordType, Uint8Array] => [
      type,
      Uint8Array.from(Buffer.from(payload, 'hex')),
    ])
    const { found, result } = await replayOf(bytes)
    expect(result).toMatchObject({ damages: [], tornTailBytes: 0 })
    expect(found.map(({ sequence }) => String(sequence - found[0].sequence + Number(vector.sequenceFirst)))).toEqual(
      vector.records.map((_, i) => String(Number(vector.sequenceFirst) + i)),
    )
    expect(found.map(({ payload }) => hex(payload))).toEqual(vector.records.map(({ payload }) => payload))
    expect(found.map(({ type }) => type)).toEqual(vector.records.map(({ type }) => RecordType[type]))
    for (const { type, payload, content } of vector.records) {
      expect(readable(DECODERS[type](Uint8Array.from(Buffer.from(payload, 'hex'))))).toEqual(content)
    }
    expect(hex(segmentOf(payloads, Number(vector.sequenceFirst)))).toBe(hex(bytes))
    // And the encoders of today write these payloads.
    expect(GOLDEN[name].map(([, payload]) => hex(payload))).toEqual(vector.records.map(({ payload }) => payload))
  })
})

describe('reject vectors of the commit log', () => {
  it.each(namesIn('reject'))('%s', async (name) => {
    const vector = load<RejectVector>(`reject/${name}`)
    const { found, verified, result } = await replayOf(
      Uint8Array.from(readFileSync(`${FOLDER}reject/${vector.encoded}`)),
    )
    expect(found.map(({ sequence }) => String(sequence))).toEqual(vector.records)
    if (vector.outcome === 'CORRUPT') {
      expect(result).toMatchObject({ code: 'CORRUPT' })
      expect(verified).toMatchObject({ code: 'CORRUPT' })
      if (vector.offset > 0) expect(result.message).toContain(`at byte ${vector.offset}: `)
    } else if (vector.outcome === 'damage') {
      expect(result.damages[0].offset).toBe(vector.offset)
      expect(verified.damages[0].offset).toBe(vector.offset)
    } else {
      expect(result.damages).toEqual([])
      const size = readFileSync(`${FOLDER}reject/${vector.encoded}`).length
      expect(size - verified.tornTailBytes).toBe(vector.offset)
    }
  })
})
