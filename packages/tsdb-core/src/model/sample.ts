/**
 * The value that ends a series: a signalling NaN with payload 2, as Prometheus writes it.
 *
 * Its bits live only in typed arrays: arithmetic, `number[]`, JSON and `postMessage` of a plain number turn it into
 * another NaN. So it is written and tested by its 32-bit halves, never by value.
 */
export const STALE_HIGH = 0x7ff00000
export const STALE_LOW = 0x00000002

const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1
const HIGH = LITTLE_ENDIAN ? 1 : 0
const LOW = 1 - HIGH

/** A view of the value column's halves, for `isStaleAt` and `writeStaleAt`. */
export function halvesOf(values: Float64Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length * 2)
}

export function isStaleAt(halves: Uint32Array, index: number): boolean {
  return halves[index * 2 + LOW] === STALE_LOW && halves[index * 2 + HIGH] === STALE_HIGH
}

export function writeStaleAt(halves: Uint32Array, index: number): void {
  halves[index * 2 + LOW] = STALE_LOW
  halves[index * 2 + HIGH] = STALE_HIGH
}
