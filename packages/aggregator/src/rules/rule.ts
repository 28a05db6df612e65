/** Rules, read and checked: what the documents of `rule-document.ts` mean. */
import type { AggregateColumn, Matcher } from '@varve/tsdb-core/model'
import type { StoragePolicy } from './storage-policy.js'

export type RuleKind = 'mapping' | 'rollup' | 'drop' | 'namespace'
export const RULE_KINDS: readonly RuleKind[] = ['mapping', 'rollup', 'drop', 'namespace']

/** `histogram` means the bucket counters of a classic histogram: a counter that is always kept apart by `le`. */
export type MetricType = 'counter' | 'gauge' | 'histogram'

export type Rule = MappingRule | RollupRule | DropRule | NamespaceRule

interface RuleBase {
  readonly name: string
  readonly description: string
  /** The selector as it was written. */
  readonly matchText: string
  readonly match: readonly Matcher[]
  /** The rule holds for windows that end in `(fromMs, untilMs]`; absent ends are open. */
  readonly fromMs: number | null
  readonly untilMs: number | null
}

/** Keeps the same series at other storage policies. */
export interface MappingRule extends RuleBase {
  readonly kind: 'mapping'
  readonly policies: readonly StoragePolicy[]
  /** `increase` is kept for counters only. */
  readonly columns: readonly AggregateColumn[]
  /** Null: from the sender's metadata, else from the name. */
  readonly type: MetricType | null
}

/** Makes new series out of many. */
export interface RollupRule extends RuleBase {
  readonly kind: 'rollup'
  /** Name of the rollup rule whose outputs it reads; null: raw samples. */
  readonly input: string | null
  readonly outputs: readonly RollupOutput[]
  /** Labels to keep, or to leave out. `__name__` is never among them: the output has its own. */
  readonly grouping: { readonly labels: readonly string[]; readonly without: boolean }
  /** Labels that every output gets. */
  readonly labels: readonly (readonly [name: string, value: string])[]
  readonly each: EachFunction | null
  /** Take the absolute value of what each series contributes. */
  readonly absolute: boolean
  readonly type: MetricType | null
  readonly policies: readonly StoragePolicy[]
}

export interface RollupOutput {
  /** The output's metric name; `{metric}` stands for the name of the input. */
  readonly nameTemplate: string
  readonly aggregation: Aggregation
}

/** What is made of the contributions of all series of a group. */
export type Aggregation =
  | { readonly operator: 'sum' | 'min' | 'max' | 'avg' | 'count' | 'last' | 'stddev' }
  | { readonly operator: 'quantile'; readonly quantile: number }

/**
 * What one series contributes to a window: the PromQL function over the window, without its `_over_time`. `all`: each of
 * its samples by itself.
 */
export type EachFunction = 'last' | 'min' | 'max' | 'sum' | 'avg' | 'count' | 'increase' | 'rate' | 'all'

/** Raw samples are not kept beyond the windows that need them. */
export interface DropRule extends RuleBase {
  readonly kind: 'drop'
  /** Also where no other rule keeps anything of the series. */
  readonly force: boolean
}

export interface NamespaceRule {
  readonly kind: 'namespace'
  readonly name: string
  readonly description: string
  readonly retentionMs: number | null
  readonly blockSizeMs: number | null
}
