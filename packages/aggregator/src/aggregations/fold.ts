/**
 * Folds of the contributions of many series into cells: cell = one group in one window.
 *
 * A cell is some numbers in a row of a column that its owner keeps. What comes out does not depend on the order of what was
 * added, bit for bit for min, max, count, last and quantiles; sums are compensated (Neumaier), so that order shows in the last
 * bits at most.
 *
 * Rust twin of those that have a code: native/windows/src/fold.rs.
 */
import type { Aggregation } from '../rules/rule.js'
import { QuantileSketch } from './quantile-sketch.js'

export interface Fold {
  /** By which kernels know it; `FOREIGN`: they do not. */
  readonly code: number
  /** Numbers of a cell. */
  readonly width: number
  /** All cells are new. */
  reset(): void
  /** Makes the cell that begins at `at` an empty one. */
  begin(cells: Float64Array, at: number): void
  add(cells: Float64Array, at: number, value: number, timestampMs: number): void
  /** Of a cell to which something was added. */
  result(cells: Float64Array, at: number): number
}

/** The code of folds that only TypeScript has. */
export const FOREIGN = 0

export function makeFold(aggregation: Aggregation): Fold {
  switch (aggregation.operator) {
    case 'sum':
      return SUM
    case 'count':
      return COUNT
    case 'min':
      return MIN
    case 'max':
      return MAX
    case 'last':
      return LAST
    case 'avg':
      return AVERAGE
    case 'stddev':
      return DEVIATION
    case 'quantile':
      return new QuantileFold(aggregation.quantile)
  }
}

/** The sum, and what the additions dropped. */
const SUM: Fold = {
  code: 1,
  width: 2,
  reset() {},
  begin(cells, at) {
    cells.fill(0, at, at + 2)
  },
  add(cells, at, value) {
    const sum = cells[at]
    const next = sum + value
    // What the addition dropped; of infinities nothing can be kept.
    if (Math.abs(sum) >= Math.abs(value)) cells[at + 1] += sum - next + value
    else cells[at + 1] += value - next + sum
    cells[at] = next
  },
  result(cells, at) {
    const sum = cells[at]
    return Number.isFinite(sum) ? sum + cells[at + 1] : sum
  },
}

const COUNT: Fold = {
  code: 2,
  width: 1,
  reset() {},
  begin(cells, at) {
    cells[at] = 0
  },
  add(cells, at) {
    cells[at]++
  },
  result(cells, at) {
    return cells[at]
  },
}

const MIN = extreme(3, (value, kept) => value < kept)
const MAX = extreme(4, (value, kept) => value > kept)

/** As in PromQL, NaN counts only where there is nothing else. */
function extreme(code: number, isBetter: (value: number, kept: number) => boolean): Fold {
  return {
    code,
    width: 1,
    reset() {},
    begin(cells, at) {
      cells[at] = Number.NaN
    },
    add(cells, at, value) {
      const kept = cells[at]
      if (isBetter(value, kept) || Number.isNaN(kept)) cells[at] = value
      // Zeros are equal and differ in their sign: the answer must not depend on which came first.
      else if (value === 0 && kept === 0 && isBetter(1 / value, 1 / kept)) cells[at] = value
    },
    result(cells, at) {
      return cells[at]
    },
  }
}

/** The time and the value of the newest sample; of several at one time the largest. */
const LAST: Fold = {
  code: 5,
  width: 2,
  reset() {},
  begin(cells, at) {
    cells[at] = -Infinity
    cells[at + 1] = 0
  },
  add(cells, at, value, timestampMs) {
    const time = cells[at]
    if (timestampMs < time) return
    const kept = cells[at + 1]
    if (timestampMs === time && !(value > kept || Number.isNaN(kept))) return
    cells[at] = timestampMs
    cells[at + 1] = value
  },
  result(cells, at) {
    return cells[at + 1]
  },
}

/** A sum, and the count behind it. */
const AVERAGE: Fold = {
  code: 6,
  width: 3,
  reset() {},
  begin(cells, at) {
    cells.fill(0, at, at + 3)
  },
  add(cells, at, value, timestampMs) {
    SUM.add(cells, at, value, timestampMs)
    cells[at + 2]++
  },
  result(cells, at) {
    return SUM.result(cells, at) / cells[at + 2]
  },
}

/**
 * Population standard deviation, as PromQL's `stddev` (Welford), of the distances from the first value: large values that
 * differ little would lose their differences in the mean. Its numbers: the first value, count, mean, squares.
 */
const DEVIATION: Fold = {
  code: FOREIGN,
  width: 4,
  reset() {},
  begin(cells, at) {
    cells.fill(0, at, at + 4)
  },
  add(cells, at, value) {
    const count = ++cells[at + 1]
    if (count === 1) cells[at] = value
    const shifted = value - cells[at]
    const distance = shifted - cells[at + 2]
    cells[at + 2] += distance / count
    cells[at + 3] += distance * (shifted - cells[at + 2])
  },
  result(cells, at) {
    return Math.sqrt(cells[at + 3] / cells[at + 1])
  },
}

/** A cell is the number of its sketch, which is made with its first value. */
class QuantileFold implements Fold {
  readonly code = FOREIGN
  readonly width = 1
  readonly #quantile: number
  #sketches: QuantileSketch[] = []

  constructor(quantile: number) {
    this.#quantile = quantile
  }

  reset(): void {
    this.#sketches = []
  }

  begin(cells: Float64Array, at: number): void {
    cells[at] = 0
  }

  add(cells: Float64Array, at: number, value: number): void {
    if (cells[at] === 0) cells[at] = this.#sketches.push(new QuantileSketch())
    this.#sketches[cells[at] - 1].add(value)
  }

  result(cells: Float64Array, at: number): number {
    return this.#sketches[cells[at] - 1]?.quantile(this.#quantile) ?? Number.NaN
  }
}
