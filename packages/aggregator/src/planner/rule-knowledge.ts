/** What the rules say about where series can be: it spares the planner looking into every namespace for every query. */
import { type Matcher, METRIC_NAME } from '@varve/tsdb-core/model'
import { compileMatcher } from '@varve/tsdb-core/query'
import type { MappingRule } from '../rules/rule.js'
import type { RuleBook } from '../rules/rule-book.js'

export interface RuleKnowledge {
  /** Whether a rollup rule, now or ever, may have written a series that these matchers select. */
  outputsMayMatch(matchers: readonly Matcher[]): boolean
  /** Whether one mapping rule kept everything that these matchers select in the namespace, since before `afterMs`. */
  mapsAll(matchers: readonly Matcher[], namespace: string, afterMs: number): boolean
}

export function ruleKnowledge(book: RuleBook): RuleKnowledge {
  const entries = book.entries()
  const names = new Set<string>()
  for (const { versions } of entries) {
    for (const { rule } of versions) {
      if (rule?.kind === 'rollup') for (const { nameTemplate } of rule.outputs) names.add(nameTemplate)
    }
  }
  return {
    outputsMayMatch(matchers) {
      const onName = matchers.filter(({ name }) => name === METRIC_NAME).map(compileMatcher)
      for (const template of names) {
        const [before, ...rest] = template.split('{metric}')
        const exact = onName.find(({ matcher }) => matcher.operator === '=')
        if (rest.length === 0) {
          if (onName.every((compiled) => compiled.matches(template))) return true
        } else if (!exact || (exact.matcher.value.startsWith(before) && exact.matcher.value.endsWith(rest.at(-1)!))) {
          return true
        }
      }
      return false
    },
    mapsAll(matchers, namespace, afterMs) {
      for (const { versions } of entries) {
        const last = versions.at(-1)
        if (last?.rule?.kind !== 'mapping' || !keeps(last.rule, namespace, matchers)) continue
        if (last.rule.untilMs === null && last.fromMs <= afterMs) return true
      }
      return false
    },
  }
}

/** Every test of the rule is one of the query's too, or lets everything pass that has a name. */
function keeps(rule: MappingRule, namespace: string, matchers: readonly Matcher[]): boolean {
  if (!rule.policies.some((policy) => policy.namespace === namespace)) return false
  return rule.match.every(
    (test) =>
      (test.name === METRIC_NAME && test.operator === '!=' && test.value === '') ||
      (test.name === METRIC_NAME && test.operator === '=~' && (test.value === '.+' || test.value === '.*')) ||
      matchers.some((m) => m.name === test.name && m.operator === test.operator && m.value === test.value),
  )
}
