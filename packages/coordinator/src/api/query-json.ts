/**
 * A query's result as JSON, in parts of some 256 KiB straight from the engine's columns: no object a sample, and no part is
 * made before the client has taken the one before it.
 *
 * `resultType` stands before `result`: Grafana reads the stream in that order.
 */
import type { QueryResult, QueryStats, ResultSeries } from '@varve/promql'
import { type Notices, noticesJson } from './envelope.js'
import { goNumber, goTimestamp, histogramJson, labelsJson } from './go-json.js'

/** Some milliseconds of work; most answers are one part, which needs no stream. */
const PART_CHARACTERS = 256 << 10
const LIMIT_WARNING = 'results truncated due to limit'

export interface QueryJsonOptions {
  /** At most so many series; 0: all. */
  readonly limit: number
  readonly stats: 'none' | 'summary' | 'all'
  readonly notices: Notices
  /** Lets the event loop turn between parts, and throws when the client has gone. */
  readonly pause: () => Promise<void>
}

export async function* queryJson(result: QueryResult, options: QueryJsonOptions): AsyncGenerator<string> {
  const { series } = result
  const limited = options.limit > 0 && result.type !== 'scalar' && series.count > options.limit
  const count = limited ? options.limit : series.count
  let text = `{"status":"success","data":{"resultType":"${result.type}","result":`
  if (result.type === 'string') {
    text += `[${goTimestamp(result.timeMs)},${JSON.stringify(result.text ?? '')}]`
  } else if (result.type === 'scalar') {
    let value = NaN
    series.forEachSample(0, (_, sample) => (value = sample))
    text += `[${goTimestamp(result.timeMs)},"${goNumber(value)}"]`
  } else {
    text += '['
    let first = true
    const heads = new SampleHeads(series)
    for (let i = 0; i < count; i++) {
      const row = result.type === 'vector' ? vectorRow(result, i) : matrixRow(result, i, heads)
      if (row === null) continue
      text += first ? row : `,${row}`
      first = false
      if (text.length >= PART_CHARACTERS) {
        yield text
        text = ''
        await options.pause()
      }
    }
    text += ']'
  }
  if (options.stats !== 'none') text += `,"stats":${statsJson(result.stats, options.stats === 'all')}`
  const warnings = [...(options.notices.warnings ?? []), ...result.warnings, ...(limited ? [LIMIT_WARNING] : [])]
  const infos = [...(options.notices.infos ?? []), ...result.infos]
  yield `${text}}${noticesJson({ warnings, infos })}}`
}

function vectorRow(result: QueryResult, index: number): string | null {
  let sample: string | null = null
  result.series.forEachSample(index, (_, value, histogram) => {
    const time = goTimestamp(result.timeMs)
    sample =
      histogram === undefined
        ? `"value":[${time},"${goNumber(value)}"]`
        : `"histogram":[${time},${histogramJson(histogram)}]`
  })
  return sample === null ? null : `{"metric":${labelsJson(result.series.labels(index))},${sample}}`
}

/** `[1700000000,"` for each sample: written once for all series on a grid, and for series in a row that share their times. */
class SampleHeads {
  readonly ofGrid: readonly string[] | undefined
  #last: readonly string[] = []
  #lastTimesMs: Float64Array = new Float64Array(0)

  constructor({ grid, count }: ResultSeries) {
    if (grid === undefined || count < 2) return
    this.ofGrid = Array.from({ length: grid.stepCount }, (_, step) => head(grid.startMs + step * grid.stepMs))
  }

  of(timesMs: Float64Array): readonly string[] {
    const last = this.#lastTimesMs
    const isLast =
      last.buffer === timesMs.buffer && last.byteOffset === timesMs.byteOffset && last.length === timesMs.length
    if (!isLast) this.#last = Array.from(timesMs, head)
    this.#lastTimesMs = timesMs
    return this.#last
  }
}

function head(timeMs: number): string {
  return `[${goTimestamp(timeMs)},"`
}

function matrixRow(result: QueryResult, index: number, heads: SampleHeads): string | null {
  const { grid } = result.series
  const samples = result.series.samples?.(index)
  let values = ''
  let histograms = ''
  if (grid !== undefined && heads.ofGrid !== undefined && grid.histograms === undefined) {
    const from = grid.rows[index] * grid.stepCount
    for (let step = 0; step < grid.stepCount; step++) {
      if (grid.presence[from + step] === 0) continue
      values += `${values === '' ? '' : ','}${heads.ofGrid[step]}${goNumber(grid.values[from + step])}"]`
    }
  } else if (samples !== undefined && samples.histograms === undefined) {
    const starts = heads.of(samples.timesMs)
    for (let i = 0; i < starts.length; i++) {
      values += `${values === '' ? '' : ','}${starts[i]}${goNumber(samples.values[i])}"]`
    }
  } else {
    result.series.forEachSample(index, (timeMs, value, histogram) => {
      if (histogram === undefined) values += `${values === '' ? '' : ','}${head(timeMs)}${goNumber(value)}"]`
      else histograms += `${histograms === '' ? '' : ','}[${goTimestamp(timeMs)},${histogramJson(histogram)}]`
    })
  }
  if (values === '' && histograms === '') return null
  let row = `{"metric":${labelsJson(result.series.labels(index))}`
  if (values !== '') row += `,"values":[${values}]`
  if (histograms !== '') row += `,"histograms":[${histograms}]`
  return `${row}}`
}

function statsJson(stats: QueryStats, all: boolean): string {
  const prepare = stats.prepareMs / 1000
  const evaluate = stats.evaluateMs / 1000
  const summary = {
    timings: {
      evalTotalTime: prepare + evaluate,
      resultSortTime: 0,
      queryPreparationTime: prepare,
      innerEvalTime: evaluate,
      execQueueTime: 0,
      execTotalTime: prepare + evaluate,
    },
    samples: {
      totalQueryableSamples: stats.samplesRead,
      samplesRead: stats.samplesRead,
      peakSamples: stats.samplesPeak,
    },
  }
  return JSON.stringify(all ? { ...summary, trace: stats.trace } : summary)
}
