import { expect, it } from 'vitest'
import { Dice } from '../engine/generated.js'
import { quantileOf, quantileOfUnsorted } from './quantile.js'

const SEED = Number(process.env.SEED ?? 20261123)

it(`a quantile of values in any order is that of the sorted ones (SEED=${SEED})`, () => {
  const dice = new Dice(SEED)
  const kinds: ((i: number) => number)[] = [
    () => dice.fraction(),
    () => dice.below(3),
    (i) => i,
    (i) => -i,
    (i) => (i * 7919) % 101,
    () => dice.pick([Infinity, -Infinity, 1]),
    () => 5,
  ]
  for (let round = 0; round < 2_000; round++) {
    const kind = dice.pick(kinds)
    const values = Array.from({ length: dice.below(dice.pick([3, 12, 400])) }, (_, i) => kind(i))
    const nanCount = dice.pick([0, 0, 1, dice.below(20)])
    const quantile = dice.pick([0, 0.5, 0.9, 1, dice.fraction(), -0.1, 1.1, Number.NaN])
    const wanted = quantileOf(quantile, [...values, ...Array(nanCount).fill(Number.NaN)])
    // What stands behind them is left alone.
    const held = Float64Array.from([...values, 1e9])
    const where = `round ${round}: ${quantile} of ${values.length} and ${nanCount} NaN`
    expect(quantileOfUnsorted(quantile, held, values.length, nanCount), where).toBe(wanted)
    expect(held[values.length]).toBe(1e9)
  }
})

/**
 * Values whose medians of three are always near the least that is left: they are decided only as the choice of pivots asks
 * for them. Source: McIlroy, "A killer adversary for quicksort" (1999).
 */
function valuesAgainstPivots(count: number): Float64Array {
  const undecided = 1e9
  const values = new Float64Array(count).fill(undecided)
  const order = Int32Array.from({ length: count }, (_, i) => i)
  let decided = 0
  let candidate = 0
  const isLess = (a: number, b: number): boolean => {
    if (values[a] === undecided && values[b] === undecided) values[a === candidate ? a : b] = decided++
    if (values[a] === undecided) candidate = a
    else if (values[b] === undecided) candidate = b
    return values[a] < values[b]
  }
  const median = (a: number, b: number, c: number) =>
    isLess(a, b) ? (isLess(b, c) ? b : isLess(a, c) ? c : a) : isLess(a, c) ? a : isLess(b, c) ? c : b
  for (let left = 0; left < count - 1; ) {
    const pivot = median(order[left], order[(left + count - 1) >>> 1], order[count - 1])
    let low = left
    let high = count - 1
    while (low <= high) {
      while (order[low] !== pivot && isLess(order[low], pivot)) low++
      while (order[high] !== pivot && isLess(pivot, order[high])) high--
      if (low > high) break
      const held = order[low]
      order[low++] = order[high]
      order[high--] = held
    }
    left = low
  }
  return values.map((value) => (value === undecided ? decided++ : value))
}

it('values that are chosen against the choice of pivots take no quadratic time', () => {
  const count = 8_000
  const dice = new Dice(SEED)
  const quickest = (values: Float64Array) => {
    let least = Infinity
    for (let run = 0; run < 9; run++) {
      const held = values.slice()
      const startMs = performance.now()
      expect(quantileOfUnsorted(1, held, count, 0)).toBe(count - 1)
      least = Math.min(least, performance.now() - startMs)
    }
    return least
  }
  const shuffled = Float64Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i--) {
    const other = dice.below(i + 1)
    const held = shuffled[i]
    shuffled[i] = shuffled[other]
    shuffled[other] = held
  }
  const ratio = quickest(valuesAgainstPivots(count)) / quickest(shuffled)
  // A sort of all costs some 20 times as much as finding one of them; without that it is several hundred times.
  expect(ratio).toBeLessThan(120)
})
