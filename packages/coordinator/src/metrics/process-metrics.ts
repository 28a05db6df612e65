/** Metrics of the process, and of the store as its statistics tell them. */
import type { Database, NamespaceStats } from '@varve/tsdb-core'
import type { RuntimeInfo } from '../cli/program.js'
import { LOOP_STAGES, type LoopTurns } from '../server/loop-turns.js'
import type { Metrics } from './metrics.js'

export function registerProcessMetrics(
  metrics: Metrics,
  runtime: RuntimeInfo,
  version: string,
  turns: LoopTurns,
): void {
  let usage = runtime.usage()
  const gauges: readonly [string, string, () => number][] = [
    // The first of the list refreshes what the others report.
    ['process_resident_memory_bytes', 'Resident memory.', () => (usage = runtime.usage()).residentBytes],
    ['nodejs_heap_used_bytes', 'Memory that live and dead JavaScript objects take.', () => usage.heapBytes],
    ['nodejs_external_memory_bytes', 'Memory of typed arrays and buffers.', () => usage.externalBytes],
    ['process_open_fds', 'Open files and sockets.', () => usage.openFiles],
    [
      'varve_event_loop_delay_seconds_max',
      'Longest delay of the event loop since the last scrape.',
      () => usage.eventLoopDelaySecondsMax,
    ],
    [
      'varve_event_loop_delay_seconds_p99',
      'Its 99th percentile since the last scrape.',
      () => usage.eventLoopDelaySecondsP99,
    ],
  ]
  for (const [name, help, value] of gauges) metrics.gauge({ name, help, read: (report) => report(value()) })
  metrics.gauge({
    name: 'varve_event_loop_turn_seconds_max',
    help: 'Longest that a kind of work held the event loop since the last scrape; query includes waiting for disk and threads, gc lies within the others.',
    labelNames: ['stage'],
    read(report) {
      const longest = turns.take()
      for (const stage of LOOP_STAGES) report(longest[stage] / 1000, { stage })
      report(usage.collectionSecondsMax, { stage: 'gc' })
    },
  })
  metrics.counter({
    name: 'process_cpu_seconds_total',
    help: 'CPU time of this process, all threads.',
    read: (report) => report(usage.cpuSeconds),
  })
  metrics.gauge({
    name: 'varve_build_info',
    help: 'Always 1; the labels tell what runs.',
    labelNames: ['version', 'node_version'],
    read: (report) => report(1, { version, node_version: runtime.nodeVersion }),
  })
}

export function registerStorageMetrics(metrics: Metrics, database: () => Database | undefined): void {
  const perNamespace = (
    kind: 'counter' | 'gauge',
    name: string,
    help: string,
    value: (stats: NamespaceStats) => number | undefined,
  ) => {
    metrics[kind]({
      name,
      help,
      labelNames: ['namespace'],
      read(report) {
        for (const [namespace, stats] of database()?.stats().namespaces ?? []) {
          const now = value(stats)
          if (now !== undefined) report(now, { namespace })
        }
      },
    })
  }
  perNamespace('gauge', 'varve_head_series', 'Series in memory.', (stats) => stats.headSeriesCount)
  perNamespace('gauge', 'varve_head_samples', 'Samples in open blocks.', (stats) => stats.headSampleCount)
  perNamespace('gauge', 'varve_head_bytes', 'Memory that open blocks take.', (stats) => stats.headSizeBytes)
  perNamespace('gauge', 'varve_open_blocks', 'Blocks that take writes.', (stats) => stats.openBlockCount)
  perNamespace('gauge', 'varve_sealed_blocks', 'Block files.', (stats) => stats.sealedBlockCount)
  perNamespace('gauge', 'varve_sealed_samples', 'Samples in block files.', (stats) => stats.sealedSampleCount)
  perNamespace('gauge', 'varve_sealed_bytes', 'Bytes of block files.', (stats) => stats.sealedSizeBytes)
  perNamespace('counter', 'varve_appended_samples_total', 'Samples stored.', (stats) => stats.appendedSampleCount)
  perNamespace('counter', 'varve_rejected_samples_total', 'Samples refused.', (stats) => stats.rejectedSampleCount)
  perNamespace(
    'counter',
    'varve_conflicting_samples_total',
    'Samples with another value than a sealed one of their series and timestamp; the larger value stays.',
    (stats) => stats.conflictingSampleCount,
  )
  perNamespace('gauge', 'varve_oldest_sample_timestamp_seconds', 'Oldest sample held.', (stats) =>
    seconds(stats.firstMs),
  )
  perNamespace('gauge', 'varve_newest_sample_timestamp_seconds', 'Newest sample held.', (stats) =>
    seconds(stats.lastMs),
  )
  const wholes: readonly [string, string, (stats: ReturnType<Database['stats']>) => number][] = [
    ['varve_memory_budget_used_bytes', 'Memory of head, caches and queries.', (stats) => stats.memoryBytes],
    ['varve_memory_budget_bytes', 'Above this, writes and queries are refused.', (stats) => stats.memoryBytesMax],
    ['varve_commit_log_bytes', 'Bytes of the commit log.', (stats) => stats.logSizeBytes],
    ['varve_read_only', '1 while the disk is too full to take writes.', (stats) => (stats.readOnly ? 1 : 0)],
  ]
  for (const [name, help, value] of wholes) {
    metrics.gauge({
      name,
      help,
      read(report) {
        const open = database()
        if (open !== undefined) report(value(open.stats()))
      },
    })
  }
}

function seconds(timeMs: number | undefined): number | undefined {
  return timeMs === undefined ? undefined : timeMs / 1000
}
