/** What queries cost: counters of the query API. */
import type { QueryGate } from '../api/query-gate.js'
import type { QueryEvent } from '../api/query-routes.js'
import type { Metrics } from './metrics.js'

export function registerQueryMetrics(metrics: Metrics, gate: QueryGate): (event: QueryEvent) => void {
  const counts = new Map<string, number>()
  let samplesRead = 0
  metrics.counter({
    name: 'varve_queries_total',
    help: 'Queries answered, by kind and outcome.',
    labelNames: ['kind', 'outcome'],
    read(report) {
      for (const [key, count] of counts) {
        const [kind, outcome] = key.split(' ')
        report(count, { kind, outcome })
      }
    },
  })
  metrics.counter({
    name: 'varve_query_samples_total',
    help: 'Samples that queries read.',
    read: (report) => report(samplesRead),
  })
  metrics.gauge({ name: 'varve_queries_running', help: 'Queries that run.', read: (report) => report(gate.running) })
  metrics.gauge({ name: 'varve_queries_waiting', help: 'Queries that wait.', read: (report) => report(gate.waiting) })
  metrics.counter({
    name: 'varve_queries_refused_total',
    help: 'Queries told to come again, since too many ran and waited.',
    read: (report) => report(gate.refusedCount),
  })
  const duration = metrics.histogram({
    name: 'varve_query_duration_seconds',
    help: 'From the request to the last byte of the answer, by kind.',
    labelNames: ['kind'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
  })
  // Looked up once: a labelled `observe` is a tenth of what a short query costs around its evaluation.
  const observe = { instant: duration.observer({ kind: 'instant' }), range: duration.observer({ kind: 'range' }) }
  return (event) => {
    const key = `${event.kind} ${event.error === null ? 'success' : 'error'}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
    samplesRead += event.samplesRead
    observe[event.kind](event.durationMs / 1000)
  }
}
