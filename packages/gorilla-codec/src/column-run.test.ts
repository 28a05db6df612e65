/**
 * Column runs in both codecs: the golden and reject vectors of vectors/column-run, the same bytes for generated columns, and
 * the same verdict on damaged ones.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { nativeKernels, nativeStatus } from '@varve/native'
import { describe, expect, test } from 'vitest'
import { type BatchCodec, typescriptCodec } from './batch-codec.js'
import { columnRunSizeMax } from './column-run.js'
import { CodecError } from './errors.js'
import { nativeCodec } from './native-codec.js'
import { SeededRandom } from './testing/random.js'
import { VALUE_KINDS } from './testing/sample-columns.js'

const FOLDER = new URL('../../../vectors/column-run/', import.meta.url)
const HOSTILE_INPUTS = Number(process.env.VARVE_HOSTILE_INPUTS ?? 3_000)

interface Vector {
  readonly name: string
  readonly lengths: readonly number[]
  readonly valueBits?: readonly string[]
  readonly code?: string
  readonly bitOffset?: number
  readonly encoded: string
}

function vectors(folder: URL): [string, Vector, Uint8Array][] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'))
  return names.sort().map((name) => {
    const vector = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Vector
    return [vector.name, vector, new Uint8Array(readFileSync(new URL(vector.encoded, folder)))]
  })
}

/** Bytes or value bits, or how it failed. */
type Outcome = string

function encode(codec: BatchCodec, values: Float64Array, lengths: Uint32Array): Outcome {
  return outcomeOf(() => {
    const out = new Uint8Array(columnRunSizeMax(lengths) + 3)
    return Buffer.from(out.subarray(3, codec.encodeColumnRun(values, lengths, out, 3))).toString('hex')
  })
}

function decode(codec: BatchCodec, bytes: Uint8Array, lengths: Uint32Array): Outcome {
  return outcomeOf(() => {
    const values = new Float64Array(lengths.reduce((sum, length) => sum + length, 0))
    const end = codec.decodeColumnRun(bytes, 0, bytes.length, lengths, values, 0)
    return `${end}: ${Buffer.from(values.buffer).toString('hex')}`
  })
}

function outcomeOf(run: () => string): Outcome {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof CodecError)) throw error
    return `${error.code} ${error.bitOffset}`
  }
}

function generatedRun(random: SeededRandom): { values: Float64Array; lengths: Uint32Array } {
  const kinds = Object.values(VALUE_KINDS)
  const lengths = Uint32Array.from({ length: 1 + random.below(12) }, () => random.below(4) * random.below(60))
  const values = new Float64Array(lengths.reduce((sum, length) => sum + length, 0))
  let from = 0
  for (const length of lengths) {
    const column = values.subarray(from, from + length)
    const kind = random.below(4)
    if (kind === 0) kinds[random.below(kinds.length)](random, column)
    // Buckets: counters and their kin.
    else for (let i = 0; i < length; i++) column[i] = (kind === 1 ? 0 : (column[i - 1] ?? 0)) + random.below(kind * 20)
    from += length
  }
  return { values, lengths }
}

function damaged(random: SeededRandom, bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice(0, random.below(4) === 0 ? random.below(bytes.length + 1) : bytes.length)
  for (let flips = random.below(3); flips > 0 && copy.length > 0; flips--) {
    copy[random.below(copy.length)] ^= 1 << random.below(8)
  }
  return copy
}

const kernels = nativeKernels()
const codecs = kernels === undefined ? [typescriptCodec] : [typescriptCodec, nativeCodec(kernels)]
if (kernels === undefined) test.skip(`native codec: ${nativeStatus().reason}`, () => {})

describe.each(codecs)('column runs, $name', (codec) => {
  test.each(vectors(FOLDER))('golden vector: %s', (_name, { lengths, valueBits }, bytes) => {
    const values = new Float64Array(BigUint64Array.from(valueBits!, BigInt).buffer)
    expect(encode(codec, values, Uint32Array.from(lengths))).toBe(Buffer.from(bytes).toString('hex'))
    const decoded = decode(codec, bytes, Uint32Array.from(lengths))
    expect(decoded).toBe(`${bytes.length}: ${Buffer.from(values.buffer).toString('hex')}`)
  })

  test.each(vectors(new URL('reject/', FOLDER)))('reject vector: %s', (_name, { lengths, code, bitOffset }, bytes) => {
    expect(decode(codec, bytes, Uint32Array.from(lengths))).toBe(`${code} ${bitOffset}`)
  })

  test('generated columns give the bytes of the reference and come back; damaged ones get its verdict', () => {
    const seed = Number(process.env.SEED ?? 1)
    for (let input = 0; input < HOSTILE_INPUTS; input++) {
      const random = new SeededRandom(seed + input)
      const { values, lengths } = generatedRun(random)
      const hint = `SEED=${seed + input} npx vitest run packages/gorilla-codec/src/column-run.test.ts`
      const encoded = encode(codec, values, lengths)
      if (codec !== typescriptCodec) expect(encoded, hint).toBe(encode(typescriptCodec, values, lengths))
      const bytes = new Uint8Array(Buffer.from(encoded, 'hex'))
      expect(decode(codec, bytes, lengths), hint).toBe(`${bytes.length}: ${Buffer.from(values.buffer).toString('hex')}`)
      const hostile = damaged(random, bytes)
      const verdict = decode(codec, hostile, lengths)
      if (codec !== typescriptCodec) expect(verdict, hint).toBe(decode(typescriptCodec, hostile, lengths))
    }
  })

  test('refuses what has no room, and columns that are not there', () => {
    const out = new Uint8Array(100)
    const values = Float64Array.of(1, 2, 3)
    const codeOf = (run: () => number) => outcomeOf(() => String(run()))
    expect(codeOf(() => codec.encodeColumnRun(values, Uint32Array.of(3), out, 0))).toBe('OUTPUT_TOO_SMALL -1')
    expect(codeOf(() => codec.encodeColumnRun(values, Uint32Array.of(4), out, 0))).toBe('INVALID_ARGUMENT -1')
    expect(codeOf(() => codec.encodeColumnRun(values, Uint32Array.of(), out, 7))).toBe('7')
    expect(codeOf(() => codec.decodeColumnRun(out, 0, 100, Uint32Array.of(4), values, 0))).toBe('OUTPUT_TOO_SMALL -1')
    const long = Uint32Array.of(65_536)
    expect(codeOf(() => codec.decodeColumnRun(out, 0, 100, long, new Float64Array(70_000), 0))).toBe(
      'INVALID_ARGUMENT -1',
    )
    expect(codeOf(() => codec.decodeColumnRun(out, 50, 20, Uint32Array.of(1), values, 0))).toBe('INVALID_ARGUMENT -1')
  })
})

test.runIf(process.env.VARVE_WRITE_VECTORS === '1')('writes the vectors that are not there yet', () => {
  mkdirSync(new URL('reject/', FOLDER), { recursive: true })
  const write = (path: string, document: object, bytes: Uint8Array) => {
    if (existsSync(new URL(`${path}.json`, FOLDER))) return
    writeFileSync(new URL(`${path}.bin`, FOLDER), bytes)
    const name = path.slice(path.indexOf('/') + 1)
    const text = JSON.stringify({ name: name.replaceAll('-', ' '), ...document, encoded: `${name}.bin` }, null, 1)
    writeFileSync(new URL(`${path}.json`, FOLDER), `${text}\n`)
  }
  const golden = (path: string, columns: readonly (readonly number[])[]): Uint8Array => {
    const values = Float64Array.from(columns.flat())
    const lengths = Uint32Array.from(columns, ({ length }) => length)
    const bytes = new Uint8Array(Buffer.from(encode(typescriptCodec, values, lengths), 'hex'))
    const valueBits = [...new BigUint64Array(values.buffer)].map((bits) => `0x${bits.toString(16).padStart(16, '0')}`)
    write(path, { source: 'the TypeScript codec', lengths: [...lengths], valueBits }, bytes)
    return bytes
  }
  const counters = golden('counters', [
    [5, 9, 14, 20, 27],
    [0, 0, 0, 1, 1],
    [1000, 1010, 1020, 1030, 1040],
  ])
  golden('empty-columns', [[], [7], [], [-3, 2 ** 50, -(2 ** 50)], []])
  const mixed = golden('integers-and-floats', [
    [1, 2, 3],
    [0.1, 0.2, Math.PI],
    [-0, 0, 1],
    [2 ** 60, 5, 6],
    [Number.POSITIVE_INFINITY, 5e-324, 1e300],
  ])
  const reject = (path: string, bytes: Uint8Array, lengths: readonly number[]) => {
    const [code, bitOffset] = decode(typescriptCodec, bytes, Uint32Array.from(lengths)).split(' ')
    write(`reject/${path}`, { lengths, code, bitOffset: Number(bitOffset) }, bytes)
  }
  reject('no-bytes', new Uint8Array(0), [1])
  reject('cut-in-a-column', counters.subarray(0, counters.length - 2), [5, 5, 5])
  reject(
    'unknown-kind',
    counters.map((byte, i) => (i === 0 ? 2 : byte)),
    [5, 5, 5],
  )
  reject('divisor-of-zero', Uint8Array.of(0, 10, 0, 0), [3])
  const valuesAt = mixed.indexOf(1, 4)
  reject('sealed-column-of-another-length', mixed.subarray(valuesAt), [2, 3])
  reject('sealed-column-beyond-the-end', mixed.subarray(valuesAt, valuesAt + 12), [3])
})
