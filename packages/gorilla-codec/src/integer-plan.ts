/**
 * Chooses how a run of integers is packed: which difference, which base, which width, which numbers are patches.
 *
 * The residuals of a good prediction crowd together, with a few far away (a counter's reset, a late scrape). A residual r
 * is stored as `low = (r - base) mod 2^width` in the packed run; where r lies outside [base, base + 2^width) the rest,
 * `floor((r - base) / 2^width)`, is a patch. With width 0 nearly everything may be a patch or nothing: that is a change
 * list, which suits counters that seldom move.
 *
 * What a width costs is read off a histogram of bit widths, so that no sorting is needed. The choice is part of the
 * format only in so far as both languages make the same one: equal samples must give equal bytes.
 * Rust twin: native/codec/src/integer_plan.rs.
 */
import { bitWidth } from './bit-width.js'
import { POWERS_OF_TWO } from './limits.js'

/** Which difference of the integers m[i] (m[0] = 0) is packed; the numbers are those of the format. */
export const TRANSFORM_NONE = 0 // m[i], from i = 1
export const TRANSFORM_DELTA = 1 // m[i] - m[i-1], from i = 1
export const TRANSFORM_DELTA2 = 2 // the delta's delta, from i = 2; the first delta stands in the header

/** How the positions of patches are stored. */
export const PATCHES_NONE = 0
export const PATCHES_LIST = 1
export const PATCHES_BITMAP = 2

/** A spread of residuals beyond this is never planned, so that every intermediate number is exact. */
const SPREAD_MAX = 2 ** 51

/**
 * What a patch costs besides its bits, since putting it in its place takes longer than unpacking a number: with it a fleet's
 * columns are 2 % larger and decode 1.6 times as fast.
 */
const PATCH_PENALTY_BITS = 6

/** One way to pack one run of residuals, and what it costs. */
export interface IntegerPlan {
  transform: number
  base: number
  width: number
  patchForm: number
  patchesSigned: boolean
  patchWidth: number
  patchCount: number
  costBits: number
}

export const newIntegerPlan = (): IntegerPlan => ({
  transform: TRANSFORM_NONE,
  base: 0,
  width: 0,
  patchForm: PATCHES_NONE,
  patchesSigned: false,
  patchWidth: 0,
  patchCount: 0,
  costBits: 0,
})

/** `HISTOGRAM[w]` counts the residuals that need w bits; `BELOW[w]` those under the base. */
const HISTOGRAM = new Uint32Array(64)
const SAMPLES = new Float64Array(15)

/** What one pass over a run of residuals learns. */
let residualMin = 0
let residualMax = 0

/**
 * Fills `plan` with the cheapest plan for `integers[0, count)` (the first is 0, all within ±2^51, count at least 2) and
 * leaves the residuals of the chosen transform in `residuals`; returns how many there are.
 */
export function planIntegers(
  integers: Float64Array,
  count: number,
  residuals: Float64Array,
  candidate: Float64Array,
  plan: IntegerPlan,
): number {
  plan.costBits = Number.POSITIVE_INFINITY
  let chosen = -1
  for (let transform = TRANSFORM_NONE; transform <= TRANSFORM_DELTA2; transform++) {
    if (plan.costBits === 0 || (transform === TRANSFORM_DELTA2 && count < 4)) break
    const length = differences(integers, count, transform, candidate)
    if (residualMax - residualMin > SPREAD_MAX) continue
    const before = plan.costBits
    planFromMinimum(transform, length, plan)
    planFromPivot(candidate, length, transform, plan)
    if (plan.costBits < before) chosen = transform
  }
  const length = differences(integers, count, chosen, residuals)
  if (plan.costBits > 0) refine(residuals, length, plan)
  return length
}

/** A light plan is taken while a number takes at most so many bits; what needs more is worth a search. */
const LIGHT_WIDTH_MAX = 16

/**
 * Fills `plan` for `integers[0, count)`, from which it subtracts the first, by one pass: numbers or their differences, from the
 * least of them, without patches and without a divisor. False, with the integers as they were: that takes more than
 * `LIGHT_WIDTH_MAX` bits a number. `count` is at least 2; the residuals are count - 1.
 */
export function planIntegersLightly(
  integers: Float64Array,
  count: number,
  residuals: Float64Array,
  plan: IntegerPlan,
): boolean {
  const first = integers[0]
  let min = Number.POSITIVE_INFINITY
  let max = Number.NEGATIVE_INFINITY
  let deltaMin = Number.POSITIVE_INFINITY
  let deltaMax = Number.NEGATIVE_INFINITY
  for (let index = 1, before = first; index < count; index++) {
    const integer = integers[index]
    const delta = integer - before
    if (integer < min) min = integer
    if (integer > max) max = integer
    if (delta < deltaMin) deltaMin = delta
    if (delta > deltaMax) deltaMax = delta
    before = integer
  }
  const plainWidth = bitWidth(max - min)
  const deltaWidth = bitWidth(deltaMax - deltaMin)
  const isPlain = plainWidth <= deltaWidth
  const width = isPlain ? plainWidth : deltaWidth
  if (width > LIGHT_WIDTH_MAX) return false
  for (let index = 1; index < count; index++) {
    residuals[index - 1] = integers[index] - (isPlain ? first : integers[index - 1])
  }
  for (let index = 0; index < count; index++) integers[index] -= first
  plan.transform = isPlain ? TRANSFORM_NONE : TRANSFORM_DELTA
  plan.base = isPlain ? min - first : deltaMin
  plan.width = width
  plan.patchForm = PATCHES_NONE
  plan.patchesSigned = false
  plan.patchWidth = 0
  plan.patchCount = 0
  plan.costBits = (count - 1) * width
  return true
}

/** Writes the transform's residuals, notes their extremes, and returns how many there are. */
function differences(integers: Float64Array, count: number, transform: number, out: Float64Array): number {
  const skipped = transform === TRANSFORM_DELTA2 ? 2 : 1
  const length = count - skipped
  let min = Number.POSITIVE_INFINITY
  let max = Number.NEGATIVE_INFINITY
  for (let index = 0; index < length; index++) {
    let residual = integers[index + skipped]
    if (transform === TRANSFORM_DELTA) residual -= integers[index]
    else if (transform === TRANSFORM_DELTA2) residual += integers[index] - 2 * integers[index + 1]
    if (residual < min) min = residual
    if (residual > max) max = residual
    out[index] = residual
  }
  residualMin = min
  residualMax = max
  return length
}

/** The plan without patches: from the minimum, as wide as the spread. */
function planFromMinimum(transform: number, length: number, plan: IntegerPlan): void {
  const width = bitWidth(residualMax - residualMin)
  offer(plan, transform, residualMin, width, 0, length)
}

/** Plans around a typical residual: width w covers [pivot - 2^(w-1), pivot + 2^(w-1)), width 0 the pivot alone. */
function planFromPivot(residuals: Float64Array, length: number, transform: number, plan: IntegerPlan): void {
  const pivot = typicalOf(residuals, length)
  HISTOGRAM.fill(0)
  for (let index = 0; index < length; index++) {
    const distance = residuals[index] - pivot
    HISTOGRAM[distance === 0 ? 0 : 1 + bitWidth(distance > 0 ? distance : -distance - 1)]++
  }
  let inside = 0
  const widthMax = 1 + bitWidth(residualMax - residualMin)
  for (let width = 0; width < widthMax; width++) {
    if (length * width >= plan.costBits) break // A larger width only costs more.
    inside += HISTOGRAM[width]
    offer(plan, transform, width === 0 ? pivot : pivot - POWERS_OF_TWO[width - 1], width, length - inside, length)
  }
}

/** Moves the base to the smallest residual that the plan covers, or that there is, and asks the widths again. */
function refine(residuals: Float64Array, length: number, plan: IntegerPlan): void {
  let min = Number.POSITIVE_INFINITY
  let lowest = Number.POSITIVE_INFINITY
  let highest = Number.NEGATIVE_INFINITY
  const from = plan.base
  const to = plan.base + POWERS_OF_TWO[plan.width]
  for (let index = 0; index < length; index++) {
    const residual = residuals[index]
    if (residual < min) min = residual
    if (residual > highest) highest = residual
    if (residual >= from && residual < to && residual < lowest) lowest = residual
  }
  residualMin = min
  residualMax = highest
  planFromBase(residuals, length, lowest, plan)
  if (min < lowest) planFromBase(residuals, length, min, plan)
}

/** Plans that begin at `base`: what lies below it is a patch at every width. */
function planFromBase(residuals: Float64Array, length: number, base: number, plan: IntegerPlan): void {
  HISTOGRAM.fill(0)
  for (let index = 0; index < length; index++) {
    const distance = residuals[index] - base
    if (distance >= 0) HISTOGRAM[bitWidth(distance)]++
  }
  const widthMax = bitWidth(residualMax - base)
  let inside = 0
  for (let width = 0; width <= widthMax; width++) {
    if (length * width >= plan.costBits) break
    inside += HISTOGRAM[width]
    offer(plan, plan.transform, base, width, length - inside, length)
  }
}

/** Takes the offered plan if it costs less than the one held. */
function offer(
  plan: IntegerPlan,
  transform: number,
  base: number,
  width: number,
  patchCount: number,
  length: number,
): void {
  let costBits = length * width
  let patchForm = PATCHES_NONE
  let patchWidth = 0
  const patchesSigned = patchCount > 0 && residualMin < base
  const listBits = patchCount > 0 ? patchCount * bitWidth(length - 1) : 0
  // All of the patches but their own bits.
  if (patchCount > 0) costBits += Math.min(listBits, length) + patchCount * PATCH_PENALTY_BITS + 24
  if (costBits >= plan.costBits) return
  if (patchCount > 0) {
    const unit = POWERS_OF_TWO[width]
    // A patch is never 0, so one less is stored: zigzag where some lie below the base, plain otherwise.
    const above = Math.floor((residualMax - base) / unit)
    if (patchesSigned) {
      const below = -Math.floor((residualMin - base) / unit)
      patchWidth = bitWidth(Math.max(2 * above - 1, 2 * below - 2, 0))
    } else patchWidth = bitWidth(above - 1)
    patchForm = listBits <= length ? PATCHES_LIST : PATCHES_BITMAP
    costBits += patchCount * patchWidth
  }
  if (costBits >= plan.costBits) return
  plan.transform = transform
  plan.base = base
  plan.width = width
  plan.patchForm = patchForm
  plan.patchesSigned = patchesSigned
  plan.patchWidth = patchWidth
  plan.patchCount = patchCount
  plan.costBits = costBits
}

/** Zero where most residuals are zero, else the median of 15 evenly spaced ones. */
function typicalOf(residuals: Float64Array, length: number): number {
  let zeros = 0
  for (let index = 0; index < length; index++) if (residuals[index] === 0) zeros++
  if (2 * zeros >= length) return 0
  const count = length < 15 ? length : 15
  for (let sample = 0; sample < count; sample++) {
    const value = residuals[Math.floor((sample * length) / count)]
    let slot = sample
    for (; slot > 0 && SAMPLES[slot - 1] > value; slot--) SAMPLES[slot] = SAMPLES[slot - 1]
    SAMPLES[slot] = value
  }
  return SAMPLES[count >> 1]
}
