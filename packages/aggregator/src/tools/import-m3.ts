/**
 * Translates M3's `downsample.rules` (YAML, as in the coordinator's configuration) into rule documents.
 *
 * M3's filters are `tag:pattern` pairs with globs; they become selectors. Its pipelines become what they compute: Increase,
 * rollup with Sum, Add is a rolled-up counter; several rollups in one pipeline become a chain of rules.
 */
import { parse } from 'yaml'
import { z } from 'zod'
import { AggregatorError, messageOf } from '../errors.js'
import { problemText } from '../rules/document-text.js'
import type { RuleKind } from '../rules/rule.js'
import { readRule } from '../rules/rule-reader.js'

export interface ImportedRule {
  readonly kind: RuleKind
  readonly name: string
  readonly document: object
}

export interface ImportedRules {
  readonly rules: readonly ImportedRule[]
  /** What could not be expressed the same way, and what was done instead. */
  readonly warnings: readonly string[]
}

const policy = z.looseObject({ resolution: z.string(), retention: z.string() })
const tags = z.array(z.looseObject({ name: z.string(), value: z.string() })).optional()
const rollupOperation = z.looseObject({
  metricName: z.string(),
  groupBy: z.array(z.string()).optional(),
  excludeBy: z.array(z.string()).optional(),
  aggregations: z.array(z.string()).optional(),
})
const pipelineOperation = z.union([
  z.strictObject({ rollup: rollupOperation }),
  z.strictObject({ aggregate: z.looseObject({ type: z.string() }) }),
  z.strictObject({ transform: z.looseObject({ type: z.string() }) }),
])
const mappingRule = z.looseObject({
  name: z.string().optional(),
  filter: z.string(),
  aggregations: z.array(z.string()).optional(),
  storagePolicies: z.array(policy).optional(),
  drop: z.boolean().optional(),
  tags,
})
const rollupRule = z.looseObject({
  name: z.string().optional(),
  filter: z.string(),
  transforms: z.array(pipelineOperation),
  storagePolicies: z.array(policy),
  tags,
})
const ruleList = z.looseObject({
  mappingRules: z.array(mappingRule).optional(),
  rollupRules: z.array(rollupRule).optional(),
})

type Operation = z.output<typeof pipelineOperation>

/** @throws {AggregatorError} `INVALID_RULE` when the text is not YAML with M3's rules, or a filter does not parse. */
export function importM3Rules(text: string): ImportedRules {
  const importer = new Importer()
  const { mappingRules = [], rollupRules = [] } = readRules(text)
  for (const [index, rule] of mappingRules.entries()) importer.mapping(rule, rule.name ?? `mapping ${index + 1}`)
  for (const [index, rule] of rollupRules.entries()) importer.rollup(rule, rule.name ?? `rollup ${index + 1}`)
  for (const { kind, name, document } of importer.rules) {
    const { problems } = readRule(kind, name, JSON.stringify(document))
    if (problems.length > 0) {
      throw new AggregatorError('INVALID_RULE', `${kind} rule ${name}: ${problems.map(problemText).join('; ')}`)
    }
  }
  return { rules: importer.rules, warnings: importer.warnings }
}

function readRules(text: string): z.output<typeof ruleList> {
  let value: unknown
  try {
    value = parse(text, { maxAliasCount: 100 })
  } catch (cause) {
    throw new AggregatorError('INVALID_RULE', `not YAML: ${messageOf(cause)}`, { cause })
  }
  // The whole configuration, its `downsample` part, or the rules alone.
  for (const key of ['downsample', 'rules']) {
    if (typeof value === 'object' && value !== null && key in value) value = (value as Record<string, unknown>)[key]
  }
  const parsed = ruleList.safeParse(value)
  if (!parsed.success)
    throw new AggregatorError('INVALID_RULE', `not M3's downsample.rules: ${z.prettifyError(parsed.error)}`)
  return parsed.data
}

class Importer {
  readonly rules: ImportedRule[] = []
  readonly warnings: string[] = []
  readonly #names = new Set<string>()

  mapping(rule: z.output<typeof mappingRule>, title: string): void {
    const match = this.#matchOf(rule.filter, title)
    if (match === null) return
    if (rule.drop) {
      // M3 keeps no raw samples of what matches, whether anything replaces them or not.
      this.#add('drop', title, { match, force: true })
      return
    }
    const aggregations = new Set<string>()
    for (const type of rule.aggregations ?? ['Last']) {
      const columns = COLUMNS_OF[type.toLowerCase()]
      if (columns) for (const column of columns) aggregations.add(column)
      else
        this.warnings.push(
          `${title}: aggregation ${type} is not kept by mapping rules, and left out: a rollup rule with "without": [] and "each": "all" makes it`,
        )
    }
    if (aggregations.size === 0) {
      this.warnings.push(`${title}: none of its aggregations is kept by mapping rules: the rule is left out`)
      return
    }
    if (rule.tags?.length)
      this.warnings.push(`${title}: tags are not added by mapping rules, since the series stay the same`)
    const policies = (rule.storagePolicies ?? []).map(policyText)
    this.#add('mapping', title, { match, policies, aggregations: [...aggregations] })
  }

  rollup(rule: z.output<typeof rollupRule>, title: string): void {
    const policies = rule.storagePolicies.map(policyText)
    const labels = Object.fromEntries(
      (rule.tags ?? []).filter(({ name }) => !name.startsWith('__m3')).map((t) => [t.name, t.value]),
    )
    const match = this.#matchOf(rule.filter, title)
    if (match === null) return
    let input: string | null = null
    let before: Operation[] = []
    const operations = [...rule.transforms]
    const rollupCount = operations.filter((operation) => 'rollup' in operation).length
    let number = 0
    while (operations.length > 0) {
      const operation = operations.shift()!
      if (!('rollup' in operation)) {
        before.push(operation)
        continue
      }
      const after: Operation[] = []
      while (operations.length > 0 && !('rollup' in operations[0])) after.push(operations.shift()!)
      number++
      const name = rollupCount > 1 && number < rollupCount ? `${title}-${number}` : title
      const rollup = this.#rollupOf(operation.rollup, before, after, title)
      if (rollup === null) return
      const document = {
        ...(input === null ? { match } : { input }),
        ...rollup,
        ...(Object.keys(labels).length > 0 && { labels }),
        policies,
      }
      input = this.#add('rollup', name, document)
      before = []
    }
    if (number === 0) this.warnings.push(`${title}: has no rollup operation and was left out`)
  }

  #rollupOf(
    rollup: z.output<typeof rollupOperation>,
    before: readonly Operation[],
    after: readonly Operation[],
    title: string,
  ): object | null {
    const transforms = [...before, ...after].flatMap((operation) =>
      'transform' in operation ? [operation.transform.type.toLowerCase()] : [],
    )
    const aggregate = before.find((operation) => 'aggregate' in operation)
    const grows = transforms.includes('increase') || transforms.includes('add') || transforms.includes('reset')
    const types = rollup.aggregations ?? ['Sum']
    const aggregations = types.flatMap((type) => this.#aggregationOf(type, title))
    if (aggregations.length === 0) {
      this.warnings.push(`${title}: none of its aggregations is known here: the rule is left out`)
      return null
    }
    if (aggregate && 'aggregate' in aggregate && EACH_OF[aggregate.aggregate.type.toLowerCase()] === undefined) {
      const { type } = aggregate.aggregate
      this.warnings.push(`${title}: no series gives its ${type} to a rollup here: the rule is left out`)
      return null
    }
    const each = transforms.includes('persecond')
      ? 'rate'
      : aggregate && 'aggregate' in aggregate
        ? EACH_OF[aggregate.aggregate.type.toLowerCase()]
        : undefined
    const several = aggregations.length > 1
    if (several) this.warnings.push(`${title}: ${types.join(', ')} wrote one series in M3; here each has its own`)
    const { groupBy, excludeBy } = rollup
    return {
      name: rollup.metricName.replace(/\{\{\s*\.MetricName\s*\}\}/g, '{metric}') + (several ? ':{aggregate}' : ''),
      ...(excludeBy ? { without: excludeBy } : { by: (groupBy ?? []).filter((label) => label !== '__name__') }),
      aggregate: several ? aggregations : aggregations[0],
      ...(each !== undefined && { each }),
      ...(transforms.includes('absolute') && { absolute: true }),
      type: grows || each === 'rate' ? 'counter' : 'gauge',
    }
  }

  #aggregationOf(type: string, title: string): string[] {
    const text = type.toLowerCase()
    if (text === 'mean') return ['avg']
    if (text === 'stdev') return ['stddev']
    if (/^(sum|min|max|count|last|median|p\d+)$/.test(text)) return [text]
    this.warnings.push(`${title}: aggregation ${type} is not known here, and left out`)
    return []
  }

  /** M3 has a metric's type as a tag of its own making; here names tell counters from gauges. Null: it cannot be said. */
  #matchOf(filter: string, title: string): string | null {
    const items = filter.trim().split(/\s+/)
    const types = items.filter((item) => item.startsWith('__m3'))
    const tests = types.map((item) => ({ item, test: TYPE_TESTS[item] }))
    for (const { item, test } of tests) {
      if (test === undefined) {
        this.warnings.push(`${title}: series have nothing like ${item} here: the rule is left out`)
        return null
      }
      this.warnings.push(`${title}: series have no such label as ${item}: ${test} stands in, since names tell the type`)
    }
    const rest = items.filter((item) => !item.startsWith('__m3')).join(' ')
    const selector = rest === '' ? '{}' : selectorOf(rest, title)
    if (tests.length === 0) return selector
    const inside = [selector.slice(1, -1), ...tests.map(({ test }) => test)].filter((text) => text !== '')
    // A selector needs a test that the empty value does not pass.
    if (rest === '' && tests.every(({ test }) => test?.includes('!~'))) inside.push('__name__!=""')
    return `{${inside.join(', ')}}`
  }

  #add(kind: RuleKind, title: string, document: object): string {
    const base = title.replace(/[^A-Za-z0-9_.:-]+/g, '-').replace(/^[^A-Za-z0-9_]+/, '') || kind
    let name = base.slice(0, 120)
    for (let number = 2; this.#names.has(`${kind}/${name}`); number++) name = `${base.slice(0, 110)}-${number}`
    this.#names.add(`${kind}/${name}`)
    this.rules.push({ kind, name, document })
    return name
  }
}

const COUNTER_NAMES = '".+_(total|count|sum|bucket)"'
const TYPE_TESTS: Readonly<Record<string, string>> = {
  '__m3_type__:counter': `__name__=~${COUNTER_NAMES}`,
  '__m3_prom_type__:counter': `__name__=~${COUNTER_NAMES}`,
  '__m3_type__:gauge': `__name__!~${COUNTER_NAMES}`,
  '__m3_prom_type__:gauge': `__name__!~${COUNTER_NAMES}`,
  '__m3_prom_type__:histogram': '__name__=~".+_bucket"',
}

const COLUMNS_OF: Readonly<Record<string, readonly string[]>> = {
  last: ['last'],
  min: ['min'],
  max: ['max'],
  sum: ['sum'],
  count: ['count'],
  mean: ['sum', 'count'],
}
const EACH_OF: Readonly<Record<string, string>> = {
  last: 'last',
  min: 'min',
  max: 'max',
  sum: 'sum',
  count: 'count',
  mean: 'avg',
}

function policyText({ resolution, retention }: z.output<typeof policy>): string {
  return `${resolution}:${retention}`.replaceAll('0m0s', '').replace(/(\d+)h0m\b/g, '$1h')
}

/** A PromQL selector that selects what M3's filter does. */
export function selectorOf(filter: string, title: string): string {
  const tests: string[] = []
  for (const item of filter.trim().split(/\s+/)) {
    const colon = item.indexOf(':')
    if (colon <= 0)
      throw new AggregatorError(
        'INVALID_RULE',
        `${title}: filter ${JSON.stringify(item)} is not of the form tag:pattern`,
      )
    const label = labelText(item.slice(0, colon))
    const pattern = item.slice(colon + 1)
    const negated = pattern.startsWith('!')
    const glob = negated ? pattern.slice(1) : pattern
    const isPlain = !/[*?[\]{}]/.test(glob)
    if (glob === '*') tests.push(`${label}${negated ? '=' : '!='}""`)
    else if (isPlain) tests.push(`${label}${negated ? '!=' : '='}${JSON.stringify(glob)}`)
    else tests.push(`${label}${negated ? '!~' : '=~'}${JSON.stringify(globToPattern(glob))}`)
    // In M3 a filter on a tag asks for the tag to be there, a negated one too.
    if (negated && glob !== '*') tests.push(`${label}!=""`)
  }
  return `{${tests.join(', ')}}`
}

function labelText(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : JSON.stringify(name)
}

function globToPattern(glob: string): string {
  let out = ''
  for (let at = 0; at < glob.length; at++) {
    const char = glob[at]
    if (char === '*') out += '.*'
    else if (char === '?') out += '.'
    else if (char === '{') out += '('
    else if (char === '}') out += ')'
    else if (char === ',' && glob.lastIndexOf('{', at) > glob.lastIndexOf('}', at)) out += '|'
    else if (char === '[') {
      const end = glob.indexOf(']', at)
      if (end < 0) out += '\\['
      else {
        out += `[${glob.slice(at + 1, end).replace(/^!/, '^')}]`
        at = end
      }
    } else out += char.replace(/[\\^$.+()|\]]/, '\\$&')
  }
  return out
}
