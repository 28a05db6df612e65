/** Sums of native histograms in the groups of rollup rules, one a group and window. */
import { compactHistogram, HistogramSummer } from '@varve/promql'
import type { Histogram } from '@varve/tsdb-core/model'

interface Cells {
  /** Null: exponential and custom buckets came together, there is no sum. */
  readonly sums: (HistogramSummer | null | undefined)[]
  /** How many series live; cell 0 is the window before the first. */
  readonly living: Uint32Array
}

export class HistogramCells {
  readonly #windowCount: number
  readonly #cells = new Map<number, Cells>()

  constructor(windowCount: number) {
    this.#windowCount = windowCount
  }

  add(group: number, window: number, histogram: Histogram): void {
    const { sums } = this.#cellsOf(group)
    const sum = sums[window]
    if (sum === undefined) sums[window] = new HistogramSummer(histogram)
    else if (sum !== null && !sum.add(histogram)) sums[window] = null
  }

  /** A series lives in the window; -1 is the one before the first. */
  addLiving(group: number, window: number): void {
    this.#cellsOf(group).living[window + 1]++
  }

  lives(group: number, window: number): boolean {
    return (this.#cells.get(group)?.living[window + 1] ?? 0) > 0
  }

  /** Undefined: no histogram was added; null: those that were have no sum. */
  sum(group: number, window: number): Histogram | null | undefined {
    const sum = this.#cells.get(group)?.sums[window]
    return sum ? compactHistogram({ ...sum.result(), counterResetHint: 'gauge', integer: false }) : sum
  }

  #cellsOf(group: number): Cells {
    let cells = this.#cells.get(group)
    if (cells === undefined) {
      cells = { sums: new Array(this.#windowCount), living: new Uint32Array(this.#windowCount + 1) }
      this.#cells.set(group, cells)
    }
    return cells
  }
}
