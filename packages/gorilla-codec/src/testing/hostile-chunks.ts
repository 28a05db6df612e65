/** Damaged chunks: valid ones with flipped bits, cut or grown or spliced, and bytes that never were one. */
import { gorillaSizeMax, typescriptCodec } from '../batch-codec.js'
import { sealedValuesSizeMax } from '../sealed-values.js'
import type { SeededRandom } from './random.js'
import { TIMESTAMP_KINDS, VALUE_KINDS } from './sample-columns.js'
import type { ChunkFormat } from './vectors.js'

const VALUE_FILLS = Object.values(VALUE_KINDS)
const TIMESTAMP_FILLS = Object.values(TIMESTAMP_KINDS)

export interface HostileChunk {
  bytes: Uint8Array
  /** Where the chunk is said to be. */
  range: [number, number]
  /** How many samples the output has room for. */
  room: number
}

/** One damaged chunk of a format. */
export function hostileChunk(random: SeededRandom, format: ChunkFormat): HostileChunk {
  const room = random.below(200) === 0 ? 65_535 : random.pick([0, 1, 40, 40, 40, 300])
  if (random.below(5) === 0) {
    const bytes = new Uint8Array(random.below(60))
    for (let index = 0; index < bytes.length; index++)
      bytes[index] = random.below(4) === 0 ? random.word() : random.below(6)
    return { bytes, range: [0, bytes.length], room }
  }
  let bytes = validChunk(random, format)
  for (let damage = random.below(4); damage >= 0; damage--) {
    // Headers decide most, and stand at the front.
    const at = random.below(random.below(3) > 0 ? Math.min(bytes.length, 24) : bytes.length)
    switch (random.below(5)) {
      case 0:
        bytes[at] ^= 1 << random.below(8)
        break
      case 1:
        bytes[at] = random.pick([0, 1, 127, 128, 255, random.below(256)])
        break
      case 2:
        bytes = bytes.slice(0, random.below(bytes.length + 1))
        break
      case 3:
        bytes = Uint8Array.of(...bytes.subarray(0, at), random.below(256), ...bytes.subarray(at))
        break
      default: {
        const size = Math.min(random.below(12), bytes.length - at)
        for (let index = 0; index < size; index++) bytes[at + index] = random.word()
      }
    }
    if (bytes.length === 0) break
  }
  const offset = Math.min(random.below(20) === 0 ? random.below(8) : 0, bytes.length)
  return { bytes, range: [offset, bytes.length], room }
}

function validChunk(random: SeededRandom, format: ChunkFormat): Uint8Array {
  const count = 1 + random.below(40)
  const values = new Float64Array(count)
  const timestampsMs = new Float64Array(count)
  random.pick(VALUE_FILLS)(random, values)
  // The extreme kind is not for XOR chunks, whose encoder refuses it.
  const fill = random.pick(TIMESTAMP_FILLS)
  if (!(format === 'xor-chunk' && fill === TIMESTAMP_KINDS['huge and negative'])) fill(random, timestampsMs)
  const out = new Uint8Array(Math.max(sealedValuesSizeMax(count), gorillaSizeMax(count)))
  const ends = new Uint32Array(1)
  const ranges = Uint32Array.of(0, count)
  if (format === 'sealed-values') typescriptCodec.encodeSealedValuesBatch(values, ranges, out, 0, ends)
  else if (format === 'sealed-timestamps') {
    typescriptCodec.encodeSealedTimestampsBatch(timestampsMs, ranges, out, 0, ends)
  } else if (format === 'gorilla') typescriptCodec.encodeGorillaBatch(timestampsMs, values, ranges, out, 0, ends)
  else typescriptCodec.encodeXorChunkBatch(timestampsMs, values, ranges, out, 0, ends)
  return out.slice(0, ends[0])
}
