/**
 * Sums that keep what rounding loses (Kahan, Neumaier), as Prometheus has them: an infinite sum has no compensation.
 *
 * Hot loops spell the two lines out; `twoSumError` is the branch-free error of one addition (Knuth), which equals
 * Neumaier's.
 */
export class KahanSum {
  sum = 0
  compensation = 0

  add(value: number): void {
    const total = this.sum + value
    const error = twoSumError(this.sum, value, total)
    // Not a number where the total overflowed: then there is nothing to keep.
    this.compensation = Number.isNaN(error) ? 0 : this.compensation + error
    this.sum = total
  }

  get value(): number {
    return Number.isFinite(this.sum) ? this.sum + this.compensation : this.sum
  }
}

/** Exactly `a + b - total` for `total = a + b`, if it did not overflow. */
export function twoSumError(a: number, b: number, total: number): number {
  const part = total - a
  return a - (total - part) + (b - part)
}
