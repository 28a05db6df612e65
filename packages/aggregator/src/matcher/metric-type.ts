/** What kind of metric a series is: from the rule, from the sender's metadata, or from the name, in this order. */
import type { MetricType } from '../rules/rule.js'

/** What remote write's metadata says of a metric name, in Prometheus' words; undefined when it says nothing. */
export type MetadataLookup = (metricName: string) => string | undefined

const COUNTER_NAME = /_(total|count|sum|bucket)$/

export function metricTypeOf(metricName: string, fromRule: MetricType | null, metadata: MetadataLookup): MetricType {
  if (fromRule !== null) return fromRule
  switch (metadata(metricName)) {
    case 'counter':
    case 'histogram':
    case 'summary':
      // The series of a histogram or summary under its own name are its quantiles; the others are told by their suffix.
      return COUNTER_NAME.test(metricName) ? 'counter' : metadata(metricName) === 'counter' ? 'counter' : 'gauge'
    case 'gauge':
    case 'gaugehistogram':
    case 'info':
    case 'stateset':
      return 'gauge'
  }
  return COUNTER_NAME.test(metricName) ? 'counter' : 'gauge'
}
