/** Bounds that every encoding shares; docs/formats/chunk.md states them too. */

/** The most samples that one chunk may hold. */
export const SAMPLES_PER_CHUNK_MAX = 65_535

/** The largest timestamp, and the largest number that a varint holds: beyond it a float64 skips integers. */
export const INTEGER_EXACT_MAX = 2 ** 53

/** A scaled value n stays within ±2^50: then n / 10^k is one float64 and no other n gives it, and sums stay exact. */
export const SCALED_MAX = 2 ** 50

/** A power of ten divides exactly up to 10^22, the last that a float64 holds. */
export const SCALE_MAX = 22

/** `POWERS_OF_TEN[k]` is 10^k. */
export const POWERS_OF_TEN = Float64Array.from({ length: SCALE_MAX + 1 }, (_, k) => Number(`1e${k}`))

/** `POWERS_OF_TWO[n]` is 2^n. */
export const POWERS_OF_TWO = Float64Array.from({ length: 65 }, (_, n) => 2 ** n)
