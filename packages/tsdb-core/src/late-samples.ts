/**
 * Raw samples that came after their window was computed, found again in the commit log after a crash.
 *
 * A sample is late when a watermark at or after its time stands before it in the log. Whoever computes windows writes the
 * mark `LATE_MARK` when it has computed all late samples that it knew of. A sample may be in the log a moment before it is
 * known, so only the mark *after* the next one says that it was computed: what stands behind the last but one mark is kept.
 *
 *     watermark 10:00 · late sample 09:59 · mark · late sample 09:58 · mark · late sample 09:57 · crash
 *                       computed                   kept                       kept
 */
import type { Watermark } from './namespace.js'
import { DROP_MARK } from './raw-drop.js'

/** The policy name of that mark; its time says nothing. No storage policy is called so. */
export const LATE_MARK = 'late'

/** Sample k: of series `seriesRefs[k]`, at `timestampsMs[k]`. */
export interface LateSamples {
  readonly seriesRefs: readonly number[]
  readonly timestampsMs: readonly number[]
}

export class LateSampleFinder {
  #watermarkMsMax = Number.NEGATIVE_INFINITY
  #beforeLastMark: { seriesRefs: number[]; timestampsMs: number[] } = { seriesRefs: [], timestampsMs: [] }
  #afterLastMark: { seriesRefs: number[]; timestampsMs: number[] } = { seriesRefs: [], timestampsMs: [] }

  addWatermark({ policy, timestampMs }: Watermark): void {
    if (policy === LATE_MARK) {
      this.#beforeLastMark = this.#afterLastMark
      this.#afterLastMark = { seriesRefs: [], timestampsMs: [] }
    } else if (policy !== DROP_MARK && timestampMs > this.#watermarkMsMax) this.#watermarkMsMax = timestampMs
  }

  addSample(seriesRef: number, timestampMs: number): void {
    if (timestampMs > this.#watermarkMsMax) return
    this.#afterLastMark.seriesRefs.push(seriesRef)
    this.#afterLastMark.timestampsMs.push(timestampMs)
  }

  found(): LateSamples {
    return {
      seriesRefs: [...this.#beforeLastMark.seriesRefs, ...this.#afterLastMark.seriesRefs],
      timestampsMs: [...this.#beforeLastMark.timestampsMs, ...this.#afterLastMark.timestampsMs],
    }
  }
}
