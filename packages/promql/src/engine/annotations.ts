/**
 * Warnings and infos, with Prometheus' wording.
 *
 * Two with the same text are one, wherever they stand in the query: the place that Prometheus evaluates last is kept, which is
 * the outer of two places, or the one further right. The monotonicity info of
 * histogram_quantile sums up all that it was raised for.
 * Source: Prometheus, util/annotations.
 */
import type { PositionRange } from '../ast.js'
import { quote } from '../parser/go-text.js'
import { formatG } from './go-format.js'

type Severity = 'warning' | 'info'

interface Annotation {
  readonly severity: Severity
  readonly text: string
  position: PositionRange
  /** Of a forced monotonicity. */
  repairs?: Repairs
}

interface Repairs {
  timeMsMin: number
  timeMsMax: number
  bucketMin: number
  bucketMax: number
  differenceMax: number
  count: number
}

export type HistogramOperation = 'addition' | 'subtraction' | 'aggregation'

/** At most so many of each kind reach the caller. */
const ANNOTATIONS_MAX = 10

export class Annotations {
  readonly #annotations = new Map<string, Annotation>()
  /** The one of the last repair: the steps of one histogram come one after the other. */
  #repaired: { readonly metricName: string; readonly annotation: Annotation } | undefined

  warning(text: string, position: PositionRange): void {
    this.#add('warning', text, position)
  }

  info(text: string, position: PositionRange): void {
    this.#add('info', text, position)
  }

  invalidQuantile(quantile: number, position: PositionRange): void {
    this.warning(`quantile value should be between 0 and 1, got ${formatG(quantile)}`, position)
  }

  invalidRatio(ratio: number, limit: number, position: PositionRange): void {
    this.warning(
      `ratio value should be between -1 and 1, got ${formatG(ratio)}, capping to ${formatG(limit)}`,
      position,
    )
  }

  badBucketLabel(metricName: string, value: string, position: PositionRange): void {
    this.warning(
      named(`bucket label "le" is missing or has a malformed value of ${quote(value)}`, metricName),
      position,
    )
  }

  mixedFloatsHistograms(metricName: string, position: PositionRange): void {
    this.warning(`encountered a mix of histograms and floats for metric name ${quote(metricName)}`, position)
  }

  mixedFloatsHistogramsInAggregation(position: PositionRange): void {
    this.warning('encountered a mix of histograms and floats for aggregation', position)
  }

  mixedClassicNative(metricName: string, position: PositionRange): void {
    this.warning(named('vector contains a mix of classic and native histograms', metricName), position)
  }

  notCounter(metricName: string, position: PositionRange): void {
    this.warning(`this native histogram metric is not a counter: ${quote(metricName)}`, position)
  }

  notGauge(metricName: string, position: PositionRange): void {
    this.warning(`this native histogram metric is not a gauge: ${quote(metricName)}`, position)
  }

  mixedExponentialCustom(metricName: string, position: PositionRange): void {
    this.warning(
      `vector contains a mix of histograms with exponential and custom buckets schemas for metric name ${quote(metricName)}`,
      position,
    )
  }

  incompatibleBucketLayout(operator: string, position: PositionRange): void {
    this.warning(`incompatible bucket layout encountered for binary operator ${operator}`, position)
  }

  counterResetCollision(operation: HistogramOperation, position: PositionRange): void {
    this.warning(`conflicting counter resets during histogram ${operation}`, position)
  }

  sortInRangeQuery(position: PositionRange): void {
    this.warning('sort is ineffective for range queries since results are always ordered by labels', position)
  }

  startTimeOverlap(metricName: string, position: PositionRange): void {
    this.warning(
      `sample has start time that overlaps with previous sample timestamp for metric ${quote(metricName)}`,
      position,
    )
  }

  mismatchedCustomBuckets(operation: HistogramOperation, position: PositionRange): void {
    this.info(`mismatched custom buckets were reconciled during ${operation}`, position)
  }

  possibleNonCounter(metricName: string, position: PositionRange): void {
    this.info(
      `metric might not be a counter, name does not end in _total/_sum/_count/_bucket: ${quote(metricName)}`,
      position,
    )
  }

  possibleNonCounterType(metricName: string, type: string, position: PositionRange): void {
    this.info(
      `metric might not be a counter, __type__ label is not set to "counter" or "histogram", got ${quote(type)}: ${quote(metricName)}`,
      position,
    )
  }

  incompatibleTypes(left: string, operator: string, right: string, position: PositionRange): void {
    this.info(
      `incompatible sample types encountered for binary operator ${quote(operator)}: ${left} ${operator} ${right}`,
      position,
    )
  }

  histogramIgnoredInAggregation(aggregation: string, position: PositionRange): void {
    this.info(`ignored histogram in ${aggregation} aggregation`, position)
  }

  histogramIgnoredInMixedRange(metricName: string, position: PositionRange): void {
    this.info(
      `ignored histograms in a range containing both floats and histograms for metric name ${quote(metricName)}`,
      position,
    )
  }

  quantileNaNResult(metricName: string, position: PositionRange): void {
    this.info(named('input to histogram_quantile has NaN observations, result is NaN', metricName), position)
  }

  quantileNaNSkew(metricName: string, position: PositionRange): void {
    this.info(named('input to histogram_quantile has NaN observations, result is skewed higher', metricName), position)
  }

  fractionNaNs(metricName: string, position: PositionRange): void {
    this.info(
      named('input to histogram_fraction has NaN observations, which are excluded from all fractions', metricName),
      position,
    )
  }

  forcedMonotonicity(
    metricName: string,
    position: PositionRange,
    repair: { timeMs: number; bucketMin: number; bucketMax: number; differenceMax: number },
  ): void {
    if (this.#repaired?.metricName !== metricName) {
      this.#repaired = { metricName, annotation: this.#add('info', named(FORCED_MONOTONICITY, metricName), position) }
    }
    const { annotation } = this.#repaired
    // Unlike others, this one keeps the first of its places.
    if (isLater(annotation.position, position)) annotation.position = position
    const repairs = annotation.repairs
    if (repairs === undefined) {
      const { timeMs, bucketMin, bucketMax, differenceMax } = repair
      annotation.repairs = { timeMsMin: timeMs, timeMsMax: timeMs, bucketMin, bucketMax, differenceMax, count: 1 }
      return
    }
    repairs.timeMsMin = Math.min(repairs.timeMsMin, repair.timeMs)
    repairs.timeMsMax = Math.max(repairs.timeMsMax, repair.timeMs)
    repairs.bucketMin = Math.min(repairs.bucketMin, repair.bucketMin)
    repairs.bucketMax = Math.max(repairs.bucketMax, repair.bucketMax)
    repairs.differenceMax = Math.max(repairs.differenceMax, repair.differenceMax)
    repairs.count++
  }

  /** The texts for the caller, with `(line:col)` in the query. */
  texts(severity: Severity, query: string): string[] {
    const all = [...this.#annotations.values()].filter((annotation) => annotation.severity === severity)
    const texts = all.slice(0, ANNOTATIONS_MAX).map((annotation) => textOf(annotation, query))
    if (all.length > ANNOTATIONS_MAX) {
      texts.push(`${all.length - ANNOTATIONS_MAX} more ${severity} annotations omitted`)
    }
    return texts
  }

  #add(severity: Severity, text: string, position: PositionRange): Annotation {
    const known = this.#annotations.get(text)
    if (known !== undefined) {
      if (isLater(position, known.position)) known.position = position
      return known
    }
    const annotation: Annotation = { severity, text, position }
    this.#annotations.set(text, annotation)
    return annotation
  }
}

/** Whether Prometheus comes to the first place later: operands from left to right, then what is made of them. */
function isLater(one: PositionRange, other: PositionRange): boolean {
  return one.end > other.end || (one.end === other.end && one.start < other.start)
}

/** `line:col` of a byte offset, both from 1. */
export function lineAndColumn(query: string, offset: number): string {
  const before = new TextDecoder().decode(new TextEncoder().encode(query).subarray(0, offset))
  const lineStart = before.lastIndexOf('\n') + 1
  const line = before.split('\n').length
  return `${line}:${new TextEncoder().encode(before.slice(lineStart)).length + 1}`
}

const FORCED_MONOTONICITY =
  'input to histogram_quantile needed to be fixed for monotonicity ' +
  '(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)'

function named(text: string, metricName: string): string {
  return metricName === '' ? text : `${text} for metric name ${quote(metricName)}`
}

function textOf(annotation: Annotation, query: string): string {
  const { severity, text, repairs } = annotation
  const detail =
    repairs === undefined
      ? ''
      : `, from buckets ${formatG(repairs.bucketMin)} to ${formatG(repairs.bucketMax)}` +
        `, with a max diff of ${formatG(Number(repairs.differenceMax.toPrecision(2)))}` +
        `, over ${repairs.count} samples from ${rfc3339(repairs.timeMsMin)} to ${rfc3339(repairs.timeMsMax)}`
  return `PromQL ${severity}: ${text}${detail} (${lineAndColumn(query, annotation.position.start)})`
}

function rfc3339(timeMs: number): string {
  return new Date(Math.trunc(timeMs / 1000) * 1000).toISOString().replace('.000Z', 'Z')
}
