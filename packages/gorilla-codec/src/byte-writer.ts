/** Writes the fields that `byte-reader.ts` reads. The caller has made room: each function returns the next offset. */

const FLOAT = new Float64Array(1)
const FLOAT_BYTES = new Uint8Array(FLOAT.buffer)
const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

/** Writes an integer in [0, 2^53]. */
export function writeVarint(out: Uint8Array, at: number, value: number): number {
  while (value >= 128) {
    // Modulo keeps 53-bit integers exact where bit operators would cut them to 32.
    out[at++] = (value % 128) | 128
    value = Math.floor(value / 128)
  }
  out[at++] = value
  return at
}

/** Writes an integer in ±2^53: sign and magnitude, so that -2^53 needs no 54th bit. */
export function writeSignedVarint(out: Uint8Array, at: number, value: number): number {
  const sign = value < 0 ? 1 : 0
  const magnitude = Math.abs(value)
  if (magnitude < 64) {
    out[at++] = (magnitude << 1) | sign
    return at
  }
  out[at++] = 128 | ((magnitude % 64) << 1) | sign
  return writeVarint(out, at, Math.floor(magnitude / 64))
}

/** Writes a float64, lowest byte first. */
export function writeFloat(out: Uint8Array, at: number, value: number): number {
  FLOAT[0] = value
  for (let index = 0; index < 8; index++) out[at++] = FLOAT_BYTES[LITTLE_ENDIAN ? index : 7 - index]
  return at
}

/** Writes an unsigned 32-bit number, lowest byte first. */
export function writeUint32(out: Uint8Array, at: number, value: number): number {
  out[at] = value
  out[at + 1] = value >>> 8
  out[at + 2] = value >>> 16
  out[at + 3] = value >>> 24
  return at + 4
}
