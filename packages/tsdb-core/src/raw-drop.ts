/**
 * Raw samples that are not to be kept on disk, as whoever replaces them by something else decides (DESIGN D6).
 *
 * A policy is asked whenever a block file is written, be it sealed or merged. What it drops is left out of the file, but for
 * the last value of each run: a counter's growth to the next sample begins there, so it stays while that may come.
 *
 *     samples     · · · · · · · · · · · ·|· · · · · ·
 *     dropped     ███████████████████████|            up to `untilMs`: what is newer is held, and asked for again
 *     in the file                       ·|· · · · · ·
 *
 * **D1** Nothing is dropped that somebody may still have to read. *Held by* the policy, which names only what is final.
 * **D2** How far samples may be missing is durable before the first of them is. *Held by* `BlockStore`, which calls
 *   `markDropped` before it writes; the mark stands among the watermarks under `DROP_MARK`.
 */
import type { Labels } from './model/labels.js'

/** The policy name of the mark: samples of `default` after its time are all there. No storage policy is called so. */
export const DROP_MARK = 'dropped'

/** Samples with timestamps in `(afterMs, untilMs]`. */
export interface DroppedRange {
  readonly afterMs: number
  readonly untilMs: number
  /** Native histograms too; false: what replaces the floats keeps nothing of them. */
  readonly histograms: boolean
}

/** What is left out of one block. */
export interface BlockDrop {
  /** Nothing newer is left out. */
  readonly untilMs: number
  /** The last value before this time is no counter's baseline any more. */
  readonly baselineAfterMs: number
  /** What is not kept of a series, or null. Ranges may overlap. */
  rangesOf(labels: Labels): readonly DroppedRange[] | null
}

export interface DropPolicy {
  /** What is left out of a block over `[startMs, endMs)` that is about to be written; null: nothing. */
  forBlock(startMs: number, endMs: number): BlockDrop | null
  /** Samples of that block up to here may be dropped now; `Infinity`: none of it ever will be. */
  droppableUntilMs(startMs: number, endMs: number): number
  /** Told how many samples were left out. */
  dropped(sampleCount: number): void
}

/** The policy while it may drop nothing: what it would have dropped counts as held. */
export function heldBack(policy: DropPolicy): DropPolicy {
  const never = Number.POSITIVE_INFINITY
  return {
    forBlock: () => null,
    droppableUntilMs: (startMs, endMs) => (policy.droppableUntilMs(startMs, endMs) === never ? never : -never),
    dropped: () => undefined,
  }
}
