/** An embedded store as a store of samples: what each has to do to be compared. */
import type { RecordedFleet } from '../storage/recorded-fleet.js'

export interface Rival {
  readonly name: string
  /** Stores all samples of the fleet, in the order in which scrapes bring them, and flushes. */
  load(fleet: RecordedFleet): Promise<void>
  /** Opens what was stored, as a new process would. */
  reopen(): Promise<void>
  /** Adds up the values of a series; NaN is left out. */
  sumOfSeries(series: number): Promise<{ count: number; sum: number }>
  /** The same over the series `[0, seriesCount)`. */
  sumOfFirst(seriesCount: number): Promise<{ count: number; sum: number }>
  close(): Promise<void>
}

export function addUp(values: ArrayLike<number>, into: { count: number; sum: number }): void {
  for (let i = 0; i < values.length; i++) {
    into.count++
    if (!Number.isNaN(values[i])) into.sum += values[i]
  }
}
