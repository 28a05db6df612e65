/** Applies a rule to stored samples without keeping what it makes: how many series and samples would there be? */
import { Database, type Namespace } from '@varve/tsdb-core'
import type { Env } from '@varve/tsdb-core/env'
import { type Labels, METRIC_NAME } from '@varve/tsdb-core/model'
import type { MetadataLookup } from '../matcher/metric-type.js'
import type { Rule } from '../rules/rule.js'
import type { StoragePolicy } from '../rules/storage-policy.js'
import { Evaluator } from '../windows/evaluator.js'
import { WindowPlan } from '../windows/plan.js'

export interface DryRun {
  readonly fromMs: number
  readonly untilMs: number
  readonly matchedSeriesCount: number
  readonly readSampleCount: number
  readonly policies: readonly PolicyDryRun[]
  /** What could not be done for some series. */
  readonly problems: readonly string[]
}

export interface PolicyDryRun {
  readonly policy: string
  readonly windowCount: number
  readonly outputSeriesCount: number
  /** Rows, each column of a window counted. */
  readonly outputSampleCount: number
  /** How many of the raw samples that were read are not needed for it; negative when it makes more. */
  readonly savedSampleCount: number
  /** What the policy holds in the end: its samples by the day, for its retention. `Infinity` when it is kept for ever. */
  readonly retainedSampleCount: number
  readonly computeMs: number
  /** Some of the outputs. */
  readonly examples: readonly Labels[]
}

const EXAMPLES_MAX = 10

export interface DryRunOptions {
  readonly raw: Namespace
  readonly env: Env
  readonly rule: Extract<Rule, { kind: 'mapping' | 'rollup' }>
  /** All rules in force, for those that the rule reads. */
  readonly rules: readonly Rule[]
  readonly metadata?: MetadataLookup
  readonly fromMs: number
  readonly untilMs: number
  readonly signal?: AbortSignal
}

export async function dryRun(options: DryRunOptions): Promise<DryRun> {
  const { rule, fromMs, untilMs } = options
  const problems: string[] = []
  const policies: PolicyDryRun[] = []
  let matchedSeriesCount = 0
  let readSampleCount = 0
  for (const policy of rule.policies) {
    const run = await runPolicy(options, policy, problems)
    policies.push(run.result)
    matchedSeriesCount = Math.max(matchedSeriesCount, run.matchedSeriesCount)
    readSampleCount = Math.max(readSampleCount, run.readSampleCount)
  }
  return { fromMs, untilMs, matchedSeriesCount, readSampleCount, policies, problems: [...new Set(problems)] }
}

async function runPolicy(options: DryRunOptions, policy: StoragePolicy, problems: string[]) {
  const { raw, env, rule, fromMs, untilMs, signal, metadata = () => undefined } = options
  const { resolutionMs, namespace } = policy
  const others = options.rules.filter((other) => other.kind === 'rollup' && other.name !== rule.name)
  // Inputs only: what other rules write here is not this rule's.
  const inputs = others.map((other) => ({ ...other, policies: [] }) as Rule)
  const scratch = await Database.open({ env, namespaces: { default: {} } })
  try {
    const target = await scratch.createNamespace(namespace, { resolutionMs, retentionMs: Infinity, columns: ['last'] })
    const onProblem = (_rule: Rule, message: string) => problems.push(message)
    const plan = new WindowPlan({ namespace, rules: [rule, ...inputs], metadata, onProblem })
    const evaluator = new Evaluator({ raw, target, clock: env.clock, resolutionMs, plan })
    const firstEndMs = Math.floor(fromMs / resolutionMs) * resolutionMs + resolutionMs
    const windowCount = Math.max(0, Math.floor((untilMs - firstEndMs) / resolutionMs) + 1)
    const startMs = env.clock.monotonicMs()
    let rowCount = 0
    let readSampleCount = 0
    for (let done = 0; done < windowCount; done += 16) {
      const request = { only: null, watermark: null, ...(signal && { signal }) }
      const run = { firstEndMs: firstEndMs + done * resolutionMs, windowCount: Math.min(16, windowCount - done) }
      const evaluation = await evaluator.evaluate({ ...request, ...run })
      rowCount += evaluation.rowCount
      readSampleCount += evaluation.readSampleCount
    }
    const computeMs = env.clock.monotonicMs() - startMs
    const matchers = [{ name: METRIC_NAME, operator: '!=' as const, value: '' }]
    const { series } = await target.series({ matchers, startMs: 0, endMs: Number.MAX_SAFE_INTEGER })
    const perMs = windowCount === 0 ? 0 : rowCount / (windowCount * resolutionMs)
    return {
      matchedSeriesCount: Math.max(0, ...plan.matchedCounts.values()),
      readSampleCount,
      result: {
        policy: policy.text,
        windowCount,
        outputSeriesCount: series.length,
        outputSampleCount: rowCount,
        savedSampleCount: readSampleCount - rowCount,
        retainedSampleCount: Math.round(perMs * policy.retentionMs),
        computeMs,
        examples: series.slice(0, EXAMPLES_MAX),
      },
    }
  } finally {
    await scratch.close()
  }
}
