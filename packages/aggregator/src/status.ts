/** What `GET /api/v1/rollup-rules` and `varve rules list` show. */
import type { DropStatus, RawDrops } from './drops/raw-drops.js'
import { DocumentText, type RuleProblem } from './rules/document-text.js'
import type { RuleKind } from './rules/rule.js'
import type { RuleBook, RuleVersion } from './rules/rule-book.js'
import type { RuleStoreStatus } from './stores/rule-follower.js'
import type { RuleListing } from './stores/rule-store.js'
import type { Backfill } from './windows/backfill-queue.js'
import type { PolicyRunner, RunnerCounters } from './windows/policy-runner.js'

/**
 * `active`: it holds. `pending`: its `from` is yet to come. `ended`: its `until` is past. `rejected`: no good version was ever
 * seen; a rule whose newest document is bad stays `active`, with `problems`.
 */
export type RuleStateName = 'active' | 'pending' | 'ended' | 'rejected'

export interface RuleState {
  readonly kind: RuleKind
  readonly name: string
  readonly where: string
  readonly state: RuleStateName
  readonly revision: number
  /** The document in force. */
  readonly document: unknown
  /** Of the newest document, if that is not the one in force. */
  readonly problems: readonly RuleProblem[]
  /** What could not be done for some series, with how often. */
  readonly conflicts: { readonly message: string; readonly count: number } | null
  readonly versionCount: number
  /** Of a drop rule: in the newest block that was written. */
  readonly matchedSeriesCount: number
  /** Over its policies: the oldest. Of a drop rule: raw samples are dropped up to here. Null: nothing yet. */
  readonly lastWindowEndMs: number | null
  /** How far that is behind the window that ended last, in the policy where it is furthest; null for rules without windows. */
  readonly latenessMs: number | null
}

export interface PolicyState extends RunnerCounters {
  readonly policy: string
  readonly namespace: string
  readonly resolutionMs: number
  readonly lastWindowEndMs: number
  /** How far the last computed window lies behind the one that ended last. */
  readonly latenessMs: number
  readonly dirtyWindowCount: number
}

export interface AggregatorStatus {
  readonly store: RuleStoreStatus
  readonly rules: readonly RuleState[]
  /** What drop rules did. */
  readonly drops: DropStatus
  readonly strays: RuleListing['strays']
  readonly policies: readonly PolicyState[]
  /** Documents that are bad now. */
  readonly rejectedRuleCount: number
  /** Bad documents seen since the start. */
  readonly rejectionCount: number
  /** Under way, oldest first: windows in `(doneMs, untilMs]` are still to be computed. */
  readonly backfills: readonly Backfill[]
  /** Why windows are not computed at the moment; null: they are. */
  readonly error: string | null
}

export function ruleStates(
  book: RuleBook,
  runners: readonly PolicyRunner[],
  conflicts: ReadonlyMap<string, { message: string; count: number }>,
  drops: RawDrops,
  nowMs: number,
): RuleState[] {
  const states: RuleState[] = []
  for (const entry of book.entries()) {
    const version = entry.versions.at(-1)
    const rule = version?.rule ?? null
    if (rule === null && entry.problems.length === 0) continue // Deleted.
    const timed = rule !== null && rule.kind !== 'namespace' ? rule : null
    const own = runners.filter(
      ({ policy }) =>
        (rule?.kind === 'mapping' || rule?.kind === 'rollup') &&
        rule.policies.some(({ namespace }) => namespace === policy.namespace),
    )
    const state =
      rule === null
        ? 'rejected'
        : timed?.fromMs != null && timed.fromMs > nowMs
          ? 'pending'
          : timed?.untilMs != null && timed.untilMs < nowMs
            ? 'ended'
            : 'active'
    states.push({
      kind: entry.kind,
      name: entry.name,
      where: entry.where,
      state,
      revision: version?.revision ?? entry.badRevision,
      // Read when somebody looks at it: metrics are asked for often, and never do.
      get document() {
        return version?.rule ? documentOf(version) : null
      },
      problems: entry.problems,
      conflicts: conflicts.get(`${entry.kind}/${entry.name}`) ?? null,
      versionCount: entry.versions.length,
      matchedSeriesCount: Math.max(
        entry.kind === 'drop' ? (drops.matchedCounts().get(`drop/${entry.name}`) ?? 0) : 0,
        ...own.map((runner) => runner.matchedCounts().get(entry.name) ?? 0),
      ),
      lastWindowEndMs:
        entry.kind === 'drop'
          ? drops.status().droppedUntilMs
          : own.length === 0
            ? null
            : Math.min(...own.map((runner) => runner.watermarkMs)),
      latenessMs: own.length === 0 ? null : Math.max(...own.map((runner) => latenessMsOf(runner, nowMs))),
    })
  }
  return states
}

/** How far the last computed window lies behind the one that ended last. */
export function latenessMsOf({ watermarkMs, policy }: PolicyRunner, nowMs: number): number {
  return Math.max(0, nowMs - watermarkMs - policy.resolutionMs)
}

const documents = new WeakMap<RuleVersion, unknown>()

/** A version's document, read once. */
function documentOf(version: RuleVersion): unknown {
  if (!documents.has(version)) documents.set(version, new DocumentText(version.text).value())
  return documents.get(version)
}
