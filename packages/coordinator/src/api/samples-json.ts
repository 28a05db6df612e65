/** The samples of a series as JSON bytes. Rust twin: native/json. */
import type { JsonKernels } from '@varve/native'
import { NUMBER_SIZE_MAX, writeGoNumber } from './shortest-decimal.js'

/** A comma, and the end of the sample. */
const FRAME_SIZE = 3
const COMMA = 44
const QUOTE = 34
const BRACKET = 93

/** What the native module does too, in TypeScript. */
export const typescriptJson: JsonKernels = { writeSamplesJson }

function writeSamplesJson(
  values: Float64Array,
  presence: Uint8Array,
  heads: Uint8Array,
  headEnds: Uint32Array,
  out: Uint8Array,
  at: number,
): number {
  const count = values.length
  const hasRoom = out.length - at >= heads.length + count * (NUMBER_SIZE_MAX + FRAME_SIZE)
  if (!hasRoom || headEnds.length !== count || (presence.length !== 0 && presence.length !== count)) return -1
  const isWhole = presence.length === 0
  const start = at
  let headFrom = 0
  for (let i = 0; i < count; i++) {
    const headTo = headEnds[i]
    if (isWhole || presence[i] !== 0) {
      if (at > start) out[at++] = COMMA
      for (let place = headFrom; place < headTo; place++) out[at++] = heads[place]
      at = writeGoNumber(values[i], out, at)
      out[at] = QUOTE
      out[at + 1] = BRACKET
      at += 2
    }
    headFrom = headTo
  }
  return at
}
