/** Which rules a series meets, what is written for it where, and why not. */
import type { Labels } from '@varve/tsdb-core/model'
import { compileMatcher } from '@varve/tsdb-core/query'
import type { MetadataLookup } from '../matcher/metric-type.js'
import { metricTypeOf } from '../matcher/metric-type.js'
import type { MetricType, Rule } from '../rules/rule.js'
import { COLUMNS, WindowPlan } from '../windows/plan.js'

export interface Explanation {
  readonly labels: Labels
  /** As it is taken when a rule does not say. */
  readonly type: MetricType
  readonly rules: readonly RuleExplanation[]
  /** Whether raw samples are dropped once the windows over them are final. */
  readonly isDropped: boolean
}

export interface RuleExplanation {
  /** `mapping/node`. */
  readonly id: string
  readonly matches: boolean
  /** Why it does not match, or why nothing is written though it does; null when something is. */
  readonly reason: string | null
  readonly writes: readonly WrittenSeries[]
}

export interface WrittenSeries {
  readonly namespace: string
  readonly series: Labels
  /** `last, min, max`, or `sum of increase`. */
  readonly what: string
}

export function explainSeries(
  rules: readonly Rule[],
  labels: Labels,
  metadata: MetadataLookup = () => undefined,
): Explanation {
  const type = metricTypeOf(labels.metricName, null, metadata)
  const explained = withOwners(rules.flatMap((rule) => explainRule(rules, rule, labels, metadata)))
  const keepers = explained.filter(({ writes }) => writes.length > 0)
  const drops = rules.filter((rule) => rule.kind === 'drop' && failingTest(rule.match, labels) === null)
  const isDropped = drops.some((rule) => rule.kind === 'drop' && (rule.force || keepers.length > 0))
  return {
    labels,
    type,
    isDropped,
    rules: explained.map((one) =>
      one.id.startsWith('drop/') && one.matches && !isDropped
        ? {
            ...one,
            reason: 'no mapping or rollup rule keeps anything of the series, and the rule does not say `force`',
          }
        : one,
    ),
  }
}

/** Two rules never write one series: the older one, which comes first, keeps it, and both are named. */
function withOwners(explained: readonly RuleExplanation[]): RuleExplanation[] {
  const owners = new Map<string, string>()
  return explained.map((one) => {
    if (!one.id.startsWith('rollup/')) return one
    const lost: string[] = []
    const writes = one.writes.filter(({ namespace, series }) => {
      const key = `${namespace} ${series.key}`
      const owner = owners.get(key)
      if (owner === undefined) owners.set(key, one.id)
      else if (owner !== one.id) lost.push(`${series} in ${namespace} is written by ${owner}, which is older`)
      return owner === undefined || owner === one.id
    })
    if (lost.length === 0) return one
    return { ...one, writes, reason: `${lost.join('; ')}: name the output of one of the two differently` }
  })
}

function explainRule(rules: readonly Rule[], rule: Rule, labels: Labels, metadata: MetadataLookup): RuleExplanation[] {
  if (rule.kind === 'namespace') return []
  const id = `${rule.kind}/${rule.name}`
  if (rule.kind === 'rollup' && rule.input !== null) return [explainChain(rules, rule, labels, metadata, id)]
  const failing = failingTest(rule.match, labels)
  if (failing !== null) return [{ id, matches: false, reason: failing, writes: [] }]
  if (rule.kind === 'drop') return [{ id, matches: true, reason: null, writes: [] }]
  return [
    {
      id,
      matches: true,
      reason: null,
      writes: rule.policies.flatMap(({ namespace }) => writesOf([rule], namespace, labels, metadata)),
    },
  ]
}

function explainChain(
  rules: readonly Rule[],
  rule: Extract<Rule, { kind: 'rollup' }>,
  labels: Labels,
  metadata: MetadataLookup,
  id: string,
): RuleExplanation {
  const rollups = rules.filter((other) => other.kind === 'rollup')
  const problems: string[] = []
  const writes = rule.policies.flatMap(({ namespace }) =>
    writesOf(rollups, namespace, labels, metadata, rule.name, (message) => problems.push(message)),
  )
  const matches = writes.length > 0
  return {
    id,
    matches,
    reason: matches ? null : (problems[0] ?? `rollup/${rule.input} makes nothing of the series that it matches`),
    writes,
  }
}

function writesOf(
  rules: readonly Rule[],
  namespace: string,
  labels: Labels,
  metadata: MetadataLookup,
  onlyRule: string | null = null,
  onProblem: (message: string) => void = () => {},
): WrittenSeries[] {
  const plan = new WindowPlan({ namespace, rules, metadata, onProblem: (_rule, message) => onProblem(message) })
  const member = plan.addMember(0, labels)
  const writes: WrittenSeries[] = []
  const columns = COLUMNS.filter((_, column) => (plan.memberColumns[member] & (1 << column)) !== 0)
  if (columns.length > 0 && onlyRule === null) writes.push({ namespace, series: labels, what: columns.join(', ') })
  for (const group of plan.groups) {
    const { rule, emits } = group.stage
    if (!emits || (onlyRule !== null && rule.name !== onlyRule)) continue
    group.outputs.forEach((output, index) => {
      if (output === null || output.suppressed) return
      const { aggregation } = rule.outputs[index]
      const operator = aggregation.operator === 'quantile' ? `quantile ${aggregation.quantile}` : aggregation.operator
      writes.push({ namespace, series: output.labels, what: `${operator} of ${group.each}` })
    })
  }
  return writes
}

/** The first test that the series fails, with what it has instead; null when it passes all. */
function failingTest(match: Extract<Rule, { kind: 'drop' }>['match'], labels: Labels): string | null {
  for (const matcher of match) {
    const value = labels.get(matcher.name)
    if (compileMatcher(matcher).matches(value)) continue
    const has = value === '' ? 'the series has no such label' : `the series has ${JSON.stringify(value)}`
    return `${matcher.name}${matcher.operator}${JSON.stringify(matcher.value)}: ${has}`
  }
  return null
}
