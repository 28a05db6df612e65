/**
 * Finds the decimal scale of a run of values: the smallest k for which every value v is n / 10^k for an integer n.
 *
 * The test is exact, on bits: n / 10^k must round back to v itself, so a value one ulp from a short decimal is not taken
 * for it, and neither is -0. What does not fit (a staleness marker, a true float) is an exception; with more than a
 * quarter of exceptions the run is no run of decimals.
 * Rust twin: native/codec/src/decimal_scale.rs.
 */
import { POWERS_OF_TEN, SCALE_MAX, SCALED_MAX } from './limits.js'

/** 1.5 * 2^52: adding and subtracting it rounds a number below 2^51 to an integer. */
const ROUNDER = 6755399441055744

/** What came of it; valid until the next call. */
export interface ScaledValues {
  scale: number
  exceptionCount: number
}

const RESULT: ScaledValues = { scale: 0, exceptionCount: 0 }

/**
 * Writes the scaled integers of `values[from, to)` to `integers` and the positions of exceptions to `exceptions`; an
 * exception's integer repeats its neighbour's, so that it costs nothing in the packed run. Undefined if the run is none of decimals.
 */
export function scaleValues(
  values: Float64Array,
  from: number,
  to: number,
  integers: Float64Array,
  exceptions: Uint32Array,
): ScaledValues | undefined {
  const count = to - from
  const exceptionsMax = count >>> 2
  let scale = 0
  let visited = 0 // bit k is set once the scale was k
  let misfits = 0
  for (let index = from; index < to; index++) {
    const value = values[index]
    if (fits(value, scale)) continue
    const wanted = scaleOf(value, scale + 1)
    if (wanted >= 0) {
      visited |= 1 << scale
      scale = wanted
    } else if (++misfits > exceptionsMax) return undefined
  }
  for (let lower = scale - 1; lower >= 0; lower--) {
    // A few long decimals among short ones are cheaper as exceptions: a digit costs each number 3.3 bits.
    if (visited & (1 << lower)) {
      const bound = Math.min(exceptionsMax, Math.floor((3 * (scale - lower) * count) / 80))
      if (misfitsAt(values, from, to, lower, bound) <= bound) {
        scale = lower
        break
      }
    }
  }
  return convert(values, from, to, scale, integers, exceptions, exceptionsMax)
}

function fits(value: number, scale: number): boolean {
  if (!(value <= SCALED_MAX && value >= -SCALED_MAX)) return false
  const power = POWERS_OF_TEN[scale]
  const scaled = value * power
  const integer = scaled + ROUNDER - ROUNDER
  if (!(integer <= SCALED_MAX && integer >= -SCALED_MAX)) return false
  return integer / power === value && (integer !== 0 || 1 / value > 0)
}

/** The smallest scale from `from` on at which the value fits, or -1. */
function scaleOf(value: number, from: number): number {
  const magnitude = Math.abs(value)
  if (!(magnitude <= SCALED_MAX)) return -1
  let largest = SCALE_MAX
  while (largest >= from && magnitude * POWERS_OF_TEN[largest] > SCALED_MAX) largest--
  // A value that fits at some scale fits at every larger one, up to the bound: one test turns true floats away.
  if (largest < from || !fits(value, largest)) return -1
  for (let scale = from; scale < largest; scale++) if (fits(value, scale)) return scale
  return largest
}

/** How many values do not fit the scale; stops counting above `bound`. */
function misfitsAt(values: Float64Array, from: number, to: number, scale: number, bound: number): number {
  let misfits = 0
  for (let index = from; index < to && misfits <= bound; index++) if (!fits(values[index], scale)) misfits++
  return misfits
}

function convert(
  values: Float64Array,
  from: number,
  to: number,
  scale: number,
  integers: Float64Array,
  exceptions: Uint32Array,
  exceptionsMax: number,
): ScaledValues | undefined {
  const power = POWERS_OF_TEN[scale]
  let exceptionCount = 0
  let last = 0
  let firstFit = -1
  for (let index = from; index < to; index++) {
    const value = values[index]
    const integer = value * power + ROUNDER - ROUNDER
    if (
      integer <= SCALED_MAX &&
      integer >= -SCALED_MAX &&
      integer / power === value &&
      (integer !== 0 || 1 / value > 0)
    ) {
      if (firstFit < 0) {
        firstFit = index - from
        integers.fill(integer, 0, firstFit)
      }
      last = integer
    } else {
      if (exceptionCount === exceptionsMax) return undefined
      exceptions[exceptionCount++] = index - from
    }
    integers[index - from] = last
  }
  if (firstFit < 0) return undefined
  RESULT.scale = scale
  RESULT.exceptionCount = exceptionCount
  return RESULT
}
