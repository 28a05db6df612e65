/** `varve rules explain`: which rules a series meets, and what would be written for it. */
import { explainSeries as explain, type Rule, type RuleStore, readRule } from '@varve/aggregator'
import { PromqlError, parseSelector } from '@varve/promql'
import { Labels } from '@varve/tsdb-core/model'
import { CoordinatorError } from '../../errors.js'
import { EXIT, type Program } from '../program.js'

export async function explainSeries(store: RuleStore, text: string, program: Program): Promise<number> {
  const labels = seriesOf(text)
  const { documents } = await store.list()
  const rules: Rule[] = []
  const bad: string[] = []
  // The older of two rules that write one series keeps it.
  const byAge = [...documents].sort((a, b) => a.revision - b.revision)
  for (const { kind, name, text: document } of byAge) {
    const { rule, problems } = readRule(kind, name, document)
    if (rule !== null) rules.push(rule)
    else bad.push(`${kind}/${name}: is not good (${problems.length} problems: varve rules validate)`)
  }
  const explanation = explain(rules, labels)
  const met = explanation.rules.filter(({ matches }) => matches)
  program.stdout.write(
    `${labels} is taken for a ${explanation.type} and meets ${met.length} of ${documents.length} rules\n`,
  )
  for (const { id, matches, reason, writes } of explanation.rules) {
    program.stdout.write(`${id}: ${matches ? 'matches' : 'does not match'}${reason === null ? '' : `: ${reason}`}\n`)
    for (const { namespace, series, what } of writes) program.stdout.write(`  ${namespace}: ${series} = ${what}\n`)
  }
  if (explanation.isDropped) program.stdout.write('its raw samples are dropped once the windows over them are final\n')
  for (const line of bad) program.stdout.write(`${line}\n`)
  return EXIT.done
}

/** A series is written as a selector with equalities only. */
export function seriesOf(text: string): Labels {
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
