/** Samples and series as JSON bytes. Rust twin: native/json. */
import type { JsonKernels } from '@varve/native'
import { NUMBER_SIZE_MAX, writeGoNumber } from './shortest-decimal.js'

/** A comma, and the end of the sample. */
const FRAME_SIZE = 3
const COMMA = 44
const QUOTE = 34
const BRACKET = 93
const OPENING_BRACKET = 91
/** What stands around labels and samples, at most. */
const ROW_FRAME_SIZE = 32
const METRIC = Buffer.from('{"metric":{')
const VALUE = Buffer.from('},"value":')
const VALUES = Buffer.from('},"values":[')
const END = Buffer.from('}')
const VALUES_END = Buffer.from(']}')
const COLON = 58

/** What the native module does too, in TypeScript. */
export const typescriptJson: JsonKernels = { writeRowsJson }

function writeRowsJson(
  values: Float64Array,
  presence: Uint8Array,
  firsts: Uint32Array,
  sets: Uint32Array,
  texts: Uint8Array,
  textStarts: Uint32Array,
  textEnds: Uint32Array,
  pairs: Uint32Array,
  offsets: Uint32Array,
  heads: Uint8Array,
  headEnds: Uint32Array,
  isInstant: boolean,
  out: Uint8Array,
  frame: Float64Array,
): boolean {
  const [steps, to, stop] = frame
  if (headEnds.length !== steps) return false
  const samplesSize = heads.length + steps * (NUMBER_SIZE_MAX + FRAME_SIZE)
  const headView = new DataView(heads.buffer, heads.byteOffset, heads.length)
  const outView = new DataView(out.buffer, out.byteOffset, out.length)
  frame[5] = 0
  while (frame[3] < to && frame[4] < stop) {
    const next = frame[3]
    const first = firsts[next]
    const set = sets[next]
    const hasSamples = first + steps <= values.length && (presence.length === 0 || first + steps <= presence.length)
    if (!hasSamples || !(set + 1 < offsets.length)) return false
    let wanted = ROW_FRAME_SIZE + samplesSize
    for (let i = offsets[set] * 2; i < offsets[set + 1] * 2; i++)
      wanted += textEnds[pairs[i]] - textStarts[pairs[i]] + 1
    if (Number.isNaN(wanted)) return false
    let at = frame[4]
    if (out.length - at < wanted) {
      frame[5] = wanted
      break
    }
    if (at === 0 || out[at - 1] !== OPENING_BRACKET) out[at++] = COMMA
    at = put(METRIC, 0, METRIC.length, out, at)
    for (let i = offsets[set] * 2, from = i; i < offsets[set + 1] * 2; i++) {
      if (i > from) out[at++] = (i - from) % 2 === 0 ? COMMA : COLON
      at = put(texts, textStarts[pairs[i]], textEnds[pairs[i]], out, at)
    }
    const opening = isInstant ? VALUE : VALUES
    at = put(opening, 0, opening.length, out, at)
    const present = presence.length === 0 ? presence : presence.subarray(first, first + steps)
    const end = writeSamples(values.subarray(first, first + steps), present, headView, headEnds, out, outView, at)
    if (end > at) {
      const closing = isInstant ? END : VALUES_END
      frame[4] = put(closing, 0, closing.length, out, end)
    }
    frame[3]++
  }
  return true
}

/** Those that are present, with commas between them; returns the offset behind them. */
function writeSamples(
  values: Float64Array,
  presence: Uint8Array,
  heads: DataView,
  headEnds: Uint32Array,
  out: Uint8Array,
  outView: DataView,
  at: number,
): number {
  const wordsEnd = heads.byteLength - 3
  const count = values.length
  const isWhole = presence.length === 0
  const start = at
  let headFrom = 0
  for (let i = 0; i < count; i++) {
    const headTo = headEnds[i]
    if (isWhole || presence[i] !== 0) {
      if (at > start) out[at++] = COMMA
      // Four bytes at a time: what is too much is overwritten by the number, which has room for more.
      let place = headFrom
      for (; place < headTo && place < wordsEnd; place += 4, at += 4) outView.setUint32(at, heads.getUint32(place))
      for (; place < headTo; place++) out[at++] = heads.getUint8(place)
      at -= place - headTo
      at = writeGoNumber(values[i], out, at)
      out[at] = QUOTE
      out[at + 1] = BRACKET
      at += 2
    }
    headFrom = headTo
  }
  return at
}

function put(text: Uint8Array, from: number, to: number, out: Uint8Array, at: number): number {
  for (let i = from; i < to; i++) out[at++] = text[i]
  return at
}
