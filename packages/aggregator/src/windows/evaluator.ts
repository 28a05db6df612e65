/**
 * Computes windows of one namespace by one plan.
 *
 * What is written is a function of the stored samples and of the plan alone (DESIGN D6). What the evaluator remembers
 * between two windows only spares it reading samples again.
 */
import { EvaluatorMemory } from './evaluator-memory.js'
import type { WindowPlan } from './plan.js'
import { type EvaluateRequest, type Evaluation, type EvaluatorOptions, WindowRun } from './window-run.js'

export type { EvaluateRequest, Evaluation, EvaluatorOptions } from './window-run.js'

/** So many idle members are no burden. */
const IDLE_MIN = 256

export class Evaluator {
  readonly plan: WindowPlan
  readonly options: EvaluatorOptions
  readonly #memory: EvaluatorMemory
  /** Idle members after the first evaluation: those that a new evaluator would begin with. */
  #idleAtFirst = Number.NaN

  constructor(options: EvaluatorOptions) {
    this.options = options
    this.plan = options.plan
    this.#memory = new EvaluatorMemory(options.raw, options.plan)
  }

  async evaluate(request: EvaluateRequest): Promise<Evaluation> {
    let evaluation: Evaluation | null = null
    while (evaluation === null) evaluation = await new WindowRun(this.options, this.#memory, request).go()
    if (Number.isNaN(this.#idleAtFirst)) this.#idleAtFirst = this.plan.idleCount
    return evaluation
  }

  /**
   * Most members are of series that are gone: another evaluator, with a plan that does not know them, would do the same with
   * less. It begins with a pass over what is stored, so that this is not to be said before as many series again are gone.
   */
  get isWorn(): boolean {
    const { idleCount, memberCount } = this.plan
    return idleCount > IDLE_MIN && idleCount * 2 > memberCount && idleCount > this.#idleAtFirst * 2
  }

  /** Forgets what it remembers: the next window is computed from what is stored alone. */
  forget(): void {
    this.#memory.forget()
  }

  /** Series of which a sample came late: their last sample is looked up again. */
  forgetSeries(seriesRefs: Iterable<number>): void {
    this.#memory.forgetSeries(seriesRefs)
  }

  /** Series that leave the head now: they may be found under another reference from now on, or none. */
  seriesEvicted(seriesRefs: Uint32Array): void {
    const { raw, resolutionMs } = this.options
    this.#memory.seriesEvicted(seriesRefs, resolutionMs)
    for (const ref of seriesRefs) {
      const labels = this.plan.memberOf(ref) < 0 ? undefined : raw.labelsOf(ref)
      if (labels !== undefined) this.plan.removeMember(ref, labels)
    }
  }

  /** Series that are new in the head. */
  seriesCreated(seriesRefs: Uint32Array): void {
    this.#memory.seriesCreated(seriesRefs)
  }
}
