/**
 * A native histogram in a line of JSON (docs/ingest.md): lossless, and nothing in it that is as usual.
 *
 *     {"schema":3,"count":12,"sum":18.4,"zeroThreshold":1e-128,"zeroCount":2,
 *      "positiveSpans":[[0,2],[1,2]],"positiveBuckets":[2,1,3,1],"negativeSpans":[[0,2]],"negativeBuckets":[2,1]}
 *
 * Spans are `[offset, length]`, buckets absolute counts. `"gauge":true` is a gauge histogram, `"float":true` one whose counts
 * were not integers on their way in, `"stale":true` a staleness marker, `customValues` the bounds of schema -53. What a
 * sender said of the sample before is not kept: it may be another one where the line is read.
 */
import type { Histogram, Span } from '@varve/tsdb-core/model'
import { goNumber } from '../../api/go-json.js'

/** Far above any that a sender makes; a list in a line cannot be longer than the line. */
const BUCKET_COUNT_MAX = 100_000

export function histogramJson(histogram: Histogram): string {
  const { schema, count, sum, zeroThreshold, zeroCount, positiveSpans, positiveBuckets } = histogram
  const { negativeSpans, negativeBuckets, customValues, counterResetHint, integer, stale } = histogram
  let text = `{"schema":${schema},"count":${number(count)},"sum":${number(sum)}`
  text += `,"zeroThreshold":${number(zeroThreshold)},"zeroCount":${number(zeroCount)}`
  if (positiveSpans.length > 0) text += `,"positiveSpans":${spans(positiveSpans)}`
  if (positiveBuckets.length > 0) text += `,"positiveBuckets":${numbers(positiveBuckets)}`
  if (negativeSpans.length > 0) text += `,"negativeSpans":${spans(negativeSpans)}`
  if (negativeBuckets.length > 0) text += `,"negativeBuckets":${numbers(negativeBuckets)}`
  if (customValues.length > 0) text += `,"customValues":${numbers(customValues)}`
  if (counterResetHint === 'gauge') text += ',"gauge":true'
  if (!integer) text += ',"float":true'
  if (stale) text += ',"stale":true'
  return `${text}}`
}

/** Returns why it is none, as a text, where it is none. Whether its parts fit together is checked where all histograms are. */
export function histogramOfJson(value: unknown): Histogram | string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'wanted an object'
  const fields = new Map<string, unknown>(Object.entries(value))
  const problems: string[] = []
  const numberOf = (name: string) => {
    const found = doubleOf(fields.get(name) ?? 0)
    if (found === undefined) problems.push(`wanted "${name}" to be a number`)
    return found ?? 0
  }
  const numbersOf = (name: string) => {
    const list = fields.get(name) ?? []
    const found = Array.isArray(list) && list.length <= BUCKET_COUNT_MAX ? list.map(doubleOf) : [undefined]
    if (found.includes(undefined)) problems.push(`wanted "${name}" to be a list of at most ${BUCKET_COUNT_MAX} numbers`)
    return Float64Array.from(found as number[])
  }
  const spansOf = (name: string) => {
    const list = fields.get(name) ?? []
    if (Array.isArray(list) && list.length <= BUCKET_COUNT_MAX && list.every(isSpan)) {
      return list.map(([offset, length]) => ({ offset, length }))
    }
    problems.push(`wanted "${name}" to be a list of [offset, length]`)
    return []
  }
  const histogram: Histogram = {
    schema: numberOf('schema'),
    count: numberOf('count'),
    sum: numberOf('sum'),
    zeroThreshold: numberOf('zeroThreshold'),
    zeroCount: numberOf('zeroCount'),
    positiveSpans: spansOf('positiveSpans'),
    positiveBuckets: numbersOf('positiveBuckets'),
    negativeSpans: spansOf('negativeSpans'),
    negativeBuckets: numbersOf('negativeBuckets'),
    customValues: numbersOf('customValues'),
    counterResetHint: fields.get('gauge') === true ? 'gauge' : 'unknown',
    integer: fields.get('float') !== true,
    stale: fields.get('stale') === true,
  }
  if (!Number.isInteger(histogram.schema)) problems.push('wanted "schema" to be a whole number')
  if (histogram.integer && ![...histogram.positiveBuckets, ...histogram.negativeBuckets].every(Number.isSafeInteger)) {
    problems.push('wanted buckets to be whole numbers, or "float" to be true')
  }
  return problems[0] ?? histogram
}

function isSpan(span: unknown): span is [number, number] {
  if (!Array.isArray(span) || span.length !== 2) return false
  const [offset, length] = span
  return (
    Number.isInteger(offset) &&
    Math.abs(offset) < 2 ** 31 &&
    Number.isInteger(length) &&
    length >= 0 &&
    length < 2 ** 32
  )
}

function number(value: number): string {
  return Number.isFinite(value) ? goNumber(value) : `"${goNumber(value)}"`
}

function numbers(values: Float64Array): string {
  return `[${Array.from(values, number)}]`
}

function spans(all: readonly Span[]): string {
  return `[${all.map(({ offset, length }) => `[${offset},${length}]`)}]`
}

const TEXTS: ReadonlyMap<unknown, number> = new Map([
  ['NaN', Number.NaN],
  ['+Inf', Infinity],
  ['-Inf', -Infinity],
])

function doubleOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : TEXTS.get(value)
}
