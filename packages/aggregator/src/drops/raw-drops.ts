/**
 * Decides, when a block of raw samples is written, which of them are not kept (DESIGN D6).
 *
 * **X1** A sample goes only once every window that needs it is computed, is no longer to be computed again, and `holdMs`
 *   have passed since its end. *Held by* `finalUntilMs`.
 * **X2** A window whose samples may be gone is never written again: it would be written wrong. *Held by* `FrozenWindows`,
 *   by the mark that is durable before the first sample goes.
 */
import { type BlockDrop, type Database, DROP_MARK, type DropPolicy } from '@varve/tsdb-core'
import type { Clock } from '@varve/tsdb-core/env'
import type { Labels } from '@varve/tsdb-core/model'
import { COUNTER_LOOKBACK_MS } from '../windows/series-scan.js'
import type { DropHistory, DropSpan } from './drop-history.js'

/** Late samples are rolled up for at least so long after the end of their window, whatever is dropped. */
export const DROP_HOLD_MS = 15 * 60_000

/** What a policy's runner says of its windows. */
export interface DropSource {
  readonly resolutionMs: number
  /** See `PolicyRunner.finalUntilMs`. */
  finalUntilMs(holdMs: number): number
}

export interface RawDropsOptions {
  readonly database: Database
  readonly clock: Clock
  readonly history: () => DropHistory
  /** Of the policy with this namespace; undefined while it has no runner. */
  readonly sourceOf: (namespace: string) => DropSource | undefined
  /** Windows after this time are still to be computed by a backfill, in any policy. */
  readonly backfilledUntilMs: () => number
  /** Something of the rule cannot be done: what it should keep may be missing. */
  readonly hasProblem: (ruleId: string) => boolean
  readonly holdMs: number
}

/** What whoever computes or reads windows has to know of dropped samples. */
export interface DropFacts {
  readonly history: DropHistory
  /** Samples after this time are all there. */
  readonly droppedUntilMs: number
}

export interface DropStatus {
  /** Raw samples that are not kept are gone up to here; null: none is. */
  readonly droppedUntilMs: number | null
  /** Up to here they may go with the next block that is written; null: no drop rule holds. */
  readonly droppableUntilMs: number | null
  /** Since the start. */
  readonly droppedSampleCount: number
}

export class RawDrops implements DropPolicy {
  readonly #options: RawDropsOptions
  #droppedSampleCount = 0
  /** Series by drop rule, in the newest block that was written. */
  #matched = new Map<string, number>()

  constructor(options: RawDropsOptions) {
    this.#options = options
  }

  get facts(): DropFacts {
    const droppedUntilMs = this.#options.database.watermark(DROP_MARK, 0) ?? -Infinity
    return { history: this.#options.history(), droppedUntilMs }
  }

  status(): DropStatus {
    const { history, droppedUntilMs } = this.facts
    const droppableUntilMs = history.isEmpty ? null : this.#finalUntilMs(history)
    return {
      droppedUntilMs: Number.isFinite(droppedUntilMs) ? droppedUntilMs : null,
      droppableUntilMs: droppableUntilMs !== null && Number.isFinite(droppableUntilMs) ? droppableUntilMs : null,
      droppedSampleCount: this.#droppedSampleCount,
    }
  }

  /** How many series of the newest block each drop rule concerned. */
  matchedCounts(): ReadonlyMap<string, number> {
    return this.#matched
  }

  forBlock(startMs: number, endMs: number): BlockDrop | null {
    const history = this.#options.history()
    if (!history.heldWithin(startMs - 1, endMs - 1)) return null
    const finalMs = this.#finalUntilMs(history)
    const untilMs = Math.min(finalMs, endMs - 1)
    if (untilMs < startMs) return null
    const matched = new Map<string, number>()
    this.#matched = matched
    return {
      untilMs,
      baselineAfterMs: finalMs - COUNTER_LOOKBACK_MS,
      rangesOf: (labels) => this.#rangesOf(history, labels, startMs, untilMs, matched),
    }
  }

  droppableUntilMs(startMs: number, endMs: number): number {
    const history = this.#options.history()
    return history.heldWithin(startMs - 1, endMs - 1) ? this.#finalUntilMs(history) : Infinity
  }

  dropped(sampleCount: number): void {
    this.#droppedSampleCount += sampleCount
  }

  #rangesOf(
    history: DropHistory,
    labels: Labels,
    startMs: number,
    untilMs: number,
    matched: Map<string, number>,
  ): readonly DropSpan[] | null {
    const ranges: DropSpan[] = []
    const rules = new Set<string>()
    for (const span of history.spansOf(labels)) {
      if (span.afterMs >= untilMs || span.untilMs < startMs) continue
      if (span.keeper !== null && this.#options.hasProblem(span.keeper)) continue
      ranges.push({ ...span, untilMs: Math.min(span.untilMs, untilMs) })
      rules.add(span.drop)
    }
    for (const rule of rules) matched.set(rule, (matched.get(rule) ?? 0) + 1)
    return ranges.length === 0 ? null : ranges
  }

  /** Up to here no window that needs a dropped sample will be computed any more. */
  #finalUntilMs(history: DropHistory): number {
    const { clock, sourceOf, backfilledUntilMs, holdMs } = this.#options
    const heldAfterMs = clock.wallMs() - holdMs
    let finalMs = Math.min(heldAfterMs, backfilledUntilMs())
    for (const namespace of history.namespaces) {
      const source = sourceOf(namespace)
      if (source === undefined) return -Infinity
      // Whole windows only: a part of one would keep it from being computed again.
      const untilMs = Math.min(source.finalUntilMs(holdMs), finalMs)
      finalMs = Math.min(finalMs, Math.floor(untilMs / source.resolutionMs) * source.resolutionMs)
    }
    return finalMs
  }
}
