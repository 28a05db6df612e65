/**
 * What every batch codec must do: read and write the golden vectors, refuse the reject vectors with their code and bit
 * offset, and on generated input do bit by bit what the reference does.
 */
import { describe, expect, test } from 'vitest'
import { type BatchCodec, gorillaSizeMax, RUN_SIZE, typescriptCodec } from './batch-codec.js'
import { CodecError } from './errors.js'
import { halvesOf } from './float-halves.js'
import { readSealedValuesHeader, sealedValuesSizeMax } from './sealed-values.js'
import { expectSameBits } from './testing/expect-bits.js'
import { hostileChunk } from './testing/hostile-chunks.js'
import { SeededRandom } from './testing/random.js'
import { chunkLength, TIMESTAMP_KINDS, VALUE_KINDS } from './testing/sample-columns.js'
import { type ChunkFormat, goldenVectors, rejectVectors } from './testing/vectors.js'

/** What a call did: what it returned and wrote, or how it failed. */
export interface Outcome {
  error?: { code: string; bitOffset: number }
  bytes?: Uint8Array
  timestampsMs?: Float64Array
  values?: Float64Array
}

/** Encodes one chunk of a format, or reports the error. */
export function encodeOne(
  codec: BatchCodec,
  format: ChunkFormat,
  timestampsMs: Float64Array,
  values: Float64Array,
): Outcome {
  const count = Math.max(timestampsMs.length, values.length)
  const out = new Uint8Array(Math.max(sealedValuesSizeMax(count), gorillaSizeMax(count)))
  const ends = new Uint32Array(1)
  const ranges = Uint32Array.of(0, count)
  return attempt(() => {
    if (format === 'sealed-values') codec.encodeSealedValuesBatch(values, ranges, out, 0, ends)
    else if (format === 'sealed-timestamps') codec.encodeSealedTimestampsBatch(timestampsMs, ranges, out, 0, ends)
    else if (format === 'gorilla') codec.encodeGorillaBatch(timestampsMs, values, ranges, out, 0, ends)
    else codec.encodeXorChunkBatch(timestampsMs, values, ranges, out, 0, ends)
    return { bytes: out.subarray(0, ends[0]) }
  })
}

/** Decodes one chunk of a format that has room for `room` samples, or reports the error. */
export function decodeOne(
  codec: BatchCodec,
  format: ChunkFormat,
  bytes: Uint8Array,
  room: number,
  [offset, end]: [number, number] = [0, bytes.length],
): Outcome {
  const timestampsMs = new Float64Array(room)
  const values = new Float64Array(room)
  const counts = new Uint32Array(1)
  const ranges = Uint32Array.of(offset, end)
  return attempt(() => {
    if (format === 'sealed-values') {
      codec.decodeSealedValuesBatch(bytes, ranges, values, 0, counts)
      return { values: values.subarray(0, counts[0]) }
    }
    if (format === 'sealed-timestamps') {
      codec.decodeSealedTimestampsBatch(bytes, ranges, timestampsMs, 0, counts)
      return { timestampsMs: timestampsMs.subarray(0, counts[0]) }
    }
    if (format === 'gorilla') codec.decodeGorillaBatch(bytes, ranges, timestampsMs, values, 0, counts)
    else codec.decodeXorChunkBatch(bytes, ranges, timestampsMs, values, 0, counts)
    return { timestampsMs: timestampsMs.subarray(0, counts[0]), values: values.subarray(0, counts[0]) }
  })
}

/** How many values a damaged column says it has. */
function countOf(bytes: Uint8Array, [offset, end]: [number, number]): number | undefined {
  try {
    return readSealedValuesHeader(bytes, offset, end).count
  } catch {
    return undefined
  }
}

function attempt(run: () => Outcome): Outcome {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof CodecError)) throw error
    return { error: { code: error.code, bitOffset: error.bitOffset } }
  }
}

/** Fails unless both outcomes are the same, bit by bit. */
export function expectSameOutcome(actual: Outcome, expected: Outcome, hint: string): void {
  if (JSON.stringify(actual.error) !== JSON.stringify(expected.error)) {
    expect(actual.error, hint).toEqual(expected.error)
  }
  if (expected.error !== undefined) return
  if (expected.bytes !== undefined && Buffer.compare(actual.bytes!, expected.bytes) !== 0) {
    expect([...actual.bytes!], hint).toEqual([...expected.bytes])
  }
  if (expected.values !== undefined) expectSameBits(actual.values!, expected.values, hint)
  if (expected.timestampsMs !== undefined) expectSameBits(actual.timestampsMs!, expected.timestampsMs, hint)
}

const FORMATS: ChunkFormat[] = ['sealed-values', 'sealed-timestamps', 'gorilla', 'xor-chunk']

/** Runs the suite; `hostileInputs` is how many damaged chunks are tried. */
export function describeCodec(codec: BatchCodec, hostileInputs: number): void {
  describe(`${codec.name} codec`, () => {
    test.each(goldenVectors())('golden vector: $name', ({ format, timestampsMs, values, encoded }) => {
      expectSameOutcome(encodeOne(codec, format, timestampsMs, values), { bytes: encoded }, format)
      const count = Math.max(timestampsMs.length, values.length)
      const expected: Outcome = {}
      if (format !== 'sealed-timestamps') expected.values = values
      if (format !== 'sealed-values') expected.timestampsMs = timestampsMs
      expectSameOutcome(decodeOne(codec, format, encoded, count), expected, format)
    })

    test.each(rejectVectors())('reject vector: $name', ({ format, bytes, code, bitOffset }) => {
      expect(decodeOne(codec, format, bytes, 65_535).error).toEqual({ code, bitOffset })
    })

    test.each(FORMATS)('%s: generated columns give the bytes of the reference, and come back', (format) => {
      for (const [valueKind, fillValues] of Object.entries(VALUE_KINDS)) {
        for (const [timeKind, fillTimestamps] of Object.entries(TIMESTAMP_KINDS)) {
          const random = new SeededRandom(valueKind.length * 31 + timeKind.length)
          const count = chunkLength(random)
          const values = new Float64Array(count)
          const timestampsMs = new Float64Array(count)
          fillValues(random, values)
          fillTimestamps(random, timestampsMs)
          const hint = `${valueKind}, ${timeKind}`
          const encoded = encodeOne(codec, format, timestampsMs, values)
          expectSameOutcome(encoded, encodeOne(typescriptCodec, format, timestampsMs, values), hint)
          if (encoded.bytes === undefined) continue
          const decoded = decodeOne(codec, format, encoded.bytes, count)
          expect(decoded.error, hint).toBeUndefined()
          if (decoded.values !== undefined) expectSameBits(decoded.values, values, hint)
          if (decoded.timestampsMs !== undefined) expectSameBits(decoded.timestampsMs, timestampsMs, hint)
        }
      }
    })

    test.each(FORMATS)('%s: damaged chunks get the verdict of the reference', (format) => {
      const seed = Number(process.env.SEED ?? 1)
      for (let input = 0; input < hostileInputs / FORMATS.length; input++) {
        const random = new SeededRandom(seed + input)
        const { bytes, range, room } = hostileChunk(random, format)
        const hint = `SEED=${seed + input} npx vitest run packages/gorilla-codec/src/batch-codec.test.ts`
        const expected = decodeOne(typescriptCodec, format, bytes, room, range)
        expectSameOutcome(decodeOne(codec, format, bytes, room, range), expected, hint)
      }
    })

    test('sums are right of numbers that are all patched, each as large as its widths allow', () => {
      const varint = (number: number): number[] =>
        number < 128 ? [number] : [(number % 128) | 128, ...varint(Math.floor(number / 128))]
      const ones = (bits: number) =>
        Array.from({ length: Math.ceil(bits / 8) }, (_, i) => (bits - i * 8 < 8 ? (1 << (bits - i * 8)) - 1 : 255))
      const count = 20_000
      const length = count - 1
      for (const width of [14, 15, 16, 23]) {
        const start = [2, ...varint(count), 0, 0, 0, 0, ...new Array(8).fill(0)]
        // Deltas from base 0, patches of no bits in a bitmap: each number is its low plus 2^width.
        const flags = 1 | (2 << 2)
        const numbers = [flags, width, 0, ...varint(length), 0, ...ones(length * width), ...ones(length)]
        const { values, error } = decodeOne(
          codec,
          'sealed-values',
          Uint8Array.of(...start, ...numbers, 0, 0, 0, 0),
          count,
        )
        expect(error).toBeUndefined()
        expect(values?.[length], `${width} bits`).toBe(length * (2 ** (width + 1) - 1))
      }
    })

    test('parts of columns are decoded each to its place, and nothing beside it is touched', () => {
      const random = new SeededRandom(Number(process.env.SEED ?? 1))
      // Each kind several times: parts begin in the middle, at the first or second value, and at the end.
      const kinds = Object.values(VALUE_KINDS).flatMap((fill) => Array.from({ length: 6 }, () => fill))
      const columns = kinds.map((fill) => {
        const values = new Float64Array(chunkLength(random))
        fill(random, values)
        return values
      })
      const bytes = new Uint8Array(columns.reduce((size, { length }) => size + sealedValuesSizeMax(length), 0))
      const runs = new Uint32Array(columns.length * RUN_SIZE + 3)
      const wanted: { at: number; values: Float64Array }[] = []
      let offset = 0
      let outAt = 1
      columns.forEach((values, i) => {
        const begin = offset
        const ends = new Uint32Array(1)
        offset = codec.encodeSealedValuesBatch(values, Uint32Array.of(0, values.length), bytes, offset, ends)
        const whole = i % 5 === 0
        const first = whole ? 0 : random.below(i % 3 === 0 ? Math.min(3, values.length) : values.length)
        const end = whole ? values.length : first + random.below(values.length - first + 1)
        runs.set([i % 2, begin, offset, values.length, first, end, outAt], i * RUN_SIZE)
        wanted.push({ at: outAt, values: values.subarray(first, end) })
        outAt += end - first + 1
      })
      const out = new Float64Array(outAt).fill(-7)
      expect(codec.decodeSealedRuns([bytes, bytes.slice()], runs, columns.length, out)).toBe(0)
      for (const { at, values } of wanted) {
        expectSameBits(out.subarray(at, at + values.length), values, `at ${at}`)
        expect(out[at - 1]).toBe(-7)
      }
      expect(out[outAt - 1]).toBe(-7)
    })

    test('parts of damaged columns get the verdict of the reference', () => {
      const seed = Number(process.env.SEED ?? 1)
      for (let input = 0; input < hostileInputs / (4 * FORMATS.length); input++) {
        const random = new SeededRandom(seed + input)
        const { bytes, range, room } = hostileChunk(random, 'sealed-values')
        const count = countOf(bytes, range) ?? room
        const first = random.below(count + 1)
        const end = first + random.below(count - first + 1)
        const part = (each: BatchCodec) =>
          attempt(() => {
            const values = new Float64Array(end - first)
            each.decodeSealedRuns([bytes], Uint32Array.of(0, ...range, count, first, end, 0), 1, values)
            return { values }
          })
        const hint = `SEED=${seed + input} npx vitest run packages/gorilla-codec/src/batch-codec.test.ts`
        expectSameOutcome(part(codec), part(typescriptCodec), hint)
      }
    })

    test('runs that do not fit their column or the output are refused', () => {
      const bytes = new Uint8Array(sealedValuesSizeMax(4))
      const size = codec.encodeSealedValuesBatch(
        Float64Array.of(1, 2.5, 3, 9),
        Uint32Array.of(0, 4),
        bytes,
        0,
        new Uint32Array(1),
      )
      const out = new Float64Array(4)
      const codeOf = (...run: number[]) => {
        try {
          codec.decodeSealedRuns([bytes], Uint32Array.from(run), 1, out)
          return 'none'
        } catch (error) {
          return `${(error as CodecError).code} ${(error as CodecError).bitOffset}`
        }
      }
      expect(codeOf(0, 0, size, 4, 1, 3, 2)).toBe('none')
      expect([...out]).toEqual([0, 0, 2.5, 3])
      expect(codeOf(0, 0, size, 4, 3, 2, 0)).toBe('INVALID_ARGUMENT -1')
      expect(codeOf(0, 0, size, 4, 0, 5, 0)).toBe('INVALID_ARGUMENT -1')
      expect(codeOf(0, 0, size, 4, 0, 4, 1)).toBe('OUTPUT_TOO_SMALL -1')
      expect(codeOf(0, 0, size, 3, 0, 3, 0)).toBe('CORRUPT_CHUNK 0')
      expect(codeOf(0, 0, size, 5, 0, 4, 0)).toBe('CORRUPT_CHUNK 0')
      expect(codeOf(0, 0, size, 3, 0, 3, 1)).toBe('CORRUPT_CHUNK 0')
      expect(codeOf(1, 0, size, 4, 1, 3, 2)).toBe('INVALID_ARGUMENT -1')
      expect(() => codec.decodeSealedRuns([bytes], new Uint32Array(7), 2, out)).toThrow(CodecError)
      expect(() => codec.decodeSealedRuns([bytes, new Uint8Array(out.buffer)], new Uint32Array(7), 1, out)).toThrow(
        CodecError,
      )
    })

    test('columns side by side give the bytes of the reference, and come back', () => {
      const random = new SeededRandom(Number(process.env.SEED ?? 1))
      const fills = Object.entries(VALUE_KINDS)
      for (const rowCount of [1, 2, 3, 17, 48, 300]) {
        const stride = fills.length + 2
        const matrix = new Float64Array(stride * (rowCount + 1))
        const like = new Float64Array(stride * rowCount)
        const columns = fills.map(([, fill]) => {
          const column = new Float64Array(rowCount)
          fill(random, column)
          return column
        })
        const [to, likeTo] = [halvesOf(matrix), halvesOf(like)]
        columns.forEach((column, lane) => {
          const from = halvesOf(column)
          for (let row = 0; row < rowCount; row++) {
            for (let half = 0; half < 2; half++) {
              to[(row * stride + lane) * 2 + half] = from[row * 2 + half]
              // Every third column is like, and every third but for one bit.
              if (lane % 3 < 2) likeTo[(row * stride + lane) * 2 + half] = from[row * 2 + half]
            }
          }
          if (lane % 3 === 1) likeTo[((rowCount - 1) * stride + lane) * 2] ^= 1
        })
        const lanes = Uint8Array.from(columns.keys()).reverse()
        const encode = (each: BatchCodec, compared: Float64Array) => {
          const out = new Uint8Array(3 + lanes.length * sealedValuesSizeMax(rowCount))
          const ends = new Uint32Array(lanes.length)
          const end = each.encodeSealedLanes(matrix, compared, stride, rowCount, lanes, out, 3, ends)
          return { bytes: out.subarray(0, end), ends }
        }
        for (const compared of [like, new Float64Array(0)]) {
          const { bytes, ends } = encode(codec, compared)
          const hint = `${rowCount} rows, ${compared.length}`
          expect(encode(typescriptCodec, compared), hint).toEqual({ bytes, ends })
          ends.forEach((end, i) => {
            const start = i === 0 ? 3 : ends[i - 1]
            const lane = lanes[i]
            expect(end === start, `${hint}, lane ${lane}`).toBe(compared === like && lane % 3 === 0)
            if (end === start) return
            const got = decodeOne(codec, 'sealed-values', bytes, rowCount, [start, end])
            expectSameOutcome(got, { values: columns[lane] }, `${hint}, ${fills[lane][0]}`)
          })
        }
      }
    })

    test('columns side by side that there are not are refused', () => {
      const matrix = new Float64Array(12)
      const call = (stride: number, rowCount: number, lane: number, room = 1000, like = 0, slots = 1) => {
        const out = new Uint8Array(room)
        const compared = new Float64Array(like)
        const lanes = Uint8Array.of(lane)
        try {
          codec.encodeSealedLanes(matrix, compared, stride, rowCount, lanes, out, 0, new Uint32Array(slots))
          return 'none'
        } catch (error) {
          return (error as CodecError).code
        }
      }
      expect(call(4, 3, 3)).toBe('none')
      expect(call(4, 4, 0)).toBe('INVALID_ARGUMENT')
      expect(call(4, 0, 0)).toBe('INVALID_ARGUMENT')
      expect(call(0, 3, 0)).toBe('INVALID_ARGUMENT')
      expect(call(4, 3, 4)).toBe('INVALID_ARGUMENT')
      expect(call(4, 2.5, 0)).toBe('INVALID_ARGUMENT')
      expect(call(4, 3, 0, 1000, 11)).toBe('INVALID_ARGUMENT')
      expect(call(4, 3, 0, 1000, 12)).toBe('none')
      expect(call(4, 3, 0, 1000, 0, 0)).toBe('INVALID_ARGUMENT')
      expect(call(4, 3, 0, sealedValuesSizeMax(3) - 1)).toBe('OUTPUT_TOO_SMALL')
    })

    test('an output that overlaps another column is refused', () => {
      const buffer = new ArrayBuffer(1024)
      const values = new Float64Array(buffer, 0, 8)
      const out = new Uint8Array(buffer, 56)
      const ranges = Uint32Array.of(0, 8)
      const refused = expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('overlaps'),
      })
      expect(() => codec.encodeSealedValuesBatch(values, ranges, out, 0, new Uint32Array(1))).toThrow(refused)
      const bytes = new Uint8Array(buffer, 0, 60)
      expect(() => codec.decodeSealedValuesBatch(bytes, ranges, values, 0, new Uint32Array(1))).toThrow(refused)
      const counts = new Uint32Array(buffer, 0, 1)
      expect(() => codec.decodeSealedValuesBatch(new Uint8Array(60), ranges, values, 0, counts)).toThrow(refused)
    })
  })
}
