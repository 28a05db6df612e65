/** Rules and windows, as the aggregator tells them. */
import type { AggregatorStatus, PolicyState } from '@varve/aggregator'
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
  for (const [kind, name, help, value] of perPolicy) {
    metrics[kind]({
      name,
      help,
      labelNames: ['policy'],
      read(report) {
        for (const policy of status().policies) report(value(policy), { policy: policy.policy })
      },
    })
  }
}
