/**
 * Rollup rules that write the same series, as far as the rules alone tell: equal output names in one namespace, and no label
 * that keeps the outputs apart for sure. At run time the rule that came first writes such a series.
 *
 * Where it depends on the data (two regular expressions, a label that only one of the rules keeps), nothing is said.
 */
import { METRIC_NAME } from '@varve/tsdb-core/model'
import type { RollupRule, Rule } from '../rules/rule.js'

export interface OutputConflict {
  /** Names of the rules, in the order in which they were given. */
  readonly rules: readonly [string, string]
  readonly outputName: string
  readonly namespace: string
}

export function findOutputConflicts(rules: readonly Rule[]): OutputConflict[] {
  const rollups = rules.filter((rule) => rule.kind === 'rollup')
  const conflicts: OutputConflict[] = []
  rollups.forEach((one, i) => {
    for (const other of rollups.slice(i + 1)) {
      const outputName = sharedName(one, other)
      const namespace = one.policies.find((policy) => other.policies.some((its) => its.namespace === policy.namespace))
      if (outputName === undefined || namespace === undefined) continue
      if (!overlapInTime(one, other) || !writeSameLabels(one, other)) continue
      conflicts.push({ rules: [one.name, other.name], outputName, namespace: namespace.namespace })
    }
  })
  return conflicts
}

function sharedName(one: RollupRule, other: RollupRule): string | undefined {
  const names = namesOf(one)
  return namesOf(other).find((name) => names.includes(name))
}

/** Output names that do not depend on the data. */
function namesOf(rule: RollupRule): string[] {
  const metric = rule.match.find(({ name, operator }) => name === METRIC_NAME && operator === '=')?.value
  const names = rule.outputs.map(({ nameTemplate }) =>
    metric === undefined ? nameTemplate : nameTemplate.replaceAll('{metric}', metric),
  )
  return names.filter((name) => !name.includes('{metric}'))
}

function overlapInTime(one: RollupRule, other: RollupRule): boolean {
  const fromMs = Math.max(one.fromMs ?? -Infinity, other.fromMs ?? -Infinity)
  return fromMs < Math.min(one.untilMs ?? Infinity, other.untilMs ?? Infinity)
}

/** A label of a rule's outputs: its one value; `any`; or `unclear`, when the data tells which. */
type LabelState = { readonly value: string; readonly isMatched: boolean } | 'any' | 'unclear'

function labelState(rule: RollupRule, name: string): LabelState {
  const constant = rule.labels.find(([own]) => own === name)
  if (constant !== undefined) return { value: constant[1], isMatched: false }
  const isKept = rule.grouping.labels.includes(name) !== rule.grouping.without
  if (!isKept) return { value: '', isMatched: false }
  const matchers = rule.match.filter((matcher) => matcher.name === name)
  if (matchers.length === 0) return 'any'
  const equal = matchers.find(({ operator }) => operator === '=')
  return equal === undefined ? 'unclear' : { value: equal.value, isMatched: true }
}

function writeSameLabels(one: RollupRule, other: RollupRule): boolean {
  const names = new Set<string>()
  for (const { labels, grouping, match } of [one, other]) {
    for (const [name] of labels) names.add(name)
    for (const name of grouping.labels) names.add(name)
    for (const { name } of match) names.add(name)
  }
  names.delete(METRIC_NAME)
  for (const name of names) {
    if (!canBeEqual(labelState(one, name), labelState(other, name), one.matchText === other.matchText)) return false
  }
  // Beyond the names that the rules name, one keeps all labels and the other none.
  return one.grouping.without === other.grouping.without
}

function canBeEqual(a: LabelState, b: LabelState, sameMatch: boolean): boolean {
  if (typeof a === 'object' && typeof b === 'object') return a.value === b.value
  if (a === 'unclear' && b === 'unclear') return sameMatch
  if (typeof a === 'object') return b === 'any' && a.isMatched
  if (typeof b === 'object') return a === 'any' && b.isMatched
  return true
}
