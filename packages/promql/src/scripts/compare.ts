/** Whether an answer is what a script expects. Each function says what is wrong, or nothing. */
import { compareLabels, type Histogram } from '@varve/tsdb-core/model'
import { boundsEqual, spansEqual } from '../histograms/buckets.js'
import { compactHistogram } from '../histograms/index.js'
import { formatFloatG } from '../parser/go-text.js'
import type { Answer, AnswerSample, AnswerSeries } from './answer.js'
import type { EvalCommand, Expectation } from './script.js'
import type { ScriptValue } from './series-notation.js'

const EPSILON = 1e-6
const NORMAL_MIN = 2 ** -1022

/** Equal to a millionth; NaN equals NaN. */
export function almostEqual(a: number, b: number): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true
  const sum = Math.abs(a) + Math.abs(b)
  const difference = Math.abs(a - b)
  if (a === 0 || b === 0 || sum < NORMAL_MIN) return difference < EPSILON * NORMAL_MIN
  return difference / Math.min(sum, Number.MAX_VALUE) < EPSILON
}

export interface SampleTimes {
  readonly startMs: number
  readonly stepMs: number
}

export function compareAnswer(command: EvalCommand, answer: Answer, times: SampleTimes): string | undefined {
  if (answer.type === 'string') {
    if (answer.text === (command.string ?? '')) return undefined
    return `expected the string ${JSON.stringify(command.string)}, got ${JSON.stringify(answer.text)}`
  }
  if (answer.type === 'scalar') {
    const value = answer.series[0]?.samples[0]?.value ?? Number.NaN
    if (command.scalar === undefined) return `expected series, got the scalar ${value}`
    return almostEqual(command.scalar, value) ? undefined : `expected the scalar ${command.scalar}, got ${value}`
  }
  if (command.scalar !== undefined) return `expected the scalar ${command.scalar}, got ${describeAnswer(answer)}`
  if (answer.type === 'matrix') {
    if (command.ordered) return 'expected an ordered result, got a matrix'
    const unsorted = orderProblem(answer)
    if (unsorted) return unsorted
  }
  const expected = new Map(command.series.map((series, position) => [series.labels.key, { series, position }]))
  const seen = new Set<string>()
  for (const [position, series] of answer.series.entries()) {
    const wanted = expected.get(series.labels.key)
    if (!wanted) return `unexpected series ${describeSeries(series)}`
    if (seen.has(series.labels.key)) return `${series.labels} comes twice`
    seen.add(series.labels.key)
    if (command.ordered && wanted.position !== position) {
      return `expected ${series.labels} at place ${wanted.position + 1}, got it at ${position + 1}`
    }
    const values = answer.type === 'vector' ? wanted.series.values.slice(0, 1) : wanted.series.values
    const problem = compareSamples(values, series.samples, times)
    if (problem) return `${series.labels}: ${problem}`
  }
  for (const { series } of expected.values()) {
    if (!seen.has(series.labels.key)) return `no series ${series.labels}; got ${describeAnswer(answer)}`
  }
  return undefined
}

export function orderProblem({ series }: Answer): string | undefined {
  for (let i = 1; i < series.length; i++) {
    if (compareLabels(series[i - 1].labels, series[i].labels) > 0) {
      return `not sorted by labels: ${series[i].labels} after ${series[i - 1].labels}`
    }
  }
  return undefined
}

function compareSamples(
  values: readonly ScriptValue[],
  samples: readonly AnswerSample[],
  times: SampleTimes,
): string | undefined {
  const wanted = values.flatMap((value, i) =>
    value.value === undefined && !value.stale && !value.histogram
      ? []
      : [{ ...value, timeMs: times.startMs + i * times.stepMs }],
  )
  if (wanted.length !== samples.length) {
    return `expected ${wanted.length} samples, got ${samples.length}: ${samples.slice(0, 8).map(describeSample).join(' ')}`
  }
  for (const [i, sample] of samples.entries()) {
    const { timeMs, value, histogram, hintGiven, stale } = wanted[i]
    if (timeMs !== sample.timeMs) return `expected a sample at ${timeMs} ms, got ${describeSample(sample)}`
    if (stale) return `expected a staleness marker, which no answer can have`
    if (!histogram) {
      if (sample.histogram || !almostEqual(value ?? 0, sample.value)) {
        return `expected ${formatFloatG(value ?? 0)}, got ${describeSample(sample)}`
      }
      continue
    }
    const problem = sample.histogram
      ? compareHistograms(histogram, sample.histogram, hintGiven ?? false)
      : 'a float came'
    if (problem) return `${problem}: expected ${describeHistogram(histogram)}, got ${describeSample(sample)}`
  }
  return undefined
}

function compareHistograms(expected: Histogram, actual: Histogram, hintCounts: boolean): string | undefined {
  const a = compactHistogram(expected)
  const b = compactHistogram(actual)
  if (a.schema !== b.schema) return `schema ${b.schema}`
  if (!almostEqual(a.count, b.count)) return `count ${b.count}`
  if (!almostEqual(a.sum, b.sum)) return `sum ${b.sum}`
  if (!almostEqual(a.zeroCount, b.zeroCount)) return `zero count ${b.zeroCount}`
  if (a.zeroThreshold !== b.zeroThreshold) return `zero threshold ${b.zeroThreshold}`
  if (!boundsEqual(a.customValues, b.customValues)) return 'custom bounds'
  if (hintCounts && a.counterResetHint !== b.counterResetHint) return `counter reset hint ${b.counterResetHint}`
  const equal = (x: Float64Array, y: Float64Array) => x.length === y.length && x.every((n, i) => almostEqual(n, y[i]))
  if (!spansEqual(a.positiveSpans, b.positiveSpans) || !equal(a.positiveBuckets, b.positiveBuckets)) return 'buckets'
  if (!spansEqual(a.negativeSpans, b.negativeSpans) || !equal(a.negativeBuckets, b.negativeBuckets)) {
    return 'negative buckets'
  }
  return undefined
}

/** Every annotation must be expected, and every expectation met, unless the script says nothing of that kind. */
export function compareAnnotations({ expectations }: EvalCommand, answer: Answer): string | undefined {
  for (const [kind, texts] of [
    ['warn', answer.warnings],
    ['info', answer.infos],
  ] as const) {
    const expected = expectations.filter((one) => one.kind === kind)
    const found = texts.length > 0 ? JSON.stringify(texts) : 'none'
    if (expectations.some((one) => one.kind === `no_${kind}`) && texts.length > 0) return `unexpected ${kind}: ${found}`
    if (expected.length === 0) continue
    if (texts.length === 0) return `expected ${kind} annotations, got none`
    for (const one of expected) {
      if (!texts.some((text) => meets(one, text))) {
        return `expected the ${kind} annotation ${one.message ?? one.pattern}, got ${found}`
      }
    }
    const surplus = texts.find((text) => !expected.some((one) => meets(one, text)))
    if (surplus !== undefined) return `unexpected ${kind} annotation: ${surplus}`
  }
  return undefined
}

/** Whether a query failed as the script wants it. */
export function compareFailure({ expectations }: EvalCommand, message: string): string | undefined {
  const expected = expectations.find((one) => one.kind === 'fail')
  if (!expected || meets(expected, message)) return undefined
  return `expected the error ${expected.message ?? expected.pattern}, got ${message}`
}

function meets({ message, pattern }: Expectation, text: string): boolean {
  if (message !== undefined) return message === text
  return pattern === undefined || pattern.test(text)
}

export function describeAnswer({ type, series }: Answer): string {
  const shown = series.slice(0, 6).map(describeSeries).join(' | ')
  return `${type} of ${series.length}: ${shown}${series.length > 6 ? ' …' : ''}`
}

function describeSeries({ labels, samples }: AnswerSeries): string {
  return `${labels} ${samples.slice(0, 8).map(describeSample).join(' ')}`
}

function describeSample({ timeMs, value, histogram }: AnswerSample): string {
  return `${histogram ? describeHistogram(histogram) : formatFloatG(value)}@${timeMs}`
}

function describeHistogram(h: Histogram): string {
  const side = (spans: Histogram['positiveSpans'], counts: Float64Array) =>
    `[${spans.map(({ offset, length }) => `${offset}:${length}`).join(' ')}: ${[...counts].join(' ')}]`
  const bounds = h.customValues.length > 0 ? ` bounds:[${[...h.customValues].join(' ')}]` : ''
  const zero = ` zero:${h.zeroCount}/${h.zeroThreshold}`
  const negative = h.negativeBuckets.length > 0 ? ` negative:${side(h.negativeSpans, h.negativeBuckets)}` : ''
  return `{schema:${h.schema} count:${h.count} sum:${h.sum}${zero} ${h.counterResetHint}${bounds} ${side(h.positiveSpans, h.positiveBuckets)}${negative}}`
}
