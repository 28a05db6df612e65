/** Plain counters of the HTTP server, read by `registerServerMetrics`. */
import type { DurationHistogram, Metrics } from '../metrics/metrics.js'
import type { ByteBudget } from './admission.js'

interface HandlerStatistics {
  readonly byStatus: Map<number, number>
  observe: ((seconds: number) => void) | undefined
}

export class ServerStatistics {
  readonly #handlers = new Map<string, HandlerStatistics>()
  #duration: DurationHistogram | undefined
  connectionCount = 0
  requestsInFlight = 0
  receivedBytes = 0
  sentBytes = 0
  slowClientsClosed = 0

  /** `handler` is a route's name, never a path that was sent. */
  count(handler: string, status: number, seconds: number): void {
    let one = this.#handlers.get(handler)
    if (one === undefined) this.#handlers.set(handler, (one = { byStatus: new Map(), observe: undefined }))
    one.byStatus.set(status, (one.byStatus.get(status) ?? 0) + 1)
    one.observe ??= this.#duration?.observer({ handler })
    one.observe?.(seconds)
  }

  register(metrics: Metrics, budget: ByteBudget): void {
    metrics.counter({
      name: 'varve_http_requests_total',
      help: 'Answers sent, by handler and status code.',
      labelNames: ['handler', 'code'],
      read: (report) => {
        for (const [handler, { byStatus }] of this.#handlers) {
          for (const [code, count] of byStatus) report(count, { handler, code: String(code) })
        }
      },
    })
    this.#duration = metrics.histogram({
      name: 'varve_http_request_duration_seconds',
      help: 'From the request line to the last byte of the answer, by handler.',
      labelNames: ['handler'],
      buckets: [0.001, 0.005, 0.02, 0.1, 0.25, 1, 5, 30, 120],
    })
    const gauges: readonly [string, string, () => number][] = [
      ['varve_http_connections', 'Open connections.', () => this.connectionCount],
      ['varve_http_requests_in_flight', 'Requests being read, handled or answered.', () => this.requestsInFlight],
      ['varve_http_in_flight_bytes', 'Bytes reserved for request bodies in flight.', () => budget.usedBytes],
      ['varve_http_in_flight_bytes_max', 'Above this, requests are answered 503.', () => budget.capacityBytes],
    ]
    for (const [name, help, value] of gauges) metrics.gauge({ name, help, read: (report) => report(value()) })
    const counters: readonly [string, string, () => number][] = [
      [
        'varve_http_refused_total',
        'Requests answered 503 because the byte budget was spent.',
        () => budget.refusedCount,
      ],
      ['varve_http_received_bytes_total', 'Bytes of request bodies.', () => this.receivedBytes],
      ['varve_http_sent_bytes_total', 'Bytes of answers, as sent.', () => this.sentBytes],
      [
        'varve_http_slow_clients_total',
        'Connections closed since the client did not read.',
        () => this.slowClientsClosed,
      ],
    ]
    for (const [name, help, value] of counters) metrics.counter({ name, help, read: (report) => report(value()) })
  }
}
