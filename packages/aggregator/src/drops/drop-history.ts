/**
 * Which raw samples the drop rules say are not to be kept, by the history of all rules: a function of labels and time.
 *
 * A drop rule concerns a sample when both it and a rule that keeps something of the series hold for the windows of the
 * sample, as they were known at the time: neither a rule that is backdated nor one with a `from` that is past drops what
 * was stored before it was seen. So what was dropped stays what is said here, and a backfill finds its samples.
 *
 *     drop rule          ├─────────────────────────────┤
 *     mapping rule              ├────────────────────────────────
 *     windows            ···|·····|·····|·····|·····|·····|·····|
 *     not kept                    ├─────────────────┤              whole windows of the coarsest policy
 */
import type { DroppedRange } from '@varve/tsdb-core'
import type { Labels, Matcher } from '@varve/tsdb-core/model'
import { type CompiledMatcher, compileMatcher } from '@varve/tsdb-core/query'
import { type MetadataLookup, metricTypeOf } from '../matcher/metric-type.js'
import { RuleMatcher } from '../matcher/rule-matcher.js'
import type { DropRule, MappingRule, RollupRule } from '../rules/rule.js'
import type { RuleBook, RuleVersion } from '../rules/rule-book.js'

/** Samples in `(afterMs, untilMs]` of one series that a drop rule does not want kept. */
export interface DropSpan extends DroppedRange {
  /** `drop/go-gc`. */
  readonly drop: string
  /** `mapping/node`; null: nothing keeps the series, and the rule says `force`. */
  readonly keeper: string | null
}

interface DropVersion {
  readonly id: string
  readonly rule: DropRule
  readonly afterMs: number
  readonly untilMs: number
}

interface KeeperVersion {
  readonly id: string
  readonly rule: MappingRule | RollupRule
  readonly afterMs: number
  readonly untilMs: number
  /** Those that need its raw inputs: its own, and those of the rules that read its outputs. */
  readonly namespaces: ReadonlySet<string>
}

export class DropHistory {
  readonly #drops: readonly DropVersion[]
  readonly #keepers: readonly KeeperVersion[]
  readonly #dropMatcher: RuleMatcher
  readonly #keeperMatcher: RuleMatcher
  readonly #metadata: MetadataLookup
  /** Policies whose windows may need samples that some rule drops. */
  readonly namespaces: ReadonlySet<string>

  constructor(book: RuleBook, metadata: MetadataLookup = () => undefined) {
    const drops: DropVersion[] = []
    const rules: { id: string; rule: MappingRule | RollupRule; afterMs: number; untilMs: number }[] = []
    for (const { kind, name, versions } of book.entries()) {
      versions.forEach((version, index) => {
        const { rule } = version
        if (rule === null || rule.kind === 'namespace') return
        const next = versions[index + 1]
        const afterMs = seenFromMs(version)
        const untilMs = Math.min(rule.untilMs ?? Infinity, next === undefined ? Infinity : seenFromMs(next))
        if (untilMs <= afterMs) return
        const held = { id: `${kind}/${name}`, afterMs, untilMs }
        if (rule.kind === 'drop') drops.push({ ...held, rule })
        else rules.push({ ...held, rule })
      })
    }
    this.#drops = drops
    this.#keepers = drops.length === 0 ? [] : keepersOf(rules)
    this.#metadata = metadata
    this.#dropMatcher = new RuleMatcher(drops.map(({ rule }) => rule.match))
    this.#keeperMatcher = new RuleMatcher(this.#keepers.map(({ rule }) => rule.match))
    this.namespaces = new Set(
      this.#keepers
        .filter(({ rule, afterMs, untilMs }) => this.mayDrop(rule.match, afterMs, untilMs))
        .flatMap(({ namespaces }) => [...namespaces]),
    )
  }

  /** No drop rule was ever seen. */
  get isEmpty(): boolean {
    return this.#drops.length === 0
  }

  /** What of a series is not to be kept: rising by their starts, and they may overlap. */
  spansOf(labels: Labels): DropSpan[] {
    if (this.#drops.length === 0) return []
    const spans: DropSpan[] = []
    const matched = this.#dropMatcher.match(labels)
    if (matched.length === 0) return spans
    const keepers = this.#keeperMatcher.match(labels).map((index) => this.#keepers[index])
    for (const index of matched) {
      const { id: drop, rule, afterMs, untilMs } = this.#drops[index]
      if (rule.force) spans.push({ drop, keeper: null, afterMs, untilMs, histograms: true })
      for (const keeper of keepers) {
        if (!this.#keepsFloats(keeper.rule, labels)) continue
        const stepMs = coarsestOf(keeper.rule)
        const fromMs = Math.ceil(Math.max(afterMs, keeper.afterMs) / stepMs) * stepMs
        const toMs = Math.floor(Math.min(untilMs, keeper.untilMs) / stepMs) * stepMs
        if (toMs <= fromMs) continue
        const histograms = keepsHistograms(keeper.rule)
        spans.push({ drop, keeper: keeper.id, afterMs: fromMs, untilMs: toMs, histograms })
      }
    }
    return spans.sort((a, b) => a.afterMs - b.afterMs)
  }

  /** Whether some drop rule held within `(afterMs, untilMs]` that may concern series which these matchers select. */
  mayDrop(match: readonly Matcher[], afterMs: number, untilMs: number): boolean {
    return this.#drops.some(
      (drop) => drop.afterMs < untilMs && drop.untilMs > afterMs && !areDisjoint(drop.rule.match, match),
    )
  }

  /** Whether any drop rule held within `(afterMs, untilMs]`. */
  heldWithin(afterMs: number, untilMs: number): boolean {
    return this.mayDrop([], afterMs, untilMs)
  }

  #keepsFloats(rule: MappingRule | RollupRule, labels: Labels): boolean {
    if (rule.kind === 'rollup') return true
    if (rule.columns.some((column) => column !== 'increase')) return rule.columns.length > 0
    return metricTypeOf(labels.metricName, rule.type, this.#metadata) !== 'gauge'
  }
}

/** When a version was in force for samples that came then. */
function seenFromMs({ fromMs, seenMs }: RuleVersion): number {
  return Math.max(fromMs, seenMs)
}

/** Rules that read raw samples, with the policies of all that read them in turn. */
function keepersOf(
  rules: readonly { id: string; rule: MappingRule | RollupRule; afterMs: number; untilMs: number }[],
): KeeperVersion[] {
  const readers = new Map<string, RollupRule[]>()
  for (const { rule } of rules) {
    if (rule.kind !== 'rollup' || rule.input === null) continue
    const known = readers.get(rule.input)
    if (known) known.push(rule)
    else readers.set(rule.input, [rule])
  }
  const namespacesOf = (rule: MappingRule | RollupRule): Set<string> => {
    const namespaces = new Set<string>()
    const seen = new Set<MappingRule | RollupRule>()
    const visit = (one: MappingRule | RollupRule) => {
      if (seen.has(one)) return
      seen.add(one)
      for (const { namespace } of one.policies) namespaces.add(namespace)
      if (one.kind === 'rollup') for (const reader of readers.get(one.name) ?? []) visit(reader)
    }
    visit(rule)
    return namespaces
  }
  return rules
    .filter(({ rule }) => rule.kind === 'mapping' || rule.input === null)
    .map((held) => ({ ...held, namespaces: namespacesOf(held.rule) }))
}

function coarsestOf({ policies }: MappingRule | RollupRule): number {
  return Math.max(...policies.map(({ resolutionMs }) => resolutionMs))
}

/** Native histograms are kept as a whole by these only. */
function keepsHistograms(rule: MappingRule | RollupRule): boolean {
  if (rule.kind === 'mapping') return rule.columns.some((column) => column === 'last' || column === 'increase')
  const { each, absolute, outputs } = rule
  const isPlain = (each === null || each === 'last' || each === 'increase') && !absolute
  return isPlain && outputs.some(({ aggregation }) => aggregation.operator === 'sum')
}

/** True when no series can pass both: one of them names the values of a label, and the other one refuses them all. */
function areDisjoint(a: readonly Matcher[], b: readonly Matcher[]): boolean {
  const left = a.map(compileMatcher)
  const right = b.map(compileMatcher)
  return refusesAll(left, right) || refusesAll(right, left)
}

function refusesAll(named: readonly CompiledMatcher[], tests: readonly CompiledMatcher[]): boolean {
  return named.some(({ matcher, literals }) => {
    if (literals === undefined || (matcher.operator !== '=' && matcher.operator !== '=~')) return false
    const onLabel = tests.filter((test) => test.matcher.name === matcher.name)
    return onLabel.length > 0 && literals.every((value) => onLabel.some((test) => !test.matches(value)))
  })
}
