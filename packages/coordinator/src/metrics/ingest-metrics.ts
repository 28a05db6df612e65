/** What came in through the ingest protocols. */
import type { RemoteWriteCounters } from '../ingest/remote-write-handler.js'
import type { Metrics } from './metrics.js'

export function registerIngestMetrics(metrics: Metrics, counters: RemoteWriteCounters): void {
  const totals: readonly [string, string, () => number][] = [
    ['varve_ingest_samples_total', 'Samples acknowledged.', () => counters.samples],
    ['varve_ingest_histograms_total', 'Native histograms acknowledged.', () => counters.histograms],
    ['varve_ingest_exemplars_total', 'Exemplars stored.', () => counters.exemplars],
    [
      'varve_ingest_deduplicated_samples_total',
      'Samples of replicas that were not elected.',
      () => counters.deduplicatedSamples,
    ],
    ['varve_ingest_body_bytes_total', 'Bytes of request bodies, compressed.', () => counters.bodyBytes],
  ]
  for (const [name, help, value] of totals) metrics.counter({ name, help, read: (report) => report(value()) })
  metrics.counter({
    name: 'varve_ingest_requests_total',
    help: 'Remote write requests, by protocol version.',
    labelNames: ['version'],
    read(report) {
      report(counters.requestsV1, { version: '1' })
      report(counters.requestsV2, { version: '2' })
    },
  })
  metrics.counter({
    name: 'varve_ingest_refused_total',
    help: 'Samples and requests that were refused, by reason.',
    labelNames: ['reason'],
    read(report) {
      for (const [reason, count] of counters.refused) report(count, { reason })
    },
  })
}
