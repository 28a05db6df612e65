export { Cancellation } from './cancellation.js'
export type { CompiledMatcher } from './label-matcher.js'
export { ALTERNATION_LENGTH_MAX, compileMatcher, matchesAll, PATTERN_LENGTH_MAX } from './label-matcher.js'
export type {
  Extreme,
  LabelRequest,
  LabelResult,
  Matchers,
  Queryable,
  ResolutionSlice,
  SelectHints,
  SelectRequest,
  SelectResult,
  SeriesResult,
} from './queryable.js'
export type { SealedColumns, SealedPages } from './sealed-columns.js'
export type { HistogramColumn, SeriesBatch } from './series-batch.js'
export { histogramPlace } from './series-batch.js'
