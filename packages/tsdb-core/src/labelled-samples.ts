/** Samples given as objects: checked one by one, since programs without types write them, and turned into columns. */
import { StorageError } from './errors.js'
import type { Histogram } from './model/histogram.js'
import { Labels, METRIC_NAME } from './model/labels.js'
import type { LabelledSample } from './namespace.js'
import { describeValue } from './option-names.js'
import type { SampleBatch } from './shard.js'

export interface LabelledColumns {
  readonly labels: readonly Labels[]
  readonly columns: Omit<SampleBatch, 'seriesRefs'>
}

/** @throws {StorageError} `INVALID_ARGUMENT` for the first sample that is none: its place, what came, what was wanted. */
export function columnsOfSamples(samples: Iterable<LabelledSample>): LabelledColumns {
  if (typeof samples !== 'object' || samples === null || !(Symbol.iterator in samples)) {
    throw invalid(`append: got ${describeValue(samples)}, wanted an array of samples (or another iterable)`)
  }
  const list = [...samples]
  const count = list.length
  const labels: Labels[] = []
  const values = new Float64Array(count)
  const timestampsMs = new Float64Array(count)
  const startTimestampsMs = new Float64Array(count)
  const sampleIndexes: number[] = []
  const histograms: Histogram[] = []
  list.forEach((sample, k) => {
    if (typeof sample !== 'object' || sample === null) {
      throw invalid(`sample ${k}: got ${describeValue(sample)}, wanted { labels, timestampMs, value }`)
    }
    labels.push(labelsOfSample(sample, k))
    const where = `sample ${k} of ${labels[k]}`
    timestampsMs[k] = wholeMs(sample.timestampMs, `${where}: timestampMs`)
    if (sample.startTimestampMs !== undefined) {
      startTimestampsMs[k] = wholeMs(sample.startTimestampMs, `${where}: startTimestampMs`)
    }
    if (sample.histogram !== undefined) {
      checkHistogram(sample.histogram, where)
      sampleIndexes.push(k)
      histograms.push(sample.histogram)
    } else if (typeof sample.value === 'number') values[k] = sample.value
    else if (sample.value === undefined) throw invalid(`${where}: it has neither a value nor a histogram`)
    else throw invalid(`${where}: value is ${describeValue(sample.value)}, wanted a number`)
  })
  return {
    labels,
    columns: {
      count,
      timestampsMs,
      values,
      ...(startTimestampsMs.some((start) => start !== 0) && { startTimestampsMs }),
      ...(histograms.length > 0 && { histograms: { sampleIndexes: Uint32Array.from(sampleIndexes), histograms } }),
    },
  }
}

function labelsOfSample(sample: LabelledSample, k: number): Labels {
  let labels: Labels
  try {
    labels = sample.labels instanceof Labels ? sample.labels : Labels.from(sample.labels)
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    throw new StorageError(error.code, `sample ${k}: ${error.message}`, { cause: error })
  }
  if (labels.metricName !== '') return labels
  throw invalid(`sample ${k} of ${labels}: wanted a label ${METRIC_NAME}, the name of the metric`)
}

function wholeMs(time: number, what: string): number {
  if (Number.isSafeInteger(time)) return time
  const came = (time as unknown) instanceof Date ? 'a Date' : describeValue(time)
  throw invalid(`${what} is ${came}, wanted a whole number of milliseconds since 1970`)
}

function checkHistogram(histogram: Histogram, where: string): void {
  if (typeof histogram !== 'object' || histogram === null) {
    throw invalid(`${where}: histogram is ${describeValue(histogram)}, wanted an object`)
  }
  for (const name of ['schema', 'zeroThreshold', 'zeroCount', 'count', 'sum'] as const) {
    if (typeof histogram[name] === 'number') continue
    throw invalid(`${where}: ${name} of its histogram is ${describeValue(histogram[name])}, wanted a number`)
  }
  for (const name of ['positiveSpans', 'negativeSpans'] as const) {
    if (Array.isArray(histogram[name])) continue
    throw invalid(`${where}: ${name} of its histogram is ${describeValue(histogram[name])}, wanted an array`)
  }
  for (const name of ['positiveBuckets', 'negativeBuckets', 'customValues'] as const) {
    if (histogram[name] instanceof Float64Array) continue
    throw invalid(`${where}: ${name} of its histogram is ${describeValue(histogram[name])}, wanted a Float64Array`)
  }
}

function invalid(message: string): StorageError {
  return new StorageError('INVALID_ARGUMENT', message)
}
