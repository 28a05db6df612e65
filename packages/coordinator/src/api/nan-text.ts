/**
 * NaNs as texts that keep their bits, for lines of JSON:
 *
 *     NaN                        0x7ff8000000000001, the ordinary one of Prometheus
 *     StaleNaN                   0x7ff0000000000002, a staleness marker
 *     NaN:0x7ff8000000000000     any other, by its bits
 */

export const ORDINARY_NAN_BITS = 0x7ff8_0000_0000_0001n
export const STALE_NAN_BITS = 0x7ff0_0000_0000_0002n

const OTHER = /^NaN:0x([0-9a-f]{16})$/

/** `bits` are those of a NaN. */
export function nanText(bits: bigint): string {
  if (bits === ORDINARY_NAN_BITS) return 'NaN'
  return bits === STALE_NAN_BITS ? 'StaleNaN' : `NaN:0x${bits.toString(16).padStart(16, '0')}`
}

/** The bits of a NaN's text; `null` for any other text, and for bits that are a number's. */
export function nanBitsOf(text: string): bigint | null {
  if (text === 'NaN') return ORDINARY_NAN_BITS
  if (text === 'StaleNaN') return STALE_NAN_BITS
  const digits = OTHER.exec(text)?.[1]
  if (digits === undefined) return null
  const bits = BigInt(`0x${digits}`)
  const isOne = (bits & INFINITY_BITS) === INFINITY_BITS && (bits & FRACTION_BITS) !== 0n
  return isOne ? bits : null
}

const INFINITY_BITS = 0x7ff0_0000_0000_0000n
const FRACTION_BITS = 0x000f_ffff_ffff_ffffn
