import { nativeKernels } from '@varve/native'
import { expect, test } from 'vitest'
import { decodeOne, encodeOne, expectSameOutcome } from './batch-codec.conformance.js'
import { typescriptCodec } from './batch-codec.js'
import { nativeCodec } from './native-codec.js'
import { SeededRandom } from './testing/random.js'
import { TIMESTAMP_KINDS, VALUE_KINDS } from './testing/sample-columns.js'
import type { ChunkFormat } from './testing/vectors.js'

/** Half of them random bit patterns, half of all the kinds. A long run takes more: VARVE_PATTERN_SAMPLES=10000000. */
const SAMPLES = Number(process.env.VARVE_PATTERN_SAMPLES ?? 100_000)
const FORMATS: ChunkFormat[] = ['sealed-values', 'sealed-timestamps', 'gorilla', 'xor-chunk']
const COUNT = 1000

test(`${SAMPLES} bit patterns go through every format and language without a difference`, () => {
  const kernels = nativeKernels()
  const codecs = kernels === undefined ? [typescriptCodec] : [typescriptCodec, nativeCodec(kernels)]
  const kinds = Object.keys(VALUE_KINDS)
  // The extreme timestamps are beyond what an XOR chunk takes, and have tests of their own.
  const timeKinds = Object.keys(TIMESTAMP_KINDS).filter((kind) => kind !== 'huge and negative')
  const seed = Number(process.env.SEED ?? 1)
  for (let column = 0; column < SAMPLES / COUNT; column++) {
    const random = new SeededRandom(seed + column)
    const kind = column % 2 === 0 ? 'any bits' : kinds[(column >> 1) % kinds.length]
    const values = new Float64Array(COUNT)
    const timestampsMs = new Float64Array(COUNT)
    VALUE_KINDS[kind](random, values)
    TIMESTAMP_KINDS[timeKinds[column % timeKinds.length]](random, timestampsMs)
    for (const format of FORMATS) {
      const hint = `${kind}, ${format}: SEED=${seed + column} npx vitest run packages/gorilla-codec/src/patterns.test.ts`
      const reference = encodeOne(typescriptCodec, format, timestampsMs, values)
      const original = {
        ...(format !== 'sealed-timestamps' && { values }),
        ...(format !== 'sealed-values' && { timestampsMs }),
      }
      for (const codec of codecs) {
        const encoded = codec === typescriptCodec ? reference : encodeOne(codec, format, timestampsMs, values)
        expectSameOutcome(encoded, reference, hint)
        expectSameOutcome(decodeOne(codec, format, encoded.bytes!, COUNT), original, hint)
      }
    }
  }
  expect(codecs.length).toBeGreaterThan(0)
})
