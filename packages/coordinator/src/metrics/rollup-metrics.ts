/** Rules and windows, as the aggregator tells them. */
import type { AggregatorStatus, PolicyState, RuleState } from '@varve/aggregator'
import type { Metrics } from './metrics.js'

export function registerRollupMetrics(metrics: Metrics, status: () => AggregatorStatus): void {
  metrics.gauge({
    name: 'varve_rules',
    help: 'Rules that are known, by state.',
    labelNames: ['state'],
    read(report) {
      const counts = new Map<string, number>()
      for (const { state } of status().rules) counts.set(state, (counts.get(state) ?? 0) + 1)
      for (const [state, count] of counts) report(count, { state })
    },
  })
  const wholes: readonly ['counter' | 'gauge', string, string, (now: AggregatorStatus) => number][] = [
    [
      'gauge',
      'varve_rules_invalid',
      'Rule documents that are bad now; their last good versions hold.',
      (now) => now.rejectedRuleCount,
    ],
    ['counter', 'varve_rules_rejected_total', 'Bad rule documents seen since the start.', (now) => now.rejectionCount],
    ['gauge', 'varve_rule_store_reachable', '1 while the rules can be listed.', (now) => (now.store.reachable ? 1 : 0)],
    [
      'counter',
      'varve_rule_store_failures_total',
      'Listings of the rules that failed.',
      (now) => now.store.failureCount,
    ],
    [
      'gauge',
      'varve_rollup_stalled',
      '1 while windows cannot be computed; the log says why.',
      (now) => (now.error === null ? 0 : 1),
    ],
  ]
  for (const [kind, name, help, value] of wholes)
    metrics[kind]({ name, help, read: (report) => report(value(status())) })
  const perPolicy: readonly ['counter' | 'gauge', string, string, (policy: PolicyState) => number][] = [
    [
      'gauge',
      'varve_rollup_lateness_seconds',
      'How far computed windows are behind.',
      (policy) => policy.latenessMs / 1000,
    ],
    [
      'gauge',
      'varve_rollup_dirty_windows',
      'Windows that late samples have made dirty.',
      (policy) => policy.dirtyWindowCount,
    ],
  ]
  for (const [kind, name, help, value] of [
    ...perPolicy,
    [
      'counter' as const,
      'varve_rollup_frozen_rows_total',
      'Rows that late samples or backfills left as they are, since their raw samples are dropped.',
      (policy: PolicyState) => policy.frozenRowCount,
    ] as const,
  ]) {
    metrics[kind]({
      name,
      help,
      labelNames: ['policy'],
      read(report) {
        for (const policy of status().policies) report(value(policy), { policy: policy.policy })
      },
    })
  }
  const perRule: readonly [string, string, (rule: RuleState) => number | null][] = [
    [
      'varve_rule_active',
      '1 while the rule holds: not yet to come, not past, and of a good document.',
      (rule) => (rule.state === 'active' ? 1 : 0),
    ],
    ['varve_rule_problems', 'What is wrong with the newest document of the rule.', (rule) => rule.problems.length],
    [
      'varve_rule_conflicts',
      'Series for which the rule could not do what it says, since the rules last changed.',
      (rule) => rule.conflicts?.count ?? 0,
    ],
    ['varve_rule_matched_series', 'Series that the rule concerns.', (rule) => rule.matchedSeriesCount],
    [
      'varve_rule_last_window_end_seconds',
      'Windows of the rule are computed up to here, in all its policies; of a drop rule: raw samples are dropped.',
      (rule) => (rule.lastWindowEndMs === null ? null : rule.lastWindowEndMs / 1000),
    ],
  ]
  for (const [name, help, value] of perRule) {
    metrics.gauge({
      name,
      help,
      labelNames: ['kind', 'rule'],
      read(report) {
        for (const rule of status().rules) {
          const now = value(rule)
          if (now !== null) report(now, { kind: rule.kind, rule: rule.name })
        }
      },
    })
  }
  metrics.counter({
    name: 'varve_raw_samples_dropped_total',
    help: 'Raw samples that drop rules kept out of blocks.',
    read: (report) => report(status().drops.droppedSampleCount),
  })
}
