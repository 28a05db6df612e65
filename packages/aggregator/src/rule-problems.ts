/**
 * What rules could not do, with how often. New plans begin anew, and tell with their first windows what holds for them too;
 * until then what was known before still counts for who must not rely on the rule.
 */
import type { Clock } from '@varve/tsdb-core/env'
import type { Rule } from './rules/rule.js'

const FORMER_PROBLEMS_MS = 3_600_000

export interface RuleProblem {
  readonly message: string
  count: number
}

export class RuleProblems {
  readonly #clock: Clock
  /** Told of each problem once. */
  readonly #onNew: (id: string, message: string) => void
  /** By rule, its first problem. */
  readonly current = new Map<string, RuleProblem>()
  #former: { ids: ReadonlySet<string>; atMs: number } = { ids: new Set(), atMs: 0 }

  constructor(clock: Clock, onNew: (id: string, message: string) => void) {
    this.#clock = clock
    this.#onNew = onNew
  }

  note(rule: Rule, message: string): void {
    const id = `${rule.kind}/${rule.name}`
    const known = this.current.get(id)
    if (known) known.count++
    else {
      this.current.set(id, { message, count: 1 })
      this.#onNew(id, message)
    }
  }

  /** Whether the rule cannot do all that it says, or could not a while ago. */
  has(id: string): boolean {
    const { ids, atMs } = this.#former
    return this.current.has(id) || (ids.has(id) && this.#clock.monotonicMs() - atMs < FORMER_PROBLEMS_MS)
  }

  /** Plans are made anew. */
  beginAnew(): void {
    this.#former = { ids: new Set(this.current.keys()), atMs: this.#clock.monotonicMs() }
    this.current.clear()
  }
}
