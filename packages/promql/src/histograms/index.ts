export type { HistogramSum } from './arithmetic.js'
export {
  addHistograms,
  combinedHint,
  divideHistogram,
  HistogramTotal,
  histogramsEqual,
  scaleHistogram,
  subtractHistograms,
} from './arithmetic.js'
export type { Bucket } from './buckets.js'
export { forEachBucket, forEachBucketReversed, upperBound, usesCustomBuckets } from './buckets.js'
export { compactHistogram, reduceResolution } from './layout.js'
export { detectReset, storedResetHint } from './reset.js'
export type { FractionAnswer, QuantileAnswer } from './statistics.js'
export { histogramAverage, histogramFraction, histogramQuantile, histogramVariance } from './statistics.js'
export { histogramText } from './text.js'
export { HistogramAverage, HistogramSummer } from './totals.js'
export type { TrimKeeps } from './trim.js'
export { trimHistogram } from './trim.js'
export { histogramProblem } from './validate.js'
