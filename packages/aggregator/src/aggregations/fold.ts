/**
 * Folds of the contributions of many series into cells: cell = one group in one window.
 *
 * A fold holds columns, one element a cell. Its answer does not depend on the order of what was added, bit for bit for min,
 * max, count, last and quantiles; sums are compensated (Neumaier), so that order shows in the last bits at most.
 */
import type { Aggregation } from '../rules/rule.js'
import { QuantileSketch } from './quantile-sketch.js'

export interface Fold {
  /** Makes room for so many cells, all empty. */
  reset(cellCount: number): void
  /** Makes room for more cells; those there keep what they have. */
  reserve(cellCount: number): void
  add(cell: number, value: number, timestampMs: number): void
  /** Of a cell to which something was added. */
  result(cell: number): number
}

export function makeFold(aggregation: Aggregation): Fold {
  switch (aggregation.operator) {
    case 'sum':
      return new SumFold()
    case 'avg':
      return new AverageFold()
    case 'min':
      return new ExtremeFold((value, kept) => value < kept)
    case 'max':
      return new ExtremeFold((value, kept) => value > kept)
    case 'count':
      return new CountFold()
    case 'last':
      return new LastFold()
    case 'stddev':
      return new DeviationFold()
    case 'quantile':
      return new QuantileFold(aggregation.quantile)
  }
}

class SumFold implements Fold {
  #sums = new Float64Array(0)
  #rests = new Float64Array(0)

  reset(cellCount: number): void {
    this.#sums = cleared(this.#sums, cellCount)
    this.#rests = cleared(this.#rests, cellCount)
  }

  reserve(cellCount: number): void {
    this.#sums = reserved(this.#sums, cellCount)
    this.#rests = reserved(this.#rests, cellCount)
  }

  add(cell: number, value: number): void {
    const sum = this.#sums[cell]
    const next = sum + value
    // What the addition dropped; of infinities nothing can be kept.
    if (Math.abs(sum) >= Math.abs(value)) this.#rests[cell] += sum - next + value
    else this.#rests[cell] += value - next + sum
    this.#sums[cell] = next
  }

  result(cell: number): number {
    const sum = this.#sums[cell]
    return Number.isFinite(sum) ? sum + this.#rests[cell] : sum
  }
}

class CountFold implements Fold {
  #counts = new Float64Array(0)

  reset(cellCount: number): void {
    this.#counts = cleared(this.#counts, cellCount)
  }

  reserve(cellCount: number): void {
    this.#counts = reserved(this.#counts, cellCount)
  }

  add(cell: number): void {
    this.#counts[cell]++
  }

  result(cell: number): number {
    return this.#counts[cell]
  }
}

class AverageFold implements Fold {
  readonly #sum = new SumFold()
  readonly #count = new CountFold()

  reset(cellCount: number): void {
    this.#sum.reset(cellCount)
    this.#count.reset(cellCount)
  }

  reserve(cellCount: number): void {
    this.#sum.reserve(cellCount)
    this.#count.reserve(cellCount)
  }

  add(cell: number, value: number): void {
    this.#sum.add(cell, value)
    this.#count.add(cell)
  }

  result(cell: number): number {
    return this.#sum.result(cell) / this.#count.result(cell)
  }
}

/** As in PromQL, NaN counts only where there is nothing else. */
class ExtremeFold implements Fold {
  readonly #isBetter: (value: number, kept: number) => boolean
  #kept = new Float64Array(0)

  constructor(isBetter: (value: number, kept: number) => boolean) {
    this.#isBetter = isBetter
  }

  reset(cellCount: number): void {
    this.#kept = cleared(this.#kept, cellCount).fill(Number.NaN)
  }

  reserve(cellCount: number): void {
    this.#kept = reserved(this.#kept, cellCount, Number.NaN)
  }

  add(cell: number, value: number): void {
    const kept = this.#kept[cell]
    if (this.#isBetter(value, kept) || Number.isNaN(kept)) this.#kept[cell] = value
    // Zeros are equal and differ in their sign: the answer must not depend on which came first.
    else if (value === 0 && kept === 0 && this.#isBetter(1 / value, 1 / kept)) this.#kept[cell] = value
  }

  result(cell: number): number {
    return this.#kept[cell]
  }
}

/** The newest sample; of several at one time the largest. */
class LastFold implements Fold {
  #times = new Float64Array(0)
  #values = new Float64Array(0)

  reset(cellCount: number): void {
    this.#times = cleared(this.#times, cellCount).fill(-Infinity)
    this.#values = cleared(this.#values, cellCount)
  }

  reserve(cellCount: number): void {
    this.#times = reserved(this.#times, cellCount, -Infinity)
    this.#values = reserved(this.#values, cellCount)
  }

  add(cell: number, value: number, timestampMs: number): void {
    const time = this.#times[cell]
    if (timestampMs < time) return
    const kept = this.#values[cell]
    if (timestampMs === time && !(value > kept || Number.isNaN(kept))) return
    this.#times[cell] = timestampMs
    this.#values[cell] = value
  }

  result(cell: number): number {
    return this.#values[cell]
  }
}

/**
 * Population standard deviation, as PromQL's `stddev` (Welford), of the distances from the first value: large values that
 * differ little would lose their differences in the mean.
 */
class DeviationFold implements Fold {
  #firsts = new Float64Array(0)
  #counts = new Float64Array(0)
  #means = new Float64Array(0)
  #squares = new Float64Array(0)

  reset(cellCount: number): void {
    this.#firsts = cleared(this.#firsts, cellCount)
    this.#counts = cleared(this.#counts, cellCount)
    this.#means = cleared(this.#means, cellCount)
    this.#squares = cleared(this.#squares, cellCount)
  }

  reserve(cellCount: number): void {
    this.#firsts = reserved(this.#firsts, cellCount)
    this.#counts = reserved(this.#counts, cellCount)
    this.#means = reserved(this.#means, cellCount)
    this.#squares = reserved(this.#squares, cellCount)
  }

  add(cell: number, value: number): void {
    const count = ++this.#counts[cell]
    if (count === 1) this.#firsts[cell] = value
    const shifted = value - this.#firsts[cell]
    const distance = shifted - this.#means[cell]
    this.#means[cell] += distance / count
    this.#squares[cell] += distance * (shifted - this.#means[cell])
  }

  result(cell: number): number {
    return Math.sqrt(this.#squares[cell] / this.#counts[cell])
  }
}

class QuantileFold implements Fold {
  readonly #quantile: number
  #sketches: (QuantileSketch | undefined)[] = []

  constructor(quantile: number) {
    this.#quantile = quantile
  }

  reset(cellCount: number): void {
    this.#sketches = new Array(cellCount)
  }

  /** Sketches are made when they are needed. */
  reserve(): void {}

  add(cell: number, value: number): void {
    ;(this.#sketches[cell] ??= new QuantileSketch()).add(value)
  }

  result(cell: number): number {
    return this.#sketches[cell]?.quantile(this.#quantile) ?? Number.NaN
  }
}

/** The same memory if it is large enough, all zero. */
function cleared(column: Float64Array<ArrayBuffer>, length: number): Float64Array<ArrayBuffer> {
  if (column.length < length) return new Float64Array(Math.max(length, column.length * 2))
  return column.fill(0) // All of it: `reserved` gives out what lies behind.
}

/** A longer column with the same beginning; the rest is `fill`. */
function reserved(column: Float64Array<ArrayBuffer>, length: number, fill = 0): Float64Array<ArrayBuffer> {
  if (column.length >= length) return column
  const larger = new Float64Array(length)
  if (fill !== 0) larger.fill(fill, column.length)
  larger.set(column)
  return larger
}
