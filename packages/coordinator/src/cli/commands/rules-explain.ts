/** `varve rules explain`: which rules a series meets, and what would be written for it. */
import { type MappingRule, type RollupRule, type Rule, type RuleStore, readRule } from '@varve/aggregator'
import { PromqlError, parseSelector } from '@varve/promql'
import { Labels, METRIC_NAME } from '@varve/tsdb-core/model'
import { compileMatcher, matchesAll } from '@varve/tsdb-core/query'
import { formatDuration } from '../../config/units.js'
import { CoordinatorError } from '../../errors.js'
import { EXIT, type Program } from '../program.js'

export async function explainSeries(store: RuleStore, text: string, program: Program): Promise<number> {
  const labels = seriesOf(text)
  const { documents } = await store.list()
  const lines: string[] = []
  let met = 0
  for (const { kind, name, text: document } of documents) {
    const { rule, problems } = readRule(kind, name, document)
    if (rule === null) {
      lines.push(
        `${kind}/${name}: is not good and has no effect until it is (${problems.length} problems: varve rules validate)`,
      )
      continue
    }
    if (rule.kind === 'namespace') continue
    const meets = matchesAll(rule.match.map(compileMatcher), (label) => labels.get(label))
    if (!meets) continue
    met++
    lines.push(`${kind}/${name}: matches ${rule.matchText}`, ...effectOf(rule, labels).map((line) => `  ${line}`))
  }
  program.stdout.write(`${labels} meets ${met} of ${documents.length} rules in ${store.description}\n`)
  for (const line of lines) program.stdout.write(`${line}\n`)
  return EXIT.done
}

function effectOf(rule: Exclude<Rule, { kind: 'namespace' }>, labels: Labels): string[] {
  if (rule.kind === 'drop') return ['its raw samples are not kept beyond the windows that need them']
  if (rule.kind === 'mapping') return mappingEffect(rule, labels)
  return rollupEffect(rule, labels)
}

function mappingEffect(rule: MappingRule, labels: Labels): string[] {
  const columns = rule.columns.join(', ')
  return rule.policies.map((policy) => `${labels} with ${columns} every ${policyText(policy)}`)
}

function rollupEffect(rule: RollupRule, labels: Labels): string[] {
  const { labels: names, without } = rule.grouping
  const kept = without ? labels.drop(new Set([...names, METRIC_NAME])) : labels.keep(new Set(names))
  return rule.outputs.flatMap(({ nameTemplate, aggregation }) => {
    const outputName = nameTemplate.replaceAll('{metric}', labels.metricName)
    const output = rule.labels.reduce(
      (all, [label, value]) => all.with(label, value),
      kept.with(METRIC_NAME, outputName),
    )
    return rule.policies.map((policy) => `${output} = ${aggregation.operator} every ${policyText(policy)}`)
  })
}

function policyText(policy: { readonly resolutionMs: number; readonly retentionMs: number }): string {
  return `${formatDuration(policy.resolutionMs)}, kept ${formatDuration(policy.retentionMs)}`
}

/** A series is written as a selector with equalities only. */
function seriesOf(text: string): Labels {
  try {
    const matchers = parseSelector(text)
    const other = matchers.find((matcher) => matcher.operator !== '=')
    if (other !== undefined) {
      throw new CoordinatorError('INVALID_ARGUMENT', `a series has = only, got ${other.name}${other.operator}…`)
    }
    return Labels.from(matchers.map(({ name, value }) => [name, value] as const))
  } catch (error) {
    if (error instanceof PromqlError) throw new CoordinatorError('INVALID_ARGUMENT', error.message)
    throw error
  }
}
