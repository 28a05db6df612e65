export type {
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
export type { HistogramColumn, SeriesBatch } from './series-batch.js'
