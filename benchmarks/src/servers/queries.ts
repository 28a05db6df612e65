/**
 * The queries that dashboards ask, one of each kind, over the fleet.
 *
 * `rangeSeconds` is how far back from the end of the data a range query goes; without it the query is an instant one.
 */
export interface BenchmarkQuery {
  readonly name: string
  readonly path: 'query' | 'query_range' | 'series' | 'label'
  readonly query: string
  readonly rangeSeconds?: number
  readonly stepSeconds?: number
  /**
   * VictoriaMetrics computes rates and looks back in its own way, so its answer is another one by design: it is timed, and
   * only the number of series is compared.
   */
  readonly differsInVictoriaMetrics?: boolean
}

const HOUR = 3_600
const RANGE = { path: 'query_range', rangeSeconds: 1.5 * HOUR } as const
const cpu = 'node_cpu_seconds_total'

export const QUERIES: readonly BenchmarkQuery[] = [
  { name: 'raw-series', ...RANGE, stepSeconds: 15, query: `${cpu}{instance="host-0003:9100",cpu="0",mode="user"}` },
  { name: 'dump-host-cpu', path: 'query', query: `${cpu}{instance="host-0003:9100"}[1h]` },
  {
    name: 'rate-by-instance-60s',
    ...RANGE,
    stepSeconds: 60,
    query: `sum by (instance) (rate(${cpu}{mode!="idle"}[5m]))`,
  },
  {
    name: 'rate-by-instance-15s',
    ...RANGE,
    stepSeconds: 15,
    query: `sum by (instance) (rate(${cpu}{mode!="idle"}[5m]))`,
  },
  {
    name: 'topk-rates',
    ...RANGE,
    stepSeconds: 60,
    query: 'topk(10, sum by (instance) (rate(node_network_receive_bytes_total[5m])))',
  },
  {
    name: 'histogram-quantile',
    ...RANGE,
    stepSeconds: 60,
    query: 'histogram_quantile(0.99, sum by (le, handler) (rate(http_request_duration_seconds_bucket[5m])))',
  },
  {
    name: 'regex-selectors',
    ...RANGE,
    stepSeconds: 60,
    query: `rate(${cpu}{instance=~"host-000[0-4]:9100",mode=~"user|system"}[5m])`,
  },
  { name: 'count-by-dc', ...RANGE, stepSeconds: 60, query: 'count by (dc) (node_load1)' },
  {
    name: 'subquery',
    path: 'query',
    query: 'max_over_time(sum by (dc) (rate(node_network_transmit_bytes_total[5m]))[1h:1m])',
  },
  { name: 'avg-without-instant', path: 'query', query: `avg without (cpu, mode) (rate(${cpu}[5m]))` },
  {
    name: 'memory-share',
    ...RANGE,
    stepSeconds: 60,
    query: '1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes',
  },
  { name: 'predict-linear', path: 'query', query: 'predict_linear(node_filesystem_free_bytes[1h], 14400)' },
  {
    name: 'join-group-left',
    ...RANGE,
    stepSeconds: 60,
    query:
      'sum by (instance) (rate(node_network_receive_bytes_total[5m])) * on (instance) group_left (nodename) node_uname_info',
  },
  { name: 'count-everything', path: 'query', query: 'count({__name__=~"node_.+"})' },
  {
    name: 'avg-over-time-1h',
    ...RANGE,
    rangeSeconds: 0.5 * HOUR,
    stepSeconds: 60,
    query: 'avg_over_time(node_load1[1h])',
  },
  {
    name: 'increase-by-handler',
    path: 'query',
    query: 'sum by (handler) (increase(http_request_duration_seconds_count[1h]))',
  },
  { name: 'quantile-by-dc', ...RANGE, stepSeconds: 60, query: 'quantile by (dc) (0.9, node_load5)' },
  { name: 'rate-all', ...RANGE, stepSeconds: 60, query: `sum(rate(${cpu}[5m]))` },
  { name: 'rate-by-dc-15s', ...RANGE, stepSeconds: 15, query: `sum by (dc) (rate(${cpu}[5m]))` },
  { name: 'max-over-time', ...RANGE, stepSeconds: 60, query: 'max by (dc) (max_over_time(node_load1[10m]))' },
  { name: 'label-values', path: 'label', query: 'instance' },
  { name: 'series-of-metric', path: 'series', query: 'node_load1' },
].map((query) => ({
  ...query,
  path: query.path as BenchmarkQuery['path'],
  differsInVictoriaMetrics: /rate|increase|predict|over_time|\[/.test(query.query),
}))
