/**
 * Windows that are not written again, since some of their raw samples may have been dropped (X2 of `RawDrops`).
 *
 * Of mapped series it is known which ones have lost samples. An output of a rollup rule is frozen if the rule may take in a
 * series that a drop rule concerned: series that are gone cannot be asked.
 */
import type { Labels } from '@varve/tsdb-core/model'
import type { RollupStage, WindowPlan } from '../windows/plan.js'
import type { DropSpan } from './drop-history.js'
import type { DropFacts } from './raw-drops.js'

export interface FrozenRequest {
  readonly facts: DropFacts
  readonly plan: WindowPlan
  readonly firstEndMs: number
  readonly lastEndMs: number
  readonly resolutionMs: number
  readonly labelsOfMember: (member: number) => Labels | undefined
}

export class FrozenWindows {
  readonly #request: FrozenRequest
  readonly #stages = new Set<RollupStage>()
  readonly #spans = new Map<number, readonly DropSpan[]>()

  /** Null when no window of the request is frozen. */
  static of(request: FrozenRequest): FrozenWindows | null {
    const { facts, firstEndMs, resolutionMs, lastEndMs } = request
    const { history, droppedUntilMs } = facts
    const afterMs = firstEndMs - resolutionMs
    if (afterMs >= droppedUntilMs || !history.heldWithin(afterMs, lastEndMs)) return null
    return new FrozenWindows(request)
  }

  private constructor(request: FrozenRequest) {
    this.#request = request
    const { plan, facts, firstEndMs, lastEndMs, resolutionMs } = request
    // Inputs stand before their readers.
    for (const stage of plan.stages) {
      const { rule } = stage
      const isRoot = rule.input === null
      if (isRoot && facts.history.mayDrop(rule.match, firstEndMs - resolutionMs, lastEndMs)) this.#stages.add(stage)
      if (this.#stages.has(stage)) for (const reader of stage.readers) this.#stages.add(reader.stage)
    }
  }

  isMemberFrozen(member: number, windowEndMs: number): boolean {
    const { facts, resolutionMs, labelsOfMember } = this.#request
    const afterMs = windowEndMs - resolutionMs
    if (afterMs >= facts.droppedUntilMs) return false
    let spans = this.#spans.get(member)
    if (spans === undefined) {
      const labels = labelsOfMember(member)
      this.#spans.set(member, (spans = labels ? facts.history.spansOf(labels) : []))
    }
    return spans.some((span) => span.afterMs < windowEndMs && span.untilMs > afterMs)
  }

  isStageFrozen(stage: RollupStage, windowEndMs: number): boolean {
    const { facts, resolutionMs } = this.#request
    return windowEndMs - resolutionMs < facts.droppedUntilMs && this.#stages.has(stage)
  }
}
