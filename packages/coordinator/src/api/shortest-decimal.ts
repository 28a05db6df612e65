/**
 * The shortest decimal text of a double, as bytes, without making a string of it.
 *
 * A value c · 2^q lies at p = c · T between whole numbers, where T = 2^q / 10^k is in [1, 10) and k depends on q alone. Whatever
 * is nearer to p than T / 2 reads back as the value: a multiple of ten if there is one, else the whole number next to p. p is
 * needed to a few bits behind the point, so T is kept in three parts whose products are exact where it matters:
 *
 *     T = t2 · 2^-22 + t1 · 2^-48 + t0        t2, t1 whole and below 2^26
 *     c = c1 · 2^27 + c0
 *     p = 32 · (c1 · t2)  +  c0 · t2 · 2^-22 + c1 · t1 · 2^-21 + c0 · t1 · 2^-48 + c · t0
 *         exact, whole       within 2^-18 of the truth
 *
 * Where that leaves open which number is nearer, JavaScript's own text decides: one value in some ten thousand.
 * Source of the interval argument: Giulietti, "The Schubfach way to render doubles" (2020), section 9.
 */
import { goNumber } from './go-json.js'

/** What a number may take: sign, `0.00000` and 17 digits, or JavaScript's longest. */
export const NUMBER_SIZE_MAX = 32

const EXACT_INTEGERS = 2 ** 53
/** From here to 2^53 is what the table is for: no exponent in the text, and k below 0. */
const PLAIN_MIN = 1e-6
/** The biased exponent of `PLAIN_MIN`. */
const EXPONENT_MIN = 1003
const EXPONENT_COUNT = 1076 - EXPONENT_MIN
/** t2, t1, t0 and T / 2 of each exponent. */
const PARTS = new Float64Array(EXPONENT_COUNT * 4)
/** k of each. */
const POWERS = new Int32Array(EXPONENT_COUNT)
/** How far p may be off, with room to spare. */
const UNSURE = 2 ** -16

const POINT = 46
const MINUS = 45
const ZERO = 48
/** `00` to `99`. */
const PAIRS = new Uint8Array(200)

const DOUBLE = new Float64Array(1)
const WORDS = new Uint32Array(DOUBLE.buffer)
const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0]
const HIGH = LITTLE_ENDIAN
const LOW = 1 - LITTLE_ENDIAN

fillTables()

function fillTables(): void {
  for (let i = 0; i < 100; i++) {
    PAIRS[2 * i] = ZERO + Math.floor(i / 10)
    PAIRS[2 * i + 1] = ZERO + (i % 10)
  }
  for (let i = 0; i < EXPONENT_COUNT; i++) {
    const q = EXPONENT_MIN + i - 1075
    let power = Math.floor(q * Math.LOG10E * Math.LN2)
    // T · 2^100, cut off.
    let scaled = 2n ** BigInt(q + 100) * 10n ** BigInt(-power)
    if (scaled >= 10n * 2n ** 100n) {
      scaled /= 10n
      power++
    }
    const at = 4 * i
    PARTS[at] = Number(scaled >> 78n)
    PARTS[at + 1] = Number((scaled >> 52n) & 0x3ffffffn)
    PARTS[at + 2] = Number(scaled & 0xfffffffffffffn) / 2 ** 100
    PARTS[at + 3] = Number(scaled) / 2 ** 101
    POWERS[i] = power
  }
}

/** Writes what `goNumber` gives to `out`, which has room for `NUMBER_SIZE_MAX` bytes from `at` on; returns the offset behind it. */
export function writeGoNumber(value: number, out: Uint8Array, at: number): number {
  const magnitude = value < 0 ? -value : value
  if (magnitude < EXACT_INTEGERS) {
    const whole = Math.floor(magnitude)
    if (whole === magnitude) {
      if (value < 0 || (value === 0 && 1 / value < 0)) out[at++] = MINUS
      return writeInteger(whole, out, at)
    }
    if (magnitude >= PLAIN_MIN) {
      if (magnitude < 1e9) {
        // No two decimals of 15 digits are the same double, so a value that is some thousandths has no shorter text than they.
        const thousandths = Math.round(magnitude * 1000)
        if (thousandths / 1000 === magnitude) {
          if (value < 0) out[at++] = MINUS
          return writeThousandths(whole | 0, (thousandths - whole * 1000) | 0, out, at)
        }
      }
      const end = writeFraction(value < 0, magnitude, out, at)
      if (end > 0) return end
    }
  }
  return writeText(goNumber(value), out, at)
}

function writeText(text: string, out: Uint8Array, at: number): number {
  for (let i = 0; i < text.length; i++) out[at + i] = text.charCodeAt(i)
  return at + text.length
}

/** Below 2^53. */
function writeInteger(whole: number, out: Uint8Array, at: number): number {
  if (whole < 1e9) return writeShort(whole | 0, out, at)
  const high = Math.floor(whole / 1e8)
  at = writeShort(high | 0, out, at)
  return writeEight((whole - high * 1e8) | 0, out, at)
}

/** Below 10^9, without zeros in front. */
function writeShort(whole: number, out: Uint8Array, at: number): number {
  let size = 1
  for (let limit = 10; whole >= limit; limit *= 10) size++
  const end = at + size
  let place = end
  while (whole >= 100) {
    const rest = (whole / 100) | 0
    const pair = (whole - rest * 100) << 1
    out[--place] = PAIRS[pair + 1]
    out[--place] = PAIRS[pair]
    whole = rest
  }
  out[--place] = PAIRS[(whole << 1) + 1]
  if (whole >= 10) out[--place] = PAIRS[whole << 1]
  return end
}

/** 1 to 999 thousandths behind the point, without zeros at the end. */
function writeThousandths(whole: number, rest: number, out: Uint8Array, at: number): number {
  at = writeShort(whole, out, at)
  out[at] = POINT
  const first = (rest / 100) | 0
  const pair = (rest - first * 100) << 1
  out[at + 1] = ZERO + first
  out[at + 2] = PAIRS[pair]
  out[at + 3] = PAIRS[pair + 1]
  if (PAIRS[pair + 1] !== ZERO) return at + 4
  return PAIRS[pair] !== ZERO ? at + 3 : at + 2
}

function writeEight(number: number, out: Uint8Array, at: number): number {
  const high = (number / 10_000) | 0
  writeFour(high, out, at)
  writeFour(number - high * 10_000, out, at + 4)
  return at + 8
}

function writeFour(number: number, out: Uint8Array, at: number): void {
  const high = (number / 100) | 0
  const low = (number - high * 100) << 1
  out[at] = PAIRS[high << 1]
  out[at + 1] = PAIRS[(high << 1) + 1]
  out[at + 2] = PAIRS[low]
  out[at + 3] = PAIRS[low + 1]
}

/** No integer, from `PLAIN_MIN` on and below 2^53. Returns 0 where it cannot tell; `out` is then as it was up to `at`. */
function writeFraction(negative: boolean, magnitude: number, out: Uint8Array, at: number): number {
  DOUBLE[0] = magnitude
  const wordHigh = WORDS[HIGH]
  const wordLow = WORDS[LOW]
  const row = (wordHigh >>> 20) - EXPONENT_MIN
  const c1 = ((wordHigh & 0xfffff) << 5) | 0x2000000 | (wordLow >>> 27)
  const c0 = wordLow & 0x7ffffff
  // A power of two has a nearer neighbour below.
  if (c1 === 0x2000000 && c0 === 0) return 0
  const t2 = PARTS[4 * row]
  const t1 = PARTS[4 * row + 1]
  const t0 = PARTS[4 * row + 2]
  const half = PARTS[4 * row + 3]

  const upper = c1 * t2
  const small = c0 * t1 * 2 ** -48 + (c1 * 2 ** 27 + c0) * t0
  const lower = c0 * t2 * 2 ** -22 + c1 * t1 * 2 ** -21 + small
  const lowerWhole = Math.floor(lower)
  const rest = lower - lowerWhole
  // The whole part of p has up to 57 bits: its top by division, what is below by wrapping around.
  let high = Math.floor((upper * 32 + lowerWhole) / 1e8)
  let low = (((upper << 5) + (lowerWhole | 0)) | 0) - Math.imul(high, 100_000_000)
  low |= 0
  if (low < 0) {
    high--
    low += 100_000_000
  } else if (low >= 100_000_000) {
    high++
    low -= 100_000_000
  }

  const lastDigit = low - ((low / 10) | 0) * 10
  const below = lastDigit + rest
  const above = 10 - below
  if (below < half - UNSURE) low -= lastDigit
  else if (above < half - UNSURE) low += 10 - lastDigit
  else if (below < half + UNSURE || above < half + UNSURE) return 0
  else if (rest > 0.5 + UNSURE) low++
  else if (rest > 0.5 - UNSURE) return 0
  if (low >= 100_000_000) {
    high++
    low -= 100_000_000
  }
  if (negative) out[at++] = MINUS
  return writePlaced(high, low, POWERS[row], out, at)
}

/** `(high · 10^8 + low) · 10^power`, of 16 or 17 digits, some behind the point; without zeros at the end. */
function writePlaced(high: number, low: number, power: number, out: Uint8Array, at: number): number {
  const size = high >= 100_000_000 ? 17 : 16
  /** How many digits stand before the point. */
  const whole = size + power
  let start = at + 1
  if (whole <= 0) {
    out[at] = ZERO
    out[at + 1] = POINT
    start = at + 2 - whole
    for (let place = at + 2; place < start; place++) out[place] = ZERO
  }
  let place = start
  if (size === 17) {
    const first = (high / 100_000_000) | 0
    out[place++] = ZERO + first
    high -= first * 100_000_000
  }
  writeEight(high, out, place)
  writeEight(low, out, place + 8)
  let end = place + 16
  while (out[end - 1] === ZERO) end--
  if (whole > 0) {
    // The digits before the point move to where they belong.
    for (let i = at; i < at + whole; i++) out[i] = out[i + 1]
    out[at + whole] = POINT
  }
  return end
}
