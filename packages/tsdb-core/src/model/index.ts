export type { AggregateColumn } from './aggregate.js'
export {
  checkCanonicalLabels,
  decodeCanonicalLabels,
  encodeCanonicalLabels,
  hashBytes,
  LABEL_SIZE_BYTES_MAX,
} from './canonical-labels.js'
export { isAbsent, writeAbsentAt } from './columns.js'
export type { CounterResetHint, Histogram, Span } from './histogram.js'
export { CUSTOM_BUCKETS_SCHEMA } from './histogram.js'
export type { LabelPairs } from './labels.js'
export { compareLabels, Labels, METRIC_NAME } from './labels.js'
export type { Matcher, MatchOperator } from './matcher.js'
export { halvesOf, isStaleAt, STALE_HIGH, STALE_LOW, writeStaleAt } from './sample.js'
export { sortByLabels, sortLabels } from './sort-labels.js'
export { compareUtf8 } from './utf8.js'
