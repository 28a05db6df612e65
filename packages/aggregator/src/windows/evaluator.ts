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

export class Evaluator {
  readonly plan: WindowPlan
  readonly options: EvaluatorOptions
  readonly #memory: EvaluatorMemory

  constructor(options: EvaluatorOptions) {
    this.options = options
    this.plan = options.plan
    this.#memory = new EvaluatorMemory(options.raw, options.plan)
  }

  async evaluate(request: EvaluateRequest): Promise<Evaluation> {
    return new WindowRun(this.options, this.#memory, request).go()
  }

  /** Forgets what it remembers: the next window is computed from what is stored alone. */
  forget(): void {
    this.#memory.forget()
  }

  /** Series of which a sample came late: their last sample is looked up again. */
  forgetSeries(seriesRefs: Iterable<number>): void {
    this.#memory.forgetSeries(seriesRefs)
  }

  /** Series that are new in the head. */
  seriesCreated(seriesRefs: Uint32Array): void {
    this.#memory.seriesCreated(seriesRefs)
  }
}
