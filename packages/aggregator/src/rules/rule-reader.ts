/**
 * Reads a rule document: text → value → schema → rule, with every problem at its line and column.
 */
import { type Matcher, METRIC_NAME } from '@varve/tsdb-core/model'
import { compileMatcher } from '@varve/tsdb-core/query'
import type { z } from 'zod'
import { metricTypeOf } from '../matcher/metric-type.js'
import { DocumentText, pathText, type RuleProblem } from './document-text.js'
import { parseDuration } from './duration.js'
import type { Aggregation, MappingRule, RollupOutput, Rule, RuleKind } from './rule.js'
import {
  AGGREGATE_COLUMNS,
  type dropDocument,
  type mappingDocument,
  type namespaceDocument,
  parseTime,
  RULE_NAME_PATTERN,
  type rollupDocument,
  ruleDocuments,
} from './rule-document.js'
import { parseSelectorText } from './selector.js'
import { parseStoragePolicy, type StoragePolicy } from './storage-policy.js'

export type RuleReading =
  | { readonly rule: Rule; readonly problems: readonly [] }
  | { readonly rule: null; readonly problems: readonly RuleProblem[] }

/** Reads the document that `text` holds. Never throws. */
export function readRule(kind: RuleKind, name: string, text: string): RuleReading {
  return readRuleAt(kind, name, new DocumentText(text), [])
}

/** Reads the document at `path` of a text that may hold several. */
export function readRuleAt(
  kind: RuleKind,
  name: string,
  document: DocumentText,
  path: readonly PropertyKey[],
): RuleReading {
  const reader = new Reader(document, path)
  if (document.problems.length > 0) return { rule: null, problems: [...document.problems] }
  if (!RULE_NAME_PATTERN.test(name)) {
    reader.problem(
      [],
      `rule name ${JSON.stringify(name)}: wanted 1 to 128 of A-Z a-z 0-9 _ . : -, the first no . : or -`,
    )
  }
  let value = document.value()
  if (document.problems.length > 0) return { rule: null, problems: [...document.problems] }
  for (const part of path) value = isObject(value) ? value[String(part)] : undefined
  const parsed = ruleDocuments[kind].safeParse(value)
  if (!parsed.success) {
    for (const issue of parsed.error.issues) reader.issue(issue)
    return { rule: null, problems: reader.problems.length > 0 ? reader.problems : [...document.problems] }
  }
  const rule = reader.rule(kind, name, parsed.data)
  return reader.problems.length > 0 ? { rule: null, problems: reader.problems } : { rule, problems: [] }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

class Reader {
  readonly problems: RuleProblem[] = []
  readonly #document: DocumentText
  readonly #path: readonly PropertyKey[]

  constructor(document: DocumentText, path: readonly PropertyKey[]) {
    this.#document = document
    this.#path = path
  }

  problem(path: readonly PropertyKey[], message: string): void {
    this.problems.push({ ...this.#document.positionOf([...this.#path, ...path]), path: pathText(path), message })
  }

  issue(issue: z.core.$ZodIssue): void {
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) {
        const path = [...issue.path, key]
        const position = this.#document.positionOfKey([...this.#path, ...path])
        this.problems.push({ ...position, path: pathText(path), message: `there is no field ${JSON.stringify(key)}` })
      }
    } else if (issue.code === 'invalid_union' && issue.errors.length > 0) {
      // Of several forms the one that went furthest is the one that was meant.
      const meant = [...issue.errors].sort((a, b) => depth(b) - depth(a))[0]
      for (const inner of meant) this.issue({ ...inner, path: [...issue.path, ...inner.path] })
    } else {
      const isMissing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined')
      this.problem(issue.path, isMissing ? 'is missing' : issue.message)
    }
  }

  rule(kind: RuleKind, name: string, value: z.output<(typeof ruleDocuments)[RuleKind]>): Rule {
    switch (kind) {
      case 'mapping':
        return this.#mapping(name, value as z.output<typeof mappingDocument>)
      case 'rollup':
        return this.#rollup(name, value as z.output<typeof rollupDocument>)
      case 'drop':
        return this.#drop(name, value as z.output<typeof dropDocument>)
      case 'namespace':
        return this.#namespace(name, value as z.output<typeof namespaceDocument>)
    }
  }

  #mapping(name: string, value: z.output<typeof mappingDocument>): Rule {
    const wanted = value.aggregations ?? ['default']
    const columns = wanted.includes('default') ? AGGREGATE_COLUMNS : AGGREGATE_COLUMNS.filter((c) => wanted.includes(c))
    return {
      kind: 'mapping',
      ...this.#base(name, value),
      policies: this.#policies(value.policies),
      columns: columns as MappingRule['columns'],
      type: value.type ?? null,
    }
  }

  #rollup(name: string, value: z.output<typeof rollupDocument>): Rule {
    if (value.match === undefined && value.input === undefined) {
      this.problem([], 'a rollup rule needs `match`, or `input` with the name of another rollup rule')
    }
    if (value.input === name) this.problem(['input'], 'a rule cannot read its own outputs')
    if (value.by !== undefined && value.without !== undefined) {
      this.problem(['without'], '`by` and `without` exclude each other')
    }
    if (value.by === undefined && value.without === undefined) {
      this.problem([], 'a rollup rule needs `by` (the labels to keep; [] for none) or `without`')
    }
    if (!isTyped(value)) {
      const message =
        '`match` may select counters and gauges, whose windows are made in different ways: say which by `type`'
      this.problem(value.match === undefined ? [] : ['match'], message)
    }
    const groupingField = value.without === undefined ? 'by' : 'without'
    const labels = value.by ?? value.without ?? []
    labels.forEach((label, index) => {
      if (label === METRIC_NAME) this.problem([groupingField, index], `the output's name is given by \`name\``)
      if (labels.indexOf(label) !== index) this.problem([groupingField, index], `label ${label} comes twice`)
    })
    const added = Object.entries(value.labels ?? {})
    for (const [label, text] of added) {
      if (label === METRIC_NAME) this.problem(['labels', label], `the output's name is given by \`name\``)
      else if (text === '') this.problem(['labels', label], 'an empty value means no label')
      else if (value.by?.includes(label)) this.problem(['labels', label], `label ${label} is among those of \`by\` too`)
    }
    return {
      kind: 'rollup',
      ...this.#base(name, value),
      input: value.input ?? null,
      outputs: this.#outputs(value),
      grouping: this.#grouping(value, labels),
      labels: added,
      each: value.each ?? null,
      absolute: value.absolute ?? false,
      type: value.type ?? null,
      policies: this.#policies(value.policies),
    }
  }

  /** A histogram's buckets are never added up over `le`: that would be another, meaningless number. */
  #grouping(value: z.output<typeof rollupDocument>, labels: readonly string[]): { labels: string[]; without: boolean } {
    const without = value.without !== undefined
    if (value.type !== 'histogram') return { labels: [...labels], without }
    if (without) return { labels: labels.filter((label) => label !== 'le'), without }
    return { labels: labels.includes('le') ? [...labels] : [...labels, 'le'], without }
  }

  #outputs(value: z.output<typeof rollupDocument>): RollupOutput[] {
    const texts = typeof value.aggregate === 'string' ? [value.aggregate] : value.aggregate
    if (texts.length > 1 && !value.name.includes('{aggregate}')) {
      this.problem(['name'], `${texts.length} aggregations would write one series: put {aggregate} into the name`)
    }
    for (const [, inner] of value.name.matchAll(/\{([^{}]*)\}/g)) {
      if (inner !== 'metric' && inner !== 'aggregate') {
        this.problem(['name'], `{${inner}} is unknown: there are {metric} and {aggregate}`)
      }
    }
    const outputs = texts.map((text) => ({
      nameTemplate: value.name.replaceAll('{aggregate}', text.replace(/[()]/g, '_').replace(/_$/, '')),
      aggregation: parseAggregation(text),
    }))
    outputs.forEach((output, index) => {
      if (outputs.findIndex((other) => other.nameTemplate === output.nameTemplate) !== index) {
        this.problem(['aggregate', index], `aggregation ${texts[index]} comes twice`)
      }
    })
    return outputs
  }

  #drop(name: string, value: z.output<typeof dropDocument>): Rule {
    return { kind: 'drop', ...this.#base(name, value), force: value.force ?? false }
  }

  #namespace(name: string, value: z.output<typeof namespaceDocument>): Rule {
    const blockSizeMs = value.blockSize === undefined ? null : parseDuration(value.blockSize)
    if (blockSizeMs === Infinity) this.problem(['blockSize'], 'a block has an end')
    return {
      kind: 'namespace',
      name,
      description: value.description ?? '',
      retentionMs: value.retention === undefined ? null : parseDuration(value.retention),
      blockSizeMs,
    }
  }

  #base(
    name: string,
    value: {
      description?: string | undefined
      match?: string | undefined
      from?: string | number | undefined
      until?: string | number | undefined
    },
  ) {
    const fromMs = value.from === undefined ? null : parseTime(value.from)
    const untilMs = value.until === undefined ? null : parseTime(value.until)
    if (fromMs !== null && untilMs !== null && untilMs <= fromMs) this.problem(['until'], '`until` is not after `from`')
    const match: readonly Matcher[] = value.match === undefined ? [] : parseSelectorText(value.match)
    return { name, description: value.description ?? '', matchText: value.match ?? '', match, fromMs, untilMs }
  }

  #policies(texts: readonly string[]): StoragePolicy[] {
    const policies: StoragePolicy[] = []
    texts.forEach((text, index) => {
      const policy = parseStoragePolicy(text) as StoragePolicy // The schema has refused all else.
      if (policies.some((other) => other.namespace === policy.namespace)) {
        this.problem(['policies', index], `policy ${text} comes twice`)
      }
      policies.push(policy)
    })
    return policies
  }
}

/** Whether each output is made of counters alone or of gauges alone, whatever comes. */
function isTyped(value: z.output<typeof rollupDocument>): boolean {
  if (value.type !== undefined || value.each !== undefined || value.input !== undefined) return true
  if (value.match === undefined || value.name.includes('{metric}')) return true
  const operators = typeof value.aggregate === 'string' ? [value.aggregate] : value.aggregate
  if (operators.every((operator) => operator === 'count' || operator === 'last')) return true
  const onName = parseSelectorText(value.match)
    .filter(({ name }) => name === METRIC_NAME)
    .map(compileMatcher)
  return onName.some(({ negated, literals }) => {
    if (negated || literals === undefined) return false
    const types = new Set(literals.map((name) => metricTypeOf(name, null, () => undefined)))
    return types.size === 1
  })
}

function depth(issues: readonly z.core.$ZodIssue[]): number {
  // A wrong type at the top means that another form was meant.
  return issues.some((issue) => issue.path.length === 0 && issue.code === 'invalid_type') ? -1 : 1
}

function parseAggregation(text: string): Aggregation {
  if (text === 'median') return { operator: 'quantile', quantile: 0.5 }
  const call = /^quantile\((.*)\)$/.exec(text)
  if (call) return { operator: 'quantile', quantile: Number(call[1]) }
  const percent = /^p(\d+)$/.exec(text)
  if (percent) {
    const digits = percent[1]
    return { operator: 'quantile', quantile: digits.length === 1 ? Number(digits) / 100 : Number(`0.${digits}`) }
  }
  return { operator: text as Exclude<Aggregation['operator'], 'quantile'> }
}
