/**
 * Columns for property and differential tests: every kind of series that a fleet has, and bit patterns that none has.
 * Each is a function of a seed.
 */
import type { SeededRandom } from './random.js'

type Fill = (random: SeededRandom, values: Float64Array) => void

const SPECIALS = [0, -0, 1, -1, 0.1, 0.3, 0.1 + 0.2, 434.99999999999994, 5e-324, 1.7976931348623157e308]
SPECIALS.push(
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  2 ** 50,
  2 ** 50 + 1,
  2 ** 53,
  2 ** 53 + 2,
  -(2 ** 63),
)

/** What each kind of column is, by name. */
export const VALUE_KINDS: Record<string, Fill> = {
  constant: (random, values) => values.fill(random.pick([0, 1, -0, 0.25, 1e300, 123456.789])),
  counter: (random, values) => walk(values, random.below(1e12), () => random.below(10 ** random.below(8))),
  'counter that resets': (random, values) => {
    let total = random.below(1e9)
    fill(values, () => (total = random.below(100) === 0 ? 0 : total + random.below(5000)))
  },
  'counter that seldom moves': (random, values) =>
    walk(values, random.below(1e6), () => (random.below(10) === 0 ? random.below(1000) : 0)),
  'hundredths of seconds': (random, values) => {
    let ticks = random.below(1e9)
    fill(values, () => (ticks += random.below(1500)) / 100)
  },
  'load average': (random, values) => {
    let load = 100
    fill(values, () => (load = Math.max(0, Math.round(load + 10 * random.normal()))) / 100)
  },
  'page multiples': (random, values) => {
    let pages = random.below(1e6)
    fill(values, () => (pages = Math.max(0, pages + random.below(2000) - 1000)) * 4096)
  },
  'full mantissas': (random, values) => walk(values, random.fraction(), () => random.fraction()),
  'full mantissas that repeat': (random, values) =>
    walk(values, random.fraction(), () => (random.below(3) === 0 ? random.fraction() : 0)),
  'float32 values': (random, values) => fill(values, () => Math.fround(20 + random.normal())),
  'sums of decimals': (random, values) => walk(values, 0, () => random.below(100) / 100),
  'decimals with a few long ones': (random, values) =>
    fill(values, () => (random.below(40) === 0 ? random.fraction() : random.below(1000) / 10)),
  'large integers': (random, values) => fill(values, () => random.below(2 ** 53)),
  'integers near the bound': (random, values) =>
    fill(values, () => (random.below(3) - 1) * (2 ** 50 - random.below(3))),
  'small exponents': (random, values) => fill(values, () => random.below(100000) / 1e22),
  specials: (random, values) => fill(values, () => random.pick(SPECIALS)),
  'any bits': (random, values) => randomBits(random, values, () => true),
  'decimals with any bits': (random, values) => {
    fill(values, () => random.below(1000) / 8)
    randomBits(random, values, () => random.below(20) === 0)
  },
  'counter whose rate drifts': (random, values) => {
    const drift = 10 ** (1 + random.below(6))
    let rate = random.below(1e7)
    walk(values, random.below(1e12), () => (rate = Math.max(0, rate + random.below(2 * drift) - drift)))
  },
  'a gauge that goes stale': (random, values) => {
    walk(values, 50, () => random.below(5) - 2)
    const halves = new Uint32Array(values.buffer, values.byteOffset, values.length * 2)
    for (let index = values.length - random.below(values.length >> 3 || 1); index < values.length; index++) {
      halves[2 * index] = 2
      halves[2 * index + 1] = 0x7ff00000
    }
  },
}

export const TIMESTAMP_KINDS: Record<string, Fill> = {
  regular: (random, values) => {
    const step = random.pick([0, 1, 1000, 15000, 3_600_000])
    walk(values, 1.7e12 + random.below(1e9), () => step)
  },
  jitter: (random, values) => grid(values, random, () => random.below(20)),
  'some late': (random, values) => grid(values, random, () => (random.below(12) === 0 ? random.below(900) : 0)),
  'gaps that stay': (random, values) =>
    walk(values, 1.7e12, () => 15000 + (random.below(50) === 0 ? random.below(1e6) : 0)),
  'whole seconds': (random, values) => walk(values, 1.7e12, () => 1000 * random.below(100)),
  'huge and negative': (random, values) => {
    fill(values, () => random.below(2 ** 54) - 2 ** 53)
    values.sort()
  },
  'equal neighbours': (random, values) => walk(values, -5, () => random.below(2)),
  'powers of two': (random, values) => walk(values, 0, () => 2 ** random.below(36)),
}

function fill(values: Float64Array, next: () => number): void {
  for (let index = 0; index < values.length; index++) values[index] = next()
}

function walk(values: Float64Array, start: number, step: () => number): void {
  let value = start
  for (let index = 0; index < values.length; index++) {
    values[index] = value
    value += step()
  }
}

function grid(values: Float64Array, random: SeededRandom, late: () => number): void {
  const start = 1.7e12 + random.below(1e6)
  for (let index = 0; index < values.length; index++) values[index] = start + index * 15000 + late()
}

function randomBits(random: SeededRandom, values: Float64Array, chosen: () => boolean): void {
  const halves = new Uint32Array(values.buffer, values.byteOffset, values.length * 2)
  for (let index = 0; index < values.length; index++) {
    if (!chosen()) continue
    halves[2 * index] = random.word()
    halves[2 * index + 1] = random.word()
  }
}

/** A length that chunks have, small ones more often. */
export function chunkLength(random: SeededRandom): number {
  return 1 + random.below(random.pick([4, 40, 130, 500, 1500]))
}
