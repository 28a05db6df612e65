/**
 * Float64 columns as 32-bit halves. A float that is read as a number may come back with other NaN bits; its halves do not.
 */
const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

/** Where a value's halves stand in its pair. */
export const HIGH = LITTLE_ENDIAN ? 1 : 0
export const LOW = 1 - HIGH

export function halvesOf(values: Float64Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length * 2)
}
