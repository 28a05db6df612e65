/**
 * Sums of what came since the last time, made into sums since the start: per series, in memory, bounded.
 *
 * After a restart a sum begins at zero again, which every reader of counters takes for a reset.
 */
import type { Labels } from '@varve/tsdb-core/model'

interface Running {
  total: number
  readonly startMs: number
  lastMs: number
  lastDelta: number
}

const SERIES_COUNT_MAX = 200_000

export class DeltaSums {
  readonly #series = new Map<string, Running>()

  /**
   * The sum with this delta in it, or null when the delta is older than the last one and cannot be put in order. The last one
   * once more is a sender's repetition, of a request whose answer was lost or an error: its sum is the same as before.
   */
  add(
    labels: Labels,
    delta: { value: number; timestampMs: number; startMs: number },
  ): { total: number; startMs: number } | null {
    const { key } = labels
    let running = this.#series.get(key)
    if (running === undefined) {
      running = { total: 0, startMs: delta.startMs, lastMs: 0, lastDelta: 0 }
      // The series that was silent for longest is forgotten first: a Map keeps the order in which they were set.
      if (this.#series.size >= SERIES_COUNT_MAX) this.#series.delete(this.#series.keys().next().value as string)
    } else this.#series.delete(key)
    this.#series.set(key, running)
    const isRepeated = delta.timestampMs === running.lastMs && Object.is(delta.value, running.lastDelta)
    if (delta.timestampMs <= running.lastMs && !isRepeated) return null
    if (!isRepeated) running.total += delta.value
    running.lastMs = delta.timestampMs
    running.lastDelta = delta.value
    return { total: running.total, startMs: running.startMs }
  }
}
