/** How forwarding goes, by target. */
import type { Forwarder } from '../forward/forwarder.js'
import type { Metrics } from './metrics.js'

export function registerForwardMetrics(metrics: Metrics, forwarders: readonly Forwarder[]): void {
  if (forwarders.length === 0) return
  const all: readonly ['counter' | 'gauge', string, string, (forwarder: Forwarder) => number][] = [
    ['counter', 'varve_forward_sent_samples_total', 'Samples that the target took.', (one) => one.sentSampleCount],
    [
      'counter',
      'varve_forward_refused_samples_total',
      'Samples that the target refused for good.',
      (one) => one.refusedSampleCount,
    ],
    [
      'counter',
      'varve_forward_dropped_samples_total',
      'Samples that will not arrive: the queue was full or damaged, or they came too fast to be noted.',
      (one) => one.droppedSampleCount,
    ],
    [
      'counter',
      'varve_forward_queue_failures_total',
      'Times that samples could not be queued, and were kept in memory.',
      (one) => one.queueFailureCount,
    ],
    ['counter', 'varve_forward_retries_total', 'Requests that were sent again.', (one) => one.retryCount],
    ['gauge', 'varve_forward_queue_bytes', 'Bytes of the queue on disk.', (one) => one.queueSizeBytes],
  ]
  for (const [kind, name, help, value] of all) {
    metrics[kind]({
      name,
      help,
      labelNames: ['target'],
      read(report) {
        for (const forwarder of forwarders) report(value(forwarder), { target: forwarder.name })
      },
    })
  }
}
