import type { Metrics } from '../metrics/metrics.js'
import type { RemoteWriteCounters } from './remote-write-handler.js'

export interface IngestFigures {
  readonly counters: RemoteWriteCounters
  readonly exemplarCount: () => number
  readonly familyCount: () => number
  readonly failoverCount: () => number
}

export function registerIngestMetrics(metrics: Metrics, figures: IngestFigures): void {
  const { counters } = figures
  metrics.counter({
    name: 'varve_ingest_samples_total',
    help: 'Samples stored, by kind.',
    labelNames: ['kind'],
    read: (report) => {
      report(counters.samples, { kind: 'float' })
      report(counters.histograms, { kind: 'histogram' })
      report(counters.exemplars, { kind: 'exemplar' })
    },
  })
  metrics.counter({
    name: 'varve_ingest_refused_total',
    help: 'Series, samples and requests that were not stored, by reason.',
    labelNames: ['reason'],
    read: (report) => {
      for (const [reason, count] of counters.refused) report(count, { reason })
    },
  })
  metrics.counter({
    name: 'varve_ingest_requests_total',
    help: 'Write requests, by protocol.',
    labelNames: ['protocol'],
    read: (report) => {
      report(counters.requestsV1, { protocol: 'remote_write_1' })
      report(counters.requestsV2, { protocol: 'remote_write_2' })
      for (const [protocol, count] of counters.otherRequests) report(count, { protocol })
    },
  })
  metrics.counter({
    name: 'varve_ingest_body_bytes_total',
    help: 'Bytes of write requests as they came, compressed.',
    read: (report) => report(counters.bodyBytes),
  })
  metrics.counter({
    name: 'varve_ingest_deduplicated_samples_total',
    help: 'Samples acknowledged and not stored, because another replica of their cluster is elected.',
    read: (report) => report(counters.deduplicatedSamples),
  })
  metrics.counter({
    name: 'varve_ha_failovers_total',
    help: 'Elections of another replica.',
    read: (report) => report(figures.failoverCount()),
  })
  metrics.gauge({
    name: 'varve_exemplars',
    help: 'Exemplars in memory.',
    read: (report) => report(figures.exemplarCount()),
  })
  metrics.gauge({
    name: 'varve_metadata_families',
    help: 'Metric families whose type, help and unit are known.',
    read: (report) => report(figures.familyCount()),
  })
}
