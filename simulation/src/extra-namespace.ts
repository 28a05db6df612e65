/** What must be there of a namespace that is made, changed and deleted while the store runs. */
import { type FoundSample, type Presence, SampleModel } from './sample-model.js'

export const EXTRA = 'extra'

/** The namespace as it was found: `null` when there was none. */
export type FoundNamespace = {
  readonly retentionMs: number
  readonly samples: ReadonlyMap<string, readonly FoundSample[]>
} | null

export class ExtraNamespace {
  presence: Presence = 'absent'
  /** Retentions that it may have: more than one while a change is not answered. */
  retentionsMs: readonly number[] = []
  /** What was written to a namespace of this name before it was deleted must not be in the next one. */
  samples = new SampleModel()

  clone(): ExtraNamespace {
    const copy = new ExtraNamespace()
    copy.presence = this.presence
    copy.retentionsMs = this.retentionsMs
    copy.samples = this.samples.clone()
    return copy
  }

  /** Before it is asked for. */
  creating(retentionMs: number): void {
    if (this.presence !== 'absent') return
    this.presence = 'may'
    this.retentionsMs = [retentionMs]
  }

  created(retentionMs: number): void {
    this.presence = 'must'
    this.retentionsMs = [retentionMs]
  }

  changing(retentionMs: number): void {
    this.retentionsMs = [...this.retentionsMs, retentionMs]
  }

  changed(retentionMs: number): void {
    this.retentionsMs = [retentionMs]
  }

  deleting(): void {
    if (this.presence === 'must') this.presence = 'may'
    this.samples.delete(() => true, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 'may')
  }

  deleted(): void {
    this.presence = 'absent'
    this.samples.delete(() => true, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 'absent')
  }

  check(found: FoundNamespace): string[] {
    if (found === null) return this.presence === 'must' ? [`namespace ${EXTRA} is lost`] : []
    if (this.presence === 'absent') return [`namespace ${EXTRA} came back after it was deleted`]
    const problems = this.samples.check(found.samples).map((problem) => `namespace ${EXTRA}: ${problem}`)
    if (!this.retentionsMs.includes(found.retentionMs)) {
      problems.push(`namespace ${EXTRA} has retention ${found.retentionMs}, wanted one of ${this.retentionsMs}`)
    }
    return problems
  }

  settle(found: FoundNamespace): void {
    this.presence = found === null ? 'absent' : 'must'
    this.samples.settle(found?.samples ?? new Map())
    if (found !== null) this.retentionsMs = [found.retentionMs]
  }
}
