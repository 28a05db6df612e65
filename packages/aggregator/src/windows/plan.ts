/**
 * What the rules of one time make of the series of one namespace's resolution: which columns each series keeps, to which
 * groups it contributes, and what the groups write.
 *
 * Members (raw series) and groups (outputs of rollup rules) have dense indexes; what is known of them stands in columns.
 * A series is matched when it is seen for the first time.
 *
 *     raw series ──▶ mapping: columns of the same series
 *               └──▶ group of rule A ──▶ output series
 *                         └──▶ group of rule B (input: A) ──▶ output series
 */
import { type AggregateColumn, type Labels, type Matcher, METRIC_NAME } from '@varve/tsdb-core/model'
import { type Fold, makeFold } from '../aggregations/fold.js'
import { type MetadataLookup, metricTypeOf } from '../matcher/metric-type.js'
import { RuleMatcher } from '../matcher/rule-matcher.js'
import type { EachFunction, MappingRule, RollupOutput, RollupRule, Rule } from '../rules/rule.js'
import { extended } from './columns.js'
import { GroupColumns } from './group-columns.js'
import { MemberIndex } from './member-index.js'

export const COLUMNS: readonly AggregateColumn[] = ['last', 'min', 'max', 'sum', 'count', 'increase', 'value']
export const LAST = 0
export const MIN = 1
export const MAX = 2
export const SUM = 3
export const COUNT = 4
export const INCREASE = 5
export const VALUE = 6
/** A bit beside those of the columns: native counter histograms keep `increase`, whatever the name says of their type. */
const HISTOGRAM_INCREASE = 1 << 7

/** One rollup rule in a plan. */
export interface RollupStage {
  readonly rule: RollupRule
  /** Writes outputs here; false: only other rules of this plan read it. */
  readonly emits: boolean
  /** Stages that read this one's outputs. */
  readonly readers: readonly { readonly stage: RollupStage; readonly matcher: RuleMatcher | null }[]
  readonly folds: readonly Fold[]
}

/** What a group writes for one of its rule's aggregations. */
export interface GroupOutput {
  readonly labels: Labels
  readonly column: typeof VALUE | typeof INCREASE
  /** The output contributes to these groups of other rules. */
  readonly targets: readonly Contribution[]
  /** Another rule writes this very series: this one does not. */
  readonly suppressed: boolean
}

export interface Group {
  readonly stage: RollupStage
  readonly each: EachFunction
  /** One a fold of the stage; null: another group of the rule has it. */
  readonly outputs: readonly (GroupOutput | null)[]
}

export interface Contribution {
  readonly group: number
  readonly each: EachFunction
}

/** Told when something of a rule cannot be done for some series. */
export type PlanProblem = (rule: Rule, message: string) => void

export interface PlanOptions {
  readonly namespace: string
  /** All rules in force; those that do not concern the namespace are passed over. */
  readonly rules: readonly Rule[]
  readonly metadata: MetadataLookup
  readonly onProblem: PlanProblem
}

export class WindowPlan {
  readonly namespace: string
  readonly mappings: readonly MappingRule[]
  /** Inputs before their readers. */
  readonly stages: readonly RollupStage[]
  readonly #options: PlanOptions
  readonly #matcher: RuleMatcher
  readonly #rootStages: readonly RollupStage[]
  readonly #members = new MemberIndex()
  /** Member → raw reference; its bits of columns. */
  memberRefs: Uint32Array = new Uint32Array(64)
  memberColumns: Uint8Array = new Uint8Array(64)
  /** What members contribute to groups. */
  readonly columns = new GroupColumns()
  readonly groups: Group[] = []
  /** By group, whose members all contribute the same: one object, not one for each of them. */
  readonly #contributionTo: Contribution[] = []
  readonly #groupsByKey = new Map<string, number>()
  /** Output series → the rule that owns it. */
  readonly #owners = new Map<string, string>()
  /** Series that match, by rule name: for `explain` and status. */
  readonly matchedCounts = new Map<string, number>()
  memberCount = 0
  /** Contributions of members with native histograms, by `2 · member + isCounter`. */
  readonly #histogramContributions = new Map<number, readonly Contribution[]>()
  readonly #histogramMembers = new Set<number>()
  readonly #histogramProblems = new Set<string>()
  /** Members whose series may come back under another reference, by their labels: those that were evicted or never in the head. */
  readonly #restless = new Map<string, number>()
  /** Members with references of series that are not in the head. */
  #coldCount = 0

  constructor(options: PlanOptions) {
    this.#options = options
    this.namespace = options.namespace
    this.mappings = options.rules.filter(
      (rule): rule is MappingRule =>
        rule.kind === 'mapping' && rule.policies.some((policy) => policy.namespace === options.namespace),
    )
    const { stages, roots } = planStages(options)
    this.stages = stages
    this.#rootStages = roots
    this.#matcher = new RuleMatcher([...this.mappings, ...roots.map((stage) => stage.rule)].map((rule) => rule.match))
  }

  get isEmpty(): boolean {
    return this.mappings.length === 0 && this.stages.length === 0
  }

  /** Selectors of the series that the plan reads. */
  selectors(): readonly (readonly Matcher[])[] {
    return [...this.mappings, ...this.#rootStages.map((stage) => stage.rule)].map((rule) => rule.match)
  }

  /** Members that no series of the head needs: it was evicted, or never in the head. They go with the plan. */
  get idleCount(): number {
    return this.memberCount - this.#members.size + this.#coldCount
  }

  /** The member of a raw series, or -1 when it was not seen yet. */
  memberOf(seriesRef: number): number {
    return this.#members.get(seriesRef)
  }

  /** Whether a rule concerns the member at all. */
  isUsed(member: number): boolean {
    return this.memberColumns[member] !== 0 || this.columns.counts[member] > 0
  }

  /** Whether the growth of the member is asked for, so that the sample before a window is needed. */
  needsIncrease(member: number): boolean {
    if (this.#histogramMembers.has(member)) return true
    if ((this.memberColumns[member] & (1 << INCREASE)) !== 0) return true
    const { starts, counts, groups } = this.columns
    for (let i = starts[member]; i < starts[member] + counts[member]; i++) {
      const { each } = this.groups[groups[i]]
      if (each === 'increase' || each === 'rate') return true
    }
    return false
  }

  /** The member has native histograms: their growth may be asked for. */
  noteHistograms(member: number, labels: Labels): void {
    if (this.#histogramMembers.has(member)) return
    this.#histogramMembers.add(member)
    for (const index of this.#matcher.match(labels)) {
      const rule = this.mappings[index]
      if (!rule || rule.columns.some((column) => column === 'last' || column === 'increase')) continue
      this.#histogramProblem(
        rule,
        `${labels} has native histograms: aggregations last and increase keep them, no others`,
      )
    }
  }

  get hasAnyHistograms(): boolean {
    return this.#histogramMembers.size > 0
  }

  hasHistograms(member: number): boolean {
    return this.#histogramMembers.has(member)
  }

  /** Whether the member's column is kept for native histograms; `count` is a float beside them. */
  keepsOfHistograms(member: number, column: typeof LAST | typeof COUNT | typeof INCREASE): boolean {
    const bit = column === INCREASE ? HISTOGRAM_INCREASE : 1 << column
    return (this.memberColumns[member] & bit) !== 0
  }

  /** To which groups the member's native histograms contribute. A gauge gives its last one, a counter its growth. */
  histogramContributions(member: number, isCounter: boolean, labels: Labels): readonly Contribution[] {
    const key = member * 2 + Number(isCounter)
    const known = this.#histogramContributions.get(key)
    if (known) return known
    const contributions = this.#matcher
      .match(labels)
      .filter((index) => index >= this.mappings.length)
      .flatMap((index) => this.#contributeHistograms(this.#rootStages[index - this.mappings.length], labels, isCounter))
    this.#histogramContributions.set(key, contributions)
    return contributions
  }

  #contributeHistograms(stage: RollupStage, labels: Labels, isCounter: boolean): Contribution[] {
    const { rule } = stage
    const all = this.#contribute(stage, labels, isCounter && rule.type !== 'gauge', true)
    const possible = all.filter((contribution) => this.addsHistograms(contribution))
    const isComplete = possible.length > 0 && rule.outputs.every(({ aggregation }) => aggregation.operator === 'sum')
    if (!isComplete) this.histogramProblem(rule, labels)
    return possible
  }

  /** Whether a group can take native histograms as this contribution. */
  addsHistograms({ group, each }: Contribution): boolean {
    const { stage, outputs } = this.groups[group]
    const { rule } = stage
    return (
      (each === 'last' || each === 'increase') &&
      !rule.absolute &&
      rule.outputs.some(({ aggregation }, at) => aggregation.operator === 'sum' && outputs[at] !== null)
    )
  }

  /** Tells that the rule's aggregations leave native histograms out. */
  histogramProblem(rule: Rule, labels: Labels): void {
    this.#histogramProblem(
      rule,
      `${labels} has native histograms: only the sum of their last or their increase is rolled up`,
    )
  }

  /** Tells that floats and native histograms met in one output. */
  mixedProblem(rule: Rule, labels: Labels): void {
    this.#histogramProblem(rule, `${labels}: native histograms cannot be added to floats, and are left out`)
  }

  /** Tells that exponential and custom buckets met in one output. */
  bucketProblem(rule: Rule, labels: Labels): void {
    this.#histogramProblem(rule, `${labels}: exponential and custom buckets have no sum`)
  }

  /** Once a rule. */
  #histogramProblem(rule: Rule, message: string): void {
    if (this.#histogramProblems.has(rule.name)) return
    this.#histogramProblems.add(rule.name)
    this.#options.onProblem(rule, message)
  }

  /**
   * Matches a series that was not seen before. One that was evicted and came back is another member: the one before it takes
   * part no more, lest the series live twice.
   */
  addMember(seriesRef: number, labels: Labels, isCold = false): number {
    const member = this.memberCount++
    if (member >= this.memberRefs.length) this.#grow()
    this.#members.set(seriesRef, member)
    const before = this.#restless.get(labels.key)
    if (before !== undefined) {
      this.memberColumns[before] = 0
      this.columns.counts[before] = 0
      this.#restless.delete(labels.key)
      // Should the series be read under its former reference again, that is another member.
      if (this.#members.delete(this.memberRefs[before])) this.#coldCount--
    }
    if (isCold) {
      this.#restless.set(labels.key, member)
      this.#coldCount++
    }
    this.memberRefs[member] = seriesRef
    const groups: number[] = []
    const matches = this.#matcher.match(labels)
    const { metricName } = labels
    for (const index of matches) {
      if (index < this.mappings.length) {
        const rule = this.mappings[index]
        const isCounter = metricTypeOf(metricName, rule.type, this.#options.metadata) !== 'gauge'
        for (const column of rule.columns) {
          if (column === 'increase') this.memberColumns[member] |= HISTOGRAM_INCREASE
          if (column !== 'increase' || isCounter) this.memberColumns[member] |= 1 << COLUMNS.indexOf(column)
        }
        this.#count(rule.name)
        continue
      }
      const stage = this.#rootStages[index - this.mappings.length]
      const isCounter = metricTypeOf(metricName, stage.rule.type, this.#options.metadata) !== 'gauge'
      for (const { group } of this.#contribute(stage, labels, isCounter)) groups.push(group)
      this.#count(stage.rule.name)
    }
    this.columns.addMember(member, groups)
    return member
  }

  /** The series is going; its reference may not come again. */
  removeMember(seriesRef: number, labels: Labels): void {
    const member = this.#members.get(seriesRef)
    if (member < 0) return
    this.#members.delete(seriesRef)
    this.#restless.set(labels.key, member)
    this.#histogramMembers.delete(member)
    this.#histogramContributions.delete(member * 2)
    this.#histogramContributions.delete(member * 2 + 1)
  }

  #contribute(stage: RollupStage, labels: Labels, isCounter: boolean, ofHistograms = false): Contribution[] {
    const { rule } = stage
    const eachOf = ({ aggregation }: RollupOutput) => rule.each ?? eachFor(aggregation.operator, isCounter)
    // Aggregations that take the same of each series share a group.
    return [...new Set(rule.outputs.map(eachOf))].map((each) => {
      const outputs = rule.outputs.flatMap((output, at) => (eachOf(output) === each ? [at] : []))
      const group = this.#groupOf(stage, labels, each, outputs, isCounter, ofHistograms)
      return (this.#contributionTo[group] ??= { group, each })
    })
  }

  #groupOf(
    stage: RollupStage,
    labels: Labels,
    each: EachFunction,
    outputs: readonly number[],
    isCounter: boolean,
    ofHistograms: boolean,
  ): number {
    const { rule } = stage
    const names = new Set([...rule.grouping.labels, METRIC_NAME])
    let kept = rule.grouping.without ? labels.drop(names) : labels.keep(new Set(rule.grouping.labels))
    for (const [name, value] of rule.labels) kept = kept.with(name, value)
    const { metricName } = labels
    const templated = outputs.some((output) => rule.outputs[output].nameTemplate.includes('{metric}'))
    // What the type decides is `each`: with it given, counters and gauges are taken alike.
    const key = `${rule.name}\n${each}\n${rule.each === null && isCounter}\n${templated ? metricName : ''}\n${kept.key}`
    const known = this.#groupsByKey.get(key)
    if (known !== undefined) return known
    const index = this.groups.length
    this.#groupsByKey.set(key, index)
    // The place is taken before targets are made: they are groups of their own.
    this.groups.push({ stage, each, outputs: [] })
    const groupOutputs = rule.outputs.map((output, at): GroupOutput | null => {
      if (!outputs.includes(at)) return null // Of the group with the other contribution.
      const outputLabels = kept.with(METRIC_NAME, output.nameTemplate.replaceAll('{metric}', metricName))
      const grows = output.aggregation.operator === 'sum' && each === 'increase'
      return {
        labels: outputLabels,
        column: grows ? INCREASE : VALUE,
        suppressed: stage.emits && !this.#own(rule, outputLabels, ofHistograms),
        targets: stage.readers
          .filter(({ matcher }) => matcher === null || matcher.match(outputLabels).length > 0)
          .flatMap(({ stage: reader }) => this.#contribute(reader, outputLabels, grows)),
      }
    })
    this.groups[index] = { ...this.groups[index], outputs: groupOutputs }
    const folds = stage.folds.filter((_, at) => groupOutputs[at] !== null)
    this.columns.setGroup(index, each, rule.absolute, folds)
    return index
  }

  /** Two rules never write one series: the older one keeps it. */
  #own(rule: RollupRule, labels: Labels, ofHistograms: boolean): boolean {
    const owner = this.#owners.get(labels.key)
    // The name may have said that floats would be gauges, where histograms say themselves that they are counters.
    if (ofHistograms && owner === rule.name) return true
    if (owner === undefined) {
      this.#owners.set(labels.key, rule.name)
      return true
    }
    this.#options.onProblem(rule, `${labels} is written by rollup/${owner} already`)
    return false
  }

  #count(ruleName: string): void {
    this.matchedCounts.set(ruleName, (this.matchedCounts.get(ruleName) ?? 0) + 1)
  }

  #grow(): void {
    const length = this.memberRefs.length * 2
    this.memberRefs = extended(this.memberRefs, length)
    this.memberColumns = extended(this.memberColumns, length)
  }
}

/** What a series contributes when the rule does not say. */
function eachFor(operator: RollupOutput['aggregation']['operator'], isCounter: boolean): EachFunction {
  if (operator === 'count' || operator === 'last') return 'last'
  if (isCounter) return 'increase'
  return operator === 'min' || operator === 'max' ? operator : 'last'
}

/** The rollup rules that write to the namespace, with those that they read, inputs first. */
function planStages(options: PlanOptions): { stages: RollupStage[]; roots: RollupStage[] } {
  const rules = new Map<string, RollupRule>()
  for (const rule of options.rules) if (rule.kind === 'rollup') rules.set(rule.name, rule)
  const stages = new Map<string, MutableStage | null>()
  const ordered: RollupStage[] = []
  const roots: RollupStage[] = []
  const visit = (rule: RollupRule, trail: readonly string[]): MutableStage | null => {
    const known = stages.get(rule.name)
    if (known !== undefined) return known
    if (trail.includes(rule.name)) {
      options.onProblem(rule, `rules that read each other: ${[...trail, rule.name].join(' → ')}`)
      return null
    }
    let input: MutableStage | null = null
    if (rule.input !== null) {
      const inputRule = rules.get(rule.input)
      if (!inputRule) options.onProblem(rule, `its input rollup/${rule.input} does not exist`)
      input = inputRule ? visit(inputRule, [...trail, rule.name]) : null
      if (input === null) {
        stages.set(rule.name, null)
        return null
      }
    }
    const emits = rule.policies.some((policy) => policy.namespace === options.namespace)
    const folds = rule.outputs.map(({ aggregation }) => makeFold(aggregation))
    const stage: MutableStage = { rule, emits, readers: [], folds }
    stages.set(rule.name, stage)
    if (input) input.readers.push({ stage, matcher: rule.match.length > 0 ? new RuleMatcher([rule.match]) : null })
    else roots.push(stage)
    ordered.push(stage)
    return stage
  }
  for (const rule of rules.values()) {
    if (rule.policies.some((policy) => policy.namespace === options.namespace)) visit(rule, [])
  }
  return { stages: ordered, roots }
}

type MutableStage = Omit<RollupStage, 'readers'> & { readers: { stage: RollupStage; matcher: RuleMatcher | null }[] }
