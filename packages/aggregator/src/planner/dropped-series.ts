/**
 * What the planner has to know of raw samples that rules dropped: where slices of raw samples end for such series, which of
 * them a slice lacks, and what to tell.
 */
import type { Labels, Matcher } from '@varve/tsdb-core/model'
import { Labels as LabelSet } from '@varve/tsdb-core/model'
import type { DropSpan } from '../drops/drop-history.js'
import type { DropFacts } from '../drops/raw-drops.js'
import type { Tier, TierSlice } from './choose-slices.js'

/** Rules are not changed that often: a query over more changes than this may miss the first of them. */
const BOUNDARIES_MAX = 32
const TOLD_MAX = 3

export class DroppedSeries {
  readonly #facts: DropFacts
  /** Up to here windows stand in for raw samples: all that was dropped lies before, and windows of all tiers end here. */
  readonly #untilMs: number
  readonly #spans = new Map<string, readonly DropSpan[]>()
  readonly #boundaries = new Set<number>()
  readonly #told = new Map<string, number>()

  /** Null when no series that the matchers select can have lost samples after `afterMs`. */
  static of(facts: DropFacts, tiers: readonly Tier[], matchers: readonly Matcher[], afterMs: number) {
    const { history, droppedUntilMs } = facts
    if (!(droppedUntilMs > afterMs) || !history.mayDrop(matchers, afterMs, droppedUntilMs)) return null
    const coarsestMs = Math.max(1, ...tiers.filter(({ namespace }) => history.namespaces.has(namespace)).map(stepOf))
    return new DroppedSeries(facts, Math.ceil(droppedUntilMs / coarsestMs) * coarsestMs)
  }

  private constructor(facts: DropFacts, untilMs: number) {
    this.#facts = facts
    this.#untilMs = untilMs
  }

  /** Looks at one of the series; false: it lost nothing within `(afterMs, untilMs]`. */
  note(labels: Labels, afterMs: number, untilMs: number): boolean {
    const spans = this.#spansOf(labels.key, () => labels).filter(
      (span) => span.afterMs < Math.min(untilMs, this.#untilMs) && span.untilMs > afterMs,
    )
    for (const span of spans) {
      if (this.#boundaries.size < BOUNDARIES_MAX) {
        if (Number.isFinite(span.afterMs)) this.#boundaries.add(span.afterMs)
        if (Number.isFinite(span.untilMs)) this.#boundaries.add(span.untilMs)
      }
      const what = span.keeper === null ? `by ${span.drop}` : `by ${span.drop}, and kept by ${span.keeper}`
      this.#told.set(what, (this.#told.get(what) ?? 0) + 1)
    }
    return spans.length > 0
  }

  /** Cuts slices of raw samples, so that a series that was dropped has either all or none of a slice. */
  cut(slices: readonly TierSlice[]): TierSlice[] {
    const cuts = [...this.#boundaries, this.#untilMs].sort((a, b) => a - b)
    return slices.flatMap((slice) => {
      if (slice.tier.resolutionMs > 0) return [slice]
      const pieces: TierSlice[] = []
      let { afterMs } = slice
      for (const cutMs of cuts) {
        if (cutMs <= afterMs || cutMs >= slice.untilMs || cutMs > this.#untilMs) continue
        pieces.push({ ...slice, afterMs, untilMs: cutMs })
        afterMs = cutMs
      }
      return [...pieces, { ...slice, afterMs }]
    })
  }

  /** Whether raw samples of the slice may be missing for some series. */
  concerns(slice: TierSlice): boolean {
    return slice.afterMs < this.#untilMs
  }

  /** Whether the series has been dropped from the slice. */
  lacks(key: string, flat: () => readonly string[], slice: TierSlice): boolean {
    if (slice.untilMs > this.#untilMs) return false
    const spans = this.#spansOf(key, () => LabelSet.fromSorted([...flat()]))
    return spans.some((span) => span.afterMs <= slice.afterMs && span.untilMs >= slice.untilMs)
  }

  infos(): string[] {
    const whenText = new Date(this.#facts.droppedUntilMs).toISOString()
    return [...this.#told]
      .slice(0, TOLD_MAX)
      .map(([what, count]) => `PromQL info: raw samples of ${count} series up to ${whenText} are dropped ${what}`)
  }

  #spansOf(key: string, labels: () => Labels): readonly DropSpan[] {
    let spans = this.#spans.get(key)
    if (spans === undefined) this.#spans.set(key, (spans = this.#facts.history.spansOf(labels())))
    return spans
  }
}

function stepOf({ resolutionMs }: Tier): number {
  return resolutionMs
}
