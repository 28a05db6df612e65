/**
 * Rollups, plainly: for each window and rule, look at all raw samples and say what should stand in the namespace.
 *
 * The judge of the evaluator. It knows nothing of batches, state, groups or recomputation.
 */
import { Labels, METRIC_NAME } from '@varve/tsdb-core/model'
import { compileMatcher } from '@varve/tsdb-core/query'
import { metricTypeOf } from '../matcher/metric-type.js'
import type { EachFunction, MappingRule, RollupRule, Rule } from '../rules/rule.js'

export const STALE = 'stale'
export interface RawSample {
  readonly timestampMs: number
  readonly value: number | typeof STALE
}
export interface RawSeries {
  readonly labels: Labels
  /** Sorted by time. */
  readonly samples: readonly RawSample[]
}
/** `labels column` → window end → what stands there. */
export type Expected = Map<string, Map<number, number | typeof STALE>>

export const outputKey = (labels: Labels, column: string) => `${labels} ${column}`

export function naiveRollup(options: {
  readonly raw: readonly RawSeries[]
  readonly namespace: string
  readonly resolutionMs: number
  readonly firstEndMs: number
  readonly lastEndMs: number
  readonly rulesAt: (windowEndMs: number) => readonly Rule[]
}): Expected {
  const { raw, namespace, resolutionMs, firstEndMs, lastEndMs, rulesAt } = options
  const expected: Expected = new Map()
  for (let endMs = firstEndMs; endMs <= lastEndMs; endMs += resolutionMs) {
    const put = (labels: Labels, column: string, value: number | typeof STALE) => {
      const key = outputKey(labels, column)
      if (!expected.has(key)) expected.set(key, new Map())
      expected.get(key)!.set(endMs, value)
    }
    const inputs = raw.map((series): Input => {
      const values = series.samples.filter((s): s is Value => s.value !== STALE)
      const inWindow = values.filter((s) => s.timestampMs > endMs - resolutionMs && s.timestampMs <= endMs)
      return {
        labels: series.labels,
        isCounter: null,
        inWindow,
        increase: increaseOf(values, inWindow, endMs - resolutionMs),
        lives: livesIn(series, endMs, resolutionMs),
        lived: livesIn(series, endMs - resolutionMs, resolutionMs),
      }
    })
    const rules = rulesAt(endMs)
    const written = new Set<string>()
    for (const input of inputs) {
      for (const rule of rules) if (rule.kind === 'mapping' && writesTo(rule, namespace)) map(rule, input, put)
    }
    const rollups = rules.filter((rule): rule is RollupRule => rule.kind === 'rollup')
    for (const rule of rollups) {
      if (!writesTo(rule, namespace)) continue
      for (const output of outputsOf(rule, rollups, inputs, resolutionMs)) {
        const key = outputKey(output.labels, '')
        if (written.has(key)) continue
        written.add(key)
        const column = output.isCounter ? 'increase' : 'value'
        if (output.value !== null) put(output.labels, column, output.value)
        else if (output.lived && !output.lives) put(output.labels, column, STALE)
      }
    }
  }
  return expected
}

type Value = RawSample & { readonly value: number }

interface Input {
  readonly labels: Labels
  /** Null: from the rule or the name. */
  readonly isCounter: boolean | null
  readonly inWindow: readonly Value[]
  readonly increase: number
  readonly lives: boolean
  readonly lived: boolean
}

interface Output {
  readonly labels: Labels
  readonly isCounter: boolean
  readonly value: number | null
  readonly lives: boolean
  readonly lived: boolean
}

function writesTo(rule: MappingRule | RollupRule, namespace: string): boolean {
  return rule.policies.some((policy) => policy.namespace === namespace)
}

function matches(rule: Rule & { match: MappingRule['match'] }, labels: Labels): boolean {
  return rule.match.every((matcher) => compileMatcher(matcher).matches(labels.get(matcher.name)))
}

function livesIn(series: RawSeries, endMs: number, resolutionMs: number): boolean {
  const before = series.samples.filter((s) => s.timestampMs <= endMs)
  if (before.some((s) => s.value !== STALE && s.timestampMs > endMs - resolutionMs)) return true
  const last = before.at(-1)
  return last !== undefined && last.value !== STALE && endMs - last.timestampMs < 300_000
}

function increaseOf(values: readonly Value[], inWindow: readonly Value[], startMs: number): number {
  const before = values.filter((s) => s.timestampMs <= startMs && s.timestampMs >= startMs - 86_400_000).at(-1)
  const chain = before ? [before, ...inWindow] : inWindow
  if (chain.length === 0) return 0
  // In Prometheus' order: the difference of the ends, then what each reset took away.
  let increase = chain[chain.length - 1].value - chain[0].value
  for (let i = 1; i < chain.length; i++) if (chain[i].value < chain[i - 1].value) increase += chain[i - 1].value
  return increase
}

function map(
  rule: MappingRule,
  input: Input,
  put: (labels: Labels, column: string, value: number | typeof STALE) => void,
) {
  if (!matches(rule, input.labels)) return
  const isCounter = metricTypeOf(input.labels.metricName, rule.type, () => undefined) !== 'gauge'
  for (const column of rule.columns) {
    if (column === 'increase' && !isCounter) continue
    if (input.inWindow.length > 0) put(input.labels, column, contribution(column as EachFunction, input, 1)[0].value)
    else if (input.lived && !input.lives) put(input.labels, column, STALE)
  }
}

function contribution(each: EachFunction, input: Input, resolutionMs: number): Value[] {
  const values = input.inWindow.map(({ value }) => value)
  const { timestampMs } = input.inWindow[input.inWindow.length - 1]
  const one = (value: number) => [{ timestampMs, value }]
  const comparable = values.filter((value) => !Number.isNaN(value))
  switch (each) {
    case 'all':
      return [...input.inWindow]
    case 'last':
      return one(values[values.length - 1])
    case 'min':
      return one(comparable.length > 0 ? Math.min(...comparable) : Number.NaN)
    case 'max':
      return one(comparable.length > 0 ? Math.max(...comparable) : Number.NaN)
    case 'sum':
      return one(values.reduce((a, b) => a + b, 0))
    case 'avg':
      return one(values.reduce((a, b) => a + b, 0) / values.length)
    case 'count':
      return one(values.length)
    case 'increase':
      return one(input.increase)
    case 'rate':
      return one(input.increase / (resolutionMs / 1000))
  }
}

function outputsOf(
  rule: RollupRule,
  all: readonly RollupRule[],
  raw: readonly Input[],
  resolutionMs: number,
): Output[] {
  const inputRule = rule.input === null ? null : all.find(({ name }) => name === rule.input)
  if (inputRule === undefined) return []
  const inputs = inputRule
    ? outputsOf(inputRule, all, raw, resolutionMs).map((output): Input => {
        const value = output.value
        const inWindow = value === null ? [] : [{ timestampMs: 0, value }]
        return { ...output, inWindow, increase: value ?? 0 }
      })
    : raw
  const outputs: Output[] = []
  for (const { nameTemplate, aggregation } of rule.outputs) {
    const groups = new Map<string, { labels: Labels; isCounter: boolean; each: EachFunction; members: Input[] }>()
    for (const input of inputs) {
      if (!matches(rule, input.labels)) continue
      const isCounter = input.isCounter ?? metricTypeOf(input.labels.metricName, rule.type, () => undefined) !== 'gauge'
      const byDefault = ['count', 'last'].includes(aggregation.operator)
        ? 'last'
        : isCounter
          ? 'increase'
          : aggregation.operator === 'min' || aggregation.operator === 'max'
            ? aggregation.operator
            : 'last'
      const each = rule.each ?? byDefault
      const kept = [...input.labels].filter(
        ([name]) => name !== METRIC_NAME && rule.grouping.labels.includes(name) !== rule.grouping.without,
      )
      const name = nameTemplate.replaceAll('{metric}', input.labels.metricName)
      const labels = Labels.from(new Map([...kept, ...rule.labels, [METRIC_NAME, name]]))
      const key = `${labels.key} ${each} ${isCounter}`
      if (!groups.has(key)) groups.set(key, { labels, isCounter, each, members: [] })
      groups.get(key)!.members.push(input)
    }
    for (const { labels, isCounter, each, members } of groups.values()) {
      const contributions = members
        .filter(({ inWindow }) => inWindow.length > 0)
        .flatMap((input) => contribution(each, input, resolutionMs))
        .map(({ timestampMs, value }) => ({ timestampMs, value: rule.absolute ? Math.abs(value) : value }))
      outputs.push({
        labels,
        isCounter: aggregation.operator === 'sum' && each === 'increase' && (isCounter || rule.input === null),
        value: contributions.length > 0 ? aggregate(aggregation, contributions) : null,
        lives: members.some(({ lives }) => lives),
        lived: members.some(({ lived }) => lived),
      })
    }
  }
  return outputs
}

function aggregate(aggregation: RollupRule['outputs'][number]['aggregation'], contributions: readonly Value[]): number {
  const values = contributions.map(({ value }) => value)
  const comparable = values.filter((value) => !Number.isNaN(value))
  const sum = values.reduce((a, b) => a + b, 0)
  switch (aggregation.operator) {
    case 'sum':
      return sum
    case 'avg':
      return sum / values.length
    case 'count':
      return values.length
    case 'min':
      return comparable.length > 0 ? Math.min(...comparable) : Number.NaN
    case 'max':
      return comparable.length > 0 ? Math.max(...comparable) : Number.NaN
    case 'stddev': {
      // Around the first value, or the mean of large ones would carry too large a rounding error for a judge.
      const shifted = values.map((value) => value - values[0])
      const mean = shifted.reduce((a, b) => a + b, 0) / values.length
      return Math.sqrt(shifted.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length)
    }
    case 'last': {
      const newest = Math.max(...contributions.map(({ timestampMs }) => timestampMs))
      const all = contributions.filter((c) => c.timestampMs === newest).map(({ value }) => value)
      const numbers = all.filter((value) => !Number.isNaN(value))
      return numbers.length > 0 ? Math.max(...numbers) : Number.NaN
    }
    case 'quantile': {
      // NaN stands before all numbers.
      const sorted = [...values].sort((a, b) => (Number.isNaN(a) ? -1 : Number.isNaN(b) ? 1 : a - b))
      const rank = aggregation.quantile * (sorted.length - 1)
      const [low, high] = [sorted[Math.floor(rank)], sorted[Math.ceil(rank)]]
      return low + (high - low) * (rank - Math.floor(rank))
    }
  }
}
