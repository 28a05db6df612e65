/**
 * Writes the golden and reject vectors of vectors/chunk that are not there yet: `npx tsx --conditions=source
 * packages/gorilla-codec/src/testing/make-vectors.ts`. What is there stays: a released vector is never edited.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { decodeOne, encodeOne } from '../batch-codec.conformance.js'
import { typescriptCodec } from '../batch-codec.js'
import { crc32c } from '../crc32c.js'
import { SeededRandom } from './random.js'
import { TIMESTAMP_KINDS, VALUE_KINDS } from './sample-columns.js'
import { type ChunkFormat, VECTOR_FOLDER } from './vectors.js'

const STEP_MS = 15_000
const START_MS = 1_700_000_000_000

mkdirSync(`${VECTOR_FOLDER}reject`, { recursive: true })

const regular = (count: number) => Float64Array.from({ length: count }, (_, index) => START_MS + index * STEP_MS)

/** Values that a person can check against the page of the format. */
const CASES: Record<string, number[]> = {
  'constant integer': Array(5).fill(42),
  'constant minus zero': Array(3).fill(-0),
  'constant third': Array(4).fill(1 / 3),
  'single value': [0.1],
  'the worked example': [100, 101, 103, 106, 110, 115, 5, 6, 8, 11],
  'counter that resets once': [1e9, 1e9 + 15, 1e9 + 31, 1e9 + 44, 3, 17, 32, 48, 61, 78],
  'two decimals': [0.52, 0.51, 0.55, 0.6, 0.58, 0.54, 0.53, 0.53],
  'short decimal and its neighbour one ulp away': [0.3, 0.1 + 0.2, 0.3, 0.3, 0.3, 0.4, 0.3, 0.3],
  pages: [40960, 45056, 40960, 53248, 61440, 57344],
  'linear growth': [0, 7, 14, 21, 28, 35, 42, 49],
  'change list': [...Array(20).fill(7), ...Array(20).fill(9), ...Array(20).fill(4)],
  'integers beyond 2^53': [2 ** 53, 2 ** 53 + 2, 2 ** 60, 2 ** 63, 1e300, -(2 ** 63)],
  'infinities and denormals': [Number.POSITIVE_INFINITY, 5e-324, Number.NEGATIVE_INFINITY, -5e-324, 0, -0],
  'full mantissas': [Math.PI, Math.E, Math.SQRT2, Math.LN2, Math.LN10, Math.LOG2E],
}

for (const [name, values] of Object.entries(CASES)) {
  golden(name, 'sealed-values', new Float64Array(0), Float64Array.from(values))
  golden(`gorilla, ${name}`, 'gorilla', regular(values.length), Float64Array.from(values))
  golden(`xor chunk, ${name}`, 'xor-chunk', regular(values.length), Float64Array.from(values))
}
for (const [kind, fill] of Object.entries(VALUE_KINDS)) {
  const values = new Float64Array(60)
  fill(new SeededRandom(7), values)
  golden(`sixty of ${kind}`, 'sealed-values', new Float64Array(0), values)
}
for (const [kind, fill] of Object.entries(TIMESTAMP_KINDS)) {
  const timestampsMs = new Float64Array(60)
  fill(new SeededRandom(7), timestampsMs)
  const values = Float64Array.from(timestampsMs, (_, index) => index % 7)
  golden(`timestamps, ${kind}`, 'sealed-timestamps', timestampsMs, new Float64Array(0))
  golden(`gorilla, timestamps, ${kind}`, 'gorilla', timestampsMs, values)
  if (kind !== 'huge and negative') golden(`xor chunk, timestamps, ${kind}`, 'xor-chunk', timestampsMs, values)
}
for (const dod of [8191, 8192, 8193, -8191, -8192, 65536, 65537, -65535, -65536, 524288, 524289, -524287, -524288]) {
  golden(`xor chunk, delta-of-delta ${dod}`, 'xor-chunk', Float64Array.of(0, 1e6, 2e6 + dod), Float64Array.of(1, 1, 2))
}
golden('timestamps, a single one', 'sealed-timestamps', Float64Array.of(-5), new Float64Array(0))

const example = encodeOne(
  typescriptCodec,
  'sealed-values',
  new Float64Array(0),
  Float64Array.from(CASES['the worked example']),
).bytes!
reject('empty', 'sealed-values', new Uint8Array(0))
reject('only a checksum', 'sealed-values', new Uint8Array(4))
reject('unknown encoding', 'sealed-values', changed(example, 0, 5))
reject('count of zero', 'sealed-values', changed(example, 1, 0))
reject('scale beyond 22', 'sealed-values', changed(example, 2, 31))
reject('flags that no encoder sets', 'sealed-values', changed(example, 15, 0xff))
reject('width beyond 52', 'sealed-values', changed(example, 16, 60))
reject('bytes before the checksum', 'sealed-values', sealed([...example.subarray(0, -4), 0]))
reject('endless varint', 'sealed-values', sealed([2, 128, 128, 128, 128, 128, 128, 128, 128, 128, 1]))
for (const size of [5, 8, 12, 20]) reject(`cut after ${size} bytes`, 'sealed-values', example.slice(0, size))
reject('timestamps that are no whole steps', 'sealed-timestamps', sealed([0, 4, 20, 10]))
reject('timestamps of unknown encoding', 'sealed-timestamps', sealed([3, 1, 0, 0]))
reject('timestamps beyond 2^53', 'sealed-timestamps', sealed([0, 2, 254, 255, 255, 255, 255, 255, 255, 63, 127]))
const gorilla = encodeOne(typescriptCodec, 'gorilla', regular(3), Float64Array.of(1, 2, 2)).bytes!
reject('gorilla, cut', 'gorilla', gorilla.slice(0, 20))
reject('gorilla, first timestamp out of range', 'gorilla', changed(gorilla, 2, 0x7f))
reject('gorilla, time that falls', 'gorilla', changed(gorilla, 18, 0b10100000))
reject('gorilla, window beyond 64 bits', 'gorilla', changed(changed(gorilla, 18, 0b01111111), 19, 0xff))
const xorChunk = encodeOne(typescriptCodec, 'xor-chunk', regular(3), Float64Array.of(1, 2, 2)).bytes!
reject('xor chunk, cut', 'xor-chunk', xorChunk.slice(0, 14))
reject('xor chunk, endless varint', 'xor-chunk', Uint8Array.of(0, 1, ...Array(12).fill(255)))

function golden(name: string, format: ChunkFormat, timestampsMs: Float64Array, values: Float64Array): void {
  const { bytes, error } = encodeOne(typescriptCodec, format, timestampsMs, values)
  if (bytes === undefined) throw new Error(`${name}: ${error?.code}`)
  write('', name, bytes, {
    format,
    unit: 'ms',
    timestamps: [...timestampsMs].map(String),
    valueBits: [...new BigUint64Array(values.slice().buffer)].map((bits) => `0x${bits.toString(16).padStart(16, '0')}`),
  })
}

function reject(name: string, format: ChunkFormat, bytes: Uint8Array): void {
  const { error } = decodeOne(typescriptCodec, format, bytes, 65_535)
  if (error === undefined) throw new Error(`${name}: decodes`)
  write('reject/', name, bytes, { format, code: error.code, bitOffset: String(error.bitOffset) })
}

function write(folder: string, name: string, bytes: Uint8Array, fields: Record<string, unknown>): void {
  const stem = name.replace(/[^a-z0-9]+/gi, '-').toLowerCase()
  const path = `${VECTOR_FOLDER}${folder}${stem}`
  if (existsSync(`${path}.json`)) return
  const document = { name, source: 'gorilla-codec, the TypeScript reference', ...fields, encoded: `${stem}.bin` }
  writeFileSync(`${path}.bin`, bytes)
  writeFileSync(`${path}.json`, `${JSON.stringify(document, null, 1)}\n`)
}

function changed(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice()
  copy[at] = value
  return copy
}

function sealed(body: number[]): Uint8Array {
  const bytes = Uint8Array.of(...body, 0, 0, 0, 0)
  new DataView(bytes.buffer).setUint32(body.length, crc32c(bytes, 0, body.length), true)
  return bytes
}
